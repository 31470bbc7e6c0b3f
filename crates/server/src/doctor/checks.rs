//! The checks of `hostler doctor`, in the order in which they are told.

use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};

use hostler_domain::Env;
use hostler_protocol::id::EventId;
use hostler_relay::{Relay, RelayOptions, ServerAddress};
use hostler_sandbox::{
    DiskLimit, GatewayPorts, IsolationReport, LimitSource, Mode, Network, SandboxHost,
    UserNamespace,
};
use hostler_store::BucketOptions;

use super::Check;
use crate::config::{NetworkOptions, ProviderApi, ProviderKey, ProviderOptions, SandboxOptions};
use crate::data_folder::{Holder, holder};
use crate::limits::{DISK_FREE_MIN, DISK_FREE_WANTED};
use crate::wiring::{read_script, sandbox_host};

const DATA_FOLDER: &str = "data folder";
const DISK_SPACE: &str = "disk space";

pub(super) fn data_folder(path: &Path) -> Check {
    let shown = path.display();
    let elsewhere = "choose another folder with --data-dir, or give this one to the server's user";
    if path.exists() && !path.is_dir() {
        return Check::fail(DATA_FOLDER, format!("{shown} is not a folder"), elsewhere);
    }
    let existing = nearest_existing(path);
    // Asking the kernel is the only way that counts root, read-only mounts and access lists in.
    let access = rustix::fs::Access::WRITE_OK | rustix::fs::Access::EXEC_OK;
    if let Err(error) = rustix::fs::access(&existing, access) {
        let detail = format!("{} cannot be written to: {error}", existing.display());
        return Check::fail(DATA_FOLDER, detail, elsewhere);
    }
    match holder(path) {
        Ok(Holder::Server(Some(pid))) => Check::ok(
            DATA_FOLDER,
            format!("{shown}, in use by the server with process id {pid}"),
        ),
        Ok(Holder::Server(None)) => Check::ok(DATA_FOLDER, format!("{shown}, in use by a server")),
        Ok(Holder::Nobody) if path.exists() => Check::ok(DATA_FOLDER, shown.to_string()),
        Ok(Holder::Nobody) => Check::ok(
            DATA_FOLDER,
            format!("{shown}, which the first start will make"),
        ),
        Err(error) => Check::fail(
            DATA_FOLDER,
            format!("the lock in {shown}: {error}"),
            elsewhere,
        ),
    }
}

pub(super) fn disk_space(path: &Path) -> Check {
    let existing = nearest_existing(path);
    let free = match rustix::fs::statvfs(&existing) {
        Ok(disk) => disk.f_bavail.saturating_mul(disk.f_frsize),
        Err(error) => {
            let hint = "look at the disk that holds the data folder";
            return Check::warn(DISK_SPACE, format!("{}: {error}", existing.display()), hint);
        }
    };
    let detail = format!("{} MiB free for {}", free >> 20, path.display());
    let hint = "make room, or choose a folder on another disk with --data-dir";
    if free < DISK_FREE_MIN {
        Check::fail(DISK_SPACE, detail, hint)
    } else if free < DISK_FREE_WANTED {
        Check::warn(DISK_SPACE, detail, hint)
    } else {
        Check::ok(DISK_SPACE, detail)
    }
}

pub(super) fn port(listen: SocketAddr, data_dir: &Path) -> Check {
    let name = "address";
    let loopback = listen.ip().is_loopback();
    match TcpListener::bind(listen) {
        Ok(_) if loopback => Check::ok(name, format!("{listen} is free")),
        Ok(_) => Check::warn(
            name,
            format!("{listen} is free, and can be reached from other machines without encryption"),
            "put a proxy with TLS in front of it, or listen on 127.0.0.1",
        ),
        Err(error) if error.kind() == std::io::ErrorKind::AddrInUse => {
            if matches!(holder(data_dir), Ok(Holder::Server(_))) {
                Check::ok(
                    name,
                    format!("{listen} is in use, as the data folder is: a server runs"),
                )
            } else {
                let detail = format!("{listen} is in use by another program");
                Check::fail(
                    name,
                    detail,
                    "stop that program, or choose another with --listen",
                )
            }
        }
        Err(error) => {
            let hint = "choose an address of this machine with --listen, and a port above 1023";
            Check::fail(name, format!("{listen}: {error}"), hint)
        }
    }
}

/// Makes a sandbox in a folder that is thrown away, as the server does at its start.
pub(super) async fn sandbox(options: &SandboxOptions, network: &NetworkOptions) -> Check {
    let name = "sandbox";
    let trial = match tempfile::Builder::new().prefix("hostler-doctor-").tempdir() {
        Ok(folder) => folder,
        Err(error) => {
            let hint = "make the folder for temporary files writable, or set TMPDIR to one that is";
            return Check::fail(name, format!("no folder to try it in: {error}"), hint);
        }
    };
    let mut host = sandbox_host(options, network);
    host.state_dir = trial.path().join("sandboxes");
    match SandboxHost::start(host).await {
        Err(unavailable) => Check::fail(name, unavailable.reason, unavailable.hint),
        Ok(host) => match host.isolation().mode {
            Mode::Isolated => Check::ok(name, described(host.isolation())),
            Mode::Container => {
                let image = &options.docker.image;
                let facts = described(host.isolation());
                Check::ok(name, format!("containers of the image {image}, {facts}"))
            }
            Mode::Pod => {
                let (image, namespace) = (&options.kubernetes.image, &options.kubernetes.namespace);
                let facts = described(host.isolation());
                Check::ok(
                    name,
                    format!("pods of the image {image} in the namespace {namespace}, {facts}"),
                )
            }
            Mode::UnsafeProcess => Check::warn(
                name,
                "tier none: tools run as plain processes of the server's user",
                "use --sandbox=isolated on a machine that holds anything of value",
            ),
        },
    }
}

