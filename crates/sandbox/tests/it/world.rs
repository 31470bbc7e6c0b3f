//! A host with one sandbox, for a test to use and to clean up.

use std::fs;
use std::future::Future;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use hostler_sandbox::{
    Backend, Call, DiskChoice, HostOptions, NetworkAccess, Opened, Output, Provenance, Sandbox,
    SandboxHost, SandboxName, Spec, Tool, kill_all,
};
use serde_json::Value;
use tempfile::TempDir;

pub(crate) struct World {
    /// First, so that the state is still there when it is dropped.
    pub(crate) clean_up: CleanUp,
    pub(crate) host: SandboxHost,
    pub(crate) sandbox: Sandbox,
    pub(crate) state: TempDir,
    /// Where the files of a sandbox that runs are, if not in the state directory.
    pub(crate) elsewhere: Option<Arc<dyn Elsewhere>>,
    options: HostOptions,
}

/// A place that sandboxes run at, which is not this machine as far as their host knows.
pub(crate) trait Elsewhere: Send + Sync {
    /// The directory that has those of a sandbox.
    fn files_of(&self, state_dir: &Path, name: &str) -> PathBuf;
    /// Ends its processes behind its host's back.
    fn kill(&self, state_dir: &Path, name: &str);
}

/// Destroys all sandboxes of a host, also when a test fails.
pub(crate) struct CleanUp(Option<SandboxHost>);

impl CleanUp {
    pub(crate) fn of(host: &SandboxHost) -> Self {
        Self(Some(host.clone()))
    }

    /// Somebody else does it.
    pub(crate) fn forgotten(mut self) {
        self.0 = None;
    }
}

impl Drop for CleanUp {
    fn drop(&mut self) {
        let Some(host) = self.0.take() else { return };
        apart(async move {
            host.empty_pool().await.expect("the pool is emptied");
            for listed in host.list().await.expect("a list") {
                host.destroy(&listed.name)
                    .await
                    .expect("it can be destroyed");
            }
            drop(host);
        });
    }
}

/// Runs a future to its end where no runtime can be entered.
fn apart(work: impl Future<Output = ()> + Send + 'static) {
    let run = move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build();
        runtime.expect("a runtime").block_on(work);
    };
    std::thread::spawn(run).join().expect("the clean-up works");
}

pub(crate) fn name(text: &str) -> SandboxName {
    text.parse().expect("a valid name")
}

pub(crate) fn options(state: &TempDir) -> HostOptions {
    let mut options = HostOptions::new(state.path().join("state"));
    options.launcher = PathBuf::from(env!("CARGO_BIN_EXE_hostler-sandbox-init"));
    options.limits.tmp_bytes = 128 << 20;
    options.limits.memory_bytes = 1 << 30;
    if with_images() {
        in_an_image(&mut options);
    }
    if is_set(FROM_THE_POOL) {
        from_the_pool(&mut options);
    }
    options
}

/// Bounds the disk of all sandboxes as a whole, which only root can.
pub(crate) fn in_an_image(options: &mut HostOptions) {
    options.limits.disk_bytes = Some(1 << 30);
    options.disk = DiskChoice::Image;
}

/// The sandbox of a [`World`] is claimed from a pool.
pub(crate) fn from_the_pool(options: &mut HostOptions) {
    options.pool = 1;
}

/// Where the tests run as root, they have images; a container that hides loop devices cannot.
pub(crate) fn images_can_be_had() -> bool {
    let can = rustix::process::geteuid().is_root();
    if can && !Path::new("/dev/loop-control").exists() {
        eprintln!("there are no loop devices here: images are not tested");
        return false;
    }
    can
}

/// Set where this suite runs itself once more with images for disks.
pub(crate) const WITH_IMAGES: &str = "HOSTLER_TEST_WITH_IMAGES";

/// Set where this suite runs itself once more with sandboxes that were made ahead.
pub(crate) const FROM_THE_POOL: &str = "HOSTLER_TEST_FROM_THE_POOL";

