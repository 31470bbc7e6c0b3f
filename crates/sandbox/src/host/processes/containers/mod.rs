//! Containers of an engine that speaks Docker's API: Docker itself, or Podman.
//!
//! The engine makes a container per sandbox, with our agent as its first process, and is asked
//! again only to end it: calls go to the agent directly. A stopped container is kept with what
//! was changed in its own files, and started again. What an engine has for this state directory
//! and nobody knows is removed at the start.

mod about;
mod api;
mod body;
mod ready;
mod record;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde_json::Value;
use tokio::time::timeout;

use self::about::About;
use self::api::{Answer, Api};
use self::body::{FORM_LABEL, Form, STATE_LABEL};
use self::ready::Ready;
use self::record::ContainerRecord;
use super::super::agent_socket::{AgentSocket, Found};
use super::super::connection::answers_ping;
use super::super::removal::remove_tree;
use super::super::state_dir::StateDir;
use super::super::{Docker, HostOptions};
use super::program;
use crate::container::{self, AGENT_ARGUMENT, AgentAnswer, AgentOrder};
use crate::error::SandboxError;
use crate::isolation::{DiskLimit, IsolationReport, LimitSource, Mode};
use crate::launcher::order::LaunchOrder;
use crate::launcher::record::ProcessRecord;
use crate::limits::{CONTAINER_LOG_BYTES_MAX, LAST_ANSWER_TIME_MAX, PROTOCOL_VERSION};
use crate::spec::NetworkAccess;

/// The directory of a sandbox that its container knows as the one to talk through.
const TALK: &str = "talk";
/// And the one that its shells leave something in.
const MEMORY: &str = "memory";

pub(in super::super) struct Containers {
    api: Api,
    docker: Docker,
    /// Where the program is, and the words that start it.
    program_directory: PathBuf,
    program: Vec<String>,
    about: About,
    state_label: String,
}

impl Containers {
    /// Prepares what all containers of this host share, and removes those that nobody knows.
    pub(super) async fn start(
        docker: &Docker,
        options: &HostOptions,
        state: &StateDir,
    ) -> io::Result<Self> {
        let api = Api::at(&docker.engine);
        let about = About::ask(&api).await?;
        let program_directory = state.program_directory();
        let (launcher, directory) = (options.launcher.clone(), program_directory.clone());
        let program = tokio::task::spawn_blocking(move || program::prepare(&launcher, &directory));
        let containers = Self {
            api,
            docker: docker.clone(),
            program_directory,
            program: {
                let mut words = program.await.map_err(io::Error::other)??;
                words.push(AGENT_ARGUMENT.to_owned());
                words
            },
            about,
            state_label: state.unique_label(),
        };
        containers.remove_strangers(state).await?;
        Ok(containers)
    }

