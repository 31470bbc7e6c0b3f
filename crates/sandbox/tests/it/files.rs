//! `read`, `write` and `edit`.

use std::fs;

use hostler_sandbox::Block;
use serde_json::json;

use crate::world::{World, error, ok};

#[tokio::test]
async fn a_file_is_written_read_and_edited() {
    let world = World::new().await;
    let write = json!({"file_path": "deep/er/a.txt", "content": "one\ntwo\nthree\n"});
    ok(
        &world.tool("write", write).await,
        "wrote 14 bytes to deep/er/a.txt",
    );
    ok(
        &world
            .tool("read", json!({"file_path": "/workspace/deep/er/a.txt"}))
            .await,
        "one\ntwo\nthree\n",
    );
    let edit = json!({"file_path": "deep/er/a.txt", "old_string": "two", "new_string": "2"});
    ok(
        &world.tool("edit", edit).await,
        "replaced 1 occurrence in deep/er/a.txt",
    );
    assert_eq!(
        world.sh("cat deep/er/a.txt; ls -A deep/er").await,
        "one\n2\nthree\na.txt"
    );
    let owner = fs::metadata(world.on_host("workspace/deep/er/a.txt")).unwrap();
    assert_eq!(owner.len(), 12);
    world.end().await;
}

#[tokio::test]
async fn read_shows_lines_by_number() {
    let world = World::new().await;
    world.sh("printf 'one\\ntwo\\nthree' > a; : > empty").await;
    let lines = async |range: [i64; 2]| {
        world
            .tool("read", json!({"file_path": "a", "view_range": range}))
            .await
    };
    ok(&lines([2, 2]).await, "two\n");
    ok(&lines([2, -1]).await, "two\nthree");
    ok(&lines([3, 0]).await, "three");
    ok(&lines([1, 99]).await, "one\ntwo\nthree");
    error(&lines([4, 9]).await, "a has 3 lines, so there is no line 4");
    error(
        &lines([0, 9]).await,
        "`view_range` starts at line 0, but the first line is 1",
    );
    error(
        &lines([3, 2]).await,
        "`view_range` ends at line 2, before its start at line 3",
    );
    ok(
        &world.tool("read", json!({"file_path": "empty"})).await,
        "(the file is empty)",
    );
    world.end().await;
}

#[tokio::test]
async fn read_refuses_what_it_cannot_show() {
    let world = World::new().await;
    world
        .sh("mkdir d; mkfifo pipe; head -c 300000 /dev/zero | tr '\\0' x > long; printf 'a\\377' > latin; \
             printf 'a\\0' > nul; ln -s nowhere dangling; echo text > fake.png; yes | head -c 700000 > lines")
        .await;
    let read = async |path: &str| world.tool("read", json!({"file_path": path})).await;
    error(&read("missing").await, "missing does not exist");
    error(&read("dangling").await, "dangling does not exist");
    error(
        &read("d").await,
        "d is a directory; use glob or `ls` to see what is in it",
    );
    error(
        &read("pipe").await,
        "pipe is not a regular file but a pipe, socket or device",
    );
    error(
        &read("/dev/zero").await,
        "/dev/zero is not a regular file but a pipe, socket or device",
    );
    error(
        &read("long/x").await,
        "long/x: a part of the path is a file and not a directory",
    );
    error(
        &read("long").await,
        "long has 300000 bytes, and at most 262144 can be read at once; give `view_range` \
         [start, end] to read some of its lines",
    );
    for (path, at) in [("latin", 1), ("nul", 1)] {
        let text = format!(
            "{path} is not UTF-8 text (byte {at} does not belong in one); look at it with bash, \
             for example `file` or `xxd`"
        );
        error(&read(path).await, &text);
    }
    error(
        &read("fake.png").await,
        "fake.png is not what its name says: its content is not of that format; look at it with \
         bash, for example `file` or `xxd`",
    );
    let ranged = json!({"file_path": "long", "view_range": [1, 1]});
    error(
        &world.tool("read", ranged).await,
        "these lines of long have more than 262144 bytes; ask for fewer of them, or cut long \
         lines with bash",
    );
    let far = json!({"file_path": "lines", "view_range": [349_999, -1]});
    ok(&world.tool("read", far).await, "y\ny\n");
    world.end().await;
}

