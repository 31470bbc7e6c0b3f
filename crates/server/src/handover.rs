//! Answers that last: an event stream is written by us once its head is out, and not by hyper, which
//! would keep two buffers of 8 KiB and its own state for as long as the stream is open.
//!
//! The service's body stays here, and hyper is given one that is empty. When hyper has flushed the head
//! it is told that the body is over and that the client has gone, so it lets go of the connection, and
//! what it still writes is dropped. The socket goes on with [`LongAnswer::write`]. The client sees an
//! ordinary chunked answer whose connection closes at its end.

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};

use hyper::body::{Body, Buf, Bytes, Frame, Incoming};
use hyper::header::{CONNECTION, CONTENT_TYPE, HeaderValue};
use hyper::rt::{Read, ReadBufCursor, Write};
use hyper::{Method, Request, Response, Version};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::limits::LONG_ANSWER_READ_BYTES;

const EVENT_STREAM: &str = "text/event-stream";
const LAST_CHUNK: &[u8] = b"0\r\n\r\n";

/// What the socket, the body and the task of one connection share.
pub(crate) struct Handover<B>(Arc<Mutex<Shared<B>>>);

struct Shared<B> {
    progress: Progress,
    body: Option<B>,
    socket: Option<TcpStream>,
    /// Hyper, which waits for the end of the empty body.
    waiting: Option<Waker>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Progress {
    /// Hyper reads and writes.
    Hyper,
    /// The head is in hyper's buffer: the next flush sends it.
    HeadWritten,
    /// The head is sent. Hyper has no business here any more.
    Ours,
}

impl<B> Clone for Handover<B> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<B> Handover<B> {
    pub(crate) fn new() -> Self {
        Self(Arc::new(Mutex::new(Shared {
            progress: Progress::Hyper,
            body: None,
            socket: None,
            waiting: None,
        })))
    }

    pub(crate) fn socket(&self, stream: TcpStream) -> Socket<B> {
        Socket {
            io: Some(TokioIo::new(stream)),
            handover: self.clone(),
        }
    }

    /// The answer as hyper is to write it: without the body, if that is ours to write.
    pub(crate) fn answer(&self, asked: Asked, mut response: Response<B>) -> Response<Answer<B>> {
        let is_stream = response
            .headers()
            .get(CONTENT_TYPE)
            .is_some_and(|kind| kind.as_bytes() == EVENT_STREAM.as_bytes());
        if asked == Asked::Otherwise || !is_stream {
            return response.map(Answer::Body);
        }
        let close = HeaderValue::from_static("close");
        response.headers_mut().insert(CONNECTION, close);
        response.map(|body| {
            self.with(|shared| shared.body = Some(body));
            Answer::Ours(self.clone())
        })
    }

    /// What is left to be written after hyper has ended, if anything.
    pub(crate) fn left(&self) -> Option<LongAnswer<B>> {
        self.with(|shared| {
            let socket = shared.socket.take()?;
            let body = shared.body.take()?;
            Some(LongAnswer { socket, body })
        })
    }

    fn progress(&self) -> Progress {
        self.with(|shared| shared.progress)
    }

    fn with<T>(&self, look: impl FnOnce(&mut Shared<B>) -> T) -> T {
        look(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Whether a request can be answered at length: chunks came with HTTP/1.1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Asked {
    ByGet,
    Otherwise,
}

impl Asked {
    pub(crate) fn by(request: &Request<Incoming>) -> Self {
        match request.method() == Method::GET && request.version() == Version::HTTP_11 {
            true => Self::ByGet,
            false => Self::Otherwise,
        }
    }
}

/// A body for hyper.
pub(crate) enum Answer<B> {
    Body(B),
    Ours(Handover<B>),
}

impl<B: Body + Unpin> Body for Answer<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        match self.get_mut() {
            Self::Body(body) => Pin::new(body).poll_frame(context),
            Self::Ours(handover) => handover.with(|shared| {
                if shared.progress == Progress::Ours {
                    return Poll::Ready(None);
                }
                shared.progress = Progress::HeadWritten;
                shared.waiting = Some(context.waker().clone());
                Poll::Pending
            }),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Body(body) => body.is_end_stream(),
            Self::Ours(_) => false,
        }
    }

    fn size_hint(&self) -> hyper::body::SizeHint {
        match self {
            Self::Body(body) => body.size_hint(),
            Self::Ours(_) => hyper::body::SizeHint::default(),
        }
    }
}

/// A socket for hyper. When hyper drops it, it is left to us if it is ours.
pub(crate) struct Socket<B> {
    io: Option<TokioIo<TcpStream>>,
    handover: Handover<B>,
}

impl<B> Socket<B> {
    /// The socket, while it is hyper's.
    fn io(&mut self) -> Option<Pin<&mut TokioIo<TcpStream>>> {
        match self.handover.progress() {
            Progress::Hyper | Progress::HeadWritten => self.io.as_mut().map(Pin::new),
            Progress::Ours => None,
        }
    }
}

impl<B> Drop for Socket<B> {
    fn drop(&mut self) {
        let io = self.io.take();
        self.handover.with(|shared| {
            if shared.progress == Progress::Ours {
                shared.socket = io.map(TokioIo::into_inner);
            }
        });
    }
}

impl<B> Read for Socket<B> {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut().io() {
            Some(io) => io.poll_read(context, buffer),
            // The end of what the client sends.
            None => Poll::Ready(Ok(())),
        }
    }
}

impl<B> Write for Socket<B> {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut().io() {
            Some(io) => io.poll_write(context, bytes),
            None => Poll::Ready(Ok(bytes.len())),
        }
    }

