//! What the tools of a session reach: programs that know nothing of a gateway, under the policies of
//! environments.

use std::process::Command;

use hostler_store::StoreOptions;
use hostler_testkit::Reply;
use serde_json::{Value, json};

use super::little_packages::{self, run};
use super::shown::public;
use super::static_server::{StaticServer, folder};
use super::world::World;

const HOST: &str = "registry.test";

/// A page, a repository, a Python package and an npm package.
async fn registry() -> StaticServer {
    let made = tempfile::tempdir().unwrap();
    let at = made.path();
    let author = ["-c", "user.name=t", "-c", "user.email=t@t"];
    run("git", &["init", "-q", "-b", "main", "work"], at);
    std::fs::write(at.join("work/file"), "from the repository\n").unwrap();
    run("git", &["-C", "work", "add", "file"], at);
    let commit = [&author[..], &["-C", "work", "commit", "-q", "-m", "m"]].concat();
    run("git", &commit, at);
    run("git", &["clone", "-q", "--bare", "work", "repo.git"], at);
    run("git", &["-C", "repo.git", "update-server-info"], at);
    let wheel = little_packages::wheel(at, "1.0");
    little_packages::npm(at, "1.0.0");
    let read = |name: &str| std::fs::read(at.join(name)).unwrap();
    let mut files = folder("/repo.git", &at.join("repo.git"));
    files.insert("/page".to_owned(), b"hello\n".to_vec());
    let link = format!("<a href=\"/files/{wheel}\">{wheel}</a>");
    files.insert("/simple/tiny-thing/".to_owned(), link.into_bytes());
    files.insert(format!("/files/{wheel}"), read(&wheel));
    let tarball = "/files/tiny-thing-1.0.0.tgz";
    files.insert(tarball.to_owned(), read("tiny-thing-1.0.0.tgz"));
    StaticServer::start(move |port| {
        let dist = json!({"tarball": format!("http://{HOST}:{port}{tarball}")});
        let version = json!({"name": "tiny-thing", "version": "1.0.0", "dist": dist});
        let document = json!({"name": "tiny-thing", "dist-tags": {"latest": "1.0.0"},
            "versions": {"1.0.0": version}});
        files.insert("/tiny-thing".to_owned(), document.to_string().into_bytes());
        files
    })
    .await
}

/// The result of each command, in a session of its own.
async fn results(world: &World, commands: &[String]) -> Vec<String> {
    let session = world.session().await;
    let _engine = world.engine().await;
    for command in commands {
        let input = json!({"command": command});
        world.model.reply(Reply::tool_use("bash", input));
    }
    world.model.reply(Reply::text("Done."));
    world.say(session, "Work.").await;
    let mut lines = public(&world.log_after_turns(session, 1).await);
    lines.retain(|line| line.starts_with("gives") || line.starts_with("fails"));
    assert_eq!(lines.len(), commands.len());
    lines
}

fn commands(port: u16) -> Vec<String> {
    let url = format!("http://{HOST}:{port}");
    vec![
        format!("curl -sS --fail-with-body {url}/page"),
        format!("curl -sS --fail-with-body --noproxy '*' {url}/page"),
        format!("git clone -q {url}/repo.git && cat repo/file"),
        format!(
            "/usr/bin/python3 -m pip install -q --disable-pip-version-check --no-cache-dir \
             --root-user-action ignore --retries 0 --target lib --index-url {url}/simple --trusted-host {HOST} tiny-thing && \
             PYTHONPATH=lib /usr/bin/python3 -c 'import tiny_thing; print(tiny_thing.answer)'"
        ),
    ]
}

fn npm(port: u16) -> String {
    let url = format!("http://{HOST}:{port}");
    format!(
        "npm install --silent --no-audit --no-fund --fetch-retries 0 --registry {url}/ tiny-thing && \
         node -p 'require(\"tiny-thing\")'"
    )
}

async fn world(networking: Value) -> World {
    World::new()
        .await
        .with_networking(networking)
        .with_host(HOST)
}

