//! The launcher: a short-lived, single-threaded process that makes one sandbox.
//!
//! It is the hidden `sandbox-init` subcommand of the server. It reads its order from standard
//! input, clones the sandbox's first process, records it, lets it go on, waits until it is
//! ready, says so in one line on standard output and ends. The sandbox then belongs to the
//! init of the host and outlives the server.

pub(crate) mod cgroup;
pub(crate) mod layers;
pub(crate) mod order;
pub(crate) mod record;

use std::fs;
use std::io::{Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixListener;
use std::process::ExitCode;

use rustix::net::{AddressFamily, RecvFlags, SocketFlags, SocketType};
use rustix::process::{Signal, WaitId, WaitIdOptions, pidfd_send_signal, waitid};

use self::cgroup::CgroupSet;
use self::order::{At, ChildAnswer, LaunchAnswer, LaunchOrder, Refused};
use self::record::ProcessRecord;
use crate::inside::{self, Birth};
use crate::isolation::{DiskLimit, IsolationReport, LimitSource, Mode, Network, UserNamespace};
use crate::limits::{LAUNCH_ANSWER_BYTES_MAX, LAUNCH_ORDER_BYTES_MAX, UID_RANGE};
use crate::sys::clone::{ALL_NAMESPACES, Child, Cloned, clone_process};
use crate::sys::descriptors::{close_inherited, park_shell_descriptors};

/// The socket of a sandbox, in its directory.
pub(crate) const SOCKET_NAME: &str = "agent.sock";

/// The whole of `hostler sandbox-init`. Call it first thing in `main`, before any thread or
/// runtime exists: the sandbox's first process is a copy of this one.
pub fn init_main() -> ExitCode {
    let answer = match launch() {
        Ok(isolation) => LaunchAnswer::Ready { isolation },
        Err(refused) => LaunchAnswer::Failed {
            reason: refused.to_string(),
        },
    };
    let ready = matches!(answer, LaunchAnswer::Ready { .. });
    let told = serde_json::to_vec(&answer)
        .map_err(std::io::Error::from)
        .and_then(|line| std::io::stdout().write_all(&line));
    if ready && told.is_ok() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

fn launch() -> Result<IsolationReport, Refused> {
    close_inherited().at("close inherited descriptors")?;
    park_shell_descriptors().at("park descriptors")?;
    let mut text = Vec::new();
    let mut input = std::io::stdin().take(LAUNCH_ORDER_BYTES_MAX);
    input.read_to_end(&mut text).at("read the order")?;
    let order: LaunchOrder = serde_json::from_slice(&text).at("parse the order")?;
    // Fails only for a process that already leads a session, which is as good.
    let _ = rustix::process::setsid();
    rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o077));
    rustix::process::chdir(&order.directory).at("enter the sandbox's directory")?;
    let listener = listen()?;
    let cgroups = CgroupSet::create(&order.cgroup_name, &order.limits);
    let (ours, theirs) = rustix::net::socketpair(
        AddressFamily::UNIX,
        SocketType::SEQPACKET,
        SocketFlags::CLOEXEC,
        None,
    )
    .at("make a socket pair")?;
    let namespaces = match order.mode {
        Mode::Isolated => ALL_NAMESPACES,
        Mode::UnsafeProcess => 0,
        Mode::Container => {
            let error = std::io::Error::from(std::io::ErrorKind::Unsupported);
            return Err(error).at("make a container, which is an engine's to make");
        }
    };
    let birthplace = cgroups.open_birthplace();
    let entrances = cgroups.open_entrances().at("open the cgroups")?;
    let tool_cgroups = cgroups.open_tools().at("open the cgroups of tools")?;
    let user_namespace = user_namespace(&order);
    match clone_process(namespaces, birthplace.as_ref().map(AsFd::as_fd)).at("make namespaces")? {
        Cloned::Child => {
            drop((ours, birthplace));
            let birth = Birth {
                order: &order,
                listener,
                user_namespace,
                memory_limit: cgroups.memory,
                entrances,
                tool_cgroups,
            };
            inside::run(birth, theirs)
        }
        Cloned::Parent(child) => {
            drop((theirs, entrances, tool_cgroups));
            let child = Guarded(Some(child));
            let isolation = settle(&order, user_namespace, &child, &cgroups, &ours)?;
            child.release();
            cgroups.keep();
            Ok(isolation)
        }
    }
}

fn listen() -> Result<UnixListener, Refused> {
    match fs::remove_file(SOCKET_NAME) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
    .at("remove the old socket")?;
    UnixListener::bind(SOCKET_NAME).at("listen")
}

