//! Sandboxes in containers of real engines, which the tests start for themselves.

mod engine;
pub(crate) mod image;

use std::fs;
use std::io::Read;
use std::os::unix::net::{UnixListener, UnixStream};

use hostler_sandbox::{
    Backend, Call, Docker, HostOptions, LimitSource, Mode, Network, Provenance, SandboxError,
    SandboxHost, Spec, Stop, Tool, survey,
};

pub(crate) use self::engine::{Engine, Kind};
use crate::conformance::shown_by;
use crate::world::{World, bash, first_process, name, ok, options};

const IMAGE: &str = "localhost/hostler-test:latest";
const BARE_IMAGE: &str = "localhost/hostler-bare:latest";

fn backend(engine: &Engine, image: &str) -> Backend {
    Backend::Docker(Docker {
        engine: engine.socket(),
        image: image.to_owned(),
    })
}

async fn keeps_every_promise(kind: Kind) {
    let Some(engine) = Engine::start(kind) else {
        return;
    };
    engine.import(IMAGE, &image::with_bash());
    shown_by(backend(&engine, IMAGE), None, |_| ()).await;
    assert_eq!(engine.containers(), [""; 0]);
}

#[tokio::test]
async fn docker_keeps_every_promise() {
    keeps_every_promise(Kind::Docker).await;
}

#[tokio::test]
async fn podman_keeps_every_promise() {
    keeps_every_promise(Kind::Podman).await;
}

/// Several facts about containers in one test, since each test starts an engine.
#[tokio::test]
async fn a_container_is_what_it_should_be() {
    let Some(engine) = Engine::start(Kind::Docker) else {
        return;
    };
    engine.import(IMAGE, &image::with_bash());
    engine.import(BARE_IMAGE, &image::without_bash());
    reports_what_separates(&engine).await;
    keeps_the_changed_image_until_it_is_destroyed(&engine).await;
    is_not_led_to_another_socket(&engine).await;
    is_not_kept_waiting_by_a_stranger(&engine).await;
    leaves_no_stranger_behind(&engine).await;
    says_what_an_image_lacks(&engine).await;
    assert_eq!(engine.containers(), [""; 0]);
}

async fn world(engine: &Engine) -> World {
    World::with_backend(backend(engine, IMAGE)).await
}

async fn reports_what_separates(engine: &Engine) {
    let world = world(engine).await;
    // Seen by those who look without a host, too.
    let surveyed = survey(&world.on_host("../..")).unwrap();
    let pid = surveyed[0].pid.expect("it runs");
    assert_eq!(
        u64::try_from(pid).unwrap(),
        first_process(&world.on_host(""))
    );
    let report = world.host.isolation();
    assert_eq!(report.mode, Mode::Container);
    assert!(matches!(report.network, Network::Gateway { .. }));
    assert!(report.seccomp && report.no_new_privileges);
    assert_ne!(report.memory_limit, LimitSource::None);
    assert_ne!(report.process_limit, LimitSource::None);
    let capabilities = world
        .sh("grep Cap /proc/self/status | cut -f2 | uniq")
        .await;
    assert_eq!(capabilities, "0000000000000000");
    // Nothing of the way our program is started reaches what it starts.
    assert_eq!(world.sh("env | grep -c LD_ || true").await, "0");
    assert_eq!(world.sh("ls -A /.hostler/talk").await, "agent.sock");
    let change = world.bash("rm /.hostler/bin/hostler || echo x >> /.hostler/bin/hostler");
    assert!(change.await.is_error);
    assert_eq!(world.sh("ls /sys/class/net").await, "lo");
    assert_eq!(
        world.sh("cat /etc/resolv.conf /etc/hostname").await,
        "# This sandbox has no network.\nsandbox"
    );
    world.end().await;
}

async fn keeps_the_changed_image_until_it_is_destroyed(engine: &Engine) {
    let world = world(engine).await;
    world
        .sh("echo installed > /usr/program; echo x > /tmp/gone; A=5")
        .await;
    let (host, state, clean_up) = world.let_go();
    assert_eq!(host.stop(&name("one")).await.unwrap(), Stop::Stopped);
    let opened = host.open(&name("one"), &Spec::default()).await.unwrap();
    assert!(matches!(opened.provenance, Provenance::Restored(_)));
    ok(
        &bash(&opened.sandbox, "cat /usr/program; ls -A /tmp; echo A=$A").await,
        "installed\nA=5\n",
    );
    drop(opened);
    // Other limits are another container.
    drop(host);
    clean_up.forgotten();
    let mut options = options(&state);
    options.backend = backend(engine, IMAGE);
    options.limits.processes = 77;
    let host = SandboxHost::start(options).await.unwrap();
    let _clean_up = crate::world::CleanUp::of(&host);
    host.stop(&name("one")).await.unwrap();
    let opened = host.open(&name("one"), &Spec::default()).await.unwrap();
    ok(
        &bash(&opened.sandbox, "cat /usr/program || echo new").await,
        "cat: can't open '/usr/program': No such file or directory\nnew\n",
    );
}

