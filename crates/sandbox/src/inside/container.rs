//! The agent as the first process of a container that an engine made.
//!
//! Mounts, namespaces and cgroups are the engine's. What is left to do here: take the order,
//! give up what the engine left us, look at what is really in force, and serve.

use std::fs;
use std::io::{Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::process::ExitCode;

use rustix::process::Resource;
use rustix::thread::{CapabilitySet, CapabilitySets};

use super::{Filters, authorities, landlock, links, network, privileges};
use crate::agent::shell_memory::{SHELL_MEMORY_NAME, ShellMemory};

use crate::agent::{Agent, GatewaySockets, OrphanCheck, Places, ToolLimits};
use crate::container::{
    AgentAnswer, AgentOrder, Found, MEMORY_DIRECTORY, ORDER_FILE, READY_SOCKET, TALK_DIRECTORY,
};
use crate::isolation::{DiskLimit, LimitSource, Network, UserNamespace};
use crate::launcher::SOCKET_NAME;
use crate::launcher::order::{At, Refused};
use crate::limits::{LAUNCH_ORDER_BYTES_MAX, Limits, PROC_FILE_BYTES_MAX, UID_RANGE};
use crate::spec::NetworkAccess;
use crate::sys::descriptors::{close_inherited, park_shell_descriptors, replace_standard_streams};

/// The whole of `hostler sandbox-agent`. Call it first thing in `main`, before any thread or
/// runtime exists. It returns only if it cannot serve.
pub fn agent_main() -> ExitCode {
    if let Err(error) = close_inherited().and_then(|()| park_shell_descriptors()) {
        // The engine keeps what a program says on standard error.
        eprintln!("descriptors cannot be put in order: {error}");
        return ExitCode::FAILURE;
    }
    let talk = Path::new(TALK_DIRECTORY);
    let host = match UnixStream::connect(talk.join(READY_SOCKET)) {
        Ok(host) => host,
        Err(error) => {
            eprintln!("no host listens at {TALK_DIRECTORY}/{READY_SOCKET}: {error}");
            return ExitCode::FAILURE;
        }
    };
    match become_ready(talk) {
        Ok((agent, found)) => {
            if tell(host, &AgentAnswer::Ready(found)).is_err() {
                // The launch was given up, and so is this process.
                return ExitCode::FAILURE;
            }
            agent.serve()
        }
        Err(refused) => {
            let reason = refused.to_string();
            // Nobody else is there to tell.
            let _ = tell(host, &AgentAnswer::Failed { reason });
            ExitCode::FAILURE
        }
    }
}

fn tell(mut host: UnixStream, answer: &AgentAnswer) -> std::io::Result<()> {
    host.write_all(&serde_json::to_vec(answer)?)
}

fn become_ready(talk: &Path) -> Result<(Agent, Found), Refused> {
    // It is connected, and nobody else is meant to be.
    fs::remove_file(talk.join(READY_SOCKET)).at("remove the socket of the host")?;
    let order = take_order(&talk.join(ORDER_FILE))?;
    rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o077));
    let listener = UnixListener::bind(talk.join(SOCKET_NAME)).at("listen")?;
    rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o022));
    find_bash()?;
    let memory = open_memory()?;
    rustix::process::chdir("/").at("enter the root")?;
    // An ordinary user must not write there; an upload is at its place in any case.
    let _ = links::add(&order.spec.upload_links);
    let places = Places::isolated(authorities::trust_in(
        Path::new(MEMORY_DIRECTORY),
        &order.spec,
    )?);
    rustix::process::chdir(&places.workspace).at("enter the workspace")?;
    let null = fs::File::open("/dev/null").at("open /dev/null")?;
    replace_standard_streams(std::os::fd::AsFd::as_fd(&null)).at("let go of the streams")?;
    drop(null);
    let (network, gateway) = match order.spec.network {
        // The engine made it so.
        NetworkAccess::None => (Network::None, GatewaySockets::default()),
        NetworkAccess::Gateway => network::set_up(order.spec.network)?,
    };
    drop_privileges(&order.limits, &[])?;
    let landlock_abi = landlock::restrict();
    Filters::compile()?.restrict()?;
    let agent = Agent::new(
        listener,
        places,
        memory,
        network,
        gateway,
        OrphanCheck::every(order.orphan_check),
        // One cgroup is for all of a container, and nothing in it may make others.
        ToolLimits::default(),
    );
    let agent = agent.at("start the agent")?;
    let found = look_around(&order.limits, landlock_abi, network);
    Ok((agent, found))
}

