//! Passing bytes both ways, until both ends have ended or the policy takes its permission back.

use tokio::io::{AsyncRead, AsyncWrite, copy_bidirectional_with_sizes};

use crate::client::Client;
use crate::connection::Connection;
use crate::host_name::Host;
use crate::limits::TUNNEL_BUFFER_BYTES;
use crate::upstream::Upstream;

/// How a tunnel ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// Both sides ended properly.
    Complete,
    /// A side broke off, or the policy took its permission back.
    Broken,
}

/// Carries an end of one direction over as such, and a broken connection as a broken one.
pub(crate) async fn tunnel(
    connection: &Connection,
    mut client: Client,
    mut upstream: Upstream,
    host: &Host,
    port: u16,
    protocol: &'static str,
) {
    let end = pass(connection, &mut client, &mut upstream, host, port, protocol).await;
    if end == End::Broken {
        client.reset();
    }
}

pub(crate) async fn pass<C, U>(
    connection: &Connection,
    client: &mut C,
    upstream: &mut U,
    host: &Host,
    port: u16,
    protocol: &'static str,
) -> End
where
    C: AsyncRead + AsyncWrite + Unpin,
    U: AsyncRead + AsyncWrite + Unpin,
{
    let (size, attached) = (TUNNEL_BUFFER_BYTES, &connection.attached);
    tokio::select! {
        passed = copy_bidirectional_with_sizes(client, upstream, size, size) => match passed {
            Ok((bytes_out, bytes_in)) => {
                tracing::debug!(
                    sandbox = attached.label, protocol, %host, port, bytes_out, bytes_in,
                    "a tunnel ended"
                );
                End::Complete
            }
            Err(error) => {
                tracing::debug!(
                    sandbox = attached.label, protocol, %host, port, %error,
                    "a tunnel broke off"
                );
                End::Broken
            }
        },
        denial = attached.revoked(host) => {
            attached.note_denial(protocol, port, &denial);
            End::Broken
        }
    }
}
