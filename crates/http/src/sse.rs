//! Event streams: frames in the form that the SDKs read, pings in the silence, and an end that
//! asks the client to come back when the server drains.
//!
//! Nothing is buffered here beyond the frames that are ready: a slow client slows the stream
//! that it reads from, and that one reads from the log.

use std::convert::Infallible;
use std::pin::pin;
use std::sync::Arc;

use async_stream::stream;
use axum::body::Body;
use axum::http::{HeaderName, HeaderValue, header};
use axum::response::Response;
use bytes::{BufMut, Bytes, BytesMut};
use futures::{Stream, StreamExt};
use hostler_protocol::id::{RequestId, WorkspaceId};
use hostler_store::{Preview, WireEvent};
use tokio::time::sleep;

use crate::api_error::Excess;
use crate::limits::{FRAMES_PER_WRITE, STREAM_RETRY};
use crate::{Api, ApiError};

const ACCEL_BUFFERING: HeaderName = HeaderName::from_static("x-accel-buffering");
const PING: &[u8] = b"event: ping\ndata: {\"type\":\"ping\"}\n\n";

/// One event on the wire. Its text is shared by all who are sent it.
#[derive(Debug, Clone)]
pub(crate) enum Frame {
    /// With its position in the log, by which a client resumes.
    Event(Arc<WireEvent>),
    Preview(Preview),
    /// The JSON of an error.
    Failure(String),
}

impl Frame {
    fn write(&self, out: &mut BytesMut) {
        // SDKs drop frames whose name is not the `type` of the JSON.
        let (seq, name, json) = match self {
            Self::Event(event) => (event.seq, event.name.as_str(), event.json.as_str()),
            Self::Preview(preview) => (None, preview.name(), &*preview.json),
            Self::Failure(json) => (None, "error", json.as_str()),
        };
        debug_assert!(!json.contains('\n'), "JSON of an event is one line");
        out.reserve(name.len() + json.len() + 48);
        out.put_slice(b"event: ");
        out.put_slice(name.as_bytes());
        if let Some(seq) = seq {
            out.put_slice(b"\nid: ");
            out.put_slice(seq.0.to_string().as_bytes());
        }
        out.put_slice(b"\ndata: ");
        out.put_slice(json.as_bytes());
        out.put_slice(b"\n\n");
    }
}

/// Counts the open streams for as long as it lives.
struct OpenStream;

impl OpenStream {
    fn new() -> Self {
        metrics::gauge!("hostler_http_streams").increment(1.0);
        Self
    }
}

impl Drop for OpenStream {
    fn drop(&mut self) {
        metrics::gauge!("hostler_http_streams").decrement(1.0);
    }
}

