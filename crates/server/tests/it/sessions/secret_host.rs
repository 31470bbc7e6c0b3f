//! A host on loopback that keeps every request and tells it back, over TLS and in the clear.

use std::convert::Infallible;
use std::io;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::pki_types::PrivateKeyDer;
use rustls::{RootCertStore, ServerConfig};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

/// Ends when it is dropped.
pub(super) struct SecretHost {
    pub(super) https: u16,
    pub(super) http: u16,
    /// Who vouches for it.
    pub(super) roots: Arc<RootCertStore>,
    seen: Seen,
    _serving: JoinSet<()>,
}

type Seen = Arc<Mutex<Vec<String>>>;

impl SecretHost {
    pub(super) async fn start(name: &str) -> Self {
        let (roots, tls) = certified(name);
        let (secure, plain) = (listener().await, listener().await);
        let port = |listener: &TcpListener| listener.local_addr().unwrap().port();
        let (https, http) = (port(&secure), port(&plain));
        let seen = Seen::default();
        let mut serving = JoinSet::new();
        let told = Arc::clone(&seen);
        serving.spawn(attend(secure, move |stream| {
            let (tls, seen) = (tls.clone(), Arc::clone(&told));
            async move {
                let stream = tls.accept(stream).await?;
                let is_http2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
                answer(stream, is_http2, seen).await
            }
        }));
        let told = Arc::clone(&seen);
        serving.spawn(attend(plain, move |stream| {
            answer(stream, false, Arc::clone(&told))
        }));
        Self {
            https,
            http,
            roots,
            seen,
            _serving: serving,
        }
    }

    /// Every request so far: its first line, its headers and its body.
    pub(super) fn seen(&self) -> Vec<String> {
        self.seen.lock().unwrap().clone()
    }
}

async fn listener() -> TcpListener {
    TcpListener::bind("127.0.0.1:0").await.unwrap()
}

fn certified(name: &str) -> (Arc<RootCertStore>, TlsAcceptor) {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    let mut roots = RootCertStore::empty();
    roots.add(authority.der().clone()).unwrap();
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new(vec![name.to_owned()]).unwrap();
    let certificate = params.signed_by(&key, &*authority).unwrap();
    let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let mut server = ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], key)
        .unwrap();
    server.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    (Arc::new(roots), TlsAcceptor::from(Arc::new(server)))
}

async fn attend<F>(listener: TcpListener, serve: impl Fn(TcpStream) -> F)
where
    F: Future<Output = io::Result<()>> + Send + 'static,
{
    let mut serving = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        let served = serve(stream);
        // A client that breaks off is no failure of the host.
        serving.spawn(async move { _ = served.await });
    }
}

async fn answer(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    is_http2: bool,
    seen: Seen,
) -> io::Result<()> {
    let service = service_fn(move |request| {
        let seen = Arc::clone(&seen);
        async move { Ok::<_, Infallible>(tell_back(request, &seen).await) }
    });
    let stream = TokioIo::new(stream);
    let served = if is_http2 {
        let server = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
        server.serve_connection(stream, service).await
    } else {
        let server = hyper::server::conn::http1::Builder::new();
        server.serve_connection(stream, service).await
    };
    served.map_err(io::Error::other)
}

async fn tell_back(request: Request<Incoming>, seen: &Seen) -> Response<Full<Bytes>> {
    let (parts, body) = request.into_parts();
    let mut told = format!("{:?} {} {}\n", parts.version, parts.method, parts.uri);
    for (name, value) in &parts.headers {
        let value = String::from_utf8_lossy(value.as_bytes());
        told.push_str(&format!("{name}: {value}\n"));
    }
    let body = body.collect().await.map(|body| body.to_bytes());
    told.push_str(&String::from_utf8_lossy(&body.unwrap_or_default()));
    told.push('\n');
    seen.lock().unwrap().push(told.clone());
    Response::new(Full::new(Bytes::from(told)))
}
