//! Whether a token is taken by its server, and if not, what the server said.

use reqwest::header::{ACCEPT, CONTENT_TYPE};
use serde_json::json;
use tokio::time::timeout;

use crate::client::{Client, Endpoint, Secret};
use crate::limits::{HANDSHAKE_TIMEOUT, SHOWN_BODY_BYTES_MAX};

/// The step that failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Probe {
    /// The protocol's name of it: `initialize` or `tools/list`.
    pub method: &'static str,
    /// `None` if no answer came, or it was no refusal.
    pub response: Option<HttpResponse>,
}

/// An answer, for whoever asks why it was a refusal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpResponse {
    pub status_code: u16,
    pub content_type: String,
    pub body: String,
    pub body_truncated: bool,
}

impl Client {
    /// Connects and asks for the tools, as a session would.
    ///
    /// # Errors
    /// The step that failed.
    pub async fn probe(&self, endpoint: &Endpoint) -> Result<(), Probe> {
        match self.connect(endpoint).await {
            Ok(connection) => {
                let listed = connection.tools().await;
                connection.close().await;
                listed.map(|_tools| ()).map_err(|_error| Probe {
                    method: "tools/list",
                    response: None,
                })
            }
            // The SDK keeps no answer, so the first step is taken once more by hand.
            Err(_error) => Err(Probe {
                method: "initialize",
                response: self.refusal(endpoint).await,
            }),
        }
    }

    async fn refusal(&self, endpoint: &Endpoint) -> Option<HttpResponse> {
        let url = self.permit(&endpoint.url).await.ok()?;
        let message = json!({
            "jsonrpc": "2.0", "id": 1, "method": "initialize",
            "params": {
                "protocolVersion": "2025-11-25",
                "capabilities": {},
                "clientInfo": {"name": "hostler", "version": env!("CARGO_PKG_VERSION")},
            },
        });
        let accept = "application/json, text/event-stream";
        let mut request = self.http.post(url).header(ACCEPT, accept).json(&message);
        if let Some(token) = &endpoint.token {
            request = request.bearer_auth(token.expose());
        }
        let exchange = async {
            read(request.send().await.ok()?, SHOWN_BODY_BYTES_MAX)
                .await
                .ok()
        };
        let response = timeout(HANDSHAKE_TIMEOUT, exchange).await.ok().flatten()?;
        let is_refusal = !(200..=299).contains(&response.status_code);
        let secrets: Vec<_> = endpoint.token.iter().collect();
        is_refusal.then(|| response.shown(&secrets))
    }
}

impl HttpResponse {
    /// In the form that people see: without secrets that the server repeats, and not too long.
    pub(crate) fn shown(mut self, secrets: &[&Secret]) -> Self {
        let secrets = secrets.iter().map(|secret| secret.expose());
        for secret in secrets.filter(|secret| !secret.is_empty()) {
            self.body = self.body.replace(secret, "***");
        }
        // A secret that is cut in two is not found, so the cut comes last.
        let mut end = self.body.len().min(SHOWN_BODY_BYTES_MAX);
        while !self.body.is_char_boundary(end) {
            end -= 1;
        }
        self.body_truncated |= end < self.body.len();
        self.body.truncate(end);
        self
    }
}

/// An answer with the beginning of its body.
pub(crate) async fn read(
    mut response: reqwest::Response,
    bytes_max: usize,
) -> Result<HttpResponse, String> {
    let status_code = response.status().as_u16();
    let content_type = response.headers().get(CONTENT_TYPE);
    let content_type = content_type.and_then(|value| value.to_str().ok());
    let content_type = content_type.unwrap_or_default().to_owned();
    let mut body = Vec::new();
    let mut body_truncated = false;
    while let Some(chunk) = response
        .chunk()
        .await
        .map_err(|error| crate::error::words(&error))?
    {
        let room = bytes_max - body.len();
        body.extend_from_slice(&chunk[..chunk.len().min(room)]);
        if chunk.len() > room {
            body_truncated = true;
            break;
        }
    }
    Ok(HttpResponse {
        status_code,
        content_type,
        body: String::from_utf8_lossy(&body).into_owned(),
        body_truncated,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_that_a_server_repeats_is_not_shown() {
        let response = HttpResponse {
            status_code: 400,
            content_type: String::new(),
            body: format!("no: tok-1 {}", "é".repeat(SHOWN_BODY_BYTES_MAX)),
            body_truncated: false,
        };
        let shown = response.shown(&[&Secret::new("tok-1".to_owned())]);
        assert!(shown.body.starts_with("no: *** é"), "{}", shown.body);
        assert!(shown.body_truncated && shown.body.len() <= SHOWN_BODY_BYTES_MAX);
    }
}
