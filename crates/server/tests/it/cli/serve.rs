//! `hostler serve` and `hostler keys` as scripts use them: the banner, the first key, the lock, signals.

use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Output, Stdio};

use rustix::process::{Pid, Signal, kill_process};

use super::{clean, hostler_in, stderr, stdout};

/// A server in a folder, killed when it is dropped.
pub(super) struct Server {
    process: Child,
    stdout: BufReader<ChildStdout>,
    banner: String,
}

impl Server {
    fn start(folder: &Path, variables: &[(&str, &str)]) -> Self {
        // A kernel that isolates nothing must not fail these tests: they are not about sandboxes.
        Self::with_sandboxes("unsafe-process", folder, variables)
    }

    pub(super) fn isolated(folder: &Path, variables: &[(&str, &str)]) -> Self {
        Self::with_sandboxes("isolated", folder, variables)
    }

    fn with_sandboxes(mode: &str, folder: &Path, variables: &[(&str, &str)]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_hostler"));
        clean(&mut command);
        let arguments = ["serve", "--listen", "127.0.0.1:0", "--data-dir", "data"];
        command
            .args(arguments)
            .args(["--sandbox", mode])
            .envs(variables.iter().copied());
        command
            .current_dir(folder)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null());
        let mut process = command.spawn().unwrap();
        let mut stdout = BufReader::new(process.stdout.take().unwrap());
        let mut banner = String::new();
        while !banner.contains("or run any program") {
            let read = stdout.read_line(&mut banner).unwrap();
            assert!(read > 0, "the server ended: {banner}");
        }
        Self {
            process,
            stdout,
            banner,
        }
    }

    fn exported(&self, name: &str) -> Option<&str> {
        let start = format!("  export {name}=");
        self.banner
            .lines()
            .find_map(|line| line.strip_prefix(&start))
    }

    fn status(&self, path: &str, key: &str) -> u16 {
        let url = format!("{}{path}", self.exported("ANTHROPIC_BASE_URL").unwrap());
        let request = reqwest::Client::builder()
            .no_proxy()
            .build()
            .unwrap()
            .get(url);
        let request = request
            .header("x-api-key", key)
            .header("anthropic-version", "2023-06-01")
            .header("anthropic-beta", "managed-agents-2026-04-01");
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(request.send()).unwrap().status().as_u16()
    }

    /// Ends it as a crash does.
    pub(super) fn kill(mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }

    /// Ends it as an operator would, and returns the exit code.
    pub(super) fn stop(mut self, signal: Signal) -> Option<i32> {
        let pid = Pid::from_child(&self.process);
        kill_process(pid, signal).unwrap();
        let code = self.process.wait().unwrap().code();
        let mut rest = String::new();
        self.stdout.read_to_string(&mut rest).unwrap();
        assert_eq!(
            rest.trim(),
            "",
            "nothing is said on stdout after the banner"
        );
        code
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn keys(folder: &Path, arguments: &[&str]) -> Output {
    hostler_in(
        folder,
        &[&["keys"], arguments, &["--data-dir", "data"]].concat(),
    )
}

#[test]
fn the_first_start_shows_a_key_that_works_and_later_ones_do_not() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path(), &[]);
    let key = server.exported("ANTHROPIC_API_KEY").unwrap().to_owned();
    assert!(key.starts_with("sk-hostler-"));
    assert_eq!(server.status("/healthz", ""), 200);
    assert_eq!(server.status("/v1/sessions", &key), 200);
    assert_eq!(server.status("/v1/sessions", "sk-hostler-another"), 401);
    assert_eq!(server.stop(Signal::TERM), Some(0));

    let server = Server::start(folder.path(), &[]);
    assert_eq!(server.exported("ANTHROPIC_API_KEY"), None);
    assert_eq!(server.status("/v1/sessions", &key), 200);
    assert_eq!(server.stop(Signal::INT), Some(0));
}

