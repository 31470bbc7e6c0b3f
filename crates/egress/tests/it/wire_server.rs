//! A host that speaks HTTP/1 and answers with what it was asked.

use std::convert::Infallible;
use std::io;

use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::header::{HeaderValue, LOCATION, UPGRADE};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::task::JoinSet;

use crate::world::Seen;

pub(crate) async fn serve(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    seen: Seen,
) -> io::Result<()> {
    let mut tunnels = JoinSet::new();
    let (send, mut receive) = tokio::sync::mpsc::unbounded_channel();
    let service = service_fn(move |request| {
        let (send, seen) = (send.clone(), seen.clone());
        async move { Ok::<_, Infallible>(answer(request, send, seen).await) }
    });
    let served = http1::Builder::new()
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades();
    _ = served.await;
    while let Some(upgrade) = receive.recv().await {
        tunnels.spawn(echo(upgrade));
    }
    while tunnels.join_next().await.is_some() {}
    Ok(())
}

pub(crate) async fn answer(
    mut request: Request<Incoming>,
    upgrades: tokio::sync::mpsc::UnboundedSender<hyper::upgrade::OnUpgrade>,
    seen: Seen,
) -> Response<Full<Bytes>> {
    if request.headers().contains_key(UPGRADE) {
        _ = upgrades.send(hyper::upgrade::on(&mut request));
        let mut response = Response::new(Full::default());
        *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
        let headers = response.headers_mut();
        headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
        headers.insert("connection", HeaderValue::from_static("Upgrade"));
        return response;
    }
    let (parts, body) = request.into_parts();
    let mut told = format!("{} {}\n", parts.method, parts.uri);
    for (name, value) in &parts.headers {
        told.push_str(&format!("{name}: {}\n", value.to_str().unwrap_or("?")));
    }
    let body = body.collect().await.map(|body| body.to_bytes());
    if body.is_ok() {
        seen.lock()
            .unwrap()
            .push(format!("{} {}", parts.method, parts.uri));
    }
    told.push('\n');
    told.push_str(&String::from_utf8_lossy(&body.unwrap_or_default()));
    let mut response = Response::new(Full::new(Bytes::from(told)));
    if let Some(place) = parts.uri.path().strip_prefix("/redirect/") {
        *response.status_mut() = StatusCode::FOUND;
        let place = HeaderValue::from_str(&format!("http://{place}")).unwrap();
        response.headers_mut().insert(LOCATION, place);
    }
    response
}

async fn echo(upgrade: hyper::upgrade::OnUpgrade) {
    let Ok(upgraded) = upgrade.await else { return };
    let mut stream = TokioIo::new(upgraded);
    let mut buffer = [0; 4096];
    while let Ok(read @ 1..) = stream.read(&mut buffer).await {
        if stream.write_all(&buffer[..read]).await.is_err() {
            return;
        }
    }
    _ = stream.shutdown().await;
}
