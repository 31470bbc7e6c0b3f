//! Connections into requests: accepts, serves HTTP/1.1, and drains.
//!
//! HTTP/2 is left to the proxy that adds TLS: without TLS no client asks for it, and one that has said
//! so would be nobody's to time out.
//!
//! On the soft stop nothing new is accepted, idle connections are closed, and requests that are being
//! answered come to their end. On the hard stop connections are dropped.

use std::convert::Infallible;
use std::error::Error;
use std::io;

use hyper::body::{Body, Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioTimer;
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinError, JoinSet};
use tokio_util::sync::CancellationToken;
use tower::{Service, ServiceExt};

use crate::handover::{Asked, Handover};
use crate::limits::{
    ACCEPT_PAUSE, CONNECTIONS_MAX, REQUEST_HEAD_BYTES_MAX, REQUEST_HEAD_TIME_MAX, UNREAD_TIME_MAX,
};

/// Serves until it is stopped and all connections have ended.
pub async fn serve<S, B>(
    listener: TcpListener,
    service: S,
    soft: CancellationToken,
    hard: CancellationToken,
) where
    S: Service<Request<Incoming>, Response = Response<B>, Error = Infallible>,
    S: Clone + Send + 'static,
    S::Future: Send + 'static,
    B: Body<Data = Bytes> + Send + Unpin + 'static,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    let graceful = GracefulShutdown::new();
    let mut connections = JoinSet::new();
    while !soft.is_cancelled() {
        // All branches are cancel-safe.
        tokio::select! {
            () = soft.cancelled() => {}
            Some(ended) = connections.join_next() => note_end(ended),
            accepted = listener.accept(), if connections.len() < CONNECTIONS_MAX => match accepted {
                Ok((stream, _)) => {
                    let (stream, service) = (prepared(stream), service.clone());
                    let (hyper, ours) = (graceful.watcher(), graceful.watcher());
                    connections.spawn(connection(stream, service, hyper, ours));
                }
                Err(error) => pause_after(&error).await,
            },
        }
    }
    drop(listener);
    tokio::select! {
        () = graceful.shutdown() => {}
        () = hard.cancelled() => {}
    }
    connections.shutdown().await;
}

/// Serves one connection: by hyper, and what is left of it by us.
async fn connection<S, B>(stream: TcpStream, service: S, hyper: Watcher, ours: Watcher)
where
    S: Service<Request<Incoming>, Response = Response<B>, Error = Infallible>,
    S: Clone + Send + 'static,
    S::Future: Send + 'static,
    B: Body<Data = Bytes> + Send + Unpin + 'static,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    let handover = Handover::new();
    let answers = handover.clone();
    let service = service_fn(move |request: Request<Incoming>| {
        let (answers, asked) = (answers.clone(), Asked::by(&request));
        let answered = service.clone().oneshot(request);
        async move { Ok::<_, Infallible>(answers.answer(asked, answered.await?)) }
    });
    let served = connection_builder().serve_connection(handover.socket(stream), service);
    // In a box, so that a long answer does not keep the room of what hyper needed.
    let served = Box::pin(hyper.watch(served)).await;
    let written = match handover.left() {
        Some(answer) => answer.write().await.map_err(|error| error.to_string()),
        None => served.map_err(|error| error.to_string()),
    };
    // Its client went away, or sent what is no HTTP: nobody is left to tell.
    if let Err(error) = written {
        tracing::debug!("a connection ended in an error: {error}");
    }
    // The shutdown waits for answers too.
    drop(ours);
}

fn connection_builder() -> http1::Builder {
    let mut builder = http1::Builder::new();
    builder
        .timer(TokioTimer::new())
        // From the first moment on, and again after each answer: silence holds no connection.
        .header_read_timeout(REQUEST_HEAD_TIME_MAX)
        .max_buf_size(REQUEST_HEAD_BYTES_MAX);
    builder
}

/// A socket that refuses one of these is only slower, or held for longer.
fn prepared(stream: TcpStream) -> TcpStream {
    // An event is small and must leave at once.
    let _ = stream.set_nodelay(true);
    // Whoever asks and never reads the answer holds a connection, and what was written for it.
    let unread_ms = u32::try_from(UNREAD_TIME_MAX.as_millis()).unwrap_or(u32::MAX);
    let _ = rustix::net::sockopt::set_tcp_user_timeout(&stream, unread_ms);
    stream
}

/// Errors of one connection are its own; all others come again at once, so accepting rests.
async fn pause_after(error: &io::Error) {
    let of_one_connection = [
        io::ErrorKind::ConnectionAborted,
        io::ErrorKind::ConnectionReset,
        io::ErrorKind::ConnectionRefused,
    ];
    if !of_one_connection.contains(&error.kind()) {
        tracing::error!("no connection can be accepted: {error}");
        tokio::time::sleep(ACCEPT_PAUSE).await;
    }
}

fn note_end(ended: Result<(), JoinError>) {
    if let Err(error) = ended {
        tracing::error!("a connection's task ended: {error}");
    }
}
