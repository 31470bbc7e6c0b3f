//! The HTTP connection to a host, kept between the requests of one client's connection.

use std::sync::{Arc, Mutex, PoisonError};

use futures::FutureExt;
use hyper::body::Incoming;
use hyper::client::conn::{http1, http2};
use hyper::header::{HOST, HeaderValue, TE};
use hyper::{Request, Response, Uri, Version};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::sync::Semaphore;
use tokio::time::timeout;

use super::answer::Body;
use super::headers::join_cookies;
use super::target::{Scheme, Target};
use super::{Stream, Tasks};
use crate::connection::Connection;
use crate::denial::Denial;
use crate::dial::dial;
use crate::host_name::Host;
use crate::limits::{HEAD_BYTES_MAX, HEADERS_MAX};
use crate::trust::{Offer, secure};
use crate::upstream::Upstream;

pub(super) struct Hosts {
    connection: Arc<Connection>,
    /// The last one used. What many requests can use at once stays here.
    kept: Mutex<Option<Kept>>,
    /// A connection that was made before there was a request for it.
    made: Mutex<Option<Upstream>>,
    requests: Requests,
    /// One connection is made after another, so that requests which come together can share it.
    connecting: Semaphore,
}

/// How the requests of a client's connection come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Requests {
    OneByOne,
    SideBySide,
}

struct Kept {
    target: Target,
    sender: Sender,
}

enum Sender {
    Http1(http1::SendRequest<Body>),
    Http2(http2::SendRequest<Body>),
}

/// A request that may be sent, and where it goes.
pub(super) struct Outgoing {
    pub(super) target: Target,
    /// In origin form.
    pub(super) request: Request<Body>,
    pub(super) takes_trailers: bool,
}

impl Hosts {
    pub(super) fn new(connection: Arc<Connection>, made: Option<Upstream>) -> Self {
        Self {
            connection,
            kept: Mutex::new(None),
            made: Mutex::new(made),
            requests: Requests::OneByOne,
            connecting: Semaphore::new(1),
        }
    }

    pub(super) fn side_by_side(self) -> Self {
        Self {
            requests: Requests::SideBySide,
            ..self
        }
    }

    /// Sends a request to a host that it may go to, and waits for the head of the answer.
    pub(super) async fn send(&self, mut outgoing: Outgoing) -> Result<Response<Incoming>, Denial> {
        let target = outgoing.target.clone();
        if let Some(mut kept) = self.take_kept(&target).await {
            match kept.sender.try_send(outgoing).await {
                Ok(response) => {
                    self.keep(kept);
                    return Ok(response);
                }
                // With the request, nothing of it was sent; else nobody knows what the host did.
                Err(unsent) => {
                    outgoing = *unsent.ok_or_else(|| Denial::KeptEnded(target.host.to_string()))?;
                }
            }
        }
        let mut kept = match self.requests {
            Requests::OneByOne => self.connect(&target).await?,
            Requests::SideBySide => {
                let _alone = self.connecting.acquire().await;
                // Another one may have connected meanwhile.
                match self.shared(&target) {
                    Some(kept) => kept,
                    None => {
                        let kept = self.connect(&target).await?;
                        self.share(&kept);
                        kept
                    }
                }
            }
        };
        let response = kept.sender.try_send(outgoing).await;
        let response = response.map_err(|_| Denial::BrokenAnswer(target.host.to_string()))?;
        self.keep(kept);
        Ok(response)
    }

    async fn connect(&self, target: &Target) -> Result<Kept, Denial> {
        let Target { host, port, scheme } = target;
        let upstream = match take(&self.made) {
            Some(upstream) => upstream,
            None => dial(&self.connection, host, *port).await?,
        };
        let sender = match scheme {
            Scheme::Http => self.handshake1(host, upstream).await?,
            Scheme::Https => {
                let offer = match self.requests {
                    Requests::OneByOne => Offer::Http1,
                    Requests::SideBySide => Offer::Http2And1,
                };
                let stream = secure(&self.connection, upstream, host, *port, offer).await?;
                match stream.get_ref().1.alpn_protocol() {
                    Some(b"h2") => self.handshake2(host, stream).await?,
                    Some(_) | None => self.handshake1(host, stream).await?,
                }
            }
        };
        Ok(Kept {
            target: target.clone(),
            sender,
        })
    }

