//! The launcher: a short-lived, single-threaded process that makes one sandbox.
//!
//! It is a fork of the [`zygote`]. It reads its order from the connection that it was made with, clones the
//! sandbox's first process, records it, lets it go on, waits until it is ready, says so and ends. The
//! sandbox then belongs to the init of the host and outlives the server. A host that closes the
//! connection has given the launch up, and nothing of it stays.

pub(crate) mod cgroup;
pub(crate) mod mounts;
pub(crate) mod order;
pub(crate) mod record;
mod zygote;

use std::fs;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::{UnixListener, UnixStream};

use rustix::event::{PollFd, PollFlags};
use rustix::net::{AddressFamily, RecvFlags, SocketFlags, SocketType};
use rustix::process::{Signal, WaitId, WaitIdOptions, pidfd_send_signal, waitid};

use self::cgroup::CgroupSet;
use self::order::{At, ChildAnswer, FilesIn, LaunchAnswer, LaunchOrder, Refused};
use self::record::ProcessRecord;
pub use self::zygote::init_main;
use crate::inside::{self, Birth, Filters};
use crate::isolation::{DiskLimit, IsolationReport, LimitSource, Mode, Network, UserNamespace};
use crate::limits::{LAUNCH_ANSWER_BYTES_MAX, LAUNCH_ORDER_BYTES_MAX, UID_RANGE};
use crate::sys::clone::{ALL_NAMESPACES, Child, Cloned, clone_process};
use crate::wire;

/// The socket of a sandbox, in its directory.
pub(crate) const SOCKET_NAME: &str = "agent.sock";

/// What a launch has when its sandbox's first process can be born.
struct Begun {
    order: LaunchOrder,
    listener: UnixListener,
    cgroups: CgroupSet,
    user_namespace: UserNamespace,
    namespaces: u64,
    /// Files that take the child into its cgroups, and what it starts into those of tools.
    entrances: Vec<OwnedFd>,
    tool_cgroups: Vec<OwnedFd>,
}

/// Makes the sandbox that the host asks for, and tells it how that went.
fn launch(host: UnixStream, filters: &Filters) {
    let begun = begin(&host).and_then(|begun| {
        let birthplace = begun.cgroups.open_birthplace();
        let pair = rustix::net::socketpair(
            AddressFamily::UNIX,
            SocketType::SEQPACKET,
            SocketFlags::CLOEXEC,
            None,
        );
        let pair = pair.at("make a socket pair")?;
        let birthplace = birthplace.as_ref().map(AsFd::as_fd);
        let cloned = clone_process(begun.namespaces, birthplace).at("make namespaces")?;
        Ok((begun, pair, cloned))
    });
    let (begun, (ours, theirs), cloned) = match begun {
        Ok(begun) => begun,
        Err(refused) => return refuse(&host, &refused),
    };
    match cloned {
        Cloned::Child => {
            drop((host, ours));
            let birth = Birth {
                order: &begun.order,
                listener: begun.listener,
                user_namespace: begun.user_namespace,
                memory_limit: begun.cgroups.memory,
                entrances: begun.entrances,
                tool_cgroups: begun.tool_cgroups,
                filters,
            };
            inside::run(birth, theirs)
        }
        Cloned::Parent(child) => {
            drop(theirs);
            let child = Guarded(Some(child));
            let told = settle(&begun, &child, &ours, &host).and_then(|(record, isolation)| {
                // Before the host sends calls.
                let ready = record.clone().ready().save(".".as_ref());
                ready.at("record that it is ready")?;
                answer(&host, &LaunchAnswer::Ready { isolation })
                    .inspect_err(|_| drop(record.save(".".as_ref())))
                    .at("tell the host")
            });
            match told {
                Ok(()) => {
                    child.release();
                    begun.cgroups.keep();
                }
                Err(refused) => {
                    drop(child);
                    refuse(&host, &refused);
                }
            }
        }
    }
}

fn begin(mut host: &UnixStream) -> Result<Begun, Refused> {
    let order = wire::read_frame::<LaunchOrder>(&mut host, LAUNCH_ORDER_BYTES_MAX);
    let order = order.at("read the order")?;
    let order = order.ok_or(std::io::ErrorKind::UnexpectedEof);
    let order = order.at("read the order")?;
    // Fails only for a process that already leads a session, which is as good.
    let _ = rustix::process::setsid();
    rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o077));
    rustix::process::chdir(&order.directory).at("enter the sandbox's directory")?;
    let namespaces = match order.mode {
        Mode::Isolated => ALL_NAMESPACES,
        Mode::UnsafeProcess => 0,
        Mode::Container | Mode::Pod => {
            let error = std::io::Error::from(std::io::ErrorKind::Unsupported);
            return Err(error).at("make a container, which is an engine's to make");
        }
    };
    let cgroups = CgroupSet::create(&order.cgroup_name, &order.limits, &order.state_dir);
    Ok(Begun {
        listener: listen()?,
        user_namespace: user_namespace(&order),
        namespaces,
        entrances: cgroups.open_entrances().at("open the cgroups")?,
        tool_cgroups: cgroups.open_tools().at("open the cgroups of tools")?,
        cgroups,
        order,
    })
}