#[test]
fn the_key_of_the_environment_is_the_first_and_is_not_shown() {
    let folder = tempfile::tempdir().unwrap();
    let key = "sk-chosen-by-the-operator";
    let server = Server::start(folder.path(), &[("HOSTLER_API_KEY", key)]);
    assert!(!server.banner.contains(key));
    assert_eq!(server.status("/v1/sessions", key), 200);
    assert_eq!(server.stop(Signal::TERM), Some(0));

    let other = "sk-another-at-the-next-start";
    let server = Server::start(folder.path(), &[("HOSTLER_API_KEY", other)]);
    assert_eq!(
        server.status("/v1/sessions", other),
        401,
        "it counts at the first start only"
    );
}

#[test]
fn a_key_that_could_be_guessed_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_hostler"));
    clean(&mut command);
    command
        .args(["serve", "--listen", "127.0.0.1:0"])
        .env("HOSTLER_API_KEY", "short");
    let output = command.current_dir(folder.path()).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let said = "hostler: HOSTLER_API_KEY has 5 characters; a key has 16 to 256\n";
    assert_eq!(stderr(&output), said);
}

#[test]
fn keys_are_made_and_revoked_beside_a_running_server() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path(), &[]);
    let made = keys(folder.path(), &["create", "--name", "laptop"]);
    let key = stdout(&made).trim().to_owned();
    assert_eq!(server.status("/v1/sessions", &key), 200);

    let list = stdout(&keys(folder.path(), &["list"]));
    let line = list.lines().find(|line| line.contains("laptop")).unwrap();
    assert!(
        !list.contains(&key),
        "only the end of a key is ever shown again"
    );
    let id = line.split_whitespace().next().unwrap();
    assert_eq!(
        stdout(&keys(folder.path(), &["revoke", id])),
        format!("{id} is revoked.\n")
    );
    assert_eq!(
        stdout(&keys(folder.path(), &["revoke", id])),
        format!("{id} was revoked before.\n")
    );
    let list = stdout(&keys(folder.path(), &["list"]));
    assert!(
        list.lines()
            .any(|line| line.contains("laptop") && line.contains(", revoked "))
    );
    // A server that never saw the key is asked, since one that did may remember it for a second.
    assert_eq!(server.stop(Signal::TERM), Some(0));
    assert_eq!(
        Server::start(folder.path(), &[]).status("/v1/sessions", &key),
        401
    );
}

#[test]
fn nobody_else_may_read_what_is_kept_in_a_folder_that_was_there() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    std::fs::create_dir(&data).unwrap();
    std::fs::set_permissions(&data, PermissionsExt::from_mode(0o755)).unwrap();
    keys(folder.path(), &["create"]);
    let mode = data.join("hostler.db").metadata().unwrap().permissions();
    assert_eq!(mode.mode() & 0o777, 0o600);
}

#[test]
fn keys_of_no_server_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let output = keys(folder.path(), &["list"]);
    assert_eq!(
        stderr(&output),
        "hostler: data holds no server's data; name the data folder with --data-dir\n"
    );
    assert!(!folder.path().join("data").exists());
    let output = keys(folder.path(), &["revoke", "laptop"]);
    assert_eq!(
        stderr(&output),
        "hostler: \"laptop\" is not the id of a key; `hostler keys list` shows them\n"
    );
}

#[test]
fn a_second_server_on_the_folder_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path(), &[]);
    let output = hostler_in(
        folder.path(),
        &["serve", "--listen", "127.0.0.1:0", "--data-dir", "data"],
    );
    assert_eq!(output.status.code(), Some(1));
    let expected = format!(
        "is in use by the server with process id {};",
        server.process.id()
    );
    assert!(stderr(&output).contains(&expected), "{}", stderr(&output));
}

#[test]
fn the_configuration_is_printed_and_nothing_is_started() {
    let folder = tempfile::tempdir().unwrap();
    let output = hostler_in(
        folder.path(),
        &["serve", "--print-config", "--data-dir", "data"],
    );
    assert_eq!(output.status.code(), Some(0));
    let line = "data_dir = \"data\"  # flag --data-dir";
    assert!(
        stdout(&output).lines().any(|found| found == line),
        "{}",
        stdout(&output)
    );
    assert!(!folder.path().join("data").exists());
}
