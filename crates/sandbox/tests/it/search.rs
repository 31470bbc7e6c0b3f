//! `glob` and `grep`.

use serde_json::json;

use crate::world::{World, error, ok};

#[tokio::test]
async fn glob_finds_the_newest_first() {
    let world = World::new().await;
    world
        .sh(
            "mkdir -p src/deep .git node_modules; touch -d 2020-01-01 old.rs; \
             touch -d 2021-01-01 src/deep/mid.rs; touch -d 2022-01-01 src/new.rs; \
             touch .git/x.rs node_modules/y.rs src/note.txt; ln -s / everything",
        )
        .await;
    let glob = async |pattern: &str| world.tool("glob", json!({"pattern": pattern})).await;
    ok(&glob("*.rs").await, "src/new.rs\nsrc/deep/mid.rs\nold.rs");
    ok(&glob("src/*.rs").await, "src/new.rs");
    ok(
        &glob("./src/**/*.{rs,md}").await,
        "src/new.rs\nsrc/deep/mid.rs",
    );
    ok(&glob("node_modules/*").await, "node_modules/y.rs");
    ok(&glob("*.none").await, "No files found");
    error(
        &glob("/etc/*").await,
        "`pattern` of glob must be relative; put the directory into `path`",
    );
    error(
        &glob("../*").await,
        "`pattern` of glob must not contain `..`; put the directory into `path`",
    );
    assert!(
        glob("[")
            .await
            .joined_text()
            .starts_with("`pattern` of glob is not a valid pattern")
    );
    let elsewhere = json!({"pattern": "bash", "path": "/usr/bin"});
    ok(&world.tool("glob", elsewhere).await, "/usr/bin/bash");
    error(
        &world
            .tool("glob", json!({"pattern": "*", "path": "nowhere"}))
            .await,
        "nowhere does not exist",
    );
    error(
        &world
            .tool("glob", json!({"pattern": "*", "path": "old.rs"}))
            .await,
        "old.rs is a file; `path` of glob must be a directory",
    );
    world.sh("mkdir many; cd many; touch $(seq 250)").await;
    let many = glob("many/*").await.joined_text();
    assert_eq!(many.lines().count(), 201);
    assert!(many.ends_with("\n[the newest 200 of 250 files]"), "{many}");
    world.end().await;
}

#[tokio::test]
async fn grep_prints_lines_with_their_places() {
    let world = World::new().await;
    world
        .sh(
            "mkdir -p b .git node_modules; printf 'foo\\nbar\\nfoo bar\\n' > a.txt; \
             printf 'x\\r\\nfood\\r\\n' > b/c; cp a.txt .git/; cp a.txt node_modules/; \
             printf 'foo\\0' > binary; mkfifo pipe; printf 'foo%05000d' 1 > long",
        )
        .await;
    let grep = async |pattern: &str| world.tool("grep", json!({"pattern": pattern})).await;
    let text = grep("foo").await.joined_text();
    let (found, long) = text.rsplit_once('\n').unwrap();
    assert_eq!(found, "a.txt:1:foo\na.txt:3:foo bar\nb/c:2:food");
    assert!(
        long.starts_with("long:1:foo000") && long.ends_with("0 [line cut]"),
        "{long}"
    );
    assert_eq!(long.len(), "long:1:".len() + 2000 + " [line cut]".len());
    ok(&grep("^ba.$").await, "a.txt:2:bar");
    ok(&grep("nothing like it").await, "No matches found");
    let invalid = grep("(").await;
    assert!(invalid.is_error);
    assert!(
        invalid
            .joined_text()
            .starts_with("`pattern` of grep is not a valid regular expression")
    );
    let one_file = json!({"pattern": "food", "path": "b/c"});
    ok(&world.tool("grep", one_file).await, "b/c:2:food");
    error(
        &world
            .tool("grep", json!({"pattern": "x", "path": "no"}))
            .await,
        "no does not exist",
    );
    world.sh("yes foo | head -c 1000000 > much").await;
    let much = grep("foo").await.joined_text();
    assert!(
        much.contains("[only the first 100 KiB of matches"),
        "{}",
        &much[much.len() - 300..]
    );
    world.end().await;
}
