//! The HTTP connection to a host, kept between the requests of one client's connection.

use std::sync::{Arc, Mutex, PoisonError};

use hyper::body::Incoming;
use hyper::client::conn::http1::{self, SendRequest};
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::time::timeout;

use crate::connection::Connection;
use crate::denial::Denial;
use crate::dial::dial;
use crate::host_name::Host;
use crate::limits::{HEAD_BYTES_MAX, HEADERS_MAX};
use crate::upstream::Upstream;

pub(super) struct Hosts {
    connection: Arc<Connection>,
    /// The last one used. A client's requests come one after another.
    kept: Mutex<Option<Kept>>,
    /// A connection that was made before there was a request for it.
    made: Mutex<Option<Upstream>>,
}

struct Kept {
    host: Host,
    port: u16,
    sender: SendRequest<Incoming>,
}

impl Hosts {
    pub(super) fn new(connection: Arc<Connection>, made: Option<Upstream>) -> Self {
        Self {
            connection,
            kept: Mutex::new(None),
            made: Mutex::new(made),
        }
    }

    /// Sends a request to a host that it may go to, and waits for the head of the answer.
    pub(super) async fn send(
        &self,
        host: &Host,
        port: u16,
        mut request: Request<Incoming>,
    ) -> Result<Response<Incoming>, Denial> {
        let broken = || Denial::BrokenAnswer(host.to_string());
        if let Some(mut kept) = self.take_kept(host, port).await {
            match kept.sender.try_send_request(request).await {
                Ok(response) => {
                    self.keep(kept);
                    return Ok(response);
                }
                // With the request, nothing of it was sent; else nobody knows what the host did.
                Err(mut error) => {
                    let ended = || Denial::KeptEnded(host.to_string());
                    request = error.take_message().ok_or_else(ended)?;
                }
            }
        }
        let made = take(&self.made);
        let upstream = match made {
            Some(upstream) => upstream,
            None => dial(&self.connection, host, port).await?,
        };
        let (sender, driver) = http1::Builder::new()
            .max_buf_size(HEAD_BYTES_MAX)
            .max_headers(HEADERS_MAX)
            .preserve_header_case(true)
            .handshake(TokioIo::new(upstream))
            .await
            .map_err(|_| broken())?;
        // What ends it is told to the request that is under way.
        let driver = async move { _ = driver.with_upgrades().await };
        self.connection.run(Box::pin(driver)).await;
        let mut kept = Kept {
            host: host.clone(),
            port,
            sender,
        };
        let response = kept.sender.send_request(request).await;
        let response = response.map_err(|_| broken())?;
        self.keep(kept);
        Ok(response)
    }

    /// The kept connection, if it leads there and is free: a moment after the last answer it is.
    async fn take_kept(&self, host: &Host, port: u16) -> Option<Kept> {
        let mut kept = take(&self.kept)?;
        let patience = self.connection.attached.options().times.silence;
        let leads_there = kept.host == *host && kept.port == port;
        let free =
            leads_there && matches!(timeout(patience, kept.sender.ready()).await, Ok(Ok(())));
        free.then_some(kept)
    }

    fn keep(&self, kept: Kept) {
        *self.kept.lock().unwrap_or_else(PoisonError::into_inner) = Some(kept);
    }
}

fn take<T>(place: &Mutex<Option<T>>) -> Option<T> {
    place.lock().unwrap_or_else(PoisonError::into_inner).take()
}
