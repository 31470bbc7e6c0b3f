//! A host that speaks HTTP over TLS and keeps what it was sent, and clients of it.

use std::convert::Infallible;
use std::io;
use std::sync::{Arc, LazyLock};
use std::time::SystemTime;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::{Body, Incoming};
use hyper::client::conn::{http1, http2};
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rcgen::{CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;
use tokio_rustls::{TlsAcceptor, TlsConnector};

use crate::world::Seen;

/// The public authority of these tests.
static AUTHORITY: LazyLock<CertifiedIssuer<'static, KeyPair>> = LazyLock::new(|| {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
});

pub(crate) fn roots() -> Arc<RootCertStore> {
    let mut roots = RootCertStore::empty();
    roots.add(AUTHORITY.der().clone()).unwrap();
    Arc::new(roots)
}

fn server(name: &str, protocols: &[&[u8]]) -> Arc<ServerConfig> {
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new(vec![name.to_owned()]).unwrap();
    let certificate = params.signed_by(&key, &*AUTHORITY).unwrap();
    let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let mut server = ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], key)
        .unwrap();
    server.alpn_protocols = protocols.iter().map(|name| name.to_vec()).collect();
    Arc::new(server)
}

/// Tells back what it got, and notes it.
pub(crate) async fn serve(
    stream: TcpStream,
    name: &str,
    protocols: &[&[u8]],
    seen: Seen,
) -> io::Result<()> {
    let stream = TlsAcceptor::from(server(name, protocols))
        .accept(stream)
        .await?;
    let is_http2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
    let service = service_fn(move |request| {
        let seen = seen.clone();
        async move { Ok::<_, Infallible>(answer(request, seen).await) }
    });
    let stream = TokioIo::new(stream);
    let served = if is_http2 {
        let server = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
        server.serve_connection(stream, service).await
    } else {
        let server = hyper::server::conn::http1::Builder::new();
        server
            .serve_connection(stream, service)
            .with_upgrades()
            .await
    };
    served.map_err(io::Error::other)
}

async fn answer(request: Request<Incoming>, seen: Seen) -> Response<Full<Bytes>> {
    let (parts, body) = request.into_parts();
    let mut told = format!("{:?} {} {}\n", parts.version, parts.method, parts.uri);
    for (name, value) in &parts.headers {
        let value = String::from_utf8_lossy(value.as_bytes());
        told.push_str(&format!("{name}: {value}\n"));
    }
    let body = body.collect().await.map(|body| body.to_bytes());
    told.push('\n');
    told.push_str(&String::from_utf8_lossy(&body.unwrap_or_default()));
    seen.lock().unwrap().push(told.clone());
    let mut response = Response::new(Full::new(Bytes::from(told)));
    if let Some(value) = parts.headers.get("x-key") {
        response.headers_mut().insert("x-echo", value.clone());
    }
    response
}

/// TLS as a program in the sandbox begins it, which trusts the sandbox's authority only.
pub(crate) async fn begin(
    stream: TcpStream,
    name: &'static str,
    certificate: &str,
    protocols: &[&[u8]],
) -> io::Result<TlsStream<TcpStream>> {
    let mut roots = RootCertStore::empty();
    let certificate = CertificateDer::from_pem_slice(certificate.as_bytes());
    roots.add(certificate.unwrap()).unwrap();
    let mut config = ClientConfig::builder()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = protocols.iter().map(|name| name.to_vec()).collect();
    let name = ServerName::try_from(name).unwrap();
    TlsConnector::from(Arc::new(config))
        .connect(name, stream)
        .await
}

/// Asks over whatever the two have agreed on.
pub(crate) async fn ask<B>(
    stream: TlsStream<TcpStream>,
    request: Request<B>,
) -> hyper::Result<(hyper::http::response::Parts, String)>
where
    B: Body<Data = Bytes, Error = Infallible> + Send + Unpin + 'static,
{
    let is_http2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
    let stream = TokioIo::new(stream);
    let mut drivers = tokio::task::JoinSet::new();
    let response = if is_http2 {
        let (mut sender, driver) = http2::handshake(TokioExecutor::new(), stream).await?;
        drivers.spawn(driver);
        sender.send_request(request).await?
    } else {
        let (mut sender, driver) = http1::handshake(stream).await?;
        drivers.spawn(driver);
        sender.send_request(request).await?
    };
    let (parts, body) = response.into_parts();
    let body = body.collect().await?.to_bytes();
    Ok((parts, String::from_utf8_lossy(&body).into_owned()))
}

pub(crate) fn authority() -> hostler_egress::Authority {
    hostler_egress::Authority::new(
        SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(1_750_000_000),
    )
    .unwrap()
}
