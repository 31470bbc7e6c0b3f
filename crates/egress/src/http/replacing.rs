//! A body in which texts are replaced as it passes.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use hyper::HeaderMap;
use hyper::body::{Body, Frame, Incoming, SizeHint};

use crate::replace::Replacer;

pub(super) struct Replacing {
    body: Incoming,
    replacer: Replacer,
    length: Length,
    state: State,
    /// What is done with the trailers.
    trailers: fn(&Replacer, &mut HeaderMap),
}

/// Whether what goes in is as long as what comes out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Length {
    Same,
    Changes,
}

enum State {
    Running,
    /// All of it was read; what is left is told first.
    Ended(Option<HeaderMap>),
}

impl Replacing {
    pub(super) fn new(
        body: Incoming,
        replacer: Replacer,
        length: Length,
        trailers: fn(&Replacer, &mut HeaderMap),
    ) -> Self {
        Self {
            body,
            replacer,
            length,
            state: State::Running,
            trailers,
        }
    }
}

fn data(bytes: Vec<u8>) -> Frame<Bytes> {
    Frame::data(Bytes::from(bytes))
}

impl Body for Replacing {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        loop {
            if let State::Ended(trailers) = &mut self.state {
                let trailers = trailers.take().map(Frame::trailers);
                return Poll::Ready(trailers.map(Ok));
            }
            let frame = match ready!(Pin::new(&mut self.body).poll_frame(context)) {
                Some(Err(error)) => return Poll::Ready(Some(Err(error))),
                Some(Ok(frame)) => Some(frame),
                None => None,
            };
            let rest = match frame.map(Frame::into_data) {
                Some(Ok(piece)) => self.replacer.push(&piece),
                Some(Err(other)) => {
                    let mut trailers = other.into_trailers().ok();
                    if let Some(trailers) = &mut trailers {
                        (self.trailers)(&self.replacer, trailers);
                    }
                    self.state = State::Ended(trailers);
                    self.replacer.finish()
                }
                None => {
                    self.state = State::Ended(None);
                    self.replacer.finish()
                }
            };
            if !rest.is_empty() {
                return Poll::Ready(Some(Ok(data(rest))));
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.state {
            State::Running => self.body.is_end_stream() && self.replacer.holds_nothing(),
            State::Ended(trailers) => trailers.is_none(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match (self.length, &self.state) {
            (Length::Same, State::Running) if self.replacer.holds_nothing() => {
                self.body.size_hint()
            }
            (Length::Same | Length::Changes, _) => SizeHint::default(),
        }
    }
}
