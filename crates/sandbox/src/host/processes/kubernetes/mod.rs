//! Pods of a Kubernetes cluster, one for each sandbox.
//!
//! The server reaches a pod through the API only: it needs no route into the network of the
//! cluster, and nothing in a pod listens on an address. The files of a sandbox are in its pod as
//! long as there is one, and in its directory here when it was stopped; a pod that is lost takes
//! along what was written since. What the cluster has for this installation and nobody knows is
//! deleted at the start.

mod api;
mod body;
mod exec;
mod link;
mod record;
mod seen;
mod websocket;

use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use reqwest::StatusCode;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::timeout;

use self::api::{Api, text};
use self::body::{Form, INSTALLATION_LABEL, TOOLS, pod_name};
use self::exec::Exec;
pub(in super::super) use self::link::PodLink;
use self::record::PodRecord;
use self::seen::{Life, Pod, Watching};
use super::super::agent_socket::AgentSocket;
use super::super::checkpoint::pack_directory;
use super::super::connection::{answers_ping, ask_to_end};
use super::super::state_dir::StateDir;
use super::super::{HostOptions, Kubernetes};
use crate::container::{AgentAnswer, AgentOrder, Found};
use crate::error::SandboxError;
use crate::isolation::{DiskLimit, IsolationReport, LimitSource, Mode};
use crate::launcher::order::LaunchOrder;
use crate::limits::{
    AGENT_END_TIME_MAX, LAUNCH_ANSWER_BYTES_MAX, LAUNCH_ORDER_BYTES_MAX, LAUNCH_TIME_MAX,
    LAUNCHES_MAX, POD_START_TIME_MAX, PROTOCOL_VERSION,
};
use crate::spec::NetworkAccess;
use crate::wire::{encode, frame_length};

pub(in super::super) struct InPods {
    cluster: Arc<Cluster>,
    kubernetes: Kubernetes,
    installation: String,
    /// The words that start our program in an image that knows nothing of it.
    program: Vec<String>,
    seen: watch::Receiver<seen::Pods>,
    launches: Semaphore,
    /// Ends with this.
    _watching: JoinSet<()>,
}

struct Cluster {
    api: Api,
    agent_program: String,
    /// What joins connections to pods. They end by themselves, or with this.
    joining: Mutex<JoinSet<()>>,
}

impl Cluster {
    async fn connect(&self, pod: &str) -> io::Result<UnixStream> {
        let exec = Exec::start(&self.api, pod, &self.agent_program).await?;
        let (near, far) = UnixStream::pair()?;
        let mut joining = self.joining.lock().unwrap_or_else(PoisonError::into_inner);
        while joining.try_join_next().is_some() {}
        joining.spawn(exec.join(far));
        Ok(near)
    }
}

impl InPods {
    pub(super) async fn start(
        kubernetes: &Kubernetes,
        options: &HostOptions,
        state: &StateDir,
    ) -> io::Result<Self> {
        let api = Api::new(&kubernetes.api, &kubernetes.namespace)?;
        let (root, launcher) = (state.root().to_owned(), options.launcher.clone());
        let prepared = tokio::task::spawn_blocking(move || {
            let installation = record::installation(&root)?;
            Ok::<_, io::Error>((installation, super::program::words(&launcher)?))
        });
        let (installation, program) = prepared.await.map_err(io::Error::other)??;
        let selector = format!("{INSTALLATION_LABEL}={installation}");
        let (watching, seen, version) = Watching::begin(api.clone(), selector).await?;
        let mut tasks = JoinSet::new();
        tasks.spawn(watching.go_on(version));
        let pods = Self {
            cluster: Arc::new(Cluster {
                api,
                agent_program: kubernetes.agent_program.clone(),
                joining: Mutex::default(),
            }),
            kubernetes: kubernetes.clone(),
            installation,
            program,
            seen,
            launches: Semaphore::new(LAUNCHES_MAX),
            _watching: tasks,
        };
        pods.delete_strangers(state).await?;
        Ok(pods)
    }

    async fn delete_strangers(&self, state: &StateDir) -> io::Result<()> {
        let known = state.names()?;
        let seen = self.seen.borrow().clone();
        for (pod, of) in seen {
            if !known.iter().any(|name| name.as_str() == of.sandbox) {
                self.delete(&pod).await?;
            }
        }
        Ok(())
    }

    fn pod_of(&self, directory: &Path) -> String {
        let sandbox = directory.file_name().unwrap_or_default();
        pod_name(&self.installation, &sandbox.to_string_lossy())
    }

    pub(super) fn link(&self, directory: &Path) -> PodLink {
        PodLink {
            cluster: Arc::clone(&self.cluster),
            pod: self.pod_of(directory),
        }
    }

