//! What becomes of a connection to a known destination, by what its client speaks.

use std::sync::Arc;

use rustls::AlertDescription;
use tokio::time::{Instant, timeout, timeout_at};

use crate::client::Client;
use crate::connection::Connection;
use crate::denial::Denial;
use crate::dial::dial;
use crate::host_name::{Host, HostName, shown};
use crate::http::{self, Front};
use crate::inside;
use crate::limits::OPENING_BYTES_MAX;
use crate::opening::{Hello, HelloReader, Opening, opening};
use crate::tunnel::tunnel;
use crate::upstream::Upstream;

/// Where a connection leads, if it leads anywhere.
pub(crate) struct Route {
    pub(crate) host: Host,
    pub(crate) port: u16,
    /// The connection to it, if there is one already.
    pub(crate) upstream: Option<Upstream>,
}

/// What a client did at last when it was waited for.
enum Heard {
    Speaks(Opening),
    /// The other side wrote before the client did.
    ServerSpeaks,
    Left,
}

/// Serves a connection to a permitted host.
pub(crate) async fn follow(connection: &Arc<Connection>, mut client: Client, mut route: Route) {
    let port = route.port;
    if let Host::Address(_) = route.host {
        // What is sent to an address is read only if a secret may be in it.
        match connection.attached.injection(&route.host, port).await {
            Ok(injection) if injection.is_empty() => {
                return carry(connection, client, route, "tcp").await;
            }
            Ok(_) => {}
            Err(denial) => return close(connection, client, "tcp", port, &denial),
        }
    }
    let heard = match hear(connection, &mut client, &mut route).await {
        Ok(heard) => heard,
        Err(denial) => return close(connection, client, "tcp", port, &denial),
    };
    match heard {
        Heard::Left => {}
        Heard::ServerSpeaks => carry(connection, client, route, "tcp").await,
        Heard::Speaks(Opening::Tls) => follow_tls(connection, client, route).await,
        Heard::Speaks(Opening::Http1) => {
            http::serve_http1(connection, client, Front::Origin(Box::new(route))).await;
        }
        Heard::Speaks(Opening::Http2) => {
            close(connection, client, "http", port, &Denial::Http2);
        }
        Heard::Speaks(Opening::Other | Opening::Unsure) => {
            if is_web(port) && connection.attached.is_limited() {
                let denial = silence(&route);
                return close(connection, client, "tcp", port, &denial);
            }
            carry(connection, client, route, "tcp").await;
        }
    }
}

/// Serves a connection that may not go where it wants: as fast as its client can understand.
pub(crate) async fn refuse(
    connection: &Arc<Connection>,
    mut client: Client,
    port: u16,
    denial: Denial,
) {
    let times = connection.attached.options().times;
    let patience = if is_web(port) {
        times.head
    } else {
        times.silence
    };
    let deadline = Instant::now() + patience;
    while opening(client.opening()) == Opening::Unsure {
        match timeout_at(deadline, client.look()).await {
            Ok(Ok(bytes)) if bytes > 0 && client.opening().len() <= OPENING_BYTES_MAX => {}
            Ok(_) | Err(_) => break,
        }
    }
    match opening(client.opening()) {
        Opening::Http1 => {
            http::serve_http1(connection, client, Front::Refused { port, denial }).await;
        }
        Opening::Tls => {
            let denial = match read_hello(connection, &mut client).await {
                Ok(Some(named)) => name_it(connection, denial, &named),
                Ok(None) | Err(_) => denial,
            };
            connection.attached.note_denial("tls", port, &denial);
            client.alert(AlertDescription::AccessDenied).await;
        }
        Opening::Http2 | Opening::Other | Opening::Unsure => {
            close(connection, client, "tcp", port, &denial);
        }
    }
}

/// The name in a hello tells more than the address that all denied names have.
fn name_it(connection: &Connection, denial: Denial, named: &str) -> Denial {
    match named.parse::<HostName>() {
        Ok(name) if denial.is_about_unknown_name() => {
            let judged = connection.attached.judge(&Host::Name(name));
            judged.err().unwrap_or(denial)
        }
        _ => denial,
    }
}

