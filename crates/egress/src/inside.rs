//! TLS that ends here because a secret of the sandbox may go to its host.
//!
//! To the sandbox the gateway is that host, vouched for by the sandbox's own authority. What is inside is
//! HTTP/1 or HTTP/2, and each request of it is judged, written anew and sent over a TLS of the gateway's
//! own. What is not HTTP is passed on unread, over such a TLS too.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::{Buf, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf};
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use crate::authority::Authority;
use crate::client::Client;
use crate::connection::Connection;
use crate::denial::Denial;
use crate::dial::dial;
use crate::http::{self, Front};
use crate::limits::OPENING_BYTES_MAX;
use crate::opening::{Opening, opening};
use crate::route::Route;
use crate::trust::{Offer, secure};
use crate::tunnel::pass;

pub(crate) async fn serve(
    connection: &Arc<Connection>,
    authority: &Authority,
    client: Client,
    route: Route,
) {
    let (attached, port) = (&connection.attached, route.port);
    let times = attached.options().times;
    let config = match authority.server(&route.host) {
        Ok(config) => config,
        Err(error) => {
            tracing::error!(sandbox = attached.label, %error, "a host can't be vouched for");
            return client.reset();
        }
    };
    let accepted = timeout(times.head, TlsAcceptor::from(config).accept(client)).await;
    let Ok(Ok(mut stream)) = accepted else {
        let denial = Denial::NoHandshake(route.host.to_string());
        return attached.note_denial("tls", port, &denial);
    };
    match stream.get_ref().1.alpn_protocol() {
        Some(b"h2") => http::serve_http2(connection, stream, route).await,
        Some(_) => http::serve_http1(connection, stream, Front::Inside(Box::new(route))).await,
        None => {
            let mut read = BytesMut::new();
            let heard = hear(&mut stream, &mut read, connection, port).await;
            let stream = Heard { read, stream };
            match heard {
                Opening::Http1 => {
                    http::serve_http1(connection, stream, Front::Inside(Box::new(route))).await;
                }
                // It is asked for while TLS is begun, or not at all.
                Opening::Http2 => attached.note_denial("tls", port, &Denial::Http2),
                Opening::Tls | Opening::Other | Opening::Unsure => {
                    carry(connection, stream, route).await;
                }
            }
        }
    }
}

/// What a client that names no protocol speaks. One that waits for its server to speak has none of HTTP,
/// but at the port of HTTP itself, where it has time.
async fn hear(
    stream: &mut TlsStream<Client>,
    read: &mut BytesMut,
    connection: &Connection,
    port: u16,
) -> Opening {
    let times = connection.attached.options().times;
    let patience = match port {
        443 => times.head,
        _ => times.silence,
    };
    loop {
        let known = opening(read);
        if known != Opening::Unsure || read.len() > OPENING_BYTES_MAX {
            return known;
        }
        match timeout(patience, stream.read_buf(read)).await {
            Ok(Ok(bytes)) if bytes > 0 => {}
            Ok(_) | Err(_) => return Opening::Unsure,
        }
    }
}

/// Passes on what is not HTTP.
async fn carry(connection: &Arc<Connection>, mut stream: Heard, mut route: Route) {
    let (attached, port) = (&connection.attached, route.port);
    let dialled = match route.upstream.take() {
        Some(upstream) => Ok(upstream),
        None => dial(connection, &route.host, port).await,
    };
    let secured = match dialled {
        Ok(upstream) => secure(connection, upstream, &route.host, port, Offer::Nothing).await,
        Err(denial) => Err(denial),
    };
    match secured {
        Ok(mut upstream) => {
            attached.note_allowed("tls", &route.host, port);
            let host = &route.host;
            pass(connection, &mut stream, &mut upstream, host, port, "tls").await;
        }
        Err(denial) => attached.note_denial("tls", port, &denial),
    }
}

/// A stream of which some was read already.
struct Heard {
    read: BytesMut,
    stream: TlsStream<Client>,
}

impl AsyncRead for Heard {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        if self.read.is_empty() {
            return Pin::new(&mut self.stream).poll_read(context, buffer);
        }
        let bytes = self.read.len().min(buffer.remaining());
        buffer.put_slice(&self.read[..bytes]);
        self.read.advance(bytes);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Heard {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<std::io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