#[tokio::test]
async fn a_long_result_of_any_tool_is_a_preview() {
    let world = World::new().await;
    world.sh("seq 30000 > numbers").await;
    let output = world.tool("read", json!({"file_path": "numbers"})).await;
    let text = output.joined_text();
    assert!(
        text.starts_with("1\n2\n") && text.len() < 25_000,
        "{} bytes",
        text.len()
    );
    assert!(text.contains("[The output has 168894 characters"), "{text}");
    assert_eq!(
        world
            .sh("cmp numbers /tmp/tool_outputs/call_1.txt && echo same")
            .await,
        "same"
    );
    world.end().await;
}

#[tokio::test]
async fn pictures_and_documents_are_blocks() {
    let world = World::new().await;
    world
        .sh(
            "printf '\\211PNG\\r\\n\\032\\n..' > a.jpg; printf '%%PDF-1.7' > b.PDF; \
             (printf 'GIF89a'; head -c 5000000 /dev/zero) > big.gif",
        )
        .await;
    let image = world.tool("read", json!({"file_path": "a.jpg"})).await;
    let data = "iVBORw0KGgouLg==".to_owned();
    assert_eq!(
        image.blocks,
        [Block::Image {
            media_type: "image/png".into(),
            data
        }]
    );
    let document = world.tool("read", json!({"file_path": "b.PDF"})).await;
    let data = "JVBERi0xLjc=".to_owned();
    assert_eq!(
        document.blocks,
        [Block::Document {
            media_type: "application/pdf".into(),
            data
        }]
    );
    error(
        &world
            .tool("read", json!({"file_path": "a.jpg", "view_range": [1, 2]}))
            .await,
        "a.jpg is not text; read it without `view_range`, which counts lines",
    );
    error(
        &world.tool("read", json!({"file_path": "big.gif"})).await,
        "big.gif has 5000006 bytes, and at most 3932160 of such a file can be shown; make it \
         smaller with bash",
    );
    world.end().await;
}

#[tokio::test]
async fn write_replaces_files_and_nothing_else() {
    let world = World::new().await;
    world.sh("mkdir d; mkfifo pipe; echo old > target; chmod 755 target; ln -s target link; ln -s no dangling").await;
    let write = async |path: &str| {
        world
            .tool("write", json!({"file_path": path, "content": "x"}))
            .await
    };
    ok(&write("link").await, "wrote 1 byte to link");
    assert_eq!(
        world
            .sh("cat target; readlink link; stat -c %a target")
            .await,
        "xtarget\n755"
    );
    error(
        &write("d").await,
        "d is a directory, so no file can be written there",
    );
    error(
        &write("d/").await,
        "d/ is the name of a directory; give that of a file",
    );
    error(
        &write("pipe").await,
        "pipe is not a regular file but a pipe, socket or device",
    );
    error(
        &write("dangling").await,
        "dangling is a link to something that does not exist",
    );
    for path in ["/usr/x", "/x", "/etc/passwd", "/mnt/session/uploads/x"] {
        let text = format!("{path} is in a read-only place; write in the workspace or below /tmp");
        error(&write(path).await, &text);
    }
    ok(
        &write("/mnt/session/outputs/x").await,
        "wrote 1 byte to /mnt/session/outputs/x",
    );
    assert_eq!(fs::read(world.on_host("outputs/x")).unwrap(), b"x");
    world.end().await;
}

#[tokio::test]
async fn edit_wants_exactly_one_match() {
    let world = World::new().await;
    world.sh("printf 'a b a b' > f").await;
    let edit = async |old: &str, all: bool| {
        let input =
            json!({"file_path": "f", "old_string": old, "new_string": "c", "replace_all": all});
        world.tool("edit", input).await
    };
    error(
        &edit("zz", false).await,
        "`old_string` is not in f; read the file again, since every character counts, spaces and \
         line ends too",
    );
    error(
        &edit("a", false).await,
        "`old_string` is in f 2 times; add lines around it until it is there only once, or set \
         `replace_all`",
    );
    ok(&edit("a", true).await, "replaced 2 occurrences in f");
    assert_eq!(world.sh("cat f").await, "c b c b");
    world.end().await;
}
