//! A real server under strace, the clients that used it, and what it told them.

use std::collections::{BTreeMap, HashMap};
use std::io::{BufRead, BufReader, Lines};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::Duration;

use futures::{StreamExt, stream};
use hostler_protocol::event::Seq;
use hostler_protocol::id::{FileId, SessionId};
use hostler_store::{Store, StoreError};
use hostler_testkit::{ModelScript, Reply};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::trace::{self, Act, Call};

const KEY: &str = "the-key-of-the-power-cuts";
const CALLS: &str = "trace=openat,pwrite64,write,writev,sendto,sendmsg,lseek,ftruncate,fsync,\
                     fdatasync,rename,renameat,renameat2,link,linkat,unlink,unlinkat";

/// Fewer share more commits, and so write more.
const TALKS_AT_ONCE: usize = 4;

/// What a session's client was told of.
type Told = Vec<(What, SessionId, String)>;

/// How much the clients say.
#[derive(Debug, Clone, Copy)]
pub(super) struct Load {
    pub(super) sessions: usize,
    pub(super) messages: usize,
    pub(super) message_bytes: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum What {
    Session,
    Event,
}

/// Something that a 2xx named, and when that 2xx was begun to be sent.
#[derive(Debug)]
pub(super) struct Acknowledged {
    pub(super) what: What,
    pub(super) session: SessionId,
    pub(super) id: String,
    pub(super) at: usize,
}

pub(super) struct UploadedFile {
    pub(super) id: FileId,
    pub(super) bytes: Vec<u8>,
    pub(super) at: usize,
}

pub(super) struct Recording {
    pub(super) calls: Vec<Call>,
    pub(super) acknowledged: Vec<Acknowledged>,
    pub(super) files: Vec<UploadedFile>,
    /// Whole logs, as they were in the end.
    pub(super) logs: BTreeMap<SessionId, Vec<Row>>,
    /// Lines of the trace.
    pub(super) end: usize,
}

/// Whether servers can be traced here.
pub(super) fn can_trace() -> bool {
    let traced = Command::new("strace")
        .args(["-o", "/dev/null", "true"])
        .output();
    let can = traced.is_ok_and(|traced| traced.status.success());
    if !can {
        eprintln!("nothing can be traced here: see tests/install-tools strace");
    }
    can
}

impl Recording {
    pub(super) async fn of(load: Load) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let model = ModelScript::start().await;
        model.otherwise(|request| Reply::text(&format!("So many: {}.", request.messages().len())));
        let mut server = Server::start(&folder, &model.anthropic_url());
        let client = server.client();
        let talks = stream::iter(0..load.sessions).map(|_| client.talk(load));
        let told: Vec<Told> = talks.buffered(TALKS_AT_ONCE).collect().await;
        let files = client.upload().await;
        server.stop();

        let data = folder.path().canonicalize().unwrap().join("data");
        let text = std::fs::read_to_string(folder.path().join("trace")).unwrap();
        let calls = trace::read(&text, &data);
        let sent = Sent::of(&calls);
        let acknowledged = told
            .into_iter()
            .flatten()
            .map(|(what, session, id)| Acknowledged {
                what,
                session,
                at: sent.when(&id),
                id,
            });
        let acknowledged: Vec<Acknowledged> = acknowledged.collect();
        let files = files.into_iter().map(|(id, bytes)| UploadedFile {
            at: sent.when(&id.to_string()),
            id,
            bytes,
        });
        Self {
            files: files.collect(),
            logs: logs(&data, &acknowledged).await,
            acknowledged,
            end: text.lines().count(),
            calls,
        }
    }
}

async fn logs(data: &Path, told: &[Acknowledged]) -> BTreeMap<SessionId, Vec<Row>> {
    let store = Store::open(data).unwrap();
    let mut logs = BTreeMap::new();
    for one in told {
        if let std::collections::btree_map::Entry::Vacant(log) = logs.entry(one.session) {
            log.insert(whole_log(&store, one.session).await.unwrap());
        }
    }
    logs
}

/// A row of a log, to be compared.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Row {
    pub(super) id: String,
    /// Everything else.
    rest: String,
}

pub(super) async fn whole_log(store: &Store, session: SessionId) -> Result<Vec<Row>, StoreError> {
    let (mut rows, mut after) = (Vec::new(), Seq::default());
    loop {
        let page = store.read_log(session, after, 1_000).await?;
        let Some(last) = page.last() else {
            return Ok(rows);
        };
        after = last.seq;
        rows.extend(page.iter().map(|row| Row {
            id: row.id.to_string(),
            rest: format!(
                "{:?} {:?} {:?} {}",
                row.seq,
                row.epoch,
                row.at,
                row.event.to_json()
            ),
        }));
    }
}

/// When each thing was first named in an answer: the whole strings of its JSON.
struct Sent(HashMap<String, usize>);

impl Sent {
    fn of(calls: &[Call]) -> Self {
        let mut named = HashMap::new();
        for call in calls {
            if let Act::Send { data } = &call.act
                && data.starts_with(b"HTTP/1.1 2")
            {
                for string in String::from_utf8_lossy(data).split('"') {
                    let at: &mut usize = named.entry(string.to_owned()).or_insert(call.begun);
                    *at = call.begun.min(*at);
                }
            }
        }
        Self(named)
    }