    fn life_of(&self, pod: &str) -> Option<Life> {
        self.seen.borrow().get(pod).map(|pod| pod.life.clone())
    }

    pub(super) async fn launch(
        &self,
        order: &LaunchOrder,
        sandbox: &str,
    ) -> Result<IsolationReport, SandboxError> {
        let Ok(_turn) = self.launches.acquire().await else {
            return Err(SandboxError::lost("the server is closing"));
        };
        let pod = self.pod_of(&order.directory);
        let launched = self.launch_or_say_why(order, sandbox, &pod).await;
        let found = match launched {
            Ok(found) => found,
            Err(error) => {
                // It is of no use to anybody. If it cannot be deleted now, the next start or
                // the next launch does it.
                let _ = self.delete(&pod).await;
                let reason = error.to_string();
                return Err(SandboxError::Unavailable { reason });
            }
        };
        Ok(IsolationReport {
            mode: Mode::Pod,
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
        pod: &str,
    ) -> io::Result<Found> {
        if order.spec.network == NetworkAccess::Gateway {
            return Err(io::Error::other(
                "a pod can have no gateway yet, and so no network: set network.mode to \"none\"",
            ));
        }
        // First, so that no pod runs without one.
        let api = &self.cluster.api;
        PodRecord::new(pod, api.namespace(), api.place()).save(&order.directory)?;
        let uid = self.create(order, sandbox, pod).await?;
        self.wait_until_it_runs(pod, &uid).await?;
        let link = self.link(&order.directory);
        let directory = order.directory.clone();
        link.unpack(move |out| pack_directory(&directory, out, &|| Ok(())).map(drop))
            .await?;
        let answer = timeout(LAUNCH_TIME_MAX, give_order(&link, order)).await;
        match answer.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))? {
            AgentAnswer::Ready(found) => {
                note_files_at(&order.directory, Home::InPod)?;
                Ok(found)
            }
            AgentAnswer::Failed { reason } => Err(io::Error::other(format!(
                "in a pod of the image {}: {reason}",
                self.kubernetes.image
            ))),
        }
    }

    /// Answers which one it is. One of the same name that is still there goes first.
    async fn create(&self, order: &LaunchOrder, sandbox: &str, pod: &str) -> io::Result<String> {
        let body = Form {
            kubernetes: &self.kubernetes,
            limits: &order.limits,
            installation: &self.installation,
            sandbox,
            program: &self.program,
        }
        .body();
        let mut created = self.cluster.api.create(&body).await?;
        if created.status == StatusCode::CONFLICT {
            self.delete(pod).await?;
            self.wait(pod, AGENT_END_TIME_MAX, |found| {
                found.is_none().then_some(())
            })
            .await?;
            created = self.cluster.api.create(&body).await?;
        }
        let created = created.succeeded("make a pod")?;
        Ok(text(&created["metadata"]["uid"]))
    }

    async fn wait_until_it_runs(&self, pod: &str, uid: &str) -> io::Result<()> {
        let ended = |why: &str| Some(Err(io::Error::other(format!("the pod {pod}: {why}"))));
        let look = |found: Option<&Pod>| match &found.filter(|found| found.uid == uid)?.life {
            Life::Runs => Some(Ok(())),
            Life::Begins(_) => None,
            Life::CannotBegin(why) | Life::HasOnlyFiles(why) | Life::IsOver(why) => ended(why),
        };
        match self.wait(pod, POD_START_TIME_MAX, look).await {
            Ok(found) => found,
            Err(error) => match self.life_of(pod) {
                Some(Life::Begins(Some(why))) => {
                    Err(io::Error::other(format!("the pod {pod}: {error}: {why}")))
                }
                Some(_) | None => Err(io::Error::other(format!("the pod {pod}: {error}"))),
            },
        }
    }

    async fn wait<T>(
        &self,
        pod: &str,
        limit: Duration,
        look: impl Fn(Option<&Pod>) -> Option<T>,
    ) -> io::Result<T> {
        let mut seen = self.seen.clone();
        let found = async {
            loop {
                if let Some(found) = look(seen.borrow_and_update().get(pod)) {
                    return Ok(found);
                }
                seen.changed().await.map_err(io::Error::other)?;
            }
        };
        let late = || io::Error::other(format!("not there within {} s", limit.as_secs()));
        timeout(limit, found).await.unwrap_or_else(|_| Err(late()))
    }

    /// Ends its pod, with the files in it.
    pub(super) async fn end(&self, directory: &Path) -> io::Result<()> {
        let pod = self.pod_of(directory);
        let was_never = matches!(PodRecord::load(directory), Ok(None));
        if was_never && self.life_of(&pod).is_none() {
            return Ok(());
        }
        self.delete(&pod).await
    }

