//! Connections of clients that know of no gateway: the destination is read from the socket.

use std::net::SocketAddr;
use std::sync::Arc;

use socket2::SockRef;
use tokio::net::TcpStream;

use crate::client::Client;
use crate::connection::Connection;
use crate::denial::Denial;
use crate::dial::check;
use crate::host_name::Host;
use crate::names::Meaning;
use crate::route::{Route, follow, refuse};

pub(crate) async fn serve(connection: &Arc<Connection>, stream: TcpStream) {
    let Some(destination) = original_destination(&stream) else {
        // The client is gone already.
        return;
    };
    let client = Client::new(stream);
    let port = destination.port();
    match host(connection, destination) {
        Ok(host) => {
            let route = Route {
                host,
                port,
                upstream: None,
            };
            follow(connection, client, route).await;
        }
        Err(denial) => refuse(connection, client, port, denial).await,
    }
}

/// The host that a sandbox means by an address, if it may have it.
fn host(connection: &Connection, destination: SocketAddr) -> Result<Host, Denial> {
    let attached = &connection.attached;
    let host = match attached.meaning(destination.ip()) {
        Meaning::Name(name) => Host::Name(name),
        Meaning::Denied => return Err(Denial::DeniedName),
        Meaning::Unknown => return Err(Denial::NoName),
        Meaning::Itself => Host::Address(destination.ip()),
    };
    attached.judge(&host)?;
    if let Host::Address(address) = host {
        check(attached.options(), &host, address, destination.port())?;
    }
    Ok(host)
}

/// Before a redirection if there was one, else the address that the connection was accepted at:
/// where all addresses are local, that is the one the client asked for.
fn original_destination(stream: &TcpStream) -> Option<SocketAddr> {
    let socket = SockRef::from(stream);
    let redirected = socket
        .original_dst_v4()
        .or_else(|_| socket.original_dst_v6())
        .ok()
        .and_then(|address| address.as_socket());
    let mut destination = redirected.or_else(|| stream.local_addr().ok())?;
    destination.set_ip(destination.ip().to_canonical());
    Some(destination)
}