/// Does for the child what only its parent can, and waits until it is ready.
fn settle(
    order: &LaunchOrder,
    user_namespace: UserNamespace,
    child: &Guarded,
    cgroups: &CgroupSet,
    socket: &OwnedFd,
) -> Result<IsolationReport, Refused> {
    let Some(Child { pid, in_cgroup, .. }) = child.0.as_ref() else {
        return Err(std::io::Error::from(std::io::ErrorKind::NotFound)).at("find the child");
    };
    cgroups.attach(*pid, *in_cgroup).at("enter the cgroups")?;
    write_id_maps(*pid, user_namespace)?;
    ProcessRecord::of(*pid, cgroups.directories())
        .and_then(|record| record.save(".".as_ref()))
        .at("record the process")?;
    let layers = layers::prepare(*pid, user_namespace, &order.spec.root)?;
    layers::send_go(socket, &layers).at("let the child go on")?;
    drop(layers);
    let mut answer = vec![0; LAUNCH_ANSWER_BYTES_MAX as usize];
    let (length, _) =
        rustix::net::recv(socket, &mut answer[..], RecvFlags::empty()).at("hear the child")?;
    let answer: ChildAnswer =
        serde_json::from_slice(&answer[..length]).at("the child ended before it was ready")?;
    match answer {
        ChildAnswer::Ready {
            landlock_abi,
            network,
        } => Ok(report(
            order,
            user_namespace,
            landlock_abi,
            network,
            cgroups,
        )),
        ChildAnswer::Failed { reason } => {
            Err(std::io::Error::other(reason)).at("inside the new sandbox")
        }
    }
}

fn report(
    order: &LaunchOrder,
    user_namespace: UserNamespace,
    landlock_abi: Option<u32>,
    network: Network,
    cgroups: &CgroupSet,
) -> IsolationReport {
    let mode = match user_namespace {
        UserNamespace::Range { .. } | UserNamespace::Single => Mode::Isolated,
        UserNamespace::None => Mode::UnsafeProcess,
    };
    // In an unsafe process the fallback is not applied: the rlimit of processes would count
    // everything that the server's own user runs.
    let source = |found: LimitSource| match (mode, found) {
        (Mode::UnsafeProcess, LimitSource::Rlimit) => LimitSource::None,
        (Mode::Isolated | Mode::Container | Mode::UnsafeProcess, found) => found,
    };
    IsolationReport {
        mode,
        user_namespace,
        // The child does not become ready without these two.
        seccomp: mode == Mode::Isolated,
        no_new_privileges: mode == Mode::Isolated,
        landlock_abi,
        cgroup_kill: cgroups.has_kill(),
        memory_limit: source(cgroups.memory),
        process_limit: source(cgroups.processes),
        cpu_limit: cgroups.cpu,
        network,
        disk_limit: match (mode, order.limits.disk_bytes) {
            (Mode::Isolated, Some(_)) => DiskLimit::PerFile,
            (Mode::Isolated, None) | (Mode::UnsafeProcess | Mode::Container, _) => DiskLimit::None,
        },
        inode_limit: DiskLimit::None,
        open_files_limit: source(LimitSource::Rlimit),
    }
}

/// What this user can have. Root gets a range, so that nothing inside is root outside.
fn user_namespace(order: &LaunchOrder) -> UserNamespace {
    let is_root = rustix::process::geteuid().is_root();
    match order.mode {
        Mode::UnsafeProcess | Mode::Container => UserNamespace::None,
        Mode::Isolated if is_root && order.uid_base > 0 => UserNamespace::Range {
            base: order.uid_base,
            size: UID_RANGE,
        },
        Mode::Isolated => UserNamespace::Single,
    }
}

fn write_id_maps(pid: i32, user_namespace: UserNamespace) -> Result<(), Refused> {
    let write = |file: &str, text: String| {
        fs::write(format!("/proc/{pid}/{file}"), text).at(&format!("write {file}"))
    };
    match user_namespace {
        UserNamespace::Range { base, size } => {
            write("uid_map", format!("0 {base} {size}"))?;
            write("gid_map", format!("0 {base} {size}"))
        }
        UserNamespace::Single => {
            write("setgroups", "deny".to_owned())?;
            write(
                "uid_map",
                format!("0 {} 1", rustix::process::geteuid().as_raw()),
            )?;
            write(
                "gid_map",
                format!("0 {} 1", rustix::process::getegid().as_raw()),
            )
        }
        UserNamespace::None => Ok(()),
    }
}

/// A child that is killed if the launch fails from here on.
struct Guarded(Option<Child>);

impl Guarded {
    fn release(mut self) {
        self.0 = None;
    }
}

impl Drop for Guarded {
    fn drop(&mut self) {
        if let Some(child) = &self.0 {
            // It may be dead already; what counts is that it is when we go on.
            let _ = pidfd_send_signal(&child.pidfd, Signal::KILL);
            let _ = waitid(WaitId::PidFd(child.pidfd.as_fd()), WaitIdOptions::EXITED);
        }
    }
}
