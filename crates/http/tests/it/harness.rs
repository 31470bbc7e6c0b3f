//! A service on a fresh store, and a client for it that reads whole answers.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, Request, StatusCode};
use axum::response::Response;
use hostler_domain::Env;
use hostler_domain::catalog::{ModelCatalog, ModelSpec};
use hostler_http::{Api, ApiKeyText, HttpOptions, RateLimits, router};
use hostler_protocol::agent::EffortLevel;
use hostler_protocol::id::WorkspaceId;
use hostler_store::{ApiKey, Store, StoreOptions, Workspace};
use hostler_testkit::open_store;
use serde_json::Value;
use tower::ServiceExt;

/// A test that waits this long has failed.
const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) struct Service {
    pub(crate) router: Router,
    pub(crate) store: Store,
    pub(crate) env: Env,
    pub(crate) workspace: WorkspaceId,
    pub(crate) key: ApiKey,
    pub(crate) key_text: String,
    _folder: tempfile::TempDir,
}

/// Options without rate limits: a test that wants them sets them.
pub(crate) fn options() -> HttpOptions {
    HttpOptions {
        rate_limits: RateLimits::OFF,
        ..HttpOptions::default()
    }
}

fn catalog() -> Arc<ModelCatalog> {
    Arc::new(ModelCatalog::new(vec![ModelSpec {
        id: "test-model".into(),
        provider: "test".into(),
        upstream_id: None,
        display_name: None,
        created_at: None,
        context_window: None,
        max_output_tokens: None,
        efforts: vec![EffortLevel::High],
        default_effort: EffortLevel::High,
        adaptive_thinking: false,
        supports_fast: false,
        system_messages: true,
        price: None,
    }]))
}

impl Service {
    pub(crate) async fn start() -> Self {
        Self::with(options()).await
    }

    pub(crate) async fn with(options: HttpOptions) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = open_store(folder.path(), StoreOptions::default());
        let env = Env::fixed(1);
        let workspace = add_workspace(&store, &env).await;
        let (key, key_text) = add_key(&store, &env, workspace).await;
        Self {
            router: router(Api::new(store.clone(), env.clone(), catalog(), options)),
            store,
            env,
            workspace,
            key,
            key_text,
            _folder: folder,
        }
    }

    /// A request with the headers that SDKs send.
    pub(crate) fn request(&self, line: &str) -> Call<'_> {
        let (method, path) = line.split_once(' ').unwrap();
        let headers = [
            ("authorization", format!("Bearer {}", self.key_text)),
            ("anthropic-version", "2026-10-21".to_owned()),
            ("anthropic-beta", "managed-agents-2026-04-01".to_owned()),
        ];
        Call {
            service: self,
            method: method.to_owned(),
            path: path.to_owned(),
            headers: headers
                .map(|(name, value)| (name.to_owned(), value))
                .to_vec(),
            body: Body::empty(),
        }
    }
}

pub(crate) async fn add_workspace(store: &Store, env: &Env) -> WorkspaceId {
    let workspace = Workspace {
        id: env.id(),
        name: "test".into(),
        created_at: env.now(),
    };
    store.create_workspace(workspace.clone()).await.unwrap();
    workspace.id
}

pub(crate) async fn add_key(
    store: &Store,
    env: &Env,
    workspace_id: WorkspaceId,
) -> (ApiKey, String) {
    let text = ApiKeyText::generate().unwrap();
    let key = ApiKey {
        id: env.id(),
        workspace_id,
        name: "test".into(),
        hash: text.hash(),
        hint: text.hint(),
        created_at: env.now(),
        revoked_at: None,
    };
    store.create_api_key(key.clone()).await.unwrap();
    (key, text.reveal().to_owned())
}

pub(crate) struct Call<'s> {
    service: &'s Service,
    method: String,
    path: String,
    headers: Vec<(String, String)>,
    body: Body,
}

impl Call<'_> {
    pub(crate) fn header(mut self, name: &str, value: &str) -> Self {
        self = self.without(name);
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    pub(crate) fn without(mut self, name: &str) -> Self {
        self.headers.retain(|(given, _)| given != name);
        self
    }

    pub(crate) fn json(self, body: Value) -> Self {
        self.bytes("application/json", body.to_string().into_bytes())
    }

    pub(crate) fn bytes(self, content_type: &str, body: Vec<u8>) -> Self {
        let mut call = self.header("content-type", content_type);
        call.body = Body::from(body);
        call
    }

    /// A body that comes in pieces.
    pub(crate) fn stream(self, content_type: &str, body: Body) -> Self {
        let mut call = self.header("content-type", content_type);
        call.body = body;
        call
    }

    pub(crate) async fn send(self) -> Answer {
        let response = self.open().await;
        let (status, headers) = (response.status(), response.headers().clone());
        let body = to_bytes(response.into_body(), usize::MAX);
        let body = tokio::time::timeout(PATIENCE, body).await.unwrap().unwrap();
        Answer {
            status,
            headers,
            text: String::from_utf8(body.to_vec()).unwrap(),
        }
    }

    /// The answer of a call that must succeed.
    pub(crate) async fn ok(self) -> Value {
        let answer = self.send().await;
        assert!(answer.status.is_success(), "{answer:?}");
        answer.json()
    }

    /// The response, its body unread.
    pub(crate) async fn open(self) -> Response {
        let mut request = Request::builder().method(&*self.method).uri(&self.path);
        for (name, value) in &self.headers {
            request = request.header(name, value);
        }
        let request = request.body(self.body).unwrap();
        let answered = self.service.router.clone().oneshot(request);
        let answer = tokio::time::timeout(PATIENCE, answered);
        answer.await.unwrap().unwrap()
    }
}

#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap()
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    pub(crate) fn error_code(&self) -> Option<String> {
        let code = self.json()["error"]["details"]["error_code"].clone();
        code.as_str().map(str::to_owned)
    }

    /// Status, kind and message of a failure; checks what holds for each of them.
    pub(crate) fn failure(&self) -> (u16, String, String) {
        let body = self.json();
        assert_eq!(body["type"], "error");
        assert_eq!(body["request_id"].as_str(), self.header("request-id"));
        assert_eq!(self.header("content-type"), Some("application/json"));
        let text = |key: &str| body["error"][key].as_str().unwrap().to_owned();
        (self.status.as_u16(), text("type"), text("message"))
    }
}
