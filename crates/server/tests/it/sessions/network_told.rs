//! What a model is told about the network, and what becomes of a policy that cannot be kept.

use hostler_sandbox::{Backend, Spec};
use hostler_testkit::Reply;
use serde_json::{Value, json};

use super::shown::public;
use super::world::World;

/// The system prompts of a turn with one tool call, and what the call gave.
async fn told(world: &World, command: &str) -> (Vec<String>, String) {
    let session = world.session().await;
    let _engine = world.engine().await;
    let call = Reply::tool_use("bash", json!({"command": command}));
    world.model.reply(call);
    world.model.reply(Reply::text("Done."));
    world.say(session, "Work.").await;
    let lines = public(&world.log_after_turns(session, 1).await);
    let result = lines
        .into_iter()
        .find(|line| line.starts_with("gives") || line.starts_with("fails"));
    let system = |request: Value| request["system"].to_string();
    let requests = world.model.requests().into_iter();
    let prompts = requests.map(|request| system(request.json())).collect();
    (prompts, result.expect("the call has a result"))
}

#[tokio::test]
async fn a_model_is_told_what_its_session_reaches_and_always_the_same() {
    let hosts: Vec<String> = (0..30).map(|n| format!("h{n}.example")).collect();
    let cases = [
        (
            json!({"type": "unrestricted"}),
            "reaches hosts of the public internet",
        ),
        (
            json!({"type": "limited", "allowed_hosts": ["a.example", "*.b.example"],
                "allow_package_managers": true}),
            "reaches only: a.example, *.b.example, the public package registries. Connections",
        ),
        (
            json!({"type": "limited", "allowed_hosts": hosts}),
            "reaches only: the hosts that its environment allows. Connections",
        ),
        (json!({"type": "limited"}), "has no network access"),
    ];
    for (networking, words) in cases {
        let world = World::new().await.with_networking(networking);
        let (prompts, _) = told(&world, "true").await;
        assert_eq!(prompts.len(), 2);
        assert!(prompts[0].contains(words), "{words}: {}", prompts[0]);
        assert_eq!(prompts[0], prompts[1]);
    }
}

#[tokio::test]
async fn where_the_operator_gives_no_network_there_is_none_and_the_model_knows() {
    let world = World::with_sandboxes(|host| host.probe = Spec::default()).await;
    let (prompts, result) = told(&world, "curl -sS http://example.com").await;
    assert!(prompts[0].contains("has no network access"));
    assert!(
        result.contains("note: this sandbox has no network access"),
        "{result}"
    );
}

#[tokio::test]
async fn without_isolation_a_limited_session_runs_nothing() {
    let networking = json!({"type": "limited", "allowed_hosts": ["a.example"]});
    let world = World::with_sandboxes(|host| host.backend = Backend::UnsafeProcess).await;
    let world = world.with_networking(networking);
    let (_, result) = told(&world, "touch ran").await;
    let words = "limits its network, and this server runs tools without isolation";
    assert!(result.contains(words), "{result}");
}
