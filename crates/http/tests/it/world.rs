//! What sessions need: an agent and an environment. And what follows a stream.

use std::time::Duration;

use axum::body::BodyDataStream;
use futures::StreamExt;
use hostler_http::HttpOptions;
use serde_json::{Value, json};

use crate::harness::{Call, Service, options};

pub(crate) struct World {
    pub(crate) service: Service,
    pub(crate) agent: String,
    pub(crate) environment: String,
}

impl World {
    pub(crate) async fn new() -> Self {
        Self::with(options()).await
    }

    pub(crate) async fn with(options: HttpOptions) -> Self {
        let service = Service::with(options).await;
        let toolset = json!([{"type": "agent_toolset_20260401"}]);
        let agent = json!({"name": "a", "model": "test-model", "tools": toolset});
        let agent = created(&service, "agents", agent).await;
        let environment = created(&service, "environments", json!({"name": "e"})).await;
        Self {
            service,
            agent,
            environment,
        }
    }

    pub(crate) fn request(&self, line: &str) -> Call<'_> {
        self.service.request(line)
    }

    /// A request to create a session, with what `change` adds.
    pub(crate) fn create(&self, change: Value) -> Call<'_> {
        let mut body = json!({"agent": self.agent, "environment_id": self.environment});
        for (key, value) in change.as_object().unwrap() {
            body[key] = value.clone();
        }
        self.request("POST /v1/sessions").json(body)
    }

    pub(crate) async fn session(&self) -> String {
        let session = self.create(json!({})).ok().await;
        session["id"].as_str().unwrap().to_owned()
    }

    /// Renames the session: the smallest thing that shows on its stream.
    pub(crate) async fn rename(&self, session: &str, title: &str) {
        let call = self.request(&format!("POST /v1/sessions/{session}"));
        call.json(json!({"title": title})).ok().await;
    }

    pub(crate) async fn follow(&self, call: Call<'_>) -> Subscriber {
        let response = call.open().await;
        assert_eq!(response.status(), 200);
        Subscriber {
            chunks: response.into_body().into_data_stream(),
            text: String::new(),
        }
    }
}

pub(crate) async fn created(service: &Service, resource: &str, body: Value) -> String {
    let call = service.request(&format!("POST /v1/{resource}"));
    let made = call.json(body).ok().await;
    made["id"].as_str().unwrap().to_owned()
}

/// An open event stream.
pub(crate) struct Subscriber {
    chunks: BodyDataStream,
    text: String,
}

#[derive(Debug, PartialEq)]
pub(crate) struct Received {
    pub(crate) id: Option<i64>,
    pub(crate) event: String,
    pub(crate) data: Value,
}

impl Subscriber {
    /// The next frame; `None` at the end of the stream.
    pub(crate) async fn next(&mut self) -> Option<Received> {
        loop {
            if let Some((frame, rest)) = self.text.split_once("\n\n") {
                let received = parse(frame);
                self.text = rest.to_owned();
                return Some(received);
            }
            let chunk = tokio::time::timeout(Duration::from_secs(30), self.chunks.next());
            let chunk = chunk.await.expect("a frame or an end within half a minute");
            let bytes = chunk?.unwrap();
            self.text.push_str(std::str::from_utf8(&bytes).unwrap());
        }
    }

    pub(crate) async fn take(&mut self, count: usize) -> Vec<Received> {
        let mut frames = Vec::new();
        while frames.len() < count {
            frames.push(self.next().await.expect("another frame"));
        }
        frames
    }
}

fn parse(frame: &str) -> Received {
    let field = |name: &str| {
        let line = frame.lines().find_map(|line| line.strip_prefix(name));
        line.map(str::to_owned)
    };
    Received {
        id: field("id: ").map(|id| id.parse().unwrap()),
        event: field("event: ").unwrap(),
        data: serde_json::from_str(&field("data: ").unwrap()).unwrap(),
    }
}