    async fn delete(&self, pod: &str) -> io::Result<()> {
        let deleted = self.cluster.api.delete(pod).await?;
        if deleted.status == StatusCode::NOT_FOUND {
            return Ok(());
        }
        deleted.succeeded("delete a pod").map(drop)
    }

    pub(super) async fn are_running(&self, directory: &Path) -> bool {
        let record = PodRecord::load(directory);
        let is_ours = matches!(record, Ok(Some(record)) if record.protocol == PROTOCOL_VERSION);
        is_ours && self.seem_alive(directory) && answers_ping(&self.agent_socket(directory)).await
    }

    pub(super) fn seem_alive(&self, directory: &Path) -> bool {
        self.life_of(&self.pod_of(directory)) == Some(Life::Runs)
    }

    pub(super) fn agent_socket(&self, directory: &Path) -> AgentSocket {
        AgentSocket::in_pod(self.link(directory))
    }

    /// Ends the agent and all that it started, and gives the files. `None`: there is no pod that
    /// has any.
    pub(super) async fn files(&self, directory: &Path) -> io::Result<Option<PodLink>> {
        let pod = self.pod_of(directory);
        if self.life_of(&pod) == Some(Life::Runs) {
            ask_to_end(&self.agent_socket(directory)).await;
            let runs = |found: Option<&Pod>| found.is_some_and(|found| found.life == Life::Runs);
            let ended = self.wait(&pod, AGENT_END_TIME_MAX, |found| {
                (!runs(found)).then_some(())
            });
            if let Err(error) = ended.await {
                // Its files are packed as they are: better than none.
                tracing::warn!(pod, %error, "the agent of a pod does not end");
            }
        }
        match self.life_of(&pod) {
            Some(Life::HasOnlyFiles(_) | Life::Runs) => Ok(Some(self.link(directory))),
            Some(Life::Begins(_) | Life::CannotBegin(_) | Life::IsOver(_)) | None => Ok(None),
        }
    }
}

async fn give_order(link: &PodLink, order: &LaunchOrder) -> io::Result<AgentAnswer> {
    let order = AgentOrder {
        limits: order.limits.clone(),
        spec: order.spec.clone(),
        orphan_check: order.orphan_check,
    };
    let mut agent = link.agent().await?;
    let order = encode(&order, LAUNCH_ORDER_BYTES_MAX)?;
    agent.write_all(&order).await?;
    let mut header = [0; 4];
    agent.read_exact(&mut header).await?;
    let length = frame_length(&header, LAUNCH_ANSWER_BYTES_MAX)?;
    let mut answer = vec![0; length];
    agent.read_exact(&mut answer).await?;
    Ok(serde_json::from_slice(&answer)?)
}

pub(super) fn were_launched(directory: &Path) -> bool {
    !matches!(PodRecord::load(directory), Ok(None))
}

/// Whoever has no host cannot get in, and has other tools that do.
pub(super) fn refusal_to_visit(directory: &Path) -> io::Result<Option<io::Error>> {
    let record = PodRecord::load(directory)?.filter(|record| !record.has_files_at_home);
    let refusal = |record: PodRecord| {
        io::Error::other(format!(
            "it is in a pod; use `kubectl exec -it -n {} {} -c {TOOLS} -- /bin/bash`",
            record.namespace, record.name
        ))
    };
    Ok(record.map(refusal))
}

/// Whether the newest files of a sandbox are in its directory: it has no pod, or what the pod had
/// was fetched.
pub(super) fn are_files_at_home(directory: &Path) -> bool {
    match PodRecord::load(directory) {
        Ok(Some(record)) => record.has_files_at_home,
        Ok(None) => true,
        Err(_) => false,
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Home {
    Here,
    InPod,
}

pub(super) fn note_files_at(directory: &Path, home: Home) -> io::Result<()> {
    let Some(mut record) = PodRecord::load(directory)? else {
        return Ok(());
    };
    record.has_files_at_home = home == Home::Here;
    record.save(directory)?;
    File::open(directory)?.sync_all()
}

/// For [`super::super::kill_all`]: whether a pod was there to be deleted.
pub(in super::super) fn delete_blocking(directory: &Path) -> io::Result<bool> {
    let Some(record) = PodRecord::load(directory)? else {
        return Ok(false);
    };
    let delete = move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        runtime.block_on(async {
            let api = Api::new(&record.api, &record.namespace)?;
            let deleted = api.delete(&record.name).await?;
            if deleted.status == StatusCode::NOT_FOUND {
                return Ok(false);
            }
            deleted.succeeded("delete a pod").map(|_| true)
        })
    };
    // Whoever asks may be in a runtime already, where there must not be a second one.
    let deleting = std::thread::spawn(delete).join();
    deleting.map_err(|_| io::Error::other("the deletion of a pod broke off"))?
}
