//! What every backend promises, shown for each of them by the same code.
//!
//! A behaviour gets a host of its own with one sandbox, and uses nothing that a small image
//! would not have: bash, and what BusyBox brings.

mod bounds;
mod exec;
mod life;
mod network;
mod tools;

use std::collections::HashMap;
use std::pin::Pin;
use std::sync::Arc;

use hostler_sandbox::{Backend, HostOptions};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::world::{Elsewhere, World, from_the_pool, images_can_be_had, in_an_image, options};

type Shown = Pin<Box<dyn Future<Output = ()> + Send>>;

struct Behaviour {
    name: &'static str,
    of: Backends,
    show: fn(World) -> Shown,
}

#[derive(PartialEq)]
enum Backends {
    All,
    /// Those that separate a sandbox from its host and from the others.
    Separating,
    /// Those of them that can let a sandbox out through a gateway.
    WithGateway,
    /// Those whose sandboxes run where the operator is.
    OnThisMachine,
}

impl Backends {
    fn includes(&self, backend: &Backend) -> bool {
        match (self, backend) {
            (Self::All, _) => true,
            (Self::Separating | Self::WithGateway, Backend::UnsafeProcess)
            | (Self::WithGateway | Self::OnThisMachine, Backend::Kubernetes(_)) => false,
            (Self::Separating, Backend::Local | Backend::Docker(_) | Backend::Kubernetes(_))
            | (Self::WithGateway, Backend::Local | Backend::Docker(_))
            | (Self::OnThisMachine, Backend::Local | Backend::Docker(_) | Backend::UnsafeProcess) => {
                true
            }
        }
    }
}

/// Those that are shown at once; each is a host with two or three sandboxes.
const AT_ONCE: usize = 4;

const fn all(name: &'static str, show: fn(World) -> Shown) -> Behaviour {
    let of = Backends::All;
    Behaviour { name, of, show }
}

const fn separating(name: &'static str, show: fn(World) -> Shown) -> Behaviour {
    let of = Backends::Separating;
    Behaviour { name, of, show }
}

const fn with_gateway(name: &'static str, show: fn(World) -> Shown) -> Behaviour {
    let of = Backends::WithGateway;
    Behaviour { name, of, show }
}

const fn on_this_machine(name: &'static str, show: fn(World) -> Shown) -> Behaviour {
    let of = Backends::OnThisMachine;
    Behaviour { name, of, show }
}

const BEHAVIOURS: &[Behaviour] = &[
    all("a new one is empty and is attached to again", |w| {
        Box::pin(life::a_new_one_is_empty_and_is_attached_to_again(w))
    }),
    all("the next server finds the shell as it was", |w| {
        Box::pin(life::the_next_server_finds_the_shell_as_it_was(w))
    }),
    all("one that died is replaced with its files", |w| {
        Box::pin(life::one_that_died_is_replaced_with_its_files(w))
    }),
    all("a stopped one keeps its files and nothing else", |w| {
        Box::pin(life::a_stopped_one_keeps_its_files_and_its_shell(w))
    }),
    all("one in use is not stopped", |w| {
        Box::pin(life::one_in_use_is_not_stopped(w))
    }),
    all("those who open one at once get the same", |w| {
        Box::pin(life::those_who_open_one_at_once_get_the_same(w))
    }),
    all("opening and stopping at once loses no call", |w| {
        Box::pin(life::opening_and_stopping_at_once_loses_no_call(w))
    }),
    all("a destroyed one is gone", |w| {
        Box::pin(life::a_destroyed_one_is_gone(w))
    }),
    separating("two do not see each other", |w| {
        Box::pin(life::two_do_not_see_each_other(w))
    }),
    all("six tools work on the same files", |w| {
        Box::pin(tools::six_tools_work_on_the_same_files(w))
    }),
    separating("uploads come in and outputs go out", |w| {
        Box::pin(tools::uploads_come_in_and_outputs_go_out(w))
    }),
    all("the shell keeps its state", |w| {
        Box::pin(tools::the_shell_keeps_its_state(w))
    }),
    all("a restart begins anew", |w| {
        Box::pin(tools::a_restart_begins_anew(w))
    }),
    all("commands queue in order", |w| {
        Box::pin(tools::commands_queue_in_order(w))
    }),
    all("a time-out kills the tree and keeps the shell", |w| {
        Box::pin(bounds::a_time_out_kills_the_tree_and_keeps_the_shell(w))
    }),
    all("a dropped call is killed inside", |w| {
        Box::pin(bounds::a_dropped_call_is_killed_inside(w))
    }),
    all("a flood of output is shown in part", |w| {
        Box::pin(bounds::a_flood_of_output_is_shown_in_part(w))
    }),
    separating("a flood of processes ends at the limit", |w| {
        Box::pin(bounds::a_flood_of_processes_ends_at_the_limit(w))
    }),
    separating("a memory hog does not take the sandbox along", |w| {
        Box::pin(bounds::a_memory_hog_does_not_take_the_sandbox_along(w))
    }),
    separating("the small file systems fill up", |w| {
        Box::pin(bounds::the_small_file_systems_fill_up(w))
    }),
    with_gateway("there is a gateway or nothing", |w| {
        Box::pin(network::there_is_a_gateway_or_nothing(w))
    }),
    separating("nothing inside has power over the host", |w| {
        Box::pin(bounds::nothing_inside_has_power_over_the_host(w))
    }),
    on_this_machine("the operator gets a terminal", |w| {
        Box::pin(exec::the_operator_gets_a_terminal(w))
    }),
    on_this_machine("without a terminal streams are apart and whole", |w| {
        Box::pin(exec::without_a_terminal_streams_are_apart_and_whole(w))
    }),
    on_this_machine("what the operator runs is confined like the rest", |w| {
        Box::pin(exec::what_it_runs_is_confined_like_the_rest(w))
    }),
    on_this_machine("the end of its client is its end", |w| {
        Box::pin(exec::the_end_of_its_client_is_its_end(w))
    }),
    on_this_machine("no call takes a visitor for its own", |w| {
        Box::pin(exec::no_call_takes_a_visitor_for_its_own(w))
    }),
    on_this_machine("floods and full houses starve nobody", |w| {
        Box::pin(exec::floods_and_full_houses_starve_nobody(w))
    }),
    on_this_machine("who visits keeps it from being stopped", |w| {
        Box::pin(exec::who_visits_keeps_it_from_being_stopped(w))
    }),
    on_this_machine("one that dies takes it along and says so", |w| {
        Box::pin(exec::one_that_dies_takes_it_along_and_says_so(w))
    }),
];