fn with_images() -> bool {
    is_set(WITH_IMAGES)
}

#[expect(
    clippy::disallowed_methods,
    reason = "the harness of tests has no other way to pass something to a suite"
)]
fn is_set(variable: &str) -> bool {
    std::env::var_os(variable).is_some()
}

pub(crate) fn behind_a_gateway() -> Spec {
    Spec {
        network: NetworkAccess::Gateway,
        ..Spec::default()
    }
}

impl World {
    pub(crate) async fn new() -> Self {
        Self::with_backend(Backend::Local).await
    }

    pub(crate) async fn with_gateway() -> Self {
        let state = tempfile::tempdir().expect("a directory for the state");
        let options = options(&state);
        Self::with_spec(state, options, behind_a_gateway()).await
    }

    pub(crate) async fn with_backend(backend: Backend) -> Self {
        let state = tempfile::tempdir().expect("a directory for the state");
        let mut options = options(&state);
        options.backend = backend;
        Self::with_options(state, options).await
    }

    pub(crate) async fn with_options(state: TempDir, options: HostOptions) -> Self {
        Self::with_spec(state, options, Spec::default()).await
    }

    async fn with_spec(state: TempDir, options: HostOptions, spec: Spec) -> Self {
        let host = SandboxHost::start(options.clone())
            .await
            .expect("this host makes sandboxes");
        if host.has_pool() {
            host.make_ahead(&spec).await.expect("one is made ahead");
            assert_eq!(host.pooled(), 1);
        }
        let Opened {
            sandbox,
            provenance,
            ..
        } = host.open(&name("one"), &spec).await.expect("a sandbox");
        assert_eq!((provenance, host.pooled()), (Provenance::Created, 0));
        let clean_up = CleanUp(Some(host.clone()));
        Self {
            host,
            sandbox,
            state,
            options,
            elsewhere: None,
            clean_up,
        }
    }

    pub(crate) async fn open_again(&self) -> Opened {
        let opened = self.host.open(&name("one"), &Spec::default()).await;
        opened.expect("a sandbox")
    }

    /// Uses the sandbox no longer.
    pub(crate) fn let_go(self) -> (SandboxHost, TempDir, CleanUp) {
        (self.host, self.state, self.clean_up)
    }

    /// The server is gone and another one starts on the same directory.
    pub(crate) async fn restart_server(self) -> (SandboxHost, TempDir) {
        let Self {
            host,
            sandbox,
            state,
            options,
            mut clean_up,
            elsewhere: _,
        } = self;
        clean_up.0 = None;
        drop((host, sandbox, clean_up));
        let host = SandboxHost::start(options)
            .await
            .expect("the next server starts");
        (host, state)
    }

    /// Runs a tool by its wire name and input.
    pub(crate) async fn tool(&self, tool: &str, input: Value) -> Output {
        let tool = Tool::parse(tool, &input).expect("a valid input");
        let call = Call {
            id: "call_1".to_owned(),
            tool,
        };
        self.sandbox.run(call).await.expect("the sandbox answers")
    }

    pub(crate) async fn bash(&self, command: &str) -> Output {
        bash(&self.sandbox, command).await
    }

    /// The output of a command that must succeed.
    pub(crate) async fn sh(&self, command: &str) -> String {
        let output = self.bash(command).await;
        assert!(!output.is_error, "{command}: {output:?}");
        output.joined_text().trim_end().to_owned()
    }

    /// Where the files of the sandbox are on the host.
    pub(crate) fn on_host(&self, path: &str) -> PathBuf {
        match &self.elsewhere {
            Some(elsewhere) => elsewhere
                .files_of(&self.options.state_dir, "one")
                .join(path),
            None => on_host(&self.options.state_dir.join("boxes/one"), path),
        }
    }

    /// Its processes end as by accident.
    pub(crate) async fn kill(&self) {
        let state_dir = self.options.state_dir.clone();
        let elsewhere = self.elsewhere.clone();
        let kill = move || match elsewhere {
            Some(elsewhere) => elsewhere.kill(&state_dir, "one"),
            None => assert_eq!(kill_all(&state_dir).expect("it can be killed"), 1),
        };
        tokio::task::spawn_blocking(kill).await.expect("it is done");
    }

