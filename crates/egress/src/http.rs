//! HTTP as a proxy speaks it: HTTP/1, and inside of TLS that ends here HTTP/2 as well. Requests are read and written anew, so what a host is sent is what
//! was judged: no two readings of one byte sequence can differ.

mod answer;
mod connect;
mod exchange;
mod headers;
mod inject;
mod replacing;
mod target;
mod upstream;

use std::sync::Arc;

use hyper::rt::Executor;
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use crate::connection::{Connection, Task};
use crate::denial::Denial;
use crate::limits::{HEAD_BYTES_MAX, HEADERS_MAX, STREAM_TASKS_MAX, STREAMS_MAX};
use crate::route::Route;

use exchange::Exchange;

/// What a client takes us for.
pub(crate) enum Front {
    /// A proxy: each request names its host.
    Proxy,
    /// The host itself, to which the connection leads.
    Origin(Box<Route>),
    /// The same, inside of TLS that ends here.
    Inside(Box<Route>),
    /// A host that it may not reach: each request is answered with why.
    Refused { port: u16, denial: Denial },
}

/// A client's connection, in the clear or inside of TLS.
pub(crate) trait Stream: AsyncRead + AsyncWrite + Unpin + Send + 'static {}

impl<T: AsyncRead + AsyncWrite + Unpin + Send + 'static> Stream for T {}

/// Answers requests until the client or its patience ends.
pub(crate) async fn serve_http1(connection: &Arc<Connection>, client: impl Stream, front: Front) {
    let port = front.port();
    let exchange = Arc::new(Exchange::new(Arc::clone(connection), front));
    let service = service_fn(move |request| {
        let exchange = Arc::clone(&exchange);
        async move { exchange.answer(request).await }
    });
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(connection.attached.options().times.head)
        .max_buf_size(HEAD_BYTES_MAX)
        .max_headers(HEADERS_MAX)
        .auto_date_header(false)
        .preserve_header_case(true)
        .serve_connection(TokioIo::new(client), service)
        .with_upgrades();
    match Box::pin(served).await {
        Err(error) if error.is_parse() => {
            let denial = Denial::Malformed("it is not HTTP/1");
            connection.attached.note_denial("http", port, &denial);
        }
        // A client that left or was too slow, or a host that ended what was kept.
        Ok(()) | Err(_) => {}
    }
}

/// The same for HTTP/2, which is spoken inside of TLS only.
pub(crate) async fn serve_http2(connection: &Arc<Connection>, client: impl Stream, route: Route) {
    let front = Front::Inside(Box::new(route));
    let exchange = Arc::new(Exchange::new(Arc::clone(connection), front).side_by_side());
    let service = service_fn(move |request| {
        let exchange = Arc::clone(&exchange);
        async move { exchange.answer(request).await }
    });
    let (tasks, running) = Tasks::new();
    let served = http2::Builder::new(tasks)
        .timer(TokioTimer::new())
        .max_concurrent_streams(STREAMS_MAX)
        .max_header_list_size(u32::try_from(HEAD_BYTES_MAX).unwrap_or(u32::MAX))
        .auto_date_header(false)
        .serve_connection(TokioIo::new(client), service);
    // What ended it was told to the client; its requests end with it.
    tokio::select! {
        _ = Box::pin(served) => {}
        () = running => {}
    }
}

/// What a connection of HTTP/2 has going on beside it. It ends with whoever runs it.
#[derive(Clone)]
pub(crate) struct Tasks(mpsc::Sender<Task>);

impl Tasks {
    pub(crate) fn new() -> (Self, impl Future<Output = ()> + Send + 'static) {
        let (sender, mut started) = mpsc::channel::<Task>(STREAM_TASKS_MAX);
        let running = async move {
            let mut running = JoinSet::new();
            loop {
                tokio::select! {
                    task = started.recv() => match task {
                        Some(task) => _ = running.spawn(task),
                        None => break,
                    },
                    Some(_) = running.join_next() => {}
                }
            }
            while running.join_next().await.is_some() {}
        };
        (Self(sender), running)
    }
}

impl<F: Future<Output = ()> + Send + 'static> Executor<F> for Tasks {
    fn execute(&self, task: F) {
        // Without room the stream is reset.
        _ = self.0.try_send(Box::pin(task));
    }
}

impl Front {
    fn port(&self) -> u16 {
        match self {
            Self::Proxy => 0,
            Self::Origin(route) | Self::Inside(route) => route.port,
            Self::Refused { port, .. } => *port,
        }
    }
}