fn described(report: &IsolationReport) -> String {
    let users = match report.user_namespace {
        UserNamespace::Range { base, size } => format!("user ids {base} to {}", base + (size - 1)),
        UserNamespace::Single => "one user id".to_owned(),
        UserNamespace::None => "the server's user ids".to_owned(),
    };
    let limit = |source: LimitSource| match source {
        LimitSource::CgroupV2 | LimitSource::CgroupV1 => "by cgroup",
        LimitSource::Rlimit => "per process",
        LimitSource::None => "not limited",
    };
    let network = match report.network {
        Network::None => "no network",
        Network::Gateway { ports } => match ports {
            GatewayPorts::All => "network through a gateway",
            GatewayPorts::Known => {
                "network through a gateway for ports in general use, without nf_tables"
            }
        },
        Network::Host => "the host's network",
    };
    let disk = match report.disk_limit {
        DiskLimit::Image => "and files by an image of its own",
        DiskLimit::PerFile => "per file",
        DiskLimit::None => "not limited",
    };
    format!(
        "tier {}: {users}, {network}, memory {}, processes {}, disk {disk}, seccomp {}, Landlock {}",
        report.tier(),
        limit(report.memory_limit),
        limit(report.process_limit),
        if report.seccomp { "on" } else { "off" },
        if report.landlock_abi.is_some() {
            "on"
        } else {
            "off"
        }
    )
}

/// Writes to the bucket, reads and deletes, as the server does at its start.
pub(super) async fn blobs(bucket: Option<&BucketOptions>) -> Option<Check> {
    let bucket = bucket?;
    let name = "blobs";
    let trial: EventId = Env::system().id();
    let tried = hostler_store::try_bucket(bucket, &trial.to_string()).await;
    Some(match tried {
        Ok(()) => Check::ok(
            name,
            format!("{} can be written, read and deleted", bucket.address),
        ),
        Err(error) => {
            let hint = "see [blobs] in the configuration, and what its key may do";
            Check::fail(name, format!("{:#}", anyhow::Error::new(error)), hint)
        }
    })
}

/// Says something to a server of NATS, and hears it.
pub(super) async fn nats(relay: Option<&RelayOptions>) -> Option<Check> {
    let relay = relay?;
    let name = "nats";
    let servers: Vec<String> = relay.servers.iter().map(ToString::to_string).collect();
    let servers = servers.join(", ");
    Some(match Relay::check(relay).await {
        Ok(()) if relay.servers.iter().all(ServerAddress::is_encrypted) => {
            Check::ok(name, format!("{servers}: previews reach other servers"))
        }
        Ok(()) => Check::warn(
            name,
            format!("{servers}: previews reach other servers, without encryption"),
            "use tls:// in nats.url, unless nobody else is on that network",
        ),
        // A server starts without it, and shows what it can.
        Err(error) => Check::warn(
            name,
            format!("{servers}: {error}"),
            "see [nats] in the configuration; until then previews stay with the server that runs a session",
        ),
    })
}

pub(super) fn provider(provider: &ProviderOptions) -> Check {
    let name = format!("provider {}", provider.name);
    let ProviderApi::Scripted { script } = &provider.api else {
        return http_provider(name, provider);
    };
    let Some(path) = script else {
        return Check::ok(name, "the script of the demo");
    };
    let shown = path.display();
    let hint = "correct the file, or leave `script` out for the script of the demo";
    match read_script(path) {
        Ok(_) => Check::ok(name, format!("the script {shown}")),
        Err(error) => Check::fail(name, format!("the script {shown}: {error:#}"), hint),
    }
}

fn http_provider(name: String, provider: &ProviderOptions) -> Check {
    let Some(http) = provider.api.http() else {
        return Check::ok(name, "");
    };
    let url = &http.base_url;
    match &http.key {
        ProviderKey::Bearer(_) | ProviderKey::Header(_) => {
            Check::ok(name, format!("{url}, key present"))
        }
        ProviderKey::None if !http.needs_key() => Check::ok(name, format!("{url}, without a key")),
        ProviderKey::None => {
            let variable = provider.name.to_uppercase();
            let hint = format!(
                "to use its models, set HOSTLER__PROVIDERS__{variable}__API_KEY or `api_key_file`"
            );
            Check::warn(name, format!("{url}, no key"), hint)
        }
    }
}

/// The folder itself, or the one that it would be made in.
fn nearest_existing(path: &Path) -> PathBuf {
    let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let existing = absolute.ancestors().find(|folder| folder.exists());
    existing.unwrap_or(Path::new("/")).to_owned()
}