    async fn handshake1(&self, host: &Host, stream: impl Stream) -> Result<Sender, Denial> {
        let (sender, driver) = http1::Builder::new()
            .max_buf_size(HEAD_BYTES_MAX)
            .max_headers(HEADERS_MAX)
            .preserve_header_case(true)
            .handshake(TokioIo::new(stream))
            .await
            .map_err(|_| Denial::BrokenAnswer(host.to_string()))?;
        // What ends it is told to the request that is under way.
        let driver = async move { _ = driver.with_upgrades().await };
        self.connection.run(Box::pin(driver)).await;
        Ok(Sender::Http1(sender))
    }

    async fn handshake2(&self, host: &Host, stream: impl Stream) -> Result<Sender, Denial> {
        let (tasks, running) = Tasks::new();
        let (sender, driver) = http2::Builder::new(tasks)
            .timer(TokioTimer::new())
            .max_header_list_size(u32::try_from(HEAD_BYTES_MAX).unwrap_or(u32::MAX))
            .handshake(TokioIo::new(stream))
            .await
            .map_err(|_| Denial::BrokenAnswer(host.to_string()))?;
        let driver = async move {
            tokio::select! {
                _ = driver => {}
                () = running => {}
            }
        };
        self.connection.run(Box::pin(driver)).await;
        Ok(Sender::Http2(sender))
    }

    /// The kept connection, if it leads there and is free: a moment after the last answer it is.
    async fn take_kept(&self, target: &Target) -> Option<Kept> {
        if let Some(shared) = self.shared(target) {
            return Some(shared);
        }
        let mut kept = take(&self.kept)?;
        if kept.target != *target {
            return None;
        }
        let Sender::Http1(sender) = &mut kept.sender else {
            // It has ended.
            return None;
        };
        let free = match self.requests {
            Requests::OneByOne => {
                let patience = self.connection.attached.options().times.silence;
                matches!(timeout(patience, sender.ready()).await, Ok(Ok(())))
            }
            Requests::SideBySide => matches!(sender.ready().now_or_never(), Some(Ok(()))),
        };
        free.then_some(kept)
    }

    /// Of a connection that many requests can use at once.
    fn shared(&self, target: &Target) -> Option<Kept> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let kept = kept.as_ref().filter(|kept| kept.target == *target)?;
        kept.share()
    }

    fn share(&self, kept: &Kept) {
        if let Some(shared) = kept.share() {
            self.keep(shared);
        }
    }

    fn keep(&self, kept: Kept) {
        *self.kept.lock().unwrap_or_else(PoisonError::into_inner) = Some(kept);
    }
}

impl Kept {
    fn share(&self) -> Option<Self> {
        let Sender::Http2(sender) = &self.sender else {
            return None;
        };
        (!sender.is_closed()).then(|| Self {
            target: self.target.clone(),
            sender: Sender::Http2(sender.clone()),
        })
    }
}

impl Sender {
    /// With an error comes the request, if nothing of it was sent.
    async fn try_send(
        &mut self,
        outgoing: Outgoing,
    ) -> Result<Response<Incoming>, Option<Box<Outgoing>>> {
        let Outgoing {
            target,
            mut request,
            takes_trailers,
        } = outgoing;
        let sent = match self {
            Self::Http1(sender) => {
                *request.version_mut() = Version::HTTP_11;
                join_cookies(request.headers_mut());
                sender.try_send_request(request).await
            }
            Self::Http2(sender) => {
                let request = for_http2(request, takes_trailers);
                sender.try_send_request(request).await
            }
        };
        sent.map_err(|mut error| {
            error.take_message().map(|request| {
                Box::new(Outgoing {
                    target,
                    request,
                    takes_trailers,
                })
            })
        })
    }
}

/// There the host stands in the target.
fn for_http2(mut request: Request<Body>, takes_trailers: bool) -> Request<Body> {
    if let Some(authority) = request.headers_mut().remove(HOST)
        && let Ok(authority) = authority.to_str()
    {
        let mut parts = std::mem::take(request.uri_mut()).into_parts();
        parts.scheme = Some(hyper::http::uri::Scheme::HTTPS);
        parts.authority = authority.parse().ok();
        *request.uri_mut() = Uri::from_parts(parts).unwrap_or_default();
    }
    if takes_trailers {
        request
            .headers_mut()
            .insert(TE, HeaderValue::from_static("trailers"));
    }
    *request.version_mut() = Version::HTTP_2;
    request
}

fn take<T>(place: &Mutex<Option<T>>) -> Option<T> {
    place.lock().unwrap_or_else(PoisonError::into_inner).take()
}
