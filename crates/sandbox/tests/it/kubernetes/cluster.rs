//! A peer that speaks the part of the Kubernetes API that is used, as its reference documents it,
//! and really runs pods: each container of one is a container of an engine that the test started.
//!
//! It runs in a thread of its own, so that a test whose runtime is blocked can still be served.

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{oneshot, watch};
use tokio::task::JoinSet;

use super::attached;
use super::kubelet;
use crate::containers::Engine;

pub(super) const NAMESPACE: &str = "sandboxes";
pub(super) const TOKEN: &str = "the-token-of-the-test";

pub(super) struct Cluster {
    pub(super) shared: Arc<Shared>,
    pub(super) address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<std::thread::JoinHandle<()>>,
}

pub(super) struct Shared {
    pub(super) engine: Engine,
    /// Where the volumes of pods are.
    pub(super) volumes: TempDir,
    store: Mutex<Store>,
    changed: watch::Sender<u64>,
}

#[derive(Default)]
struct Store {
    version: u64,
    pods: BTreeMap<String, Value>,
    log: Vec<(u64, &'static str, Value)>,
    /// Versions up to this one are forgotten.
    compacted: u64,
    faults: VecDeque<Fault>,
    requests: Vec<String>,
}

/// What the next request that it fits is answered with.
#[derive(Debug, Clone)]
pub(super) struct Fault {
    pub(super) method: &'static str,
    /// Part of the address.
    pub(super) of: &'static str,
    pub(super) status: u16,
    pub(super) reason: &'static str,
    pub(super) message: &'static str,
}

impl Cluster {
    pub(super) fn start(engine: Engine) -> Self {
        let (changed, _) = watch::channel(0);
        let shared = Arc::new(Shared {
            engine,
            volumes: tempfile::tempdir().unwrap(),
            store: Mutex::default(),
            changed,
        });
        let (stop, stopped) = oneshot::channel::<()>();
        let (told, address) = std::sync::mpsc::channel();
        let of_thread = Arc::clone(&shared);
        let serve = move || {
            let runtime = tokio::runtime::Builder::new_multi_thread()
                .worker_threads(2)
                .enable_all()
                .build()
                .unwrap();
            runtime.block_on(async move {
                let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
                told.send(listener.local_addr().unwrap()).unwrap();
                tokio::select! {
                    () = accept(listener, of_thread) => {}
                    _ = stopped => {}
                }
            });
            runtime.shutdown_background();
        };
        let thread = std::thread::spawn(serve);
        Self {
            shared,
            address: address.recv().unwrap(),
            stop: Some(stop),
            thread: Some(thread),
        }
    }

    pub(super) fn pods(&self) -> Vec<Value> {
        self.shared.store().pods.values().cloned().collect()
    }

    pub(super) fn fail_next(&self, fault: Fault) {
        self.shared.store().faults.push_back(fault);
    }

    /// All versions so far are too old for a watch to begin at, and no watch goes on.
    pub(super) fn compact(&self) {
        let mut store = self.shared.store();
        store.version += 1;
        store.compacted = store.version;
        store.log.clear();
        let version = store.version;
        drop(store);
        self.shared.changed.send_replace(version);
    }

    pub(super) fn requests(&self) -> Vec<String> {
        self.shared.store().requests.clone()
    }

    /// Waits until the peer has seen a request that begins so, `count` times.
    pub(super) async fn asked(&self, count: usize, is_it: impl Fn(&str) -> bool) {
        let mut changed = self.shared.changed.subscribe();
        loop {
            changed.borrow_and_update();
            let requests = self.requests();
            if requests.iter().filter(|request| is_it(request)).count() >= count {
                return;
            }
            changed.changed().await.unwrap();
        }
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            thread.join().unwrap();
        }
    }
}

impl Shared {
    fn store(&self) -> MutexGuard<'_, Store> {
        self.store.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// `None`: it was deleted meanwhile.
    pub(super) fn update(&self, name: &str, uid: &str, change: impl FnOnce(&mut Value)) {
        let mut store = self.store();
        let Some(pod) = store.pods.get_mut(name) else {
            return;
        };
        if pod["metadata"]["uid"] == uid {
            change(pod);
            let pod = pod.clone();
            self.note(store, "MODIFIED", pod);
        }
    }

    fn note(&self, mut store: MutexGuard<'_, Store>, what: &'static str, mut pod: Value) -> Value {
        store.version += 1;
        let version = store.version;
        pod["metadata"]["resourceVersion"] = json!(version.to_string());
        let name = pod["metadata"]["name"].as_str().unwrap().to_owned();
        match what {
            "DELETED" => drop(store.pods.remove(&name)),
            _ => drop(store.pods.insert(name, pod.clone())),
        }
        store.log.push((version, what, pod.clone()));
        drop(store);
        self.changed.send_replace(version);
        pod
    }
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    let mut connections = JoinSet::new();
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        let shared = Arc::clone(&shared);
        connections.spawn(async move {
            // Whoever asked is gone.
            let _ = attend(stream, shared).await;
        });
        while connections.try_join_next().is_some() {}
    }
}

