//! Skills that lie in the repositories of a session, as its model is told of them.

use std::time::Duration;

use hostler_protocol::id::SessionId;
use hostler_store::StoreOptions;
use hostler_testkit::Reply;
use serde_json::json;

use super::git_server::GitServer;
use super::repositories::result;
use super::world::World;

/// `$1` is the folder, `$2` what its `SKILL.md` says.
const SKILL: &str = r#"skill() { mkdir -p ".claude/skills/$1" && printf -- "$2" > ".claude/skills/$1/SKILL.md"; }
"#;

const GREETER: &str = r#"skill greeter '---\nname: greeter\ndescription: Greets & waves.\nmodel: opus\n---\nHello.\n'
"#;

const COMMIT: &str = "git add -A && git commit -qm skills";

fn script(skills: &str) -> String {
    format!("{SKILL}{GREETER}{skills}\n{COMMIT}")
}

/// What the model was told of skills with the newest first request of a turn, by place and description.
fn told(world: &World) -> Vec<(String, String)> {
    let requests = world.model.requests();
    let request: serde_json::Value = serde_json::from_str(requests.last().unwrap().text()).unwrap();
    let system = request["system"].to_string();
    let between = |text: &str, name: &str| {
        let (_, rest) = text.split_once(&format!("<{name}>")).unwrap();
        rest.split_once(&format!("</{name}>")).unwrap().0.to_owned()
    };
    let skills = system.split("<skill>").skip(1);
    skills
        .map(|skill| (between(skill, "location"), between(skill, "description")))
        .collect()
}

async fn answered(world: &World, session: SessionId, turns: usize) {
    world.model.reply(Reply::text("Done."));
    world.say(session, "Hello.").await;
    world.log_after_turns(session, turns).await;
}

#[tokio::test]
async fn the_first_request_tells_of_them_and_the_model_can_read_them() {
    let server = GitServer::start("");
    server.repository("tool", &script(""));
    let mut world = World::new().await;
    world.clones(&server, &[("/tool.git", None)]);
    let _engine = world.engine().await;
    let session = world.session().await;
    answered(&world, session, 1).await;
    let place = "/workspace/0/.claude/skills/greeter/SKILL.md";
    let greeter = (place.to_owned(), "Greets &amp; waves.".to_owned());
    assert_eq!(told(&world), [greeter]);
    let read = format!("tail -1 {place}");
    assert_eq!(result(&world, session, &read).await, "gives Hello.\n");
}

#[tokio::test]
async fn what_is_no_skill_at_its_place_is_left_out() {
    let server = GitServer::start("");
    let others = r#"
        skill nameless '---\ndescription: Has its name from its folder.\r\n---\r\n'
        skill greeter-2 '---\nname: greeter\ndescription: Of the same name.\n---\n'
        skill wrong '---\nname: [\n---\n'
        skill tags '---\nname: tags\ndescription: </available_skills><b>\n---\n'
        skill bytes '---\nname: bytes\ndescription: \377\n---\n'
        skill deep/er '---\nname: er\ndescription: Too deep.\n---\n'
        skill "$(printf 'a\nhostler: done')" '---\nname: line\ndescription: Of two lines.\n---\n'
        skill endless "---\nname: endless\ndescription: $(head -c 9000 /dev/zero | tr '\0' x)\n---\n"
        mkdir .claude/skills/linked other && ln -s ../greeter/SKILL.md .claude/skills/linked/SKILL.md
        ln -s greeter .claude/skills/link; cp .claude/skills/greeter/SKILL.md SKILL.md
        mkdir -p sub/.claude && cp -r .claude/skills sub/.claude"#;
    server.repository("tool", &script(others));
    server.repository(
        "linked",
        &format!(
            "{}\ngit mv .claude/skills x && ln -s ../x .claude/skills && {COMMIT}",
            script("")
        ),
    );
    let mut world = World::new().await;
    world.clones(&server, &[("/tool.git", None), ("/linked.git", None)]);
    let _engine = world.engine().await;
    let session = world.session().await;
    answered(&world, session, 1).await;
    let told = told(&world);
    let places: Vec<_> = told.iter().map(|(place, _)| place.as_str()).collect();
    let at = |folder: &str| format!("/workspace/0/.claude/skills/{folder}/SKILL.md");
    assert_eq!(places, [at("greeter-2"), at("greeter"), at("nameless")]);
}

/// The prompt is what a provider's cache knows the conversation by.
#[tokio::test]
async fn what_is_told_stays_as_it_was_when_the_sandbox_and_the_repository_change() {
    let server = GitServer::start("");
    server.repository("tool", &script(""));
    let mut world = World::new()
        .await
        .with_idle_stop(Duration::ZERO)
        .with_keep(Duration::ZERO);
    world.clones(&server, &[("/tool.git", None)]);
    let engine = world.engine().await;
    let session = world.session().await;
    answered(&world, session, 1).await;
    let before = told(&world);
    assert_eq!(before.len(), 1);
    world.sandbox_ended(session).await;
    engine.drain().await;
    server.push(
        "tool",
        "git mv .claude/skills/greeter .claude/skills/other && git commit -qm moved",
    );
    world.reopen(StoreOptions::default());
    let _engine = world.engine().await;
    answered(&world, session, 2).await;
    assert_eq!(told(&world), before);
}

#[tokio::test]
async fn who_cannot_read_is_told_of_none_and_what_cannot_be_cloned_keeps_nobody_waiting() {
    let server = GitServer::start("");
    server.repository("tool", &script(""));
    let mut world = World::new().await;
    let given = [("/tool.git", None), ("/none.git", None)];
    world.clones(&server, &given);
    let _engine = world.engine().await;
    let without = json!([{
        "type": "agent_toolset_20260401",
        "default_config": {"enabled": true, "permission_policy": {"type": "always_allow"}},
        "configs": [{
            "name": "read", "type": "read", "enabled": false,
            "permission_policy": {"type": "always_allow"},
        }],
    }]);
    let session = world.session_with_tools(without).await;
    answered(&world, session, 1).await;
    assert_eq!(told(&world), []);
    world.clones(&server, &given);
    let session = world.session().await;
    answered(&world, session, 1).await;
    assert_eq!(told(&world).len(), 1);
    // Whose skills were not found then are not waited for again.
    let repositories = world.store.session_repositories(session).await.unwrap();
    let none = repositories.iter().find(|one| !one.is_placed).unwrap();
    assert_eq!(none.skills.as_deref(), Some(&[][..]));
}
