//! One request and its answer: judged, written anew, sent, and the answer passed on.

use std::sync::Arc;

use hyper::body::Incoming;
use hyper::header::{HOST, HeaderValue};
use hyper::upgrade::OnUpgrade;
use hyper::{Method, Request, Response, StatusCode, Uri, Version};
use hyper_util::rt::TokioIo;

use super::Front;
use super::answer::{Body, empty, refusal};
use super::connect::tunnelled;
use super::headers::{
    ask_for_websocket, asks_for_websocket, check_framing, strip, strip_answer, takes_trailers,
};
use super::inject::{hide, hide_in_head, into_request};
use super::target::{
    Scheme, Target, check_host_header, check_origin_request, named, of_connect, of_proxy_request,
};
use super::upstream::{Hosts, Outgoing};
use crate::connection::Connection;
use crate::denial::Denial;
use crate::dial::dial;
use crate::host_name::Host;
use crate::route::Route;
use crate::secrets::Transport;
use crate::tunnel::pass;

/// Whether a connection changes its protocol with an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Upgrade {
    None,
    WebSocket,
}

/// There is no answer: the connection ends.
#[derive(Debug, thiserror::Error)]
#[error("the host ended a kept connection")]
pub(super) struct Ended;

pub(super) struct Exchange {
    connection: Arc<Connection>,
    leads_to: LeadsTo,
    hosts: Hosts,
}

enum LeadsTo {
    WhatRequestsName,
    Host(Host, u16, Scheme),
    Nowhere(u16, Denial),
}

impl Exchange {
    pub(super) fn new(connection: Arc<Connection>, front: Front) -> Self {
        let (leads_to, made) = match front {
            Front::Proxy => (LeadsTo::WhatRequestsName, None),
            Front::Origin(route) => {
                let leads_to = LeadsTo::Host(route.host, route.port, Scheme::Http);
                (leads_to, route.upstream)
            }
            Front::Inside(route) => {
                let leads_to = LeadsTo::Host(route.host, route.port, Scheme::Https);
                (leads_to, route.upstream)
            }
            Front::Refused { port, denial } => (LeadsTo::Nowhere(port, denial), None),
        };
        Self {
            hosts: Hosts::new(Arc::clone(&connection), made),
            connection,
            leads_to,
        }
    }

    /// For a client whose requests don't wait for each other.
    pub(super) fn side_by_side(self) -> Self {
        Self {
            hosts: self.hosts.side_by_side(),
            ..self
        }
    }

    /// What goes wrong is an answer too, but for a kept connection that a host ended at the wrong
    /// moment: then the client's ends as well. It was kept just as long, so the client knows the
    /// case, and whether it may ask again.
    pub(super) async fn answer(&self, request: Request<Incoming>) -> Result<Response<Body>, Ended> {
        let is_connect = request.method() == Method::CONNECT;
        let (port, answered) = if is_connect && matches!(self.leads_to, LeadsTo::WhatRequestsName) {
            let port = request.uri().port_u16().unwrap_or_default();
            (port, Box::pin(self.connect(request)).await)
        } else {
            match self.judge(&request) {
                Ok(target) => (target.port, Box::pin(self.pass_on(target, request)).await),
                Err((port, denial)) => (port, Err(denial)),
            }
        };
        answered.or_else(|denial| {
            let protocol = if is_connect { "connect" } else { "http" };
            self.connection
                .attached
                .note_denial(protocol, port, &denial);
            if matches!(denial, Denial::KeptEnded(_)) {
                return Err(Ended);
            }
            Ok(refusal(&denial))
        })
    }

    /// The host that a request may go to by its own words and by the policy of this moment.
    fn judge(&self, request: &Request<Incoming>) -> Result<Target, (u16, Denial)> {
        let attached = &self.connection.attached;
        let port = match &self.leads_to {
            LeadsTo::WhatRequestsName => request.uri().port_u16().unwrap_or(80),
            LeadsTo::Host(_, port, _) | LeadsTo::Nowhere(port, _) => *port,
        };
        let judge = || {
            check_framing(request)?;
            if request.method() == Method::TRACE {
                // Its answer would show what is added to a request on its way.
                return Err(Denial::Method("TRACE".to_owned()));
            }
            let (host, port, scheme) = match &self.leads_to {
                LeadsTo::WhatRequestsName => {
                    let (host, port) = of_proxy_request(request)?;
                    // What the policy says about the host says more than a wrong header.
                    attached.judge(&host)?;
                    check_host_header(request, &host, port)?;
                    (host, port, Scheme::Http)
                }
                LeadsTo::Host(host, port, scheme) => {
                    check_origin_request(request, host, *port, *scheme)?;
                    (host.clone(), *port, *scheme)
                }
                LeadsTo::Nowhere(_, denial) => return Err(self.in_words(denial, request)),
            };
            attached.judge(&host)?;
            Ok(Target { host, port, scheme })
        };
        judge().map_err(|denial| (port, denial))
    }

