//! Requests to the API of a cluster: five kinds, about pods of one namespace.
//!
//! Every answer is bounded in bytes and time, but for the watch, which is bounded by line. The
//! token is read for each request: clusters replace it under the same name. What the API says
//! about a refusal is passed on, for the operator to read.

use std::io;
use std::path::Path;
use std::time::Duration;

use reqwest::header::RETRY_AFTER;
use reqwest::{Certificate, Client, Method, RequestBuilder, Response, StatusCode};
use serde_json::{Value, json};
use tokio::time::timeout;

use super::super::super::backend::KubernetesApi;
use crate::limits::{
    API_ANSWER_BYTES_MAX, API_ANSWER_TIME_MAX, API_ATTEMPTS_MAX, API_FILE_BYTES_MAX, API_LIST_PAGE,
    API_LIST_PAGES_MAX, API_PAUSE_MAX, ENGINE_REASON_CHARS_MAX, WATCH_SECONDS_MAX,
};

#[derive(Clone)]
pub(super) struct Api {
    client: Client,
    place: KubernetesApi,
    namespace: String,
}

pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) body: Value,
    pause: Option<Duration>,
}

/// All pods of a label, and from where on to watch what becomes of them.
pub(super) struct List {
    pub(super) pods: Vec<Value>,
    pub(super) version: String,
}

impl Api {
    pub(super) fn new(place: &KubernetesApi, namespace: &str) -> io::Result<Self> {
        check_server(&place.server)?;
        let mut client = Client::builder()
            // An exec takes the connection over, which HTTP/2 does otherwise.
            .http1_only()
            // Whoever is configured is asked, and nobody between.
            .no_proxy()
            // A connection belongs to the request that it was made for.
            .pool_max_idle_per_host(0)
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(API_ANSWER_TIME_MAX);
        if let Some(file) = &place.ca_file {
            let text = read_bounded(file)?;
            let authorities = Certificate::from_pem_bundle(&text).map_err(|error| {
                io::Error::other(format!("{}: {}", file.display(), in_full(&error)))
            })?;
            client = client.tls_certs_only(authorities);
        }
        Ok(Self {
            client: client.build().map_err(|error| said(&error))?,
            place: place.clone(),
            namespace: namespace.to_owned(),
        })
    }

    pub(super) fn place(&self) -> &KubernetesApi {
        &self.place
    }

    pub(super) fn namespace(&self) -> &str {
        &self.namespace
    }

    pub(super) async fn create(&self, pod: &Value) -> io::Result<Answer> {
        self.patient(|| Ok(self.request(Method::POST, "", &[])?.json(pod)))
            .await
    }

    /// At once: what runs in it has nothing to say any more.
    pub(super) async fn delete(&self, name: &str) -> io::Result<Answer> {
        let options = json!({
            "kind": "DeleteOptions",
            "apiVersion": "v1",
            "gracePeriodSeconds": 0,
            "propagationPolicy": "Background",
        });
        let path = format!("/{name}");
        self.patient(|| Ok(self.request(Method::DELETE, &path, &[])?.json(&options)))
            .await
    }

    pub(super) async fn list(&self, selector: &str) -> io::Result<List> {
        let (mut pods, mut next) = (Vec::new(), String::new());
        for _ in 0..API_LIST_PAGES_MAX {
            let query = [
                ("labelSelector", selector),
                ("limit", API_LIST_PAGE),
                ("continue", next.as_str()),
            ];
            let used = if next.is_empty() { &query[..2] } else { &query };
            let answer = self.patient(|| self.request(Method::GET, "", used)).await?;
            let mut body = answer.succeeded("list its pods")?;
            if let Value::Array(found) = body["items"].take() {
                pods.extend(found);
            }
            next = text(&body["metadata"]["continue"]);
            if next.is_empty() {
                let version = text(&body["metadata"]["resourceVersion"]);
                return Ok(List { pods, version });
            }
        }
        Err(io::Error::other(
            "it has more pods of ours than there can be",
        ))
    }

    /// Lines of JSON, each a change since `version`.
    pub(super) async fn watch(&self, selector: &str, version: &str) -> io::Result<Response> {
        let seconds = WATCH_SECONDS_MAX.to_string();
        let query = [
            ("labelSelector", selector),
            ("watch", "true"),
            ("allowWatchBookmarks", "true"),
            ("resourceVersion", version),
            ("timeoutSeconds", seconds.as_str()),
        ];
        let request = self.request(Method::GET, "", &query)?;
        let answer = timeout(API_ANSWER_TIME_MAX, request.send()).await;
        let answer = answer.map_err(|_| late())?.map_err(|error| said(&error))?;
        if answer.status().is_success() {
            return Ok(answer);
        }
        Answer::read(answer).await?.succeeded("tell of its pods")?;
        Err(io::Error::other("no watch"))
    }

