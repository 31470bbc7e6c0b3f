//! How the state of the shell survives a stop of its sandbox: it is asked for before the end, and
//! told to the next shell before its first command.
//!
//! Directory, variables, functions, aliases, options and the umask come along; traps, jobs and
//! what the shell itself has open do not.

use std::io;
use std::time::Instant;

use super::collector::Collector;
use super::process_tree::Census;
use super::shell_memory::ShellState;
use super::shell_output::drain_pipe;
use super::shell_owner::{Happened, ShellOwner};
use crate::isolation::Network;
use crate::limits::{SHELL_RECALL_TIME_MAX, SHELL_REST_TIME_MAX, SHELL_STATE_BYTES_MAX};
use crate::provenance::Losses;

/// Runs in a copy of the shell, whose options, traps and separators may be anything. Names that
/// the shell itself sets are left out: most can't be set, and none needs to be.
const QUESTION: &str = r#"
builtin trap - DEBUG ERR RETURN EXIT
__hostler_o=$(builtin shopt -po)
builtin set +aefuvxn
builtin shopt -p
builtin umask -p
if [[ $__hostler_c == *'# exported only' ]]; then
    builtin declare -px
else
    builtin declare -p IFS
    builtin mapfile -t __hostler_names < <(builtin compgen -v)
    for __hostler_v in "${__hostler_names[@]}"; do
        case $__hostler_v in
            __hostler_*|_|IFS|BASH|BASHOPTS|BASHPID|BASH_ALIASES|BASH_ARG[CV]*|BASH_CMDS) ;;
            BASH_COMMAND|BASH_EXECUTION_STRING|BASH_LINENO|BASH_REMATCH|BASH_SOURCE) ;;
            BASH_SUBSHELL|BASH_VERSINFO|BASH_VERSION|DIRSTACK|EPOCH*|EUID|FUNCNAME|GROUPS) ;;
            HISTCMD|LINENO|PIPESTATUS|PPID|RANDOM|SECONDS|SHELLOPTS|SHLVL|SRANDOM|UID) ;;
            *) builtin declare -p "$__hostler_v" ;;
        esac
    done
    builtin declare -f
    builtin declare -Fx
    builtin alias -p
fi
builtin printf '\0'
builtin pwd
builtin printf '\0builtin unset OLDPWD\n'
builtin declare -p OLDPWD
builtin printf '%s\n\0' "$__hostler_o"
"#;

const EXPORTED_ONLY: &str = "# exported only";

/// What a new shell has and the old one may have lost.
const FORGET: &[u8] = b"builtin unset LANG LOGNAME SHELL TERM USER\n";

impl ShellOwner {
    /// Keeps the state of the shell, and says what is lost if everything ends now.
    pub(super) fn rest(&mut self) -> Losses {
        let shell = match self.keep_shell() {
            Ok(()) => false,
            Err(_) => {
                // Half of a state would only be said to be damaged.
                let _ = self.memory.forget();
                true
            }
        };
        self.is_kept = !shell;
        let pid = self.shell.as_ref().map(|shell| shell.pid);
        // Whoever shares the network of the host shares all of it.
        let isolated = self.network != Network::Host;
        Losses {
            shell,
            processes: Census::default().finds_others(pid),
            temporary_files: isolated && has_files("/tmp"),
        }
    }

    /// Without a shell there is nothing new to keep: what an earlier one left stays.
    fn keep_shell(&mut self) -> io::Result<()> {
        if self.shell.is_none() {
            return Ok(());
        }
        let everything = self.ask_shell(QUESTION)?;
        let state = match everything {
            Some(state) => state,
            None => {
                let question = format!("{QUESTION}{EXPORTED_ONLY}");
                let exported = self.ask_shell(&question)?;
                exported.ok_or_else(|| io::Error::other("its environment is too long"))?
            }
        };
        if ShellState::parse(&state).is_none() {
            return Err(io::Error::other("it did not answer in full"));
        }
        self.memory.keep(&state)
    }