    /// So that hyper writes long answers from where they are, and holds no copy of them.
    fn is_write_vectored(&self) -> bool {
        self.io.as_ref().is_some_and(|io| io.is_write_vectored())
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        pieces: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut().io() {
            Some(io) => io.poll_write_vectored(context, pieces),
            None => Poll::Ready(Ok(pieces.iter().map(|piece| piece.len()).sum())),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let Some(io) = this.io() else {
            return Poll::Ready(Ok(()));
        };
        let flushed = io.poll_flush(context);
        // Hyper flushes the socket when its own buffer is empty: all of the head is out.
        if let Poll::Ready(Ok(())) = flushed {
            let waiting = this.handover.with(|shared| {
                let is_out = shared.progress == Progress::HeadWritten;
                shared.progress = match is_out {
                    true => Progress::Ours,
                    false => shared.progress,
                };
                shared.waiting.take_if(|_| is_out)
            });
            if let Some(hyper) = waiting {
                hyper.wake();
            }
        }
        flushed
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut().io() {
            Some(io) => io.poll_shutdown(context),
            None => Poll::Ready(Ok(())),
        }
    }
}

/// A body that failed: why is known where it was made.
struct Broken;

/// The rest of an answer whose head is sent.
pub(crate) struct LongAnswer<B> {
    socket: TcpStream,
    body: B,
}

impl<B> LongAnswer<B>
where
    B: Body<Data = Bytes> + Unpin,
{
    /// Writes until the body ends or the client goes away, which drops the body.
    pub(crate) async fn write(mut self) -> io::Result<()> {
        let Self { socket, body } = &mut self;
        loop {
            let data = tokio::select! {
                data = poll_fn(|context| poll_data(body, context)) => data,
                gone = client_gone(socket) => return gone,
            };
            match data {
                Some(Ok(data)) => write_chunk(socket, &data).await?,
                // A client can tell a broken answer from a whole one by its last chunk.
                Some(Err(Broken)) => return Ok(()),
                None => {
                    socket.write_all(LAST_CHUNK).await?;
                    return socket.shutdown().await;
                }
            }
        }
    }
}

fn poll_data<B>(body: &mut B, context: &mut Context<'_>) -> Poll<Option<Result<Bytes, Broken>>>
where
    B: Body<Data = Bytes> + Unpin,
{
    // A stream has no trailers: they would be an empty piece.
    Pin::new(body).poll_frame(context).map(|frame| {
        frame.map(|frame| match frame {
            Ok(frame) => Ok(frame.into_data().unwrap_or_default()),
            Err(_) => Err(Broken),
        })
    })
}

/// Whoever reads a stream sends nothing more; what comes anyway is of no use, since the connection is
/// closed after the stream.
async fn client_gone(socket: &mut TcpStream) -> io::Result<()> {
    let mut ignored = [0; LONG_ANSWER_READ_BYTES];
    while socket.read(&mut ignored).await? > 0 {}
    Ok(())
}

async fn write_chunk(socket: &mut TcpStream, data: &Bytes) -> io::Result<()> {
    if data.is_empty() {
        // It would be the last chunk.
        return Ok(());
    }
    let head = format!("{:x}\r\n", data.len());
    let end: &[u8] = b"\r\n";
    let mut chunk = Buf::chain(Buf::chain(head.as_bytes(), &data[..]), end);
    while chunk.has_remaining() {
        socket.write_buf(&mut chunk).await?;
    }
    Ok(())
}
