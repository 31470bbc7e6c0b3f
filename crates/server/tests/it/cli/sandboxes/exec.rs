//! `hostler sandboxes exec`, from a real terminal and from pipes.

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::process::{Child, Command, Output, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use rustix::pty::{OpenptFlags, grantpt, ioctl_tiocgptpeer, openpt, unlockpt};
use rustix::termios::{LocalModes, Winsize, tcgetattr, tcsetwinsize};

use super::super::clean;
use super::{NAME, Place, bash, sandboxes, stderr, stdout};

/// A person at a terminal.
struct Person {
    terminal: File,
    /// Kept open, so that the terminal lasts.
    line: OwnedFd,
    hostler: Child,
    seen: String,
}

impl Person {
    fn runs(place: &Place, arguments: &[&str]) -> Self {
        let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
        let terminal = openpt(flags).unwrap();
        grantpt(&terminal).unwrap();
        unlockpt(&terminal).unwrap();
        let line = ioctl_tiocgptpeer(&terminal, flags).unwrap();
        tcsetwinsize(&terminal, size(24, 80)).unwrap();
        let end = || Stdio::from(line.try_clone().unwrap());
        // The terminal has to be that of a session, or it tells nobody of its size.
        let mut command = Command::new("setsid");
        clean(&mut command);
        let hostler = command
            .args(["--ctty", env!("CARGO_BIN_EXE_hostler")])
            .args(["sandboxes", "exec", "--data-dir", "data", NAME])
            .args(arguments)
            .env("TERM", "vt100")
            .current_dir(place.folder.path())
            .stdin(end())
            .stdout(end())
            .stderr(end())
            .spawn()
            .unwrap();
        Self {
            terminal: terminal.into(),
            line,
            hostler,
            seen: String::new(),
        }
    }

    fn types(&mut self, text: &str) {
        self.terminal.write_all(text.as_bytes()).unwrap();
    }

    /// Reads on until this shows.
    fn sees(&mut self, text: &str) {
        while !self.seen.contains(text) {
            let mut bytes = [0; 4096];
            let length = self.terminal.read(&mut bytes).unwrap();
            self.seen
                .push_str(&String::from_utf8_lossy(&bytes[..length]));
        }
        self.seen.clear();
    }

    fn has_raw_terminal(&self) -> bool {
        let modes = tcgetattr(&self.line).unwrap().local_modes;
        !modes.intersects(LocalModes::ICANON | LocalModes::ECHO | LocalModes::ISIG)
    }

    fn signals(&self, signal: Signal) {
        let pid = Pid::from_raw(self.hostler.id().cast_signed()).unwrap();
        kill_process(pid, signal).unwrap();
    }
}

fn size(rows: u16, columns: u16) -> Winsize {
    Winsize {
        ws_row: rows,
        ws_col: columns,
        ws_xpixel: 0,
        ws_ypixel: 0,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shell_in_a_terminal_is_as_if_one_sat_there() {
    let place = Place::new().await;
    let _opened = place.open().await;
    let mut person = Person::runs(&place, &[]);
    person.types("PS1=; echo $TERM; stty size; pwd\n");
    person.sees("vt100\r\n24 80\r\n/workspace\r\n");
    assert!(person.has_raw_terminal());
    person.types(r#"bash -c 'sleep 1000 & trap "stty size; kill $!" WINCH; echo wai""ting; wait'"#);
    person.types("\n");
    person.sees("waiting\r\n");
    tcsetwinsize(&person.terminal, size(40, 132)).unwrap();
    person.sees("40 132\r\n");
    person.types("sh -c 'echo runs; exec sleep 1000'\n");
    person.sees("runs\r\n");
    person.types("\x03");
    person.types("exit $(($? - 123))\n");
    assert_eq!(person.hostler.wait().unwrap().code(), Some(7));
    assert!(!person.has_raw_terminal());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_terminal_is_restored_when_it_is_killed_and_the_command_ends() {
    let place = Place::new().await;
    let opened = place.open().await;
    for (signal, code) in [(Signal::TERM, 143), (Signal::HUP, 129), (Signal::INT, 130)] {
        bash(&opened, "rm -f held; mkfifo held").await;
        let script = "exec 3>held; trap '' HUP; echo runs; sleep 1000";
        let mut person = Person::runs(&place, &["--", "bash", "-c", script]);
        // Ends when nobody holds the other end any more.
        let is_released = bash(&opened, "cat held");
        let kill = tokio::task::spawn_blocking(move || {
            person.sees("runs\r\n");
            assert!(person.has_raw_terminal());
            person.signals(signal);
            assert_eq!(person.hostler.wait().unwrap().code(), Some(code));
            assert!(!person.has_raw_terminal());
        });
        let ((), killed) = tokio::join!(is_released, kill);
        killed.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sandbox_that_dies_gives_the_terminal_back() {
    let place = Place::new().await;
    let _opened = place.open().await;
    let mut person = Person::runs(&place, &["--", "sh", "-c", "echo runs; exec sleep 1000"]);
    person.sees("runs\r\n");
    assert!(place.sandboxes(&["kill", NAME]).status.success());
    person.sees("hostler: the sandbox was lost");
    assert_eq!(person.hostler.wait().unwrap().code(), Some(255));
    assert!(!person.has_raw_terminal());
}

/// Without a terminal, with this on standard input.
fn piped(place: &Place, input: &str, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_hostler"));
    clean(&mut command);
    let mut running = command
        .args(["sandboxes", "exec", "--data-dir", "data", NAME])
        .args(arguments)
        .current_dir(place.folder.path())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = running.stdin.take().unwrap();
    stdin.write_all(input.as_bytes()).unwrap();
    drop(stdin);
    running.wait_with_output().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_terminal_it_is_a_program_like_others() {
    let place = Place::new().await;
    let _opened = place.open().await;
    let ran = piped(&place, "echo out; echo err >&2; exit 3\n", &[]);
    assert_eq!(
        (stdout(&ran), stderr(&ran)),
        ("out\n".into(), "err\n".into())
    );
    assert_eq!(ran.status.code(), Some(3));
    let ran = piped(&place, "some\nlines\n", &["--", "wc", "-l"]);
    assert_eq!((stdout(&ran), ran.status.code()), ("2\n".into(), Some(0)));
    let hostile = ["--", "printf", r"a\033]0;title\007b\033[2Jc\233"];
    let ran = piped(&place, "", &hostile);
    assert_eq!(stdout(&ran), "abc\u{fffd}");
    let ran = piped(&place, "", &[&["--raw"], &hostile[..]].concat());
    assert_eq!(ran.stdout, b"a\x1b]0;title\x07b\x1b[2Jc\x9b");
    let ran = piped(&place, "", &["--", "sh", "-c", "kill -KILL $$"]);
    assert_eq!(ran.status.code(), Some(137));
    let ran = piped(&place, "", &["--", "no-such-program"]);
    assert_eq!(ran.status.code(), Some(127));
}

#[tokio::test(flavor = "multi_thread")]
async fn one_without_processes_or_of_no_name_is_refused_with_its_reason() {
    let place = Place::new().await;
    drop(place.open().await);
    place.host.stop(&NAME.parse().unwrap()).await.unwrap();
    let ran = place.sandboxes(&["exec", NAME]);
    assert_eq!(ran.status.code(), Some(255));
    let expected = "has no processes now: the next tool call of its session starts it";
    assert!(stderr(&ran).contains(expected), "{}", stderr(&ran));
    let ran = sandboxes(place.folder.path(), &["exec", &NAME.replace("CZ", "CS")]);
    assert_eq!(ran.status.code(), Some(255));
    assert!(
        stderr(&ran).contains("the nearest of 1 are"),
        "{}",
        stderr(&ran)
    );
}