/// What runs inside owns the directory of the socket: a link there must lead nowhere.
async fn is_not_led_to_another_socket(engine: &Engine) {
    let world = world(engine).await;
    let other = world.host.open(&name("other"), &Spec::default()).await;
    let other = other.unwrap();
    bash(&other.sandbox, "A=other").await;
    let target = world.on_host("../other/talk/agent.sock");
    let target = fs::canonicalize(target).unwrap();
    world
        .sh(&format!(
            "cd /.hostler/talk && mv agent.sock moved && ln -s {} agent.sock",
            target.display()
        ))
        .await;
    let tool = Tool::Bash {
        command: "echo A=$A".to_owned(),
        timeout_ms: None,
    };
    let id = "led".to_owned();
    let answer = world.sandbox.run(Call { id, tool }).await;
    assert!(
        matches!(answer, Err(SandboxError::Lost { .. })),
        "{answer:?}"
    );
    let listed = world.host.list().await.unwrap();
    let alive: Vec<_> = listed.iter().map(|listed| listed.is_alive).collect();
    assert_eq!(alive, [false, true]);
    let opened = world.host.open(&name("one"), &Spec::default()).await;
    assert_eq!(opened.unwrap().provenance, Provenance::Replaced);
    world.host.destroy(&name("other")).await.unwrap();
    world.end().await;
}

/// Whoever listens in place of the agent is not asked anything, and need not take connections.
async fn is_not_kept_waiting_by_a_stranger(engine: &Engine) {
    let world = world(engine).await;
    let socket = world.on_host("talk/agent.sock");
    fs::remove_file(&socket).unwrap();
    let stranger = UnixListener::bind(&socket).unwrap();
    let refused = world.sandbox.gateway_sockets().await;
    let refused = refused.expect_err("nobody believes a stranger").to_string();
    assert!(refused.contains("somebody else"), "{refused}");
    let (mut asked, _) = stranger.accept().unwrap();
    let mut question = Vec::new();
    asked.read_to_end(&mut question).unwrap();
    assert_eq!(question, b"");
    // No room for more than one, and that one is there.
    rustix::net::listen(&stranger, 0).unwrap();
    let _first = UnixStream::connect(&socket).unwrap();
    let listed = world.host.list().await.unwrap();
    assert!(listed.iter().any(|listed| listed.is_alive));
    world.end().await;
}

async fn leaves_no_stranger_behind(engine: &Engine) {
    let world = world(engine).await;
    let known = world.host.open(&name("known"), &Spec::default()).await;
    drop(known.unwrap());
    fs::remove_dir_all(world.on_host("")).unwrap();
    assert_eq!(engine.containers().len(), 2);
    let (host, _state) = world.restart_server().await;
    let left = engine.containers();
    assert!(
        matches!(&left[..], [left] if left.ends_with("-known")),
        "{left:?}"
    );
    let opened = host.open(&name("known"), &Spec::default()).await.unwrap();
    assert_eq!(opened.provenance, Provenance::Attached);
    host.destroy(&name("known")).await.unwrap();
}

async fn refusal(change: impl FnOnce(&mut HostOptions)) -> String {
    let state = tempfile::tempdir().unwrap();
    let mut options = options(&state);
    change(&mut options);
    let Err(unavailable) = SandboxHost::start(options).await else {
        panic!("it started")
    };
    unavailable.to_string()
}

async fn says_what_an_image_lacks(engine: &Engine) {
    let bare = refusal(|options| options.backend = backend(engine, BARE_IMAGE)).await;
    assert!(
        bare.contains(BARE_IMAGE) && bare.contains("/bin/bash, which the image must have"),
        "{bare}"
    );
    let none = refusal(|options| options.backend = backend(engine, "nobody/has:this")).await;
    assert!(
        none.contains("does not have the image nobody/has:this"),
        "{none}"
    );
    let nobody = refusal(|options| {
        options.backend = Backend::Docker(Docker {
            engine: "/nonexistent/docker.sock".into(),
            image: IMAGE.to_owned(),
        });
    });
    let nobody = nobody.await;
    assert!(
        nobody.contains("the container engine at /nonexistent/docker.sock: No such file"),
        "{nobody}"
    );
}
