//! HTTP/1 as a proxy speaks it. Requests are read and written anew, so what a host is sent is what
//! was judged: no two readings of one byte sequence can differ.

mod answer;
mod connect;
mod exchange;
mod headers;
mod target;
mod upstream;

use std::sync::Arc;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};

use crate::client::Client;
use crate::connection::Connection;
use crate::denial::Denial;
use crate::limits::{HEAD_BYTES_MAX, HEADERS_MAX};
use crate::route::Route;

use exchange::Exchange;

/// What a client takes us for.
pub(crate) enum Front {
    /// A proxy: each request names its host.
    Proxy,
    /// The host itself, to which the connection leads.
    Origin(Box<Route>),
    /// A host that it may not reach: each request is answered with why.
    Refused { port: u16, denial: Denial },
}

/// Answers requests until the client or its patience ends.
pub(crate) async fn serve(connection: &Arc<Connection>, client: Client, front: Front) {
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

impl Front {
    fn port(&self) -> u16 {
        match self {
            Self::Proxy => 0,
            Self::Origin(route) => route.port,
            Self::Refused { port, .. } => *port,
        }
    }
}