pub(super) fn find_bash() -> Result<(), Refused> {
    let bash = fs::metadata("/bin/bash").at("look for /bin/bash, which the image must have")?;
    if bash.is_file() {
        return Ok(());
    }
    let error = std::io::Error::from(std::io::ErrorKind::InvalidData);
    Err(error).at("look for /bin/bash, which must be a program")
}

/// What the sandbox may have put in its place is worth nothing.
pub(super) fn open_memory() -> Result<ShellMemory, Refused> {
    rustix::process::chdir(MEMORY_DIRECTORY).at("enter the directory of the shell's memory")?;
    ShellMemory::open()
        .or_else(|_| {
            fs::remove_file(SHELL_MEMORY_NAME)?;
            ShellMemory::open()
        })
        .at("open the shell's memory")
}

fn take_order(path: &Path) -> Result<AgentOrder, Refused> {
    let mut text = Vec::new();
    let file = fs::File::open(path).at("open the order")?;
    file.take(LAUNCH_ORDER_BYTES_MAX as u64)
        .read_to_end(&mut text)
        .at("read the order")?;
    fs::remove_file(path).at("delete the order")?;
    serde_json::from_slice(&text).at("parse the order")
}

/// The engine gives no capabilities and forbids new ones. Said again here, so that one that
/// does not do as it is told leaves nothing behind that counts.
pub(super) fn drop_privileges(limits: &Limits, more: &[(Resource, u64)]) -> Result<(), Refused> {
    let mut wanted = vec![
        // As in a sandbox of namespaces. The number of processes is not among them: outside of
        // a user namespace it would count all that this user runs on the machine.
        (Resource::Core, 1),
        (Resource::Nofile, limits.open_files),
        (Resource::Memlock, 1 << 20),
        (Resource::Msgqueue, 1 << 16),
        (Resource::Rtprio, 0),
        (Resource::Nice, 0),
    ];
    if let Some(bytes) = limits.disk_bytes {
        wanted.push((Resource::Fsize, bytes));
    }
    wanted.extend(more);
    privileges::lower(&wanted)?;
    rustix::thread::clear_ambient_capability_set().at("drop capabilities")?;
    let none = CapabilitySets {
        effective: CapabilitySet::empty(),
        permitted: CapabilitySet::empty(),
        inheritable: CapabilitySet::empty(),
    };
    rustix::thread::set_capabilities(None, none).at("drop capabilities")?;
    privileges::forbid_new()
}

pub(super) fn look_around(limits: &Limits, landlock_abi: Option<u32>, network: Network) -> Found {
    let status = read("/proc/self/status");
    let says = |line: &str| {
        let mut lines = status.lines().map(|found| found.replace('\t', " "));
        lines.any(|found| found == line)
    };
    Found {
        user_namespace: user_namespace(&read("/proc/self/uid_map")),
        seccomp: says("Seccomp: 2"),
        no_new_privileges: says("NoNewPrivs: 1"),
        landlock_abi,
        memory_limit: limit_of("memory.max", "memory/memory.limit_in_bytes"),
        process_limit: limit_of("pids.max", "pids/pids.max"),
        cpu_limit: limit_of("cpu.max", "cpu/cpu.cfs_quota_us"),
        disk_limit: match limits.disk_bytes {
            Some(_) => DiskLimit::PerFile,
            None => DiskLimit::None,
        },
        network,
    }
}

/// `0 0 4294967295`: all ids are those of the machine. One that has but a few of them has no
/// range of its own to speak of.
fn user_namespace(map: &str) -> UserNamespace {
    let mut words = map.split_whitespace().map(str::parse);
    let ids = (words.next(), words.next(), words.next());
    match ids {
        (Some(Ok(0)), Some(Ok(base)), Some(Ok(size))) if base > 0 && size >= UID_RANGE => {
            UserNamespace::Range { base, size }
        }
        _ => UserNamespace::None,
    }
}

/// Where a limit is told that can be reached. No limit is `max`, or in v1 -1 or nearly 2^63.
fn limit_of(v2: &str, v1: &str) -> LimitSource {
    let is_limited = |file: &str| {
        let value = read(&format!("/sys/fs/cgroup/{file}"));
        let mut words = value.split_whitespace();
        let value = words.next().and_then(|word| word.parse::<u64>().ok());
        value.is_some_and(|value| value < 1 << 62)
    };
    if is_limited(v2) {
        LimitSource::CgroupV2
    } else if is_limited(v1) {
        LimitSource::CgroupV1
    } else {
        LimitSource::None
    }
}

fn read(path: &str) -> String {
    let mut text = String::new();
    let _ = fs::File::open(path)
        .and_then(|file| file.take(PROC_FILE_BYTES_MAX).read_to_string(&mut text));
    text
}
