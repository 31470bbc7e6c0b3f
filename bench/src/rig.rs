//! What every scenario stands on: the instant model, the floor, and a server of its own with empty data.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context;
use hostler_sandbox::kill_all;
use rustix::process::{Pid, Signal, WaitOptions, kill_process, waitpid};
use tempfile::TempDir;

use crate::api::Api;
use crate::client::EventStream;
use crate::counters;
use crate::floor::Floor;
use crate::model::Model;
use crate::options::Options;
use crate::server::{Server, Starting, last_lines};

/// A turn of the instant model that is not over by then hangs.
pub(crate) const TURN_WAIT: Duration = Duration::from_secs(60);

#[derive(Debug)]
pub(crate) struct Rig<'a> {
    pub(crate) options: &'a Options,
    pub(crate) model: Model,
    pub(crate) floor: Floor,
    binary: PathBuf,
    folder: TempDir,
}

impl<'a> Rig<'a> {
    pub(crate) async fn new(options: &'a Options) -> anyhow::Result<Self> {
        let folder = tempfile::Builder::new()
            .prefix("hostler-bench-")
            .tempdir_in(options.folder()?)
            .context("a folder for the data")?;
        Ok(Self {
            options,
            model: Model::start().await?,
            floor: Floor::new(folder.path())?,
            binary: options.server()?,
            folder,
        })
    }

    /// Before the first start: servers here make no sandbox ahead, so that processes are those of sessions.
    pub(crate) fn without_pool(&self) -> anyhow::Result<()> {
        std::fs::create_dir_all(self.data())?;
        let settings = "[sandbox]\npool = 0\n";
        Ok(std::fs::write(self.data().join("hostler.toml"), settings)?)
    }

    pub(crate) async fn start(&self) -> anyhow::Result<Server> {
        Server::start(&self.binary, &self.data(), &self.model).await
    }

    pub(crate) async fn start_with_api(&self) -> anyhow::Result<(Server, Api)> {
        let server = self.start().await?;
        let api = Api::new(server.target.clone()).await?;
        Ok((server, api))
    }

    /// Not yet ready, so that it can be killed before that too.
    pub(crate) fn spawn(&self) -> anyhow::Result<Starting> {
        Starting::spawn(&self.binary, &self.data(), &self.model)
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn last_lines(&self) -> String {
        last_lines(&self.data())
    }

    /// Ends what the server left running, such as sandboxes that outlive it, and names it. All of them descend
    /// from the driver, so nobody else's process can be hit.
    pub(crate) fn end_descendants(&self) -> anyhow::Result<Vec<String>> {
        let left = counters::descendants_of_driver()?;
        let names = left
            .iter()
            .map(|process| counters::name_of(*process))
            .collect();
        // Their control groups go too, which take more of the kernel's memory than one would think.
        for folder in [self.data(), self.folder().to_owned()] {
            kill_all(&folder.join("sandboxes"))?;
        }
        for process in left {
            if let Some(process) = i32::try_from(process).ok().and_then(Pid::from_raw) {
                // It may have ended by itself, and it may be a child of another that ends with it.
                let _ = kill_process(process, Signal::KILL);
                let _ = waitpid(Some(process), WaitOptions::empty());
            }
        }
        Ok(names)
    }
}

/// Waits for the end of a turn.
pub(crate) async fn idle(stream: &mut EventStream) -> anyhow::Result<()> {
    let ends = [
        "session.status_idle",
        "session.status_terminated",
        "session.error",
    ];
    let frame = tokio::time::timeout(TURN_WAIT, stream.wait_for(&ends))
        .await
        .with_context(|| format!("no end of a turn within {TURN_WAIT:?}"))??;
    anyhow::ensure!(
        frame.event == "session.status_idle",
        "{}: {}",
        frame.event,
        frame.data
    );
    Ok(())
}
