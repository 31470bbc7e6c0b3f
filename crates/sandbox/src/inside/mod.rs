//! The first process of a sandbox, from its birth to the moment it serves calls.
//!
//! It runs as a copy of its launcher. In an isolated sandbox it turns itself into the init of
//! its namespaces, step by step, and gives up what it needed for that; any step that fails
//! ends it. There is no weaker form to fall back to.

mod authorities;
mod container;
mod disk;
mod etc_files;
mod intercept;
mod landlock;
mod layered_root;
mod links;
mod mounts;
mod netlink;
pub(crate) mod network;
mod packages;
mod pod;
mod privileges;
mod seccomp;

use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixListener;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;

use rustix::fs::{CWD, Mode as FileMode, OFlags};
use rustix::net::SendFlags;
use rustix::thread::{set_thread_groups, set_thread_res_gid, set_thread_res_uid};

pub use self::container::agent_main;
use self::disk::SandboxFiles;
use self::packages::PackageSources;
pub use self::pod::pod_agent_main;
pub(crate) use self::seccomp::Filters;
use crate::agent::shell_memory::ShellMemory;
use crate::agent::{Agent, GatewaySockets, MountWatch, OrphanCheck, Places, ToolLimits};
use crate::isolation::{LimitSource, Mode, Network, UserNamespace};
use crate::launcher::cgroup;
use crate::launcher::mounts::receive_go;
use crate::launcher::order::{At, ChildAnswer, LaunchOrder, Refused};
use crate::root::Root;
use crate::spec::Spec;
use crate::sys::descriptors::replace_standard_streams;
use crate::sys::process::exit_now;

/// The directories of a sandbox that outlive its processes, opened on the host's side.
struct Sources {
    /// An empty directory that the new root is mounted on.
    root: OwnedFd,
    workspace: OwnedFd,
    outputs: OwnedFd,
    uploads: OwnedFd,
    home: OwnedFd,
    layers: Layers,
    packages: PackageSources,
}

/// What the root of the sandbox is made of.
enum Layers {
    /// The host's programs.
    Host,
    Own(OwnLayers),
}

/// The lowest first.
struct OwnLayers {
    lower: Lower,
    upper: OwnedFd,
    work: OwnedFd,
}

enum Lower {
    /// Detached mounts, made by the launcher.
    Mounts(Vec<OwnedFd>),
    /// Directories that belong to the one uid there is.
    Directories(Vec<OwnedFd>),
}

/// What the agent finds around it.
struct Surroundings {
    places: Places,
    landlock_abi: Option<u32>,
    network: Network,
    gateway: GatewaySockets,
    orphan_check: OrphanCheck,
}

/// What the launcher leaves to its child.
pub(crate) struct Birth<'a> {
    pub(crate) order: &'a LaunchOrder,
    pub(crate) listener: UnixListener,
    /// As seen before the birth: the child's own uid means something else.
    pub(crate) user_namespace: UserNamespace,
    pub(crate) memory_limit: LimitSource,
    /// Files that take this process into its own cgroups.
    pub(crate) entrances: Vec<OwnedFd>,
    /// Files that take processes into the cgroups of tools.
    pub(crate) tool_cgroups: Vec<OwnedFd>,
    pub(crate) filters: &'a Filters,
}

/// Never returns: not even a panic may run on into the launcher's clean-up. `launcher` is the socket
/// to it.
pub(crate) fn run(birth: Birth<'_>, launcher: OwnedFd) -> ! {
    let life = AssertUnwindSafe(|| match become_ready(birth, &launcher) {
        Ok(agent) => {
            drop(launcher);
            agent.serve()
        }
        Err(refused) => {
            tell(
                &launcher,
                &ChildAnswer::Failed {
                    reason: refused.to_string(),
                },
            );
            exit_now(1)
        }
    });
    let _ = catch_unwind(life);
    exit_now(1)
}

fn become_ready(birth: Birth<'_>, launcher: &OwnedFd) -> Result<Agent, Refused> {
    let Birth {
        order,
        listener,
        user_namespace,
        memory_limit,
        entrances,
        tool_cgroups,
        filters,
    } = birth;
    let null = rustix::fs::open(
        "/dev/null",
        OFlags::RDWR | OFlags::CLOEXEC,
        FileMode::empty(),
    );
    replace_standard_streams(null.at("open /dev/null")?.as_fd()).at("leave the server's pipes")?;
    let Some(mounts) = receive_go(launcher).at("wait for the launcher")? else {
        // The launcher is gone; nobody knows this process.
        exit_now(1);
    };
    // Before anything is made that counts against the limits.
    cgroup::enter(&entrances).at("enter the cgroups")?;
    drop(entrances);
    rustix::process::umask(FileMode::from_raw_mode(0o022));
    let memory = ShellMemory::open().at("open the shell's memory")?;
    let surroundings = match order.mode {
        Mode::Isolated => isolate(order, mounts, user_namespace, memory_limit, filters)?,
        // The launcher refuses to make a container.
        Mode::UnsafeProcess | Mode::Container | Mode::Pod => stay_on_the_host(order)?,
    };
    let tool_limits = ToolLimits {
        cgroups: tool_cgroups,
        processes: match order.mode {
            Mode::Isolated => Some(order.limits.processes.into()),
            // It would count all that the server's user runs.
            Mode::UnsafeProcess | Mode::Container | Mode::Pod => None,
        },
    };
    let Surroundings {
        places,
        landlock_abi,
        network,
        gateway,
        orphan_check,
    } = surroundings;
    let agent = Agent::new(
        listener,
        places,
        memory,
        network,
        gateway,
        orphan_check,
        tool_limits,
    );
    let agent = agent.at("start the agent")?;
    let ready = ChildAnswer::Ready {
        landlock_abi,
        network,
    };
    tell(launcher, &ready);
    Ok(agent)
}

