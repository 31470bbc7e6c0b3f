//! What drives a connection: a runtime of its own, which runs only while somebody waits.

use std::future::Future;
use std::pin::{Pin, pin};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::{BufMut, BytesMut};
use futures::{Stream, StreamExt, future, stream};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::runtime::Runtime;
use tokio_postgres::types::{IsNull, ToSql, Type, to_sql_checked};
use tokio_postgres::{AsyncMessage, Connection, Error, Notification};

use crate::StoreError;
use crate::error::NulInText;
use crate::limits::NOTIFICATIONS_WAITING;
use crate::parameter::Value;

type Incoming = Pin<Box<dyn Stream<Item = Result<AsyncMessage, Error>> + Send>>;

pub(super) struct Wire {
    /// There until it is dropped.
    runtime: Option<Runtime>,
    /// None after the server has closed the connection.
    incoming: Option<Incoming>,
    notifications: Vec<Notification>,
}

impl Wire {
    pub(super) fn new<S, T>(runtime: Runtime, mut connection: Connection<S, T>) -> Self
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
        T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let incoming = stream::poll_fn(move |context| connection.poll_message(context));
        Self {
            runtime: Some(runtime),
            incoming: Some(incoming.boxed()),
            notifications: Vec::new(),
        }
    }

    /// Runs `request` to its end. Without an answer in time the connection is not to be used any
    /// more, and whether the server has done it is not known.
    pub(super) fn drive<T>(
        &mut self,
        most: Duration,
        request: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, StoreError> {
        let Self {
            runtime,
            incoming,
            notifications,
        } = self;
        let runtime = runtime.as_ref().ok_or(StoreError::Closed)?;
        let driven = runtime.block_on(async {
            let mut request = pin!(request);
            let both = future::poll_fn(|context| {
                receive(incoming, notifications, context);
                let answered = request.as_mut().poll(context);
                // What was just asked is sent now: the loop above had nothing to send yet.
                if answered.is_pending() {
                    receive(incoming, notifications, context);
                }
                answered
            });
            tokio::time::timeout(most, both).await
        });
        match driven {
            Ok(answer) => answer.map_err(StoreError::from),
            Err(elapsed) => {
                self.incoming = None;
                Err(StoreError::Unreachable(Box::new(elapsed)))
            }
        }
    }

    pub(super) fn notifications(
        &mut self,
        most: Duration,
    ) -> Result<Vec<Notification>, StoreError> {
        let Self {
            runtime,
            incoming,
            notifications,
        } = self;
        let runtime = runtime.as_ref().ok_or(StoreError::Closed)?;
        let come = future::poll_fn(|context| {
            receive(incoming, notifications, context);
            match incoming.is_none() || !notifications.is_empty() {
                true => Poll::Ready(()),
                false => Poll::Pending,
            }
        });
        // That none has come is an answer, too.
        let _ = runtime.block_on(async { tokio::time::timeout(most, come).await });
        match self.incoming.is_some() || !self.notifications.is_empty() {
            true => Ok(std::mem::take(&mut self.notifications)),
            false => Err(closed()),
        }
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        // It may be dropped where a runtime of its own must not be waited for.
        self.incoming = None;
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

fn closed() -> StoreError {
    let error = std::io::Error::from(std::io::ErrorKind::ConnectionAborted);
    StoreError::Unreachable(Box::new(error))
}

/// Sends what waits and takes what comes, until there is neither.
fn receive(
    incoming: &mut Option<Incoming>,
    notifications: &mut Vec<Notification>,
    context: &mut Context<'_>,
) {
    while let Some(stream) = incoming {
        match stream.poll_next_unpin(context) {
            Poll::Pending => return,
            Poll::Ready(Some(Ok(AsyncMessage::Notification(notification)))) => {
                // A lost wake-up costs a little time and nothing else.
                if notifications.len() < NOTIFICATIONS_WAITING {
                    notifications.push(notification);
                }
            }
            Poll::Ready(Some(Ok(_))) => {}
            Poll::Ready(Some(Err(_)) | None) => *incoming = None,
        }
    }
}

impl ToSql for Value<'_> {
    fn to_sql(
        &self,
        kind: &Type,
        out: &mut BytesMut,
    ) -> Result<IsNull, Box<dyn std::error::Error + Sync + Send>> {
        match self {
            Self::Null => return Ok(IsNull::Yes),
            Self::Text(text) if text.contains('\0') => return Err(NulInText.into()),
            Self::Text(text) if *kind == Type::TEXT => out.put_slice(text.as_bytes()),
            Self::Integer(integer) if *kind == Type::INT8 => out.put_i64(*integer),
            Self::Integer(integer) if *kind == Type::INT4 => {
                out.put_i32(i32::try_from(*integer)?);
            }
            Self::Text(_) | Self::Integer(_) => return Err(format!("it is no {kind}").into()),
        }
        Ok(IsNull::No)
    }

    /// Whether the value fits is seen in `to_sql`, which knows the value.
    fn accepts(kind: &Type) -> bool {
        [Type::INT4, Type::INT8, Type::TEXT].contains(kind)
    }

    to_sql_checked!();
}
