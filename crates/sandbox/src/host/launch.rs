//! Has the zygote make sandboxes, and hears how it went.

use std::io::{self, IoSlice};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream as BlockingStream;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use rustix::io::Errno;
use rustix::net::{RecvFlags, SendAncillaryBuffer, SendAncillaryMessage, SendFlags, recv, sendmsg};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::process::{Child, Command};
use tokio::sync::Mutex;
use tokio::time::timeout;

use crate::error::SandboxError;
use crate::isolation::IsolationReport;
use crate::launcher::order::{LaunchAnswer, LaunchOrder};
use crate::limits::{LAUNCH_ANSWER_BYTES_MAX, LAUNCH_ORDER_BYTES_MAX, LAUNCH_TIME_MAX};
use crate::wire::{encode, frame_length};

/// The subcommand of the server; all that `/proc/1/cmdline` inside will show.
const ARGUMENT: &str = "sandbox-init";

/// What makes the processes of sandboxes.
pub(super) struct Launcher {
    program: PathBuf,
    /// Started with the first launch, and again when somebody ended it.
    zygote: Mutex<Option<Zygote>>,
}

/// It ends when this is dropped.
struct Zygote {
    orders: BlockingStream,
    process: Child,
}

impl Launcher {
    pub(super) fn new(program: PathBuf) -> Self {
        Self {
            program,
            zygote: Mutex::default(),
        }
    }

    /// Given up, the launch is undone.
    pub(super) async fn launch(
        &self,
        order: &LaunchOrder,
    ) -> Result<IsolationReport, SandboxError> {
        let failed = |reason: String| SandboxError::Unavailable { reason };
        match timeout(LAUNCH_TIME_MAX, self.run(order)).await {
            Err(_) => Err(failed(format!(
                "not ready within {} s",
                LAUNCH_TIME_MAX.as_secs()
            ))),
            Ok(Err(error)) => Err(failed(format!("the launcher does not work: {error}"))),
            Ok(Ok(LaunchAnswer::Failed { reason })) => Err(failed(reason)),
            Ok(Ok(LaunchAnswer::Ready { isolation })) => Ok(isolation),
        }
    }

    async fn run(&self, order: &LaunchOrder) -> io::Result<LaunchAnswer> {
        match self.converse(order).await {
            Err(error) if has_ended(&error) => Err(self.why_nothing().await),
            answered => answered,
        }
    }

    async fn converse(&self, order: &LaunchOrder) -> io::Result<LaunchAnswer> {
        let frame = encode(order, LAUNCH_ORDER_BYTES_MAX)?;
        let (ours, theirs) = BlockingStream::pair()?;
        ours.set_nonblocking(true)?;
        let mut connection = UnixStream::from_std(ours)?;
        self.hand_over(theirs.into()).await?;
        // One that ends before it took its order says why, or nothing.
        let _ = connection.write_all(&frame).await;
        let mut header = [0; 4];
        connection.read_exact(&mut header).await?;
        let mut answer = vec![0; frame_length(&header, LAUNCH_ANSWER_BYTES_MAX)?];
        connection.read_exact(&mut answer).await?;
        Ok(serde_json::from_slice(&answer)?)
    }

    /// Why there is no answer.
    async fn why_nothing(&self) -> io::Error {
        let gone = self.zygote.lock().await.take_if(|zygote| zygote.is_gone());
        let Some(mut gone) = gone else {
            return io::Error::other("it ended without a word");
        };
        match gone.process.wait().await {
            Ok(status) => io::Error::other(format!("it said nothing and ended with {status}")),
            Err(error) => error,
        }
    }

    /// Gives the zygote the other end of the connection that the order will be on.
    async fn hand_over(&self, connection: OwnedFd) -> io::Result<()> {
        let mut zygote = self.zygote.lock().await;
        if let Some(zygote) = &*zygote
            && zygote.give(&connection).is_ok()
        {
            return Ok(());
        }
        // There is none, or it is gone. What was not taken was not begun.
        let fresh = zygote.insert(Zygote::start(&self.program).await?);
        fresh.give(&connection)
    }
}

impl Zygote {
    async fn start(program: &Path) -> io::Result<Self> {
        let (orders, theirs) = BlockingStream::pair()?;
        let mut command = Command::new(program);
        command
            .arg0("hostler")
            .arg(ARGUMENT)
            .env_clear()
            .stdin(Stdio::from(OwnedFd::from(theirs)))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .kill_on_drop(true);
        // It blocks until the new process has left ours; what else the runtime does goes on. Given
        // up here, the child is killed when the closure's result is dropped.
        let spawned = tokio::task::spawn_blocking(move || command.spawn()).await;
        Ok(Self {
            orders,
            process: spawned.map_err(io::Error::other)??,
        })
    }

    /// Whether it has let go of its end, which it does when it ends.
    fn is_gone(&self) -> bool {
        let flags = RecvFlags::PEEK | RecvFlags::DONTWAIT;
        matches!(
            recv(&self.orders, &mut [0_u8; 1][..], flags),
            Ok((0, _)) | Err(Errno::CONNRESET)
        )
    }

    /// Without a wait: it is a byte, and fewer launches are under way than there is room for.
    fn give(&self, connection: &OwnedFd) -> io::Result<()> {
        let descriptors = [connection.as_fd()];
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut control = SendAncillaryBuffer::new(&mut space);
        if !control.push(SendAncillaryMessage::ScmRights(&descriptors)) {
            return Err(Errno::NOBUFS.into());
        }
        let flags = SendFlags::NOSIGNAL | SendFlags::DONTWAIT;
        sendmsg(&self.orders, &[IoSlice::new(b"+")], &mut control, flags)?;
        Ok(())
    }
}

/// Whether this is how it looks when the other side is gone.
fn has_ended(error: &io::Error) -> bool {
    let gone = [
        io::ErrorKind::UnexpectedEof,
        io::ErrorKind::ConnectionReset,
        io::ErrorKind::BrokenPipe,
    ];
    gone.contains(&error.kind())
}