/// Answers with an event stream. It ends with `frames`, with an `error` event when `frames`
/// fails, or when the server drains.
///
/// # Errors
/// 529 when too many streams are open.
pub(crate) fn event_stream<S>(
    api: &Api,
    workspace: WorkspaceId,
    request_id: RequestId,
    frames: S,
) -> Result<Response, ApiError>
where
    S: Stream<Item = Result<Frame, ApiError>> + Send + 'static,
{
    let place = api.streams.take(workspace, 1);
    let place = place.ok_or_else(|| ApiError::too_much(Excess::Streams))?;
    let (draining, ping_interval) = (api.options.draining.clone(), api.options.ping_interval);
    let body = stream! {
        let _held = (place, OpenStream::new());
        let mut frames = pin!(frames.ready_chunks(FRAMES_PER_WRITE));
        loop {
            // Waiting for frames is cancel-safe: a stream keeps what it has not yielded.
            let ready = tokio::select! {
                biased;
                () = draining.cancelled() => {
                    let retry = format!("retry: {}\n\n", STREAM_RETRY.as_millis());
                    yield Ok::<Bytes, Infallible>(Bytes::from(retry));
                    break;
                }
                ready = frames.next() => ready,
                () = sleep(ping_interval) => {
                    yield Ok(Bytes::from_static(PING));
                    continue;
                }
            };
            let Some(ready) = ready else { break };
            let (bytes, failed) = written(ready, request_id);
            yield Ok(bytes);
            if failed {
                break;
            }
        }
    };
    let mut response = Response::new(Body::from_stream(body));
    let headers = response.headers_mut();
    for (name, value) in [
        (header::CONTENT_TYPE, "text/event-stream"),
        (header::CACHE_CONTROL, "no-cache"),
        (ACCEL_BUFFERING, "no"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    Ok(response)
}

/// The text of some frames, up to the first failure.
fn written(ready: Vec<Result<Frame, ApiError>>, request_id: RequestId) -> (Bytes, bool) {
    let mut out = BytesMut::new();
    for frame in ready {
        match frame {
            Ok(frame) => frame.write(&mut out),
            Err(error) => {
                tracing::error!(%request_id, cause = error.cause(), "the event stream failed");
                let data = serde_json::to_string(&error.body(request_id)).unwrap_or_default();
                Frame::Failure(data).write(&mut out);
                return (out.freeze(), true);
            }
        }
    }
    (out.freeze(), false)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::HttpOptions;
    use axum::body::to_bytes;
    use futures::stream;
    use hostler_domain::Env;
    use hostler_protocol::event::Seq;
    use hostler_protocol::id::EventId;
    use hostler_store::{PreviewOf, Store};

    fn event(seq: i64, name: &str) -> Frame {
        Frame::Event(Arc::new(WireEvent {
            seq: Some(Seq(seq)),
            id: "sevt_1".to_owned(),
            name: name.to_owned(),
            json: format!(r#"{{"type":"{name}"}}"#),
        }))
    }

    fn start() -> Frame {
        let id = Env::fixed(1).id();
        Frame::Preview(Preview::start(PreviewOf::AgentMessage, id, Seq(1)))
    }

    fn api(options: HttpOptions) -> (Api, tempfile::TempDir) {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).unwrap();
        (
            Api::new(store, Env::fixed(1), Arc::default(), options),
            folder,
        )
    }

    async fn text(response: Response) -> String {
        let bytes = to_bytes(response.into_body(), usize::MAX).await.unwrap();
        String::from_utf8(bytes.to_vec()).unwrap()
    }

    #[tokio::test]
    async fn frames_have_the_form_that_sdks_read() {
        let (api, _folder) = api(HttpOptions::default());
        let frames = stream::iter([Ok(event(7, "session.status_idle")), Ok(start())]);
        let response = event_stream(&api, api.env.id(), api.env.id(), frames).unwrap();
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        assert_eq!(response.headers()["cache-control"], "no-cache");
        let id = Env::fixed(1).id::<EventId>();
        assert_eq!(
            text(response).await,
            format!(
                "event: session.status_idle\nid: 7\ndata: {{\"type\":\"session.status_idle\"}}\n\n\
                 event: event_start\ndata: {{\"type\":\"event_start\",\"event\":\
                 {{\"type\":\"agent.message\",\"id\":\"{id}\"}}}}\n\n"
            )
        );
    }

    #[tokio::test]
    async fn a_failure_is_the_last_event() {
        let (api, _folder) = api(HttpOptions::default());
        let failure = ApiError::internal("the disk caught fire");
        let frames = stream::iter([Err(failure), Ok(event(1, "never"))]);
        let written = text(event_stream(&api, api.env.id(), api.env.id(), frames).unwrap()).await;
        assert!(written.starts_with("event: error\ndata: {\"type\":\"error\""));
        assert!(!written.contains("fire") && !written.contains("never"));
    }

    #[tokio::test]
    async fn draining_ends_a_stream_with_a_hint() {
        let options = HttpOptions::default();
        let draining = options.draining.clone();
        let (api, _folder) = api(options);
        let response = event_stream(&api, api.env.id(), api.env.id(), stream::pending()).unwrap();
        draining.cancel();
        assert_eq!(text(response).await, "retry: 1000\n\n");
    }

    #[tokio::test]
    async fn silence_is_filled_with_pings() {
        let (api, _folder) = api(HttpOptions {
            ping_interval: std::time::Duration::from_millis(1),
            ..HttpOptions::default()
        });
        let response = event_stream(&api, api.env.id(), api.env.id(), stream::pending()).unwrap();
        let mut chunks = response.into_body().into_data_stream();
        for _ in 0..2 {
            assert_eq!(chunks.next().await.unwrap().unwrap(), PING);
        }
    }

    #[tokio::test]
    async fn a_stream_holds_its_place_until_it_is_dropped() {
        let (api, _folder) = api(HttpOptions {
            // Of which one workspace may have three quarters.
            streams_max: 2,
            ..HttpOptions::default()
        });
        let first = event_stream(&api, api.env.id(), api.env.id(), stream::pending()).unwrap();
        let refused =
            event_stream(&api, api.env.id(), api.env.id(), stream::pending()).unwrap_err();
        assert_eq!(refused.status().as_u16(), 529);
        drop(first);
        assert!(event_stream(&api, api.env.id(), api.env.id(), stream::pending()).is_ok());
    }
}
