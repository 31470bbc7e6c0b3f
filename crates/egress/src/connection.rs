//! One connection out of a sandbox, from its acceptance to its end, with all that it starts.

use std::pin::pin;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

use crate::attached::Attached;
use crate::client::Client;
use crate::http::{self, Front};
use crate::limits::TASKS_QUEUED_MAX;
use crate::transparent;

/// Which of the sockets a connection came in by.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Door {
    Transparent,
    Proxy,
}

#[derive(Debug)]
pub(crate) struct Connection {
    pub(crate) attached: Arc<Attached>,
    pub(crate) activity: Activity,
    tasks: mpsc::Sender<Task>,
}

/// Something that goes on beside the reading of a connection: a tunnel, or the other end of it.
pub(crate) type Task = std::pin::Pin<Box<dyn Future<Output = ()> + Send>>;

impl Connection {
    /// Has a task run as part of this connection: it ends at the latest when that does.
    pub(crate) async fn run(&self, task: Task) {
        // The receiver is gone only when the connection is, and everything with it.
        _ = self.tasks.send(task).await;
    }
}

/// Serves a connection until it and what it started have ended, or nothing moved for too long.
pub(crate) async fn serve(attached: Arc<Attached>, stream: TcpStream, door: Door) {
    let idle = attached.options().times.idle;
    let (tasks, mut started) = mpsc::channel(TASKS_QUEUED_MAX);
    let connection = Arc::new(Connection {
        attached,
        activity: Activity::default(),
        tasks,
    });
    let reading = {
        let connection = Arc::clone(&connection);
        async move {
            match door {
                Door::Transparent => Box::pin(transparent::serve(&connection, stream)).await,
                Door::Proxy => {
                    let client = Client::new(stream);
                    Box::pin(http::serve_http1(&connection, client, Front::Proxy)).await;
                }
            }
        }
    };
    let mut reading = pin!(reading);
    let mut has_read = false;
    let mut running = JoinSet::new();
    let mut gone_quiet = pin!(connection.activity.quiet_for(idle));
    while !(has_read && running.is_empty() && started.is_empty()) {
        tokio::select! {
            () = &mut reading, if !has_read => has_read = true,
            Some(task) = started.recv() => {
                running.spawn(task);
            }
            Some(ended) = running.join_next() => {
                if let Err(error) = ended {
                    let sandbox = &connection.attached.label;
                    tracing::error!(sandbox, %error, "part of a connection was lost");
                }
            }
            () = &mut gone_quiet => return,
        }
    }
}

/// When something moved last.
#[derive(Debug)]
pub(crate) struct Activity {
    last: Mutex<Instant>,
}

impl Default for Activity {
    fn default() -> Self {
        Self {
            last: Mutex::new(Instant::now()),
        }
    }
}

impl Activity {
    pub(crate) fn touch(&self) {
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
    }

    /// Waits until nothing has moved for this long.
    async fn quiet_for(&self, limit: Duration) {
        loop {
            let until = *self.last.lock().unwrap_or_else(PoisonError::into_inner) + limit;
            if until <= Instant::now() {
                return;
            }
            sleep_until(until).await;
        }
    }
}