struct Request {
    method: String,
    path: String,
    query: Vec<(String, String)>,
    headers: BTreeMap<String, String>,
    body: Value,
}

impl Request {
    fn asks(&self, key: &str) -> Option<&str> {
        let mut found = self.query.iter().filter(|(name, _)| name == key);
        found.next().map(|(_, value)| value.as_str())
    }
}

async fn attend(stream: TcpStream, shared: Arc<Shared>) -> std::io::Result<()> {
    let mut stream = BufReader::new(stream);
    let Some(request) = read(&mut stream).await? else {
        return Ok(());
    };
    let version = {
        let mut store = shared.store();
        store
            .requests
            .push(format!("{} {}", request.method, request.path));
        store.version
    };
    shared.changed.send_replace(version);
    let pods = format!("/api/v1/namespaces/{NAMESPACE}/pods");
    let refused = refuse(&request, &shared, &pods);
    if let Some((status, body)) = refused {
        return respond(&mut stream, status, &body).await;
    }
    let rest = request.path.strip_prefix(&pods).unwrap().to_owned();
    let words: Vec<&str> = rest.split('/').skip(1).collect();
    match (request.method.as_str(), &words[..]) {
        ("GET", []) if request.asks("watch").is_some() => {
            watch_pods(&mut stream, &request, &shared).await
        }
        ("GET", []) => {
            let body = list(&request, &shared);
            respond(&mut stream, 200, &body).await
        }
        ("POST", []) => {
            let (status, body) = create(request.body, &shared);
            respond(&mut stream, status, &body).await
        }
        ("DELETE", [name]) => {
            let (status, body) = delete(name, &shared).await;
            respond(&mut stream, status, &body).await
        }
        ("GET", [name, "exec"]) => {
            let words = |key: &str| {
                let of_key = request.query.iter().filter(|(name, _)| name == key);
                of_key.map(|(_, value)| value.clone()).collect::<Vec<_>>()
            };
            let container = format!("{name}-{}", words("container")[0]);
            let offered = request.headers.get("sec-websocket-protocol");
            let is_upgrade =
                request.headers.get("upgrade").map(String::as_str) == Some("websocket");
            assert!(is_upgrade && offered.is_some_and(|offered| offered.contains("v5.channel")));
            attached::serve(
                stream,
                &shared.engine.socket(),
                &container,
                words("command"),
            )
            .await
        }
        _ => {
            let body = status_body(404, "NotFound", "the server could not find the resource");
            respond(&mut stream, 404, &body).await
        }
    }
}

/// What comes before any resource is looked at.
fn refuse(request: &Request, shared: &Shared, pods: &str) -> Option<(u16, Value)> {
    let shown = request.headers.get("authorization").map(String::as_str);
    if shown != Some(&format!("Bearer {TOKEN}")) {
        return Some((401, status_body(401, "Unauthorized", "Unauthorized")));
    }
    if !request.path.starts_with(pods) {
        let message = "pods is forbidden: User \"system:serviceaccount:hostler:hostler\" cannot \
                       list resource \"pods\" in API group \"\" in the namespace";
        return Some((403, status_body(403, "Forbidden", message)));
    }
    let mut store = shared.store();
    let fits = |fault: &Fault| fault.method == request.method && request.path.contains(fault.of);
    let place = store.faults.iter().position(fits)?;
    let fault = store.faults.remove(place)?;
    let body = status_body(fault.status, fault.reason, fault.message);
    Some((fault.status, body))
}

fn status_body(code: u16, reason: &str, message: &str) -> Value {
    json!({
        "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
        "message": message, "reason": reason, "code": code,
    })
}

fn list(request: &Request, shared: &Shared) -> Value {
    let store = shared.store();
    let selector = request.asks("labelSelector").unwrap();
    // In pages of one, so that there are some.
    let begin: usize = request
        .asks("continue")
        .map_or(0, |next| next.parse().unwrap());
    let fitting: Vec<&Value> = store
        .pods
        .values()
        .filter(|pod| fits(pod, selector))
        .collect();
    let next = begin + 1;
    let more = if next < fitting.len() {
        next.to_string()
    } else {
        String::new()
    };
    let page: Vec<&Value> = fitting.into_iter().skip(begin).take(1).collect();
    json!({
        "kind": "PodList", "apiVersion": "v1", "items": page,
        "metadata": {"resourceVersion": store.version.to_string(), "continue": more},
    })
}

fn fits(pod: &Value, selector: &str) -> bool {
    let (key, value) = selector.split_once('=').unwrap();
    pod["metadata"]["labels"][key] == value
}