    async fn remove_strangers(&self, state: &StateDir) -> io::Result<()> {
        let label = format!("{STATE_LABEL}={}", self.state_label);
        // {"label":["…"]}, escaped.
        let path = format!(
            "/containers/json?all=true&filters=%7B%22label%22%3A%5B%22{}%22%5D%7D",
            label.replace('=', "%3D")
        );
        let list = succeeded(self.api.get(&path).await?, "list its containers")?.json()?;
        let known: Vec<String> = state
            .names()?
            .iter()
            .map(|name| state.cgroup_name(name))
            .collect();
        for container in list.as_array().into_iter().flatten() {
            let id = container["Id"].as_str().unwrap_or_default();
            let names = container["Names"].as_array().into_iter().flatten();
            let is_known = names
                .filter_map(Value::as_str)
                .any(|name| known.iter().any(|known| known == name.trim_matches('/')));
            if !is_known && !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_hexdigit()) {
                self.remove(id).await?;
            }
        }
        Ok(())
    }

    pub(super) async fn launch(
        &self,
        order: &LaunchOrder,
        sandbox: &str,
    ) -> Result<IsolationReport, SandboxError> {
        let unavailable = |error: io::Error| SandboxError::Unavailable {
            reason: error.to_string(),
        };
        let launched = self.launch_or_say_why(order, sandbox).await;
        let found = launched.map_err(unavailable)?;
        Ok(IsolationReport {
            mode: Mode::Container,
            user_namespace: found.user_namespace,
            seccomp: found.seccomp,
            no_new_privileges: found.no_new_privileges,
            landlock_abi: found.landlock_abi,
            cgroup_kill: false,
            memory_limit: found.memory_limit,
            process_limit: found.process_limit,
            cpu_limit: found.cpu_limit,
            disk_limit: found.disk_limit,
            inode_limit: DiskLimit::None,
            open_files_limit: LimitSource::Rlimit,
            network: found.network,
        })
    }

    async fn launch_or_say_why(
        &self,
        order: &LaunchOrder,
        sandbox: &str,
    ) -> io::Result<container::Found> {
        if order.spec.network == NetworkAccess::Gateway && !self.about.user.starts_with("0:") {
            return Err(io::Error::other(
                "a container of a server that is not root can have no gateway: set network.mode to \
                 \"none\", or run the server as root",
            ));
        }
        let name = &order.cgroup_name;
        let ready = self.prepare_talk(order).await?;
        let body = Form {
            docker: &self.docker,
            limits: &order.limits,
            directory: &order.directory,
            program_directory: &self.program_directory,
            program: &self.program,
            about: &self.about,
            network: order.spec.network,
            state_label: &self.state_label,
            sandbox,
        }
        .body();
        // The next one has another, if any that can be seen from here.
        ProcessRecord::forget(&order.directory)?;
        // First, so that no container runs without one.
        ContainerRecord::new(name, self.api.socket()).save(&order.directory)?;
        let is_kept = self.is_kept(name, &body).await?;
        if !is_kept {
            self.create(name, &body).await?;
        }
        let found = self.run(name, &order.directory, &ready).await;
        if found.is_err() && !is_kept {
            // A new one that does not work is of no use to anybody.
            self.remove(name).await?;
        }
        found
    }

    async fn run(
        &self,
        name: &str,
        directory: &Path,
        ready: &Ready,
    ) -> io::Result<container::Found> {
        let path = format!("/containers/{name}/start");
        let started = self.api.post(&path, None).await?;
        let image = &self.docker.image;
        succeeded(started, &format!("start a container of the image {image}"))?;
        let wait = format!("/containers/{name}/wait");
        let mut answer = std::pin::pin!(ready.answer());
        let (answer, pid) = tokio::select! {
            answer = &mut answer => answer?,
            ended = self.api.post_and_wait(&wait) => {
                ended?;
                // It may have said why, and what was said may not have been read yet.
                match timeout(LAST_ANSWER_TIME_MAX, answer).await {
                    Ok(Ok(answer)) => answer,
                    Ok(Err(_)) | Err(_) => return Err(self.ended_at_once(name).await),
                }
            }
        };
        match answer {
            AgentAnswer::Ready(found) => {
                if let Some(pid) = pid {
                    // For those who look at a sandbox without its host. One that ended since is
                    // found to be gone.
                    let _ = ProcessRecord::of(pid, Vec::new())
                        .and_then(|record| record.save(directory));
                }
                Ok(found)
            }
            AgentAnswer::Failed { reason } => Err(io::Error::other(format!(
                "in a container of the image {image}: {reason}"
            ))),
        }
    }

    /// Makes the directory anew: what the sandbox left there could lead anywhere.
    async fn prepare_talk(&self, order: &LaunchOrder) -> io::Result<Ready> {
        let talk = order.directory.join(TALK);
        let memory = order.directory.join(MEMORY);
        let order = AgentOrder {
            limits: order.limits.clone(),
            spec: order.spec.clone(),
            orphan_check: order.orphan_check,
        };
        let prepare = move || {
            ready::make_directory(&memory)?;
            match fs::symlink_metadata(&talk) {
                Ok(_) => {
                    remove_tree(&talk)?;
                    fs::remove_dir(&talk)?;
                }
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
            ready::make_talk_directory(&talk, &order)
        };
        let listener = tokio::task::spawn_blocking(prepare).await;
        Ready::listen(listener.map_err(io::Error::other)??)
    }

    /// Whether there is a container of this name that was made just so; another is removed.
    async fn is_kept(&self, name: &str, body: &Value) -> io::Result<bool> {
        let found = self.api.get(&format!("/containers/{name}/json")).await?;
        if found.status == 404 {
            return Ok(false);
        }
        let found = succeeded(found, "look at a container")?.json()?;
        let labels = &found["Config"]["Labels"];
        if labels[FORM_LABEL] == body["Labels"][FORM_LABEL] {
            return Ok(true);
        }
        self.remove(name).await?;
        Ok(false)
    }

    async fn create(&self, name: &str, body: &Value) -> io::Result<()> {
        let path = format!("/containers/create?name={name}");
        let created = self.api.post(&path, Some(body)).await?;
        let image = &self.docker.image;
        if created.status == 404 {
            let engine = self.api.socket().display();
            return Err(io::Error::other(format!(
                "the container engine at {engine} does not have the image {image}: pull it, or \
                 name another one as sandbox.docker.image ({})",
                created.reason()
            )));
        }
        succeeded(created, &format!("make a container of the image {image}")).map(drop)
    }

    async fn ended_at_once(&self, name: &str) -> io::Error {
        let said = self.last_words(name).await;
        let image = &self.docker.image;
        io::Error::other(format!(
            "its program in the image {image} ended at once: {said}"
        ))
    }

    /// What the program said before it ended, as the engine kept it.
    async fn last_words(&self, name: &str) -> String {
        let path = format!("/containers/{name}/logs?stdout=1&stderr=1&tail=20");
        let kept = match self.api.get(&path).await {
            Ok(kept) => kept,
            Err(error) => return error.to_string(),
        };
        // Each piece has a head of eight bytes that begins with the number of the stream.
        let bytes = kept.body.iter().take(CONTAINER_LOG_BYTES_MAX).copied();
        let bytes: Vec<u8> = bytes.filter(|byte| *byte >= b' ').collect();
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if text.is_empty() {
            "it said nothing".to_owned()
        } else {
            text
        }
    }

    /// Ends what runs and keeps the container.
    pub(super) async fn end(&self, name: &str) -> io::Result<()> {
        let stopped = self.api.post(&stop_path(name), None).await?;
        // There is none, or none that runs.
        if matches!(stopped.status, 304 | 404) {
            return Ok(());
        }
        succeeded(stopped, "stop a container").map(drop)
    }

    pub(super) async fn remove(&self, name: &str) -> io::Result<()> {
        let path = format!("/containers/{name}?force=true&v=true");
        let removed = self.api.delete(&path).await?;
        if removed.status == 404 {
            return Ok(());
        }
        succeeded(removed, "remove a container").map(drop)
    }
}

