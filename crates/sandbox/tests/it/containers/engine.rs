//! A real container engine for one test: started from the machine's packages in namespaces of
//! its own, with everything in a directory that goes away, and without a network.

use std::fs;
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::inotify;
use tempfile::TempDir;

/// A slow machine starts one in a few seconds.
const START_TIME_MAX: Duration = Duration::from_secs(60);

pub(crate) struct Engine {
    process: Child,
    directory: TempDir,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Docker,
    Podman,
}

impl Kind {
    fn program(self) -> &'static str {
        match self {
            Self::Docker => "dockerd",
            Self::Podman => "podman",
        }
    }
}

/// Why there is none, for somebody who reads the output of a test that did nothing.
fn what_is_missing(kind: Kind) -> Option<String> {
    if !rustix::process::geteuid().is_root() {
        return Some("only root can start a container engine here".to_owned());
    }
    let needed = [kind.program(), "runc", "busybox", "unshare", "setpriv"];
    let missing: Vec<&str> = needed.into_iter().filter(|name| !is_there(name)).collect();
    (!missing.is_empty()).then(|| {
        let missing = missing.join(", ");
        format!("{missing} not found; `tests/install-tools engines` installs them")
    })
}

fn is_there(program: &str) -> bool {
    let places = ["/usr/local/bin", "/usr/bin", "/bin", "/usr/sbin", "/sbin"];
    places
        .iter()
        .any(|place| Path::new(place).join(program).exists())
}

impl Engine {
    /// `None` where this machine has none, which is told in words that are hard to miss: the
    /// profiles of the test runner show what these tests say when they pass, too.
    pub(crate) fn start(kind: Kind) -> Option<Self> {
        let program = kind.program();
        let not_tested =
            |reason: String| eprintln!("NOT TESTED: containers of {program}: {reason}");
        if let Some(missing) = what_is_missing(kind) {
            not_tested(missing);
            return None;
        }
        let directory = tempfile::tempdir().unwrap();
        let log = fs::File::create(directory.path().join("log")).unwrap();
        let mut command = Command::new("setpriv");
        // The engine is the init of its namespace and all that it starts ends with it; it ends
        // with the test, however that ends.
        command
            .args(["--pdeathsig", "KILL", "unshare", "--mount", "--net"])
            .args(["--propagation", "private", "--pid", "--fork"])
            .args(["--mount-proc", "--kill-child"])
            .current_dir(directory.path())
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log);
        match kind {
            Kind::Docker => docker(&mut command, directory.path()),
            Kind::Podman => podman(&mut command, directory.path()),
        }
        let process = command.spawn().unwrap();
        let mut engine = Self { process, directory };
        if let Err(reason) = engine.wait_until_it_answers() {
            not_tested(format!("it does not start on this machine: {reason}"));
            return None;
        }
        Some(engine)
    }

    pub(crate) fn socket(&self) -> PathBuf {
        self.directory.path().join("engine.sock")
    }

    /// Its sign of life is its socket. That appears a moment before anybody listens there, which
    /// is why a look is taken again without a further sign.
    fn wait_until_it_answers(&mut self) -> Result<(), String> {
        let watch = inotify::init(inotify::CreateFlags::CLOEXEC).unwrap();
        let made = inotify::WatchFlags::CREATE;
        inotify::add_watch(&watch, self.directory.path(), made).unwrap();
        let again = Timespec {
            tv_sec: 0,
            tv_nsec: 50_000_000,
        };
        let begun = Instant::now();
        while self.request("GET", "/_ping", &[]).is_none() {
            let ended = self.process.try_wait().unwrap();
            if ended.is_some() || begun.elapsed() > START_TIME_MAX {
                let log = fs::read_to_string(self.directory.path().join("log"));
                let log = log.unwrap_or_default();
                let last = log.lines().rev().take(5).collect::<Vec<_>>();
                return Err(format!("{ended:?} {}", last.join("; ")));
            }
            let _ = poll(&mut [PollFd::new(&watch, PollFlags::IN)], Some(&again));
        }
        Ok(())
    }

    pub(crate) fn import(&self, image: &str, tree: &[u8]) {
        let (repo, tag) = image.split_once(':').unwrap();
        let path = format!("/images/create?fromSrc=-&repo={repo}&tag={tag}");
        let answer = self.request("POST", &path, tree).expect("an answer");
        assert!(answer.starts_with("HTTP/1.0 200"), "{answer}");
        assert!(!answer.contains("\"error\""), "{answer}");
    }

    /// The names of all its containers.
    pub(crate) fn containers(&self) -> Vec<String> {
        let answer = self.request("GET", "/containers/json?all=true", &[]);
        let answer = answer.expect("an answer");
        let (_, body) = answer.split_once("\r\n\r\n").expect("a body");
        let list: serde_json::Value = serde_json::from_str(body).expect("a list");
        let names = list.as_array().expect("a list").iter();
        names
            .map(|container| {
                container["Names"][0]
                    .as_str()
                    .unwrap()
                    .trim_matches('/')
                    .to_owned()
            })
            .collect()
    }

    pub(super) fn request(&self, method: &str, path: &str, body: &[u8]) -> Option<String> {
        self.send(method, path, "application/x-tar", body)
    }

    pub(crate) fn request_json(&self, method: &str, path: &str, body: &[u8]) -> String {
        let answer = self.send(method, path, "application/json", body);
        answer.expect("an answer")
    }

    fn send(&self, method: &str, path: &str, kind: &str, body: &[u8]) -> Option<String> {
        let mut stream = UnixStream::connect(self.socket()).ok()?;
        let length = body.len();
        let head = format!(
            "{method} {path} HTTP/1.0\r\nHost: d\r\nContent-Type: {kind}\r\n\
             Content-Length: {length}\r\n\r\n"
        );
        stream.write_all(head.as_bytes()).ok()?;
        stream.write_all(body).ok()?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).ok()?;
        Some(String::from_utf8_lossy(&answer).into_owned())
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        // What it holds goes with its namespaces; only cgroups would stay.
        let _ = self.process.kill();
        let _ = self.process.wait();
        remove_cgroups(&cgroup_parent(self.directory.path()));
    }
}