async fn watch_pods(
    stream: &mut BufReader<TcpStream>,
    request: &Request,
    shared: &Shared,
) -> std::io::Result<()> {
    let selector = request.asks("labelSelector").unwrap();
    let mut last: u64 = request.asks("resourceVersion").unwrap().parse().unwrap();
    let mut changed = shared.changed.subscribe();
    let head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n\r\n";
    stream.write_all(head.as_bytes()).await?;
    loop {
        changed.borrow_and_update();
        let (events, is_too_old) = {
            let store = shared.store();
            let new = store
                .log
                .iter()
                .filter(|(version, _, pod)| *version > last && fits(pod, selector));
            let events: Vec<_> = new.cloned().collect();
            (events, store.compacted > last)
        };
        if is_too_old {
            let body = status_body(410, "Expired", "too old resource version");
            let line = format!("{}\n", json!({"type": "ERROR", "object": body}));
            return stream.write_all(line.as_bytes()).await;
        }
        for (version, what, pod) in events {
            let line = format!("{}\n", json!({"type": what, "object": pod}));
            stream.write_all(line.as_bytes()).await?;
            last = version;
            let at = json!({"kind": "Pod", "metadata": {"resourceVersion": version.to_string()}});
            let line = format!("{}\n", json!({"type": "BOOKMARK", "object": at}));
            stream.write_all(line.as_bytes()).await?;
        }
        stream.flush().await?;
        changed.changed().await.map_err(std::io::Error::other)?;
    }
}

fn create(mut pod: Value, shared: &Arc<Shared>) -> (u16, Value) {
    let name = pod["metadata"]["name"]
        .as_str()
        .unwrap_or_default()
        .to_owned();
    let is_good = !name.is_empty()
        && name.len() <= 63
        && name
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
    if !is_good {
        return (
            422,
            status_body(422, "Invalid", "metadata.name: Invalid value"),
        );
    }
    let store = shared.store();
    if store.pods.contains_key(&name) {
        let message = format!("pods \"{name}\" already exists");
        return (409, status_body(409, "AlreadyExists", &message));
    }
    let uid = format!("uid-{}", store.version);
    pod["metadata"]["uid"] = json!(uid);
    pod["metadata"]["namespace"] = json!(NAMESPACE);
    pod["status"] = json!({"phase": "Pending"});
    let pod = shared.note(store, "ADDED", pod);
    let (of_kubelet, made) = (Arc::clone(shared), pod.clone());
    tokio::task::spawn_blocking(move || kubelet::run(&of_kubelet, &made));
    (201, pod)
}

async fn delete(name: &str, shared: &Arc<Shared>) -> (u16, Value) {
    let (shared, name) = (Arc::clone(shared), name.to_owned());
    let delete = move || {
        let store = shared.store();
        let Some(pod) = store.pods.get(&name).cloned() else {
            let message = format!("pods \"{name}\" not found");
            return (404, status_body(404, "NotFound", &message));
        };
        let pod = shared.note(store, "DELETED", pod);
        kubelet::remove(&shared, &pod);
        (200, pod)
    };
    tokio::task::spawn_blocking(delete).await.unwrap()
}

async fn read(stream: &mut BufReader<TcpStream>) -> std::io::Result<Option<Request>> {
    let mut first = String::new();
    if stream.read_line(&mut first).await? == 0 {
        return Ok(None);
    }
    let mut words = first.split_whitespace();
    let (method, target) = (words.next().unwrap(), words.next().unwrap());
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
    let query = pairs
        .map(|(key, value)| (decoded(key), decoded(value)))
        .collect();
    let mut headers = BTreeMap::new();
    loop {
        let mut line = String::new();
        stream.read_line(&mut line).await?;
        let Some((name, value)) = line.trim_end().split_once(':') else {
            break;
        };
        headers.insert(name.to_lowercase(), value.trim().to_owned());
    }
    let length = headers
        .get("content-length")
        .map_or(0, |length| length.parse().unwrap());
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await?;
    Ok(Some(Request {
        method: method.to_owned(),
        path: path.to_owned(),
        query,
        headers,
        body: serde_json::from_slice(&body).unwrap_or_default(),
    }))
}

fn decoded(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        match byte {
            b'+' => bytes.push(b' '),
            b'%' => {
                let digits = [rest.next().unwrap(), rest.next().unwrap()];
                let digits = std::str::from_utf8(&digits).unwrap();
                bytes.push(u8::from_str_radix(digits, 16).unwrap());
            }
            byte => bytes.push(byte),
        }
    }
    String::from_utf8(bytes).unwrap()
}

async fn respond(
    stream: &mut BufReader<TcpStream>,
    status: u16,
    body: &Value,
) -> std::io::Result<()> {
    let body = body.to_string();
    // For those who are told that there is no room now.
    let head = format!(
        "HTTP/1.1 {status} Status\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\
         Retry-After: 0\r\nConnection: close\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).await?;
    stream.write_all(body.as_bytes()).await?;
    stream.flush().await
}
