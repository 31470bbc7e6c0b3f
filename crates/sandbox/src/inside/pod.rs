//! The agent as the first process of a container in a pod.
//!
//! As in a container of an engine, but that its order and its connections come through the
//! keeper, and that it has no network of its own: what the cluster gives a pod is not ours to
//! judge, so no program here may make a socket of the internet at all.

use std::fs;
use std::io::{self, Write};
use std::os::unix::net::UnixStream;
use std::process::ExitCode;

use rustix::process::Resource;

use super::container::{drop_privileges, find_bash, look_around, open_memory};
use super::{Filters, landlock, links};
use crate::agent::{Agent, Door, GatewaySockets, OrphanCheck, Places, ToolLimits};
use crate::container::{AgentAnswer, AgentOrder, Found};
use crate::hand_over::{connect_when_there, take_over};
use crate::isolation::{LimitSource, Network};
use crate::launcher::order::{At, Refused};
use crate::limits::{AGENT_PROCESSES_MAX, LAUNCH_ANSWER_BYTES_MAX, LAUNCH_ORDER_BYTES_MAX};
use crate::pod::{DOOR_SOCKET, POD_AGENT_ARGUMENT};
use crate::spec::NetworkAccess;
use crate::sys::descriptors::{close_inherited, park_shell_descriptors, replace_standard_streams};
use crate::wire::{read_frame, write_frame};

/// The whole of `hostler sandbox-pod-agent`. Call it first thing in `main`, before any thread or
/// runtime exists. It returns only if it cannot serve.
pub fn pod_agent_main() -> ExitCode {
    let ready = close_inherited().and_then(|()| park_shell_descriptors());
    if let Err(error) = ready.and_then(|()| serve().map(drop)) {
        // The cluster keeps what a container says on standard error.
        eprintln!("hostler {POD_AGENT_ARGUMENT}: {error}");
    }
    ExitCode::FAILURE
}

fn serve() -> io::Result<std::convert::Infallible> {
    let keeper = connect_when_there(DOOR_SOCKET.as_ref())?;
    let Some(mut server) = take_over(&keeper)? else {
        return Err(io::Error::other("the keeper ended before the server came"));
    };
    match become_ready(&mut server, keeper) {
        Ok((agent, found)) => {
            tell(&mut server, &AgentAnswer::Ready(found))?;
            drop(server);
            agent.serve()
        }
        Err(refused) => {
            let reason = refused.to_string();
            tell(&mut server, &AgentAnswer::Failed { reason })?;
            Err(io::Error::other(refused.to_string()))
        }
    }
}

fn tell(server: &mut UnixStream, answer: &AgentAnswer) -> io::Result<()> {
    write_frame(server, answer, LAUNCH_ANSWER_BYTES_MAX)?;
    server.flush()
}

fn become_ready(server: &mut UnixStream, keeper: UnixStream) -> Result<(Agent, Found), Refused> {
    let order: Option<AgentOrder> =
        read_frame(server, LAUNCH_ORDER_BYTES_MAX).at("read the order")?;
    let order = order
        .ok_or_else(|| io::Error::from(io::ErrorKind::UnexpectedEof))
        .at("read the order")?;
    rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o022));
    find_bash()?;
    match order.spec.network {
        NetworkAccess::None => {}
        NetworkAccess::Gateway => {
            let error = io::Error::from(io::ErrorKind::Unsupported);
            return Err(error).at("give a pod a gateway");
        }
    }
    let memory = open_memory()?;
    rustix::process::chdir("/").at("enter the root")?;
    // The root of a pod is read-only; an upload is at its place in any case.
    let _ = links::add(&order.spec.upload_links);
    let places = Places::isolated(order.spec.all_variables());
    rustix::process::chdir(&places.workspace).at("enter the workspace")?;
    let null = fs::File::open("/dev/null").at("open /dev/null")?;
    replace_standard_streams(std::os::fd::AsFd::as_fd(&null)).at("let go of the streams")?;
    drop(null);
    drop_privileges(&order.limits, &bounds_of_user(&order))?;
    let landlock_abi = landlock::restrict();
    Filters::compile_without_internet()?.restrict()?;
    let agent = Agent::new(
        Door::Keeper(keeper),
        places,
        memory,
        Network::None,
        GatewaySockets::default(),
        OrphanCheck::every(order.orphan_check),
        ToolLimits {
            processes: Some(order.limits.processes.into()),
            ..ToolLimits::default()
        },
    );
    let agent = agent.at("start the agent")?;
    let mut found = look_around(&order.limits, landlock_abi, Network::None);
    if found.process_limit == LimitSource::None && !has_every_user() {
        found.process_limit = LimitSource::Rlimit;
    }
    Ok((agent, found))
}

/// Each pod has a user of its own, so what the kernel counts for the user is the pod's. The keeper
/// is of the same user, and needs none of them: it is not bound by this.
fn bounds_of_user(order: &AgentOrder) -> Vec<(Resource, u64)> {
    let most = u64::from(order.limits.processes) + AGENT_PROCESSES_MAX;
    vec![(Resource::Nproc, most)]
}

/// The kernel bounds nobody who is root.
fn has_every_user() -> bool {
    rustix::process::geteuid().is_root()
}
