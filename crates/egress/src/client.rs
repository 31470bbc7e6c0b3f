//! A connection out of a sandbox: what was read of it to see what it is, and the rest.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::{Buf, BytesMut};
use rustls::AlertDescription;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::net::TcpStream;

/// Reads what was looked at first, so that nothing is lost by looking.
#[derive(Debug)]
pub(crate) struct Client {
    looked_at: BytesMut,
    stream: TcpStream,
}

impl Client {
    pub(crate) fn new(stream: TcpStream) -> Self {
        Self::with_read(stream, BytesMut::new())
    }

    /// A connection of which these bytes were read already.
    pub(crate) fn with_read(stream: TcpStream, looked_at: BytesMut) -> Self {
        // Only a delay is lost if the kernel refuses.
        _ = stream.set_nodelay(true);
        Self { looked_at, stream }
    }

    /// What was read and not taken yet.
    pub(crate) fn opening(&self) -> &[u8] {
        &self.looked_at
    }

    /// Reads more of the opening; 0 is the end. May be dropped without losing anything.
    pub(crate) async fn look(&mut self) -> io::Result<usize> {
        self.stream.read_buf(&mut self.looked_at).await
    }

    /// The stream, and what was read of it and not taken yet.
    pub(crate) fn into_parts(self) -> (TcpStream, BytesMut) {
        (self.stream, self.looked_at)
    }

    /// Ends the connection so that its client sees an error at once, not an end of data.
    pub(crate) fn reset(self) {
        // Without it the client sees an end instead: as final.
        _ = socket2::SockRef::from(&self.stream).set_linger(Some(Duration::ZERO));
    }

    /// Refuses a TLS handshake in its own words: one record with a fatal alert.
    pub(crate) async fn alert(mut self, description: AlertDescription) {
        let record = [0x15, 3, 3, 0, 2, 2, description.into()];
        // A client that doesn't take it sees the end, which comes either way.
        _ = self.stream.write_all(&record).await;
        _ = self.stream.shutdown().await;
    }
}

impl AsyncRead for Client {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.looked_at.is_empty() {
            return Pin::new(&mut self.stream).poll_read(context, buffer);
        }
        let bytes = self.looked_at.len().min(buffer.remaining());
        buffer.put_slice(&self.looked_at[..bytes]);
        self.looked_at.advance(bytes);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Client {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
