//! Runs a table of attempts in one sandbox and holds how each ended against what must happen.

use serde_json::json;

use crate::world::World;

/// What is tried, how (an expression of `attempts.py`), and how it must end: one of these.
pub(super) type Attempt = (&'static str, &'static str, &'static str);

const SCRIPT: &str = include_str!("attempts.py");

pub(super) async fn each_ends_as_it_must(world: &World, attempts: &[Attempt]) {
    let inputs: Vec<&str> = attempts.iter().map(|(_, code, _)| *code).collect();
    for (path, content) in [
        ("attempts.py", SCRIPT.to_owned()),
        ("attempts.txt", inputs.join("\0")),
    ] {
        let input = json!({"file_path": path, "content": content});
        world.tool("write", input).await;
    }
    let told = world
        .sh("/usr/bin/python3 attempts.py < attempts.txt")
        .await;
    let ends: Vec<&str> = told.lines().collect();
    assert_eq!(ends.len(), attempts.len(), "{told}");
    let wrong: Vec<String> = attempts
        .iter()
        .zip(ends)
        .filter(|((_, _, must), end)| !must.split('|').any(|one| one == *end))
        .map(|((name, _, must), end)| format!("{name}: {end}, and not {must}"))
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// One sandbox, one table.
pub(super) async fn hold(attempts: &[Attempt]) {
    let world = World::new().await;
    each_ends_as_it_must(&world, attempts).await;
    world.end().await;
}