    fn when(&self, id: &str) -> usize {
        let at = self.0.get(id);
        *at.unwrap_or_else(|| panic!("{id} is in no answer of the trace"))
    }
}

struct Server {
    tracer: Child,
    /// Held open: a server whose banner nobody reads should not notice.
    _stdout: Lines<BufReader<ChildStdout>>,
    address: String,
    process: Pid,
}

impl Server {
    fn start(folder: &TempDir, model: &str) -> Self {
        let mut command = Command::new("strace");
        super::super::cli::clean(&mut command);
        command
            .args([
                "-f",
                "-y",
                "-xx",
                "-s",
                "4000000",
                "--seccomp-bpf",
                "-e",
                "signal=none",
            ])
            .args([
                "-e",
                CALLS,
                "-o",
                "trace",
                env!("CARGO_BIN_EXE_hostler"),
                "serve",
            ])
            .args([
                "--listen",
                "127.0.0.1:0",
                "--data-dir",
                "data",
                "--sandbox=unsafe-process",
            ])
            .env("HOSTLER_API_KEY", KEY)
            .env("HOSTLER__RATE_LIMITS__ENABLED", "false")
            .env("HOSTLER__PROVIDERS__ANTHROPIC__BASE_URL", model)
            .env("HOSTLER__PROVIDERS__ANTHROPIC__API_KEY", "none")
            .current_dir(folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null());
        let mut tracer = command.spawn().unwrap();
        let stdout = BufReader::new(tracer.stdout.take().unwrap());
        let mut lines = stdout.lines();
        let address = lines
            .by_ref()
            .find_map(|line| {
                let line = line.unwrap();
                Some(
                    line.trim()
                        .strip_prefix("export ANTHROPIC_BASE_URL=")?
                        .to_owned(),
                )
            })
            .expect("the server ended before it was ready");
        let lock = std::fs::read_to_string(folder.path().join("data/LOCK")).unwrap();
        let process = Pid::from_raw(lock.trim().parse().unwrap()).unwrap();
        Self {
            tracer,
            _stdout: lines,
            address,
            process,
        }
    }

    fn client(&self) -> Client {
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        Client {
            http,
            address: self.address.clone(),
        }
    }

    /// In order, so that the trace is whole.
    fn stop(&mut self) {
        kill_process(self.process, Signal::TERM).unwrap();
        self.tracer.wait().unwrap();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // One that has ended is not hit: its tracer was waited for, and is the only one to know.
        if let Ok(None) = self.tracer.try_wait() {
            let _ = kill_process(self.process, Signal::KILL);
            let _ = self.tracer.wait();
        }
    }
}

struct Client {
    http: reqwest::Client,
    address: String,
}

impl Client {
    fn request(&self, path: &str) -> reqwest::RequestBuilder {
        let beta = match path {
            "/v1/files" => "files-api-2025-04-14",
            _ => "managed-agents-2026-04-01",
        };
        self.http
            .post(format!("{}{path}", self.address))
            .header("x-api-key", KEY)
            .header("anthropic-version", "2023-06-01")
            .header("anthropic-beta", beta)
            .timeout(Duration::from_secs(60))
    }

    async fn post(&self, path: &str, body: Value) -> Value {
        answer(self.request(path).json(&body)).await
    }

    /// Makes a session and says something, again and again, as soon as it is heard.
    async fn talk(&self, load: Load) -> Told {
        let agent = json!({"name": "quiet", "model": "claude-opus-5-5", "tools": []});
        let agent = self.post("/v1/agents", agent).await;
        let environment = self.post("/v1/environments", json!({"name": "e"})).await;
        let session = json!({"agent": agent["id"], "environment_id": environment["id"]});
        let session = text(&self.post("/v1/sessions", session).await["id"]);
        let id: SessionId = session.parse().unwrap();
        let mut told = vec![(What::Session, id, session.clone())];
        for number in 0..load.messages {
            let words = format!("{number} {}", "word ".repeat(load.message_bytes / 5));
            let content = json!([{"type": "text", "text": words}]);
            let body = json!({"events": [{"type": "user.message", "content": content}]});
            let sent = self
                .post(&format!("/v1/sessions/{session}/events"), body)
                .await;
            told.push((What::Event, id, text(&sent["data"][0]["id"])));
        }
        told
    }

    async fn upload(&self) -> Vec<(FileId, Vec<u8>)> {
        let mut files = Vec::new();
        for number in 0..3_u8 {
            let bytes = vec![number; 20_000];
            let part = reqwest::multipart::Part::bytes(bytes.clone()).file_name("f.bin");
            let form = reqwest::multipart::Form::new().part("file", part);
            let file = answer(self.request("/v1/files").multipart(form)).await;
            files.push((text(&file["id"]).parse().unwrap(), bytes));
        }
        files
    }
}

async fn answer(request: reqwest::RequestBuilder) -> Value {
    let response = request.send().await.unwrap();
    let (status, body) = (response.status(), response.text().await.unwrap());
    assert!(status.is_success(), "{status}: {body}");
    serde_json::from_str(&body).unwrap()
}

fn text(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}
