//! The first process of a sandbox has been taken over and answers what it likes.

use std::fs;
use std::io::{Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::process::{Child, Command};
use std::sync::mpsc::{Sender, channel};

use std::path::Path;

use hostler_sandbox::{
    Call, ExecOrder, Output, Provenance, Sandbox, SandboxError, Spec, Tool, exec,
};
use serde_json::{Value, json};

use crate::world::{World, name};

fn frame(body: &[u8]) -> Vec<u8> {
    let mut frame = (body.len() as u32).to_le_bytes().to_vec();
    frame.extend_from_slice(body);
    frame
}

fn read_request(stream: &mut UnixStream) -> Option<Value> {
    let mut header = [0; 4];
    stream.read_exact(&mut header).ok()?;
    let mut body = vec![0; u32::from_le_bytes(header) as usize];
    stream.read_exact(&mut body).ok()?;
    serde_json::from_slice(&body).ok()
}

/// Where the agent of a sandbox was, somebody else listens now: questions whether it is there
/// get a good answer, calls the bytes that were handed in.
struct Impostor {
    answers: Sender<Vec<u8>>,
    process: Child,
}

impl Impostor {
    fn take_over(world: &World, record: &Value) -> Self {
        Self::at(&world.on_host(""), record)
    }

    /// In the directory of a sandbox.
    fn at(directory: &Path, record: &Value) -> Self {
        let process = Command::new("sleep").arg("1000").spawn().unwrap();
        let pid = process.id();
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
        let ticks: u64 = stat
            .rsplit_once(')')
            .unwrap()
            .1
            .split_ascii_whitespace()
            .nth(19)
            .unwrap()
            .parse()
            .unwrap();
        let mut forged = record.clone();
        forged["pid"] = json!(pid);
        forged["start_ticks"] = json!(ticks);
        forged["cgroups"] = json!([]);
        fs::write(directory.join("process.json"), forged.to_string()).unwrap();
        let socket = directory.join("agent.sock");
        fs::remove_file(&socket).unwrap();
        let listener = UnixListener::bind(socket).unwrap();
        let pong = frame(
            json!({"pong": {"protocol": record["protocol"]}})
                .to_string()
                .as_bytes(),
        );
        let (answers, next) = channel::<Vec<u8>>();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let Some(request) = read_request(&mut stream) else {
                    continue;
                };
                let answer = if request["op"] == "ping" {
                    Ok(pong.clone())
                } else {
                    next.recv()
                };
                let Ok(answer) = answer else { return };
                // The host may have heard enough before all of it was said.
                let _ = stream.write_all(&answer);
            }
        });
        Self { answers, process }
    }

    async fn answer(&self, sandbox: &Sandbox, bytes: Vec<u8>) -> Result<Output, SandboxError> {
        self.answers.send(bytes).unwrap();
        let tool = Tool::parse("bash", &json!({"command": "true"})).unwrap();
        sandbox
            .run(Call {
                id: "call_1".to_owned(),
                tool,
            })
            .await
    }
}

