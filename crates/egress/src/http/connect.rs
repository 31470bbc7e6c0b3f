//! What follows a CONNECT: the client's bytes, which still have to be for the host it named.

use bytes::BytesMut;
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;
use std::sync::Arc;

use crate::client::Client;
use crate::connection::{Connection, Task};
use crate::route::{Route, follow};

/// Takes the connection over once the client was told that it leads to its host. A function that
/// isn't async gives the type of its future a name, which a tunnel that may hold HTTP again needs.
pub(super) fn tunnelled(connection: Arc<Connection>, client: OnUpgrade, route: Route) -> Task {
    Box::pin(async move {
        // Without it the client left before it was answered.
        if let Ok(upgraded) = client.await
            && let Some(client) = client_of(upgraded)
        {
            follow(&connection, client, route).await;
        }
    })
}

/// The client's connection again, with what was read beyond the CONNECT.
fn client_of(upgraded: Upgraded) -> Option<Client> {
    let parts = upgraded.downcast::<TokioIo<Client>>().ok()?;
    let (stream, not_taken) = parts.io.into_inner().into_parts();
    let mut read = BytesMut::from(parts.read_buf.as_ref());
    read.extend_from_slice(&not_taken);
    Some(Client::with_read(stream, read))
}