fn stop_path(name: &str) -> String {
    format!("/containers/{name}/stop?t=0")
}

/// Its directory is the sandbox's own, so that whoever listens there has to be the process that
/// was the first one, if that can be seen from here.
pub(super) fn agent_socket(directory: &Path) -> io::Result<AgentSocket> {
    let first_process = ProcessRecord::load(directory)?.map(|record| record.pid());
    AgentSocket::of_process(&directory.join(TALK), first_process)
}

pub(super) async fn are_running(directory: &Path) -> bool {
    let Ok(Some(record)) = ContainerRecord::load(directory) else {
        return false;
    };
    if record.protocol != PROTOCOL_VERSION {
        return false;
    }
    match agent_socket(directory) {
        Ok(agent) => answers_ping(&agent).await,
        Err(_) => false,
    }
}

pub(super) fn were_launched(directory: &Path) -> bool {
    !matches!(ContainerRecord::load(directory), Ok(None))
}

/// Somebody listens there: cheaper than to ask the engine, and as true.
pub(super) fn seem_alive(directory: &Path) -> bool {
    match agent_socket(directory).and_then(|agent| agent.connect_at_once()) {
        Ok(Found::Connected(_) | Found::Busy) => true,
        Err(_) => false,
    }
}

/// For [`super::super::kill_all`]: whether a container was there to be stopped.
pub(in super::super) fn stop_blocking(directory: &Path) -> io::Result<bool> {
    let Some(record) = ContainerRecord::load(directory)? else {
        return Ok(false);
    };
    let stopped = Api::at(&record.engine).post_blocking(&stop_path(&record.name))?;
    if matches!(stopped.status, 304 | 404) {
        return Ok(false);
    }
    succeeded(stopped, "stop a container").map(|_| true)
}

fn succeeded(answer: Answer, what: &str) -> io::Result<Answer> {
    if answer.is_success() {
        Ok(answer)
    } else {
        let reason = answer.reason();
        Err(io::Error::other(format!(
            "the container engine did not {what}: {reason}"
        )))
    }
}