/// A cgroup of its own for all that an engine makes.
fn cgroup_parent(directory: &Path) -> String {
    let name = directory.file_name().unwrap().to_str().unwrap();
    format!("hostler-test{}", name.replace('.', "-"))
}

fn docker(command: &mut Command, directory: &Path) {
    let place = |name: &str| directory.join(name).into_os_string();
    let mut socket = std::ffi::OsString::from("unix://");
    socket.push(place("engine.sock"));
    command
        .args(["dockerd", "--bridge", "none", "--iptables=false"])
        .arg("--host")
        .arg(socket)
        .arg("--data-root")
        .arg(place("data"))
        .arg("--exec-root")
        .arg(place("exec"))
        .arg("--pidfile")
        .arg(place("pid"))
        // From the root of each hierarchy, where it is looked for at the end.
        .args(["--cgroup-parent", &format!("/{}", cgroup_parent(directory))]);
}

fn podman(command: &mut Command, directory: &Path) {
    let place = |name: &str| directory.join(name).into_os_string();
    let mut socket = std::ffi::OsString::from("unix://");
    socket.push(place("engine.sock"));
    // Not crun, which refuses machines with both versions of cgroups; and limits that root can
    // set without the right to raise them.
    let configuration = "[containers]\ndefault_ulimits = [\"nofile=1024:4096\", \
                         \"nproc=4096:4096\"]\nnetns = \"none\"\n[engine]\nruntime = \"runc\"\n\
                         cgroup_manager = \"cgroupfs\"\nevents_logger = \"file\"\n";
    fs::write(directory.join("containers.conf"), configuration).unwrap();
    command
        .env("CONTAINERS_CONF", directory.join("containers.conf"))
        .arg("podman")
        .arg("--root")
        .arg(place("data"))
        .arg("--runroot")
        .arg(place("run"))
        .arg("--tmpdir")
        .arg(place("tmp"))
        .args(["system", "service", "--time", "0"])
        .arg(socket);
}

/// Empties first, from the leaves up. Those that others made stay: they are not empty.
fn remove_cgroups(name: &str) {
    let hierarchies = fs::read_dir("/sys/fs/cgroup").into_iter().flatten();
    let roots = hierarchies.flatten().map(|hierarchy| hierarchy.path());
    for root in roots.chain([PathBuf::from("/sys/fs/cgroup")]) {
        for parent in [name, "libpod_parent"] {
            let directory = root.join(parent);
            for leaf in fs::read_dir(&directory).into_iter().flatten().flatten() {
                let _ = fs::remove_dir(leaf.path());
            }
            let _ = fs::remove_dir(directory);
        }
    }
}