    /// All denied names have one address; which one was meant stands in the request.
    fn in_words(&self, denial: &Denial, request: &Request<Incoming>) -> Denial {
        let judged = named(request).map(|host| self.connection.attached.judge(&host));
        match judged {
            Some(Err(named)) if denial.is_about_unknown_name() => named,
            Some(_) | None => denial.clone(),
        }
    }

    async fn connect(&self, mut request: Request<Incoming>) -> Result<Response<Body>, Denial> {
        check_framing(&request)?;
        let (host, port) = of_connect(&request)?;
        self.connection.attached.judge(&host)?;
        check_host_header(&request, &host, port)?;
        // Before the client is told that it is connected, so that a failure has words.
        let upstream = dial(&self.connection, &host, port).await?;
        let client = hyper::upgrade::on(&mut request);
        let route = Route {
            host,
            port,
            upstream: Some(upstream),
        };
        let task = tunnelled(Arc::clone(&self.connection), client, route);
        self.connection.run(task).await;
        Ok(Response::new(empty()))
    }

    async fn pass_on(
        &self,
        target: Target,
        mut request: Request<Incoming>,
    ) -> Result<Response<Body>, Denial> {
        let attached = &self.connection.attached;
        // At each request: what was taken away since the last one isn't sent any more.
        let injection = attached.injection(&target.host, target.port).await?;
        let upgrade = if asks_for_websocket(&request) {
            Upgrade::WebSocket
        } else {
            Upgrade::None
        };
        let client = hyper::upgrade::on(&mut request);
        let takes_trailers = takes_trailers(request.headers());
        write_anew(&mut request, &target, upgrade)?;
        let transport = match target.scheme {
            Scheme::Http => Transport::Clear,
            Scheme::Https => Transport::Tls,
        };
        let outgoing = Outgoing {
            target: target.clone(),
            request: into_request(attached, &injection, transport, request).await?,
            takes_trailers,
        };
        let mut response = self.hosts.send(outgoing).await?;
        let Target { host, port, .. } = target;
        attached.note_allowed("http", &host, port);
        if response.status() != StatusCode::SWITCHING_PROTOCOLS {
            strip_answer(response.headers_mut());
            *response.version_mut() = Version::HTTP_11;
            return Ok(hide(&injection, response));
        }
        if upgrade == Upgrade::None {
            return Err(Denial::BrokenAnswer(host.to_string()));
        }
        hide_in_head(&injection, &mut response);
        self.change_protocol(host, port, client, response).await
    }

    /// From here on the connection is a tunnel for WebSocket frames.
    async fn change_protocol(
        &self,
        host: Host,
        port: u16,
        client: OnUpgrade,
        mut response: Response<Incoming>,
    ) -> Result<Response<Body>, Denial> {
        let upstream = hyper::upgrade::on(&mut response);
        let connection = Arc::clone(&self.connection);
        let frames = async move {
            // Without either, one of the ends has left meanwhile.
            if let (Ok(upstream), Ok(client)) = (upstream.await, client.await) {
                let (mut client, mut upstream) = (TokioIo::new(client), TokioIo::new(upstream));
                pass(
                    &connection,
                    &mut client,
                    &mut upstream,
                    &host,
                    port,
                    "websocket",
                )
                .await;
            }
        };
        self.connection.run(Box::pin(frames)).await;
        strip_answer(response.headers_mut());
        ask_for_websocket(response.headers_mut());
        Ok(response.map(|_| empty()))
    }
}

/// The request as the host is to see it: in origin form, of this connection only what it may know.
fn write_anew(
    request: &mut Request<Incoming>,
    target: &Target,
    upgrade: Upgrade,
) -> Result<(), Denial> {
    let Target { host, port, scheme } = target;
    let path = request.uri().path_and_query().map_or("/", |p| p.as_str());
    let path: Result<Uri, _> = path.parse();
    *request.uri_mut() = path.map_err(|_| Denial::Malformed("its path can't be read"))?;
    *request.version_mut() = Version::HTTP_11;
    strip(request.headers_mut());
    if upgrade == Upgrade::WebSocket {
        ask_for_websocket(request.headers_mut());
    }
    if !request.headers().contains_key(HOST) {
        let authority = match *port == scheme.port() {
            true => host.to_string(),
            false => format!("{host}:{port}"),
        };
        let value = HeaderValue::from_str(&authority)
            .map_err(|_| Denial::Malformed("its host can't be written"))?;
        request.headers_mut().insert(HOST, value);
    }
    Ok(())
}
