//! Request bodies: JSON that is bounded in size and in time, and its charset.
//!
//! Handlers read the value through `protocol::decode`, so that each error names its path.

use std::time::Duration;

use axum::body::Body;
use axum::extract::{FromRequest, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, header};
use bytes::{Bytes, BytesMut};
use futures::StreamExt;
use hostler_protocol::decode::{At, Invalid};
use hostler_protocol::id::WorkspaceId;
use hostler_store::Place;
use serde_json::Value;
use std::sync::Arc;

use crate::admission::Ticket;
use crate::api_error::Excess;
use crate::caller::Caller;
use crate::fair::{Part, Shared};
use crate::limits::{BODY_BYTES_HELD, DISCARDED_BYTES_MAX, UNCOUNTED_BODY_BYTES};
use crate::{Api, ApiError, strict_json};

/// A JSON body, with what it takes of what may be held, and its request's place among those who wait.
#[derive(Debug)]
pub(crate) struct JsonBody {
    value: Value,
    ticket: Ticket,
    _part: Option<Part>,
}

impl JsonBody {
    /// Reads the value into a type, as in `body.decode(CreateAgent::decode)`.
    ///
    /// # Errors
    /// 400 with the path of the first thing that is wrong.
    pub(crate) fn decode<T>(
        &self,
        read: impl FnOnce(At<'_>) -> Result<T, Invalid>,
    ) -> Result<T, ApiError> {
        Ok(read(At::root(&self.value))?)
    }

    /// The value itself.
    pub(crate) fn value(&self) -> &Value {
        &self.value
    }

    /// The place of the request among those who wait to change something, for a change that keeps it
    /// for longer than the request lasts.
    ///
    /// # Errors
    /// 500 when it was taken before, which is a bug.
    pub(crate) fn take_place(&self) -> Result<Place, ApiError> {
        let place = self.ticket.take();
        place.ok_or_else(|| ApiError::internal("the request has no place among those who wait"))
    }
}

impl FromRequest<Arc<Api>> for JsonBody {
    type Rejection = ApiError;

    async fn from_request(request: Request, api: &Arc<Api>) -> Result<Self, ApiError> {
        let (parts, body) = request.into_parts();
        let charset = charset_of_json(&parts.headers)?;
        let (bytes, part) = read_all(body, &parts, api).await?;
        if bytes.is_empty() {
            return Err(ApiError::invalid("the request needs a JSON body"));
        }
        Ok(Self {
            ticket: ticket(&parts, api)?,
            value: parse(&bytes, charset)?,
            _part: part,
        })
    }
}

/// The body of an operation that takes none: nothing, or `{}`.
#[derive(Debug)]
pub(crate) struct EmptyBody;

impl FromRequest<Arc<Api>> for EmptyBody {
    type Rejection = ApiError;

