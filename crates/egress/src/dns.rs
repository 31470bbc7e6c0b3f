//! The name server of a sandbox. It answers by itself: no question is ever passed on, so that none
//! can carry anything out.

mod message;

use std::net::Ipv4Addr;
use std::sync::Arc;

use rustix::net::{RecvFlags, SendFlags, recvfrom, sendto};
use tokio::io::Interest;
use tokio::net::UdpSocket;

use crate::attached::Attached;
use crate::budget::Budget;
use crate::denial::Denial;
use crate::host_name::{Host, HostName};
use crate::limits::{QUERIES_AT_ONCE, QUERIES_PER_SECOND, QUERY_BYTES_MAX};

pub(crate) use message::{Answer, Asked, Kind, Query};

/// Answers one question after another. A sandbox that asks more than its share waits for itself:
/// its questions are lost in the bounded queue of its own socket.
pub(crate) async fn serve(attached: Arc<Attached>, socket: UdpSocket) {
    let mut budget = Budget::new(QUERIES_PER_SECOND, QUERIES_AT_ONCE);
    // One byte more shows that a question was longer than permitted.
    let mut buffer = [0; QUERY_BYTES_MAX + 1];
    loop {
        if let Err(wait) = budget.take() {
            tokio::time::sleep(wait).await;
            continue;
        }
        // The sandbox has the socket too, and could make it block at any moment: each call says
        // itself that it doesn't.
        let mut receive = || Ok(recvfrom(&socket, &mut buffer, RecvFlags::DONTWAIT)?);
        let received = socket.async_io(Interest::READABLE, &mut receive).await;
        let Ok((bytes, _, Some(from))) = received else {
            // An answer before this didn't arrive, which is its receiver's affair.
            continue;
        };
        if bytes > QUERY_BYTES_MAX {
            continue;
        }
        if let Some(reply) = reply(&attached, &buffer[..bytes]) {
            // The one who asked is gone, or asks again.
            let flags = SendFlags::DONTWAIT | SendFlags::NOSIGNAL;
            let mut send = || Ok(sendto(&socket, &reply, flags, &from)?);
            _ = socket.async_io(Interest::WRITABLE, &mut send).await;
        }
    }
}

/// What is answered to a datagram: nothing, if it isn't a question.
pub(crate) fn reply(attached: &Attached, datagram: &[u8]) -> Option<Vec<u8>> {
    let query = Query::parse(datagram)?;
    let answer = match &query.asked {
        Err(answer) => *answer,
        Ok(asked) => answer(attached, asked),
    };
    Some(query.reply(answer))
}

fn answer(attached: &Attached, asked: &Asked) -> Answer {
    let Some(name) = &asked.name else {
        return Answer::NoSuchName;
    };
    match asked.kind {
        Kind::Address if name.is_local() => Answer::Address(Ipv4Addr::LOCALHOST),
        Kind::Address => address(attached, name),
        Kind::Pointer => Answer::NoSuchName,
        Kind::Other => Answer::Empty,
    }
}

fn address(attached: &Attached, name: &HostName) -> Answer {
    if let Err(denial) = attached.judge(&Host::Name(name.clone())) {
        note(attached, &denial);
    }
    Answer::Address(attached.address_for(name))
}

/// Only logged: what is refused, and counted, is the connection that follows.
fn note(attached: &Attached, denial: &Denial) {
    tracing::debug!(
        sandbox = attached.label,
        protocol = "dns",
        reason = denial.reason(),
        "{denial}"
    );
}