fn refuse(host: &UnixStream, refused: &Refused) {
    let reason = refused.to_string();
    // A host that has given the launch up wants to know nothing.
    let _ = answer(host, &LaunchAnswer::Failed { reason });
}

fn answer(mut host: &UnixStream, answer: &LaunchAnswer) -> std::io::Result<()> {
    wire::write_frame(&mut host, answer, LAUNCH_ANSWER_BYTES_MAX)
}

fn listen() -> Result<UnixListener, Refused> {
    match fs::remove_file(SOCKET_NAME) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
    .at("remove the old socket")?;
    UnixListener::bind(SOCKET_NAME).at("listen")
}

/// Does for the child what only its parent can, and waits until it is ready. With it comes the record that says it is not.
fn settle(
    begun: &Begun,
    child: &Guarded,
    socket: &OwnedFd,
    host: &UnixStream,
) -> Result<(ProcessRecord, IsolationReport), Refused> {
    let Begun {
        order,
        user_namespace,
        cgroups,
        ..
    } = begun;
    let user_namespace = *user_namespace;
    let Some(Child { pid, in_cgroup, .. }) = child.0.as_ref() else {
        return Err(std::io::Error::from(std::io::ErrorKind::NotFound)).at("find the child");
    };
    cgroups.attach(*pid, *in_cgroup).at("enter the cgroups")?;
    write_id_maps(*pid, user_namespace)?;
    let record = ProcessRecord::of(*pid, cgroups.directories()).at("record the process")?;
    let record = record.beginning(".".as_ref());
    record.save(".".as_ref()).at("record the process")?;
    let mounts = mounts::prepare(*pid, user_namespace, order)?;
    mounts::send_go(socket, &mounts).at("let the child go on")?;
    drop(mounts);
    match hear(socket, host)? {
        ChildAnswer::Ready {
            landlock_abi,
            network,
        } => {
            let isolation = report(order, user_namespace, landlock_abi, network, cgroups);
            Ok((record, isolation))
        }
        ChildAnswer::Failed { reason } => {
            Err(std::io::Error::other(reason)).at("inside the new sandbox")
        }
    }
}

/// What the child says, unless the host gives the launch up before.
fn hear(child: &OwnedFd, host: &UnixStream) -> Result<ChildAnswer, Refused> {
    loop {
        let mut waiting = [
            PollFd::new(child, PollFlags::IN),
            PollFd::new(host, PollFlags::RDHUP),
        ];
        if rustix::event::poll(&mut waiting, None).is_err() {
            continue;
        }
        let [spoken, given_up] = waiting.map(|fd| !fd.revents().is_empty());
        if given_up {
            return Err(std::io::Error::from(std::io::ErrorKind::BrokenPipe))
                .at("wait for the child: the host has given the launch up");
        }
        if spoken {
            break;
        }
    }
    let mut answer = vec![0; LAUNCH_ANSWER_BYTES_MAX];
    let (length, _) =
        rustix::net::recv(child, &mut answer[..], RecvFlags::empty()).at("hear the child")?;
    serde_json::from_slice(&answer[..length]).at("the child ended before it was ready")
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
        (Mode::Isolated | Mode::Container | Mode::Pod | Mode::UnsafeProcess, found) => found,
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
        disk_limit: match (mode, order.files_in, order.limits.disk_bytes) {
            (Mode::Isolated, FilesIn::Image, _) => DiskLimit::Image,
            (Mode::Isolated, FilesIn::Directory, Some(_)) => DiskLimit::PerFile,
            (Mode::Isolated, FilesIn::Directory, None)
            | (Mode::UnsafeProcess | Mode::Container | Mode::Pod, _, _) => DiskLimit::None,
        },
        inode_limit: match (mode, order.files_in) {
            (Mode::Isolated, FilesIn::Image) => DiskLimit::Image,
            (Mode::Isolated, FilesIn::Directory)
            | (Mode::UnsafeProcess | Mode::Container | Mode::Pod, _) => DiskLimit::None,
        },
        open_files_limit: source(LimitSource::Rlimit),
    }
}

/// What this user can have. Root gets a range, so that nothing inside is root outside.
fn user_namespace(order: &LaunchOrder) -> UserNamespace {
    let is_root = rustix::process::geteuid().is_root();
    match order.mode {
        Mode::UnsafeProcess | Mode::Container | Mode::Pod => UserNamespace::None,
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