    async fn from_request(request: Request, api: &Arc<Api>) -> Result<Self, ApiError> {
        let (parts, body) = request.into_parts();
        let (bytes, _part) = read_all(body, &parts, api).await?;
        ticket(&parts, api)?;
        if bytes.iter().all(u8::is_ascii_whitespace) {
            return Ok(Self);
        }
        let charset = charset_of_json(&parts.headers)?;
        let value = parse(&bytes, charset)?;
        At::root(&value).fields()?.finish()?;
        Ok(Self)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Charset {
    Utf8,
    Latin1,
    Ascii,
}

/// Checks the content type: JSON or left out, in a charset that Hostler knows.
fn charset_of_json(headers: &HeaderMap) -> Result<Charset, ApiError> {
    let Some(value) = headers.get(header::CONTENT_TYPE) else {
        return Ok(Charset::Utf8);
    };
    let text = value.to_str().unwrap_or_default().to_ascii_lowercase();
    let mut parts = text.split(';').map(str::trim);
    let media_type = parts.next().unwrap_or_default();
    let is_json = media_type == "application/json"
        || (media_type.starts_with("application/") && media_type.ends_with("+json"));
    if !is_json {
        let message = "content-type: Input should be application/json";
        return Err(ApiError::unsupported_media_type(message));
    }
    let charset = parts.find_map(|parameter| parameter.strip_prefix("charset="));
    match charset.map(|name| name.trim_matches('"')) {
        None | Some("utf-8" | "utf8") => Ok(Charset::Utf8),
        Some("iso-8859-1" | "latin1") => Ok(Charset::Latin1),
        Some("us-ascii" | "ascii") => Ok(Charset::Ascii),
        Some(_) => {
            let message = "content-type: charset should be utf-8, iso-8859-1 or us-ascii";
            Err(ApiError::invalid(message).with_code("unsupported_charset"))
        }
    }
}

/// The ticket of the request, with a place from now on.
fn ticket(parts: &Parts, api: &Api) -> Result<Ticket, ApiError> {
    let ticket = parts
        .extensions
        .get::<Ticket>()
        .cloned()
        .unwrap_or_default();
    if let Some(caller) = parts.extensions.get::<Caller>() {
        ticket.enter(api, caller.workspace_id)?;
    }
    Ok(ticket)
}

/// Counts what is held of a body that is not short; `None` as long as it is.
struct Holding<'a> {
    shared: &'a Arc<Shared>,
    workspace: Option<WorkspaceId>,
    part: Option<Part>,
}

impl Holding<'_> {
    /// Whether there is room for a body that has become `length` long.
    fn grow(&mut self, length: usize) -> bool {
        let Some(workspace) = self.workspace else {
            return true;
        };
        // The text, and the values that it becomes, which take several times as much.
        let wanted = length.saturating_mul(BODY_BYTES_HELD);
        match &mut self.part {
            _ if length <= UNCOUNTED_BODY_BYTES => true,
            Some(part) => part.grow(wanted.saturating_sub(part.count())),
            None => {
                self.part = self.shared.take(workspace, wanted);
                self.part.is_some()
            }
        }
    }
}

/// Reads the whole body, within the limits on size and time, and on what is held of all bodies.
async fn read_all(body: Body, parts: &Parts, api: &Api) -> Result<(Bytes, Option<Part>), ApiError> {
    refuse_encoded(&parts.headers)?;
    let bytes_max = api.options.body_bytes_max;
    let caller = parts.extensions.get::<Caller>();
    let mut holding = Holding {
        shared: &api.bytes,
        workspace: caller.map(|caller| caller.workspace_id),
        part: None,
    };
    let mut refusal = ApiError::too_large(format!("the body is larger than {bytes_max} bytes"));
    let read = async {
        let mut chunks = body.into_data_stream();
        let (mut bytes, mut discarded) = (BytesMut::new(), 0);
        while let Some(chunk) = chunks.next().await {
            let chunk = chunk.map_err(|error| {
                ApiError::invalid("the body ended too early").with_source(error)
            })?;
            let length = bytes.len() + chunk.len();
            if discarded == 0 && length <= bytes_max {
                if holding.grow(length) {
                    bytes.extend_from_slice(&chunk);
                    continue;
                }
                refusal = ApiError::too_much(Excess::Memory);
            }
            // A client that is still writing reads no answer: take the rest, up to a limit.
            bytes = BytesMut::new();
            holding.part = None;
            discarded += chunk.len();
            if discarded > DISCARDED_BYTES_MAX {
                break;
            }
        }
        match discarded {
            0 => Ok((bytes.freeze(), holding.part)),
            1.. => Err(refusal),
        }
    };
    in_time(api.options.body_read_time_max, read).await
}

/// # Errors
/// 400 for a compressed body: what it unpacks to could not be bounded by its length.
pub(crate) fn refuse_encoded(headers: &HeaderMap) -> Result<(), ApiError> {
    let encoded = headers
        .get_all(header::CONTENT_ENCODING)
        .iter()
        .any(|value| !value.as_bytes().eq_ignore_ascii_case(b"identity"));
    if encoded {
        let message = "content-encoding: encoded request bodies are not supported";
        return Err(ApiError::invalid(message).with_code("request_body_encoding_unsupported"));
    }
    Ok(())
}

/// # Errors
/// 400 when `read` takes longer than `time_max`.
pub(crate) async fn in_time<T>(
    time_max: Duration,
    read: impl Future<Output = Result<T, ApiError>>,
) -> Result<T, ApiError> {
    tokio::time::timeout(time_max, read)
        .await
        .unwrap_or_else(|_| {
            let message = format!("the body took longer than {} s", time_max.as_secs());
            Err(ApiError::invalid(message).with_code("request_body_timeout"))
        })
}

fn parse(bytes: &[u8], charset: Charset) -> Result<Value, ApiError> {
    let text = match charset {
        Charset::Utf8 => return from_slice(bytes),
        Charset::Ascii if !bytes.is_ascii() => {
            return Err(ApiError::invalid("the body is not valid us-ascii"));
        }
        Charset::Ascii => return from_slice(bytes),
        Charset::Latin1 => bytes
            .iter()
            .map(|byte| char::from(*byte))
            .collect::<String>(),
    };
    from_slice(text.as_bytes())
}

fn from_slice(bytes: &[u8]) -> Result<Value, ApiError> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let text = std::str::from_utf8(bytes).map_err(|error| {
        let place = error.valid_up_to();
        ApiError::invalid(format!("the body is not valid UTF-8 at byte {place}"))
    })?;
    strict_json::read(text)
        .map_err(|error| ApiError::invalid(format!("the body is not valid JSON: {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::HttpOptions;
    use hostler_domain::Env;
    use hostler_store::Store;
    use serde_json::json;

    fn charset(content_type: &str) -> Result<Charset, ApiError> {
        let mut headers = HeaderMap::new();
        headers.insert(header::CONTENT_TYPE, content_type.parse().unwrap());
        charset_of_json(&headers)
    }

    #[test]
    fn charsets_are_read_or_refused() {
        assert_eq!(charset("application/json").unwrap(), Charset::Utf8);
        assert_eq!(
            charset("application/json; charset=\"UTF-8\"").unwrap(),
            Charset::Utf8
        );
        assert_eq!(
            charset("Application/JSON;charset=ISO-8859-1").unwrap(),
            Charset::Latin1
        );
        assert!(charset("application/json; charset=utf-16").is_err());
        assert_eq!(charset("text/plain").unwrap_err().status(), 415);
        assert_eq!(parse(b"\"\xe9\"", Charset::Latin1).unwrap(), json!("é"));
        assert!(parse(b"\"\xe9\"", Charset::Ascii).is_err());
    }

    #[test]
    fn bad_json_names_its_place() {
        let refusal = |bytes: &[u8]| from_slice(bytes).unwrap_err().message().to_owned();
        assert_eq!(
            refusal(b"{\"a\": }"),
            "the body is not valid JSON: expected value at line 1 column 7"
        );
        assert_eq!(
            refusal(b"\"\xff\""),
            "the body is not valid UTF-8 at byte 1"
        );
    }

    async fn answer(
        options: HttpOptions,
        request: axum::http::request::Builder,
        body: Body,
    ) -> u16 {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).unwrap();
        let api = Arc::new(Api::new(store, Env::fixed(1), Arc::default(), options));
        let read = JsonBody::from_request(request.body(body).unwrap(), &api);
        read.await
            .map_or_else(|error| error.status().as_u16(), |_| 200)
    }

    #[tokio::test]
    async fn bodies_are_bounded_in_size_and_time() {
        let small = || HttpOptions {
            body_bytes_max: 10,
            body_read_time_max: Duration::from_millis(10),
            ..HttpOptions::default()
        };
        let request = Request::builder;
        assert_eq!(answer(small(), request(), "[1]".into()).await, 200);
        assert_eq!(answer(small(), request(), Body::empty()).await, 400);
        assert_eq!(
            answer(small(), request(), "[1,2,3,4,5,6]".into()).await,
            413
        );
        let endless =
            futures::stream::iter(0..).map(|_| Ok::<_, std::io::Error>(vec![b' '; 1 << 20]));
        assert_eq!(
            answer(small(), request(), Body::from_stream(endless)).await,
            413
        );
        let stalled = futures::stream::pending::<Result<Bytes, std::io::Error>>();
        assert_eq!(
            answer(small(), request(), Body::from_stream(stalled)).await,
            400
        );
        let cut = futures::stream::iter([Err::<Bytes, _>(std::io::Error::other("reset"))]);
        assert_eq!(
            answer(small(), request(), Body::from_stream(cut)).await,
            400
        );
        let packed = request().header("content-encoding", "gzip");
        assert_eq!(answer(small(), packed, "[1]".into()).await, 400);
    }

    #[tokio::test]
    async fn no_body_is_nothing_or_an_empty_object() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).unwrap();
        let api = Arc::new(Api::new(
            store,
            Env::fixed(1),
            Arc::default(),
            HttpOptions::default(),
        ));
        for (text, good) in [
            ("", true),
            ("{}", true),
            (" ", true),
            ("{\"a\":1}", false),
            ("[]", false),
        ] {
            let request = Request::builder().body(Body::from(text)).unwrap();
            assert_eq!(
                EmptyBody::from_request(request, &api).await.is_ok(),
                good,
                "{text}"
            );
        }
    }
}