#[tokio::test]
async fn programs_that_know_nothing_of_a_gateway_work() {
    let registry = registry().await;
    let fitting = json!({"type": "limited", "allowed_hosts": [HOST]});
    for networking in [json!({"type": "unrestricted"}), fitting] {
        let world = world(networking).await;
        assert_eq!(
            results(&world, &commands(registry.port)).await,
            [
                "gives hello\n",
                "gives hello\n",
                "gives from the repository\n",
                "gives 42\n"
            ]
        );
    }
}

#[tokio::test]
async fn npm_installs_through_the_gateway() {
    if Command::new("npm").arg("--version").output().is_err() {
        eprintln!("npm is not on this machine: NOT TESTED");
        return;
    }
    let registry = registry().await;
    let fitting = json!({"type": "limited", "allowed_hosts": [HOST]});
    let world = world(fitting).await;
    assert_eq!(results(&world, &[npm(registry.port)]).await, ["gives 42\n"]);
}

#[tokio::test]
async fn what_the_environment_does_not_allow_is_refused_in_the_policys_words() {
    let registry = registry().await;
    let policies = [
        json!({"type": "limited", "allowed_hosts": ["other.test", "*.registry.test"]}),
        json!({"type": "limited"}),
        json!({"type": "limited", "allow_package_managers": true, "allow_mcp_servers": true}),
    ];
    for networking in policies {
        let world = world(networking).await;
        let results = results(&world, &commands(registry.port)).await;
        assert!(results.iter().all(|result| result.starts_with("fails")));
        // What pip prints of an index that refuses is up to pip.
        for result in &results[..3] {
            let words = "registry.test is not in allowed_hosts of this session's environment";
            assert!(result.contains(words), "{result}");
        }
    }
    assert_eq!(registry.requests(), 0);
}

/// Addresses that no environment leads to: this machine, its metadata, private networks.
const NEVER: &[&str] = &[
    "127.0.0.1",
    "localhost",
    "169.254.169.254",
    "10.0.0.1",
    "192.168.0.1",
    "172.17.0.1",
    "[::ffff:127.0.0.1]",
    "[fd00::1]",
    "[fe80::1]",
    "0.0.0.0",
    "2130706433",
    "0x7f.1",
];

#[tokio::test]
async fn private_addresses_are_refused_by_every_way_out() {
    let registry = registry().await;
    let world = world(json!({"type": "unrestricted"})).await;
    let port = registry.port;
    let commands: Vec<String> = NEVER
        .iter()
        .flat_map(|host| {
            // Directly; through the proxy; through a tunnel of the proxy.
            let proxy = "--noproxy '' --proxy http://127.0.0.1:3128";
            ["--noproxy '*'", proxy, &format!("{proxy} --proxytunnel")].map(|way| {
                format!("curl -sS --max-time 20 --fail {way} 'http://{host}:{port}/page'")
            })
        })
        .collect();
    for (command, result) in commands.iter().zip(results(&world, &commands).await) {
        assert!(result.starts_with("fails"), "{command}: {result}");
    }
    assert_eq!(registry.requests(), 0);
}

#[tokio::test]
async fn a_job_keeps_its_network_when_the_server_is_replaced() {
    let registry = registry().await;
    let mut world = world(json!({"type": "unrestricted"})).await;
    let session = world.session().await;
    let url = format!("http://{HOST}:{}/page", registry.port);
    let job = format!("(while sleep 0.05; do curl -s {url}; done) > /dev/null 2>&1 &");
    world
        .model
        .reply(Reply::tool_use("bash", json!({"command": job})));
    world.model.reply(Reply::text("It runs."));
    let first = world.engine().await;
    world.say(session, "Start.").await;
    world.log_after_turns(session, 1).await;
    registry.request(1).await;
    drop(first);
    world.reopen(StoreOptions::default());
    let before = registry.requests();
    let _second = world.engine().await;
    // No turn begins: a sweep finds the sandbox alive. One request may have been under way.
    registry.request(before + 2).await;
}