    /// `Ok(None)`: the answer is too long.
    fn ask_shell(&mut self, question: &str) -> io::Result<Option<Vec<u8>>> {
        let unanswered = || io::Error::other("the shell did not answer");
        let shell = self.shell.as_mut().ok_or_else(unanswered)?;
        shell.ask(question)?;
        match self.attend_in_silence(SHELL_REST_TIME_MAX) {
            Happened::Answered(_) => {}
            Happened::Ended | Happened::TimeUp | Happened::Cancelled | Happened::Nonsense => {
                return Err(unanswered());
            }
        }
        let shell = self.shell.as_ref().ok_or_else(unanswered)?;
        shell.state(SHELL_STATE_BYTES_MAX)
    }

    /// Brings a new shell to where the last one was. A state that does not work costs that
    /// shell, and its successor starts plain; the next result says so.
    pub(super) fn recall(&mut self) -> Recalled {
        let state = match self.memory.take() {
            Ok(None) => return Recalled::Done,
            Ok(Some(state)) => state,
            Err(error) => {
                self.note(&format!("the state of the last shell is lost: {error}"));
                return Recalled::Done;
            }
        };
        let definitions = [FORGET, &state.definitions].concat();
        if self.tell_shell(&definitions).is_none() {
            return self.spoilt();
        }
        let place = [b"builtin cd -- ", quoted(&state.directory).as_slice()].concat();
        match self.tell_shell(&place) {
            Some(0) => {}
            Some(_) => {
                let gone = String::from_utf8_lossy(&state.directory).into_owned();
                self.note(&format!(
                    "the working directory {gone} is not there any more; this is the workspace"
                ));
                let workspace = self.places.workspace.as_os_str().as_encoded_bytes();
                let place = [b"builtin cd -- ", quoted(workspace).as_slice()].concat();
                if self.tell_shell(&place).is_none() {
                    return self.spoilt();
                }
            }
            None => return self.spoilt(),
        }
        match self.tell_shell(&state.options) {
            Some(_) => Recalled::Done,
            None => self.spoilt(),
        }
    }

    fn spoilt(&mut self) -> Recalled {
        self.kill_shell(&Census::take(self.reaper.visitors()));
        self.note("the state of the last shell could not be restored: this is a new one");
        Recalled::ShellLost
    }

    /// The status of a command whose output nobody wants. `None`: the shell did not survive it.
    fn tell_shell(&mut self, command: &[u8]) -> Option<i32> {
        self.shell.as_mut()?.give(command);
        match self.attend_in_silence(SHELL_RECALL_TIME_MAX) {
            Happened::Answered(status) => Some(status),
            Happened::Ended | Happened::TimeUp | Happened::Cancelled | Happened::Nonsense => None,
        }
    }

    fn attend_in_silence(&mut self, limit: std::time::Duration) -> Happened {
        let spill = self.spill.clone();
        let mut nobody = Collector::new(&spill, "rest");
        let happened = self.attend(None, Instant::now() + limit, &mut nobody);
        drain_pipe(&self.output, &mut nobody);
        happened
    }

    /// For the model, with the next output.
    fn note(&mut self, sentence: &str) {
        self.background
            .push(format!("[note: {sentence}]\n").as_bytes());
    }
}

pub(super) enum Recalled {
    Done,
    /// The shell was killed for it; a new one is needed.
    ShellLost,
}

fn quoted(text: &[u8]) -> Vec<u8> {
    let mut quoted = vec![b'\''];
    for byte in text {
        match byte {
            b'\'' => quoted.extend(b"'\\''"),
            byte => quoted.push(*byte),
        }
    }
    quoted.push(b'\'');
    quoted
}

fn has_files(directory: &str) -> bool {
    std::fs::read_dir(directory).is_ok_and(|mut entries| entries.next().is_some())
}
