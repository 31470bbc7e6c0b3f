//! A search service that answers as it is told, and remembers what it was asked.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use hostler_protocol::secret::SecretText;
use hostler_web::{Hit, Query, SearchError, SearchOptions, SearchService, Searcher};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

/// What was asked.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    pub(crate) uri: Uri,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Asked {
    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }
}

#[derive(Clone)]
struct Answer {
    status: StatusCode,
    headers: Vec<(&'static str, &'static str)>,
    body: String,
    asked: Arc<Mutex<Vec<Asked>>>,
}

pub(crate) struct Stub {
    url: String,
    asked: Arc<Mutex<Vec<Asked>>>,
    _tasks: JoinSet<()>,
}

impl Stub {
    pub(crate) async fn answering(status: u16, body: &str) -> Self {
        Self::with_headers(status, body, Vec::new()).await
    }

    pub(crate) async fn with_headers(
        status: u16,
        body: &str,
        headers: Vec<(&'static str, &'static str)>,
    ) -> Self {
        let asked = Arc::default();
        let answer = Answer {
            status: StatusCode::from_u16(status).unwrap(),
            headers,
            body: body.to_owned(),
            asked: Arc::clone(&asked),
        };
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let router = Router::new().fallback(respond).with_state(answer);
        let mut tasks = JoinSet::new();
        tasks.spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self {
            url,
            asked,
            _tasks: tasks,
        }
    }

    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }

    pub(crate) async fn search(
        &self,
        service: SearchService,
        query: &Query,
    ) -> Result<Vec<Hit>, SearchError> {
        let options = SearchOptions {
            service,
            url: Some(self.url.parse().unwrap()),
            key: Some(SecretText::new("the-key".to_owned())),
            timeout: Duration::from_secs(60),
            results_max: 5,
        };
        Searcher::new(options).unwrap().search(query).await
    }
}

async fn respond(State(answer): State<Answer>, request: Request) -> Response {
    let (head, body) = request.into_parts();
    let body = axum::body::to_bytes(body, 1 << 20).await.unwrap();
    let asked = Asked {
        uri: head.uri,
        headers: head.headers,
        body,
    };
    answer.asked.lock().unwrap().push(asked);
    let mut response = (answer.status, answer.body).into_response();
    for (name, value) in answer.headers {
        response.headers_mut().insert(name, value.parse().unwrap());
    }
    response
}