/// Shows every behaviour that is promised, and then tells of all that failed.
pub(crate) async fn shown_by(
    backend: Backend,
    elsewhere: Option<Arc<dyn Elsewhere>>,
    prepare: fn(&mut HostOptions),
) {
    let room = Arc::new(Semaphore::new(AT_ONCE));
    let mut showing = JoinSet::new();
    let mut names = HashMap::new();
    for behaviour in BEHAVIOURS {
        if !behaviour.of.includes(&backend) {
            continue;
        }
        let (room, backend) = (Arc::clone(&room), backend.clone());
        let elsewhere = elsewhere.clone();
        let show = behaviour.show;
        let task = showing.spawn(async move {
            let _turn = room.acquire().await.unwrap();
            let state = tempfile::tempdir().unwrap();
            let mut options = options(&state);
            options.backend = backend;
            options.limits.memory_bytes = 256 << 20;
            options.limits.tmp_bytes = 96 << 20;
            options.limits.processes = 96;
            prepare(&mut options);
            let mut world = World::with_options(state, options).await;
            world.elsewhere = elsewhere;
            show(world).await;
        });
        names.insert(task.id(), behaviour.name);
    }
    let mut failed = Vec::new();
    while let Some(shown) = showing.join_next_with_id().await {
        if let Err(error) = shown {
            failed.push(format!("{}: {error}", names[&error.id()]));
        }
    }
    assert!(failed.is_empty(), "not as promised:\n{}", failed.join("\n"));
}

#[tokio::test]
async fn local_keeps_every_promise() {
    shown_by(Backend::Local, None, |_| ()).await;
}

/// The same with what bounds the disk as a whole, where that can be had.
#[tokio::test]
async fn local_with_images_keeps_every_promise() {
    if images_can_be_had() {
        shown_by(Backend::Local, None, in_an_image).await;
    }
}

/// The same with sandboxes that were made ahead of whoever uses them.
#[tokio::test]
async fn local_from_the_pool_keeps_every_promise() {
    shown_by(Backend::Local, None, from_the_pool).await;
    if images_can_be_had() {
        let prepare = |options: &mut HostOptions| {
            from_the_pool(options);
            in_an_image(options);
        };
        shown_by(Backend::Local, None, prepare).await;
    }
}

#[tokio::test]
async fn unsafe_process_keeps_those_that_it_makes() {
    shown_by(Backend::UnsafeProcess, None, |_| ()).await;
}