    /// Where a sandbox's commands start, as they see it.
    pub(crate) fn inside(&self) -> String {
        self.inside_of(&name("one"))
    }

    pub(crate) fn inside_of(&self, name: &SandboxName) -> String {
        match &self.options.backend {
            Backend::Local | Backend::Docker(_) | Backend::Kubernetes(_) => "/workspace".to_owned(),
            Backend::UnsafeProcess => {
                let boxes = self.options.state_dir.join("boxes");
                format!("{}/workspace", boxes.join(name.as_str()).display())
            }
        }
    }

    pub(crate) async fn end(self) {
        self.host
            .destroy(&name("one"))
            .await
            .expect("it can be destroyed");
        assert_eq!(self.host.list().await.expect("a list"), []);
    }
}

pub(crate) async fn bash(sandbox: &Sandbox, command: &str) -> Output {
    let tool = Tool::Bash {
        command: command.to_owned(),
        timeout_ms: None,
    };
    let call = Call {
        id: "call_bash".to_owned(),
        tool,
    };
    sandbox.run(call).await.expect("the sandbox answers")
}

#[track_caller]
pub(crate) fn ok(output: &Output, text: &str) {
    assert_eq!(
        (output.joined_text().as_str(), output.is_error),
        (text, false)
    );
}

#[track_caller]
pub(crate) fn error(output: &Output, text: &str) {
    assert_eq!(
        (output.joined_text().as_str(), output.is_error),
        (text, true)
    );
}

/// A file of a sandbox, as it is found on the host: what is in an image only while its first
/// process lives.
pub(crate) fn on_host(directory: &Path, path: &str) -> PathBuf {
    let inside = [
        ("workspace", "workspace"),
        ("outputs", "mnt/session/outputs"),
        ("home", "root"),
    ];
    let plain = directory.join(path);
    let (outer, inner) = match path.rsplit_once("../") {
        Some((_, other)) => {
            let (name, path) = other.split_once('/').unwrap_or((other, ""));
            (directory.with_file_name(name), path)
        }
        None => (directory.to_owned(), path),
    };
    if !outer.join("disk.img").exists() {
        return plain;
    }
    let first = inner.split('/').next().unwrap_or_default();
    let Some((_, place)) = inside.iter().find(|(name, _)| *name == first) else {
        return plain;
    };
    let rest = inner[first.len()..].trim_start_matches('/');
    let root = format!("/proc/{}/root", first_process(&outer));
    Path::new(&root).join(place).join(rest)
}

/// The pid of a sandbox's first process, from its record.
pub(crate) fn first_process(directory: &Path) -> u64 {
    let record = fs::read_to_string(directory.join("process.json")).expect("a record");
    let record: Value = serde_json::from_str(&record).expect("a record of JSON");
    record["pid"].as_u64().expect("a pid")
}

/// Whether a process of the host goes on. One that ended may wait a while for its parent.
pub(crate) fn is_running(pid: &str) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat"));
    stat.is_ok_and(|stat| {
        stat.rsplit_once(')')
            .is_some_and(|(_, rest)| !rest.starts_with(" Z"))
    })
}

/// Runs these parts of this suite once more, with a variable set, but for the tests of these names.
pub(crate) fn again_with(variable: &str, suites: &[&str], without: &[&str]) {
    let suite = std::env::current_exe().expect("the path of this suite");
    let output = std::process::Command::new(suite)
        .args(["--test-threads", "2"])
        .args(without.iter().flat_map(|name| ["--skip", name]))
        .args(suites)
        .env(variable, "1")
        .env("RUST_BACKTRACE", "0")
        .output()
        .expect("the suite runs");
    let told = String::from_utf8_lossy(&output.stdout);
    let complained = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{told}\n{complained}");
    assert!(
        told.contains("test result: ok") && !told.contains("running 0 tests"),
        "{told}"
    );
}