impl Drop for Impostor {
    fn drop(&mut self) {
        // The host may have ended and collected it, which is what it does with sandboxes.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn kind<T>(result: &Result<T, SandboxError>) -> &'static str {
    match result {
        Ok(_) => "believed",
        Err(SandboxError::Lost { .. }) => "lost",
        Err(SandboxError::Protocol { .. }) => "protocol",
        Err(SandboxError::Refused { .. }) => "refused",
        Err(SandboxError::Unavailable { .. } | SandboxError::Io(_)) => "other",
    }
}

fn lies() -> Vec<(&'static str, Vec<u8>, &'static str)> {
    let said = |value: Value| frame(value.to_string().as_bytes());
    let huge = "x".repeat(2 << 20);
    let deep = format!("{}1{}", "[".repeat(100_000), "]".repeat(100_000));
    let block = json!({"text": "x"});
    let blocks = vec![block; 100_000];
    vec![
        ("nothing", vec![], "lost"),
        ("half a header", vec![1, 0], "lost"),
        ("a frame of four gigabytes", vec![0xff; 4], "protocol"),
        (
            "a frame longer than it is",
            [&100_u32.to_le_bytes()[..], b"{}"].concat(),
            "lost",
        ),
        ("an empty frame", frame(b""), "protocol"),
        ("no JSON", frame(b"\0\xff\xfe"), "protocol"),
        ("JSON without end", frame(deep.as_bytes()), "protocol"),
        ("an unknown answer", said(json!({"root": true})), "protocol"),
        (
            "an answer to another question",
            said(json!({"pong": {"protocol": 1}})),
            "protocol",
        ),
        (
            "an output with unknown fields",
            said(json!({"done": {"blocks": [], "is_error": false, "host": 1}})),
            "protocol",
        ),
        ("a start and nothing more", said(json!("started")), "lost"),
        (
            "two starts",
            [said(json!("started")), said(json!("started"))].concat(),
            "protocol",
        ),
        (
            "a text that no agent sends",
            said(json!({"done": {"blocks": [{"text": huge}], "is_error": false}})),
            "protocol",
        ),
        (
            "blocks that no agent sends",
            said(json!({"done": {"blocks": blocks, "is_error": false}})),
            "protocol",
        ),
        (
            "a long refusal",
            said(json!({"refused": {"reason": huge}})),
            "refused",
        ),
    ]
}

#[tokio::test]
async fn nothing_that_it_says_is_believed() {
    let world = World::new().await;
    let record = fs::read_to_string(world.on_host("process.json")).unwrap();
    let record: Value = serde_json::from_str(&record).unwrap();
    let one = name("one");
    let host = &world.host;
    world.host.destroy(&one).await.unwrap();
    host.open(&one, &Spec::default()).await.unwrap();
    host.stop(&one).await.unwrap();
    let impostor = Impostor::take_over(&world, &record);
    let opened = host.open(&one, &Spec::default()).await.unwrap();
    assert_eq!(opened.provenance, Provenance::Attached);
    for (lie, bytes, expected) in lies() {
        let result = impostor.answer(&opened.sandbox, bytes).await;
        assert_eq!(kind(&result), expected, "{lie}: {result:?}");
        if let Err(error) = result {
            assert!(error.to_string().len() < 1_000, "{lie}");
        }
    }
    // Noise from a fixed seed, so that a failure can be seen again.
    let mut seed = 0x9e37_79b9_7f4a_7c15_u64;
    for _ in 0..200 {
        let noise = (0..64).map(|_| {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (seed >> 56) as u8
        });
        let result = impostor
            .answer(&opened.sandbox, frame(&noise.collect::<Vec<_>>()))
            .await;
        assert_eq!(kind(&result), "protocol", "{result:?}");
    }
    drop(opened);
    world.host.destroy(&one).await.unwrap();
}

/// What follows the answer that a command of the operator runs.
#[tokio::test]
async fn nothing_that_it_says_of_a_command_is_believed() {
    let world = World::new().await;
    let record = fs::read_to_string(world.on_host("process.json")).unwrap();
    let record: Value = serde_json::from_str(&record).unwrap();
    let (host, state, clean_up) = world.let_go();
    let one = name("one");
    host.stop(&one).await.unwrap();
    let impostor = Impostor::at(&state.path().join("state/boxes/one"), &record);
    let lies: [(&str, &[u8], &str); 7] = [
        ("a frame of an unknown kind", &[9, 0, 0], "protocol"),
        ("what only clients say", &[1, 0, 0], "protocol"),
        ("a frame over the limit", &[4, 0xff, 0xff], "protocol"),
        ("an exit without a code", &[6, 0, 0], "protocol"),
        ("an exit with two codes", &[6, 2, 0, 1, 1], "protocol"),
        ("half a header", &[4, 1], "lost"),
        ("half a frame", &[4, 9, 0, b'x'], "lost"),
    ];
    for (lie, bytes, expected) in lies {
        let begun = frame(br#""executing""#);
        impostor.answers.send([&begun, bytes].concat()).unwrap();
        let mut running = exec(&state.path().join("state"), &one, shell())
            .await
            .unwrap();
        let said = running.output.next().await;
        let shown = format!("{said:?}");
        assert_eq!(kind(&said), expected, "{lie}: {shown}");
    }
    let reason = format!("\u{1b}]0;title\u{7}{}", "x".repeat(10_000));
    let refusal = json!({"refused": {"reason": reason}}).to_string();
    impostor.answers.send(frame(refusal.as_bytes())).unwrap();
    let refused = exec(&state.path().join("state"), &one, shell()).await;
    let said = refused.err().unwrap().to_string();
    assert!(
        said.len() < 1_000 && !said.contains(|c: char| c.is_control()),
        "{said}"
    );
    drop((impostor, clean_up));
}

fn shell() -> ExecOrder {
    ExecOrder {
        words: Vec::new(),
        terminal: None,
    }
}

/// The shell's reports come through a pipe that is the shell's alone; who writes there anyway
/// is found out.
#[tokio::test]
async fn a_forged_report_of_the_shell_ends_it() {
    let world = World::new().await;
    for forgery in [
        "printf '99 0\\0' >&8",
        "printf '0 0\\0' > /proc/$$/fd/8",
        "head -c 1000 /dev/zero > /proc/$$/fd/8",
        "printf 'nonsense\\0' > /proc/$PPID/fd/8",
    ] {
        let output = world.bash(&format!("( {forgery} ); false")).await;
        assert!(output.is_error, "{forgery}: {output:?}");
        crate::world::ok(&world.bash("echo usable").await, "usable\n");
    }
    world.end().await;
}