/// An answer that nobody takes means that the launch was given up: so is this process.
fn tell(launcher: &OwnedFd, answer: &ChildAnswer) {
    let sent = serde_json::to_vec(answer)
        .map_err(std::io::Error::from)
        .and_then(|text| Ok(rustix::net::send(launcher, &text, SendFlags::NOSIGNAL)?));
    if sent.is_err() {
        exit_now(1);
    }
}

/// The order is proven and matters: sources are opened as the server's user, everything is
/// mounted as root of the user namespace, and the power to mount goes last.
fn isolate(
    order: &LaunchOrder,
    mut mounts: Vec<OwnedFd>,
    user_namespace: UserNamespace,
    memory_limit: LimitSource,
    filters: &Filters,
) -> Result<Surroundings, Refused> {
    // Before anything is mounted, so that nothing of it is seen outside.
    mounts::make_private()?;
    let files = disk::enter(order.files_in, &mut mounts)?;
    let sources = Sources::open(&order.spec, &files, mounts)?;
    // With a single uid the kernel forbids it: groups could be what denies a right.
    if matches!(user_namespace, UserNamespace::Range { .. }) {
        set_thread_groups(&[]).at("drop supplementary groups")?;
    }
    let (uid, gid) = (rustix::fs::Uid::ROOT, rustix::fs::Gid::ROOT);
    set_thread_res_gid(gid, gid, gid).at("become root of the namespace")?;
    set_thread_res_uid(uid, uid, uid).at("become root of the namespace")?;
    // The first process of a pid namespace starts in the session of its parent.
    rustix::process::setsid().at("start a session")?;
    mounts::enter_new_root(&sources, &order.limits, &order.spec)?;
    drop(sources);
    let watch = MountWatch::of(mounts::OVER_THE_HOST).at("watch the mounts")?;
    let (network, gateway) = network::set_up(order.spec.network)?;
    let variables = authorities::trust(&order.spec)?;
    rustix::system::sethostname(b"sandbox").at("set the host name")?;
    privileges::lower_limits(&order.limits, memory_limit == LimitSource::Rlimit)?;
    privileges::drop_capabilities()?;
    let landlock_abi = landlock::restrict();
    filters.restrict()?;
    Ok(Surroundings {
        places: Places::isolated(variables),
        landlock_abi,
        network,
        gateway,
        orphan_check: OrphanCheck::Told(watch),
    })
}

fn stay_on_the_host(order: &LaunchOrder) -> Result<Surroundings, Refused> {
    rustix::process::setsid().at("start a session")?;
    // Orphans of a command come to us, so that a restart and a shutdown reach them.
    let own = rustix::process::getpid();
    rustix::process::set_child_subreaper(Some(own)).at("adopt orphans")?;
    let within = |name: &str| -> PathBuf { order.directory.join(name) };
    let places = Places {
        workspace: within("workspace"),
        home: within("home"),
        spill: within("tool_outputs"),
        environment: order.spec.all_variables(),
    };
    rustix::process::chdir(&places.workspace).at("enter the workspace")?;
    Ok(Surroundings {
        places,
        landlock_abi: None,
        network: Network::Host,
        gateway: GatewaySockets::default(),
        orphan_check: OrphanCheck::every(order.orphan_check),
    })
}

impl Sources {
    /// By names relative to the launcher's directory, or to the sandbox's own file system: no
    /// path above needs to be passable for the sandbox's root, and the mounts found are those of
    /// the new namespace.
    fn open(spec: &Spec, files: &SandboxFiles, mounts: Vec<OwnedFd>) -> Result<Self, Refused> {
        let open = |name: &str| {
            let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            rustix::fs::openat(CWD, name, flags, FileMode::empty()).at(&format!("open {name}"))
        };
        let layers = match &spec.root {
            Root::Host => Layers::Host,
            Root::Layers(layers) => Layers::Own(OwnLayers {
                lower: match mounts.is_empty() {
                    false => Lower::Mounts(mounts),
                    true => Lower::Directories(
                        layers
                            .iter()
                            .map(|layer| open(&layer.to_string_lossy()))
                            .collect::<Result<_, _>>()?,
                    ),
                },
                upper: files.open("upper")?,
                work: files.open("work")?,
            }),
        };
        Ok(Self {
            packages: PackageSources::open(spec, files)?,
            layers,
            root: open("root")?,
            workspace: files.open("workspace")?,
            outputs: files.open("outputs")?,
            uploads: open("uploads")?,
            home: files.open("home")?,
        })
    }
}