/// Waits until the client has shown what it speaks. Where a server may speak first, it is
/// connected to after a short silence, and whoever speaks first then decides: a client that
/// waits and speaks TLS or HTTP afterwards is still read.
async fn hear(
    connection: &Arc<Connection>,
    client: &mut Client,
    route: &mut Route,
) -> Result<Heard, Denial> {
    let attached = &connection.attached;
    let times = attached.options().times;
    let client_first = is_web(route.port) && attached.is_limited();
    let mut deadline = Instant::now() + times.head;
    loop {
        match opening(client.opening()) {
            Opening::Unsure if client.opening().len() > OPENING_BYTES_MAX => {
                return Ok(Heard::Speaks(Opening::Other));
            }
            Opening::Unsure => {}
            known @ (Opening::Tls | Opening::Http1 | Opening::Http2 | Opening::Other) => {
                return Ok(Heard::Speaks(known));
            }
        }
        let silent = client.opening().is_empty();
        let looked = if !silent || client_first {
            match timeout_at(deadline, client.look()).await {
                Ok(looked) => looked,
                Err(_) => return Err(silence(route)),
            }
        } else if let Some(upstream) = &route.upstream {
            tokio::select! {
                biased;
                looked = client.look() => looked,
                _ = upstream.spoke() => return Ok(Heard::ServerSpeaks),
            }
        } else {
            match timeout(times.silence, client.look()).await {
                Ok(looked) => looked,
                Err(_) => {
                    route.upstream = Some(dial(connection, &route.host, route.port).await?);
                    deadline = Instant::now() + times.head;
                    continue;
                }
            }
        };
        match looked {
            Ok(0) if client.opening().is_empty() => return Ok(Heard::Left),
            // It has said all that it will say.
            Ok(0) => return Ok(Heard::Speaks(Opening::Other)),
            Ok(_) => {
                if silent {
                    deadline = Instant::now() + times.head;
                }
            }
            Err(_) => return Ok(Heard::Left),
        }
    }
}

fn silence(route: &Route) -> Denial {
    Denial::NotHttpOrTls(route.host.to_string(), route.port)
}

/// The server name of a hello: `None` if it has none.
async fn read_hello(
    connection: &Connection,
    client: &mut Client,
) -> Result<Option<String>, Denial> {
    let deadline = Instant::now() + connection.attached.options().times.head;
    let mut reader = HelloReader::default();
    loop {
        match reader.read(client.opening()) {
            Hello::Complete(name) => return Ok(name),
            Hello::Incomplete if client.opening().len() <= OPENING_BYTES_MAX => {}
            Hello::Incomplete | Hello::Invalid => {
                return Err(Denial::Malformed("the TLS hello can't be read"));
            }
        }
        match timeout_at(deadline, client.look()).await {
            Ok(Ok(bytes)) if bytes > 0 => {}
            Ok(_) | Err(_) => return Err(Denial::Malformed("the TLS hello is incomplete")),
        }
    }
}

async fn follow_tls(connection: &Arc<Connection>, mut client: Client, route: Route) {
    let (port, limited) = (route.port, connection.attached.is_limited());
    let denial = match read_hello(connection, &mut client).await {
        Ok(Some(named)) if named.parse().map(Host::Name).as_ref() == Ok(&route.host) => None,
        Ok(Some(named)) => Some(Denial::OtherServerName {
            named: shown(&named),
            leads_to: route.host.to_string(),
        }),
        Ok(None) if limited => Some(Denial::NoServerName(route.host.to_string())),
        Ok(None) => None,
        Err(denial) => Some(denial),
    };
    if let Some(denial) = denial {
        connection.attached.note_denial("tls", port, &denial);
        return client.alert(AlertDescription::UnrecognisedName).await;
    }
    carry_tls(connection, client, route).await;
}

/// **The one place where a decided TLS connection is passed on, or opened.** Its hello names the host
/// that it leads to. It is opened only if a secret of this sandbox may go to that host at this moment.
async fn carry_tls(connection: &Arc<Connection>, client: Client, route: Route) {
    let attached = &connection.attached;
    let Some(secrets) = &attached.secrets else {
        return carry(connection, client, route, "tls").await;
    };
    match secrets.injection(&route.host, route.port).await {
        Ok(injection) if injection.is_empty() => carry(connection, client, route, "tls").await,
        Ok(_) => Box::pin(inside::serve(connection, &secrets.authority, client, route)).await,
        Err(denial) => {
            attached.note_denial("tls", route.port, &denial);
            client.alert(AlertDescription::InternalError).await;
        }
    }
}

/// Passes bytes both ways, unread.
async fn carry(connection: &Arc<Connection>, client: Client, route: Route, protocol: &'static str) {
    let Route {
        host,
        port,
        upstream,
    } = route;
    let upstream = match upstream {
        Some(upstream) => upstream,
        None => match dial(connection, &host, port).await {
            Ok(upstream) => upstream,
            Err(denial) if protocol == "tls" => {
                connection.attached.note_denial(protocol, port, &denial);
                let description = if denial.is_refusal() {
                    AlertDescription::AccessDenied
                } else {
                    AlertDescription::InternalError
                };
                return client.alert(description).await;
            }
            Err(denial) => return close(connection, client, protocol, port, &denial),
        },
    };
    connection.attached.note_allowed(protocol, &host, port);
    tunnel(connection, client, upstream, &host, port, protocol).await;
}

fn close(
    connection: &Connection,
    client: Client,
    protocol: &'static str,
    port: u16,
    denial: &Denial,
) {
    connection.attached.note_denial(protocol, port, denial);
    client.reset();
}

/// The ports where a client is expected to speak HTTP or TLS, and to speak first.
fn is_web(port: u16) -> bool {
    matches!(port, 80 | 443)
}