    /// The path is below the pods of the namespace and made of names that need no escaping.
    pub(super) fn request(
        &self,
        method: Method,
        path: &str,
        query: &[(&str, &str)],
    ) -> io::Result<RequestBuilder> {
        let (server, namespace) = (self.place.server.trim_end_matches('/'), &self.namespace);
        let address = format!("{server}/api/v1/namespaces/{namespace}/pods{path}");
        let request = self.client.request(method, address).query(query);
        let Some(file) = &self.place.token_file else {
            return Ok(request);
        };
        let token = String::from_utf8(read_bounded(file)?).map_err(io::Error::other)?;
        // It is marked as a secret there, so that nothing prints it.
        Ok(request.bearer_auth(token.trim()))
    }

    /// A server that is busy says when to come again; it is asked a few times.
    async fn patient(
        &self,
        request: impl Fn() -> io::Result<RequestBuilder>,
    ) -> io::Result<Answer> {
        let mut attempts = 0;
        loop {
            attempts += 1;
            let exchange = async {
                let answer = request()?.send().await.map_err(|error| said(&error))?;
                Answer::read(answer).await
            };
            let answer = timeout(API_ANSWER_TIME_MAX, exchange).await;
            let answer = answer.unwrap_or_else(|_| Err(late()))?;
            match answer.pause {
                Some(pause) if attempts < API_ATTEMPTS_MAX => tokio::time::sleep(pause).await,
                Some(_) | None => return Ok(answer),
            }
        }
    }
}

impl Answer {
    pub(super) async fn read(mut answer: Response) -> io::Result<Self> {
        let status = answer.status();
        let wait = answer.headers().get(RETRY_AFTER);
        let seconds = wait.and_then(|wait| wait.to_str().ok()?.parse().ok());
        let is_busy = status == StatusCode::TOO_MANY_REQUESTS;
        let pause = Duration::from_secs(seconds.unwrap_or(1)).min(API_PAUSE_MAX);
        let mut bytes = Vec::new();
        while let Some(part) = answer.chunk().await.map_err(|error| said(&error))? {
            bytes.extend_from_slice(&part);
            if bytes.len() > API_ANSWER_BYTES_MAX {
                return Err(io::Error::other("its answer is too long"));
            }
        }
        let body = serde_json::from_slice(&bytes);
        Ok(Self {
            status,
            // Not every refusal is one of the API itself: there may be a proxy before it.
            body: body.unwrap_or_else(|_| json!({"message": String::from_utf8_lossy(&bytes)})),
            pause: is_busy.then_some(pause),
        })
    }

    pub(super) fn succeeded(self, what: &str) -> io::Result<Value> {
        if self.status.is_success() {
            return Ok(self.body);
        }
        Err(io::Error::other(format!(
            "the cluster did not {what}: {}",
            self.reason()
        )))
    }

    fn reason(&self) -> String {
        let message = text(&self.body["message"]);
        let message: String = message
            .trim()
            .chars()
            .take(ENGINE_REASON_CHARS_MAX)
            .collect();
        format!("{message} (status {})", self.status.as_u16())
    }
}

/// A token must not be shown to whoever listens on the way.
fn check_server(server: &str) -> io::Result<()> {
    let address = reqwest::Url::parse(server)
        .map_err(|error| io::Error::other(format!("the address {server}: {error}")))?;
    let is_here = match address.host_str() {
        Some("localhost" | "[::1]") => true,
        Some(host) => host
            .parse()
            .is_ok_and(|address: std::net::Ipv4Addr| address.is_loopback()),
        None => false,
    };
    match address.scheme() {
        "https" => Ok(()),
        "http" if is_here => Ok(()),
        _ => Err(io::Error::other(format!(
            "the address {server}: it must begin with https://, or be one of this machine"
        ))),
    }
}

fn read_bounded(file: &Path) -> io::Result<Vec<u8>> {
    use std::io::Read;
    let mut bytes = Vec::new();
    let opened = std::fs::File::open(file);
    let read = opened.and_then(|opened| opened.take(API_FILE_BYTES_MAX).read_to_end(&mut bytes));
    read.map_err(|error| io::Error::new(error.kind(), format!("{}: {error}", file.display())))?;
    Ok(bytes)
}

pub(super) fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// With what is behind it: the outermost says little more than that a request failed.
pub(super) fn said(error: &reqwest::Error) -> io::Error {
    io::Error::other(format!("the cluster: {}", in_full(error)))
}

fn in_full(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(inner) = source {
        text = format!("{text}: {inner}");
        source = inner.source();
    }
    text
}

pub(super) fn late() -> io::Error {
    let seconds = API_ANSWER_TIME_MAX.as_secs();
    io::Error::other(format!("the cluster: no answer within {seconds} s"))
}
