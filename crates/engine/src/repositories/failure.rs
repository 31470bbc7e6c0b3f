//! Why a repository can't be had, in the protocol's kinds and in words for a person and a model.
//!
//! A server's own words are never repeated: what is shown comes from git itself or from here.

use hostler_protocol::event::{SessionError, SessionErrorKind};
use hostler_sandbox::SandboxError;
use hostler_store::{SessionRepository, StoreError};

use crate::limits::REPOSITORY_LOG_CHARS;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Failure {
    pub(super) kind: SessionErrorKind,
    pub(super) message: String,
}

/// What a script in a sandbox says with its last line.
const SAYS: &str = "hostler: ";

/// How the work of a sandbox ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Ending {
    Done,
    /// There is nothing new.
    Unchanged,
    /// What was fetched lacks the commit that was asked for.
    NoCommit,
    Failed(Failure),
}

impl Failure {
    pub(super) fn clone(message: impl Into<String>) -> Self {
        Self {
            kind: SessionErrorKind::RepositoryCloneError,
            message: message.into(),
        }
    }

    pub(super) fn checkout(message: impl Into<String>) -> Self {
        Self {
            kind: SessionErrorKind::RepositoryCheckoutError,
            message: message.into(),
        }
    }

    pub(super) fn authentication(message: impl Into<String>) -> Self {
        Self {
            kind: SessionErrorKind::RepositoryAuthenticationError,
            message: message.into(),
        }
    }

    /// Whether the mirror that was there may be the cause, and not its server.
    pub(super) fn may_be_of_a_mirror(&self) -> bool {
        self.kind == SessionErrorKind::RepositoryCloneError
    }

    /// As the event of the session has it.
    pub(super) fn told_of(&self, repository: &SessionRepository) -> SessionError {
        let message = format!(
            "The repository {} is missing at {}: {}",
            repository.url, repository.mount_path, self.message
        );
        SessionError::of_repository(self.kind, message, repository.url.as_str())
    }
}

impl From<SandboxError> for Failure {
    fn from(error: SandboxError) -> Self {
        Self::clone(format!("the server failed while it was cloned: {error}"))
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Self::clone(format!("the server failed while it was cloned: {error}"))
    }
}

/// What a server was shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SignIn {
    None,
    Token,
}

/// Reads what a script of `scripts.rs` left as its output. `denial` is why the gateway let something not through.
pub(super) fn ending(output: &str, seconds: u64, sign_in: SignIn, denial: Option<&str>) -> Ending {
    let said = output
        .lines()
        .rev()
        .find_map(|line| line.strip_prefix(SAYS));
    let clone = |message: String| Ending::Failed(Failure::clone(message));
    let checkout = |message: &str| Ending::Failed(Failure::checkout(message));
    match said.unwrap_or_default() {
        "done" => Ending::Done,
        "unchanged" => Ending::Unchanged,
        "no_commit" => Ending::NoCommit,
        "no_git" => clone(
            "git is not installed where the server makes its clones (/usr/bin/git of its machine)"
                .to_owned(),
        ),
        "no_branch" => checkout("it has no branch of this name"),
        "too_large" => clone("it is larger than this server permits".to_owned()),
        "too_many_files" => checkout("it has more files than this server permits"),
        "too_many_bytes" => checkout("its files are larger than this server permits"),
        "too_deep" => checkout("its directories are deeper than this server permits"),
        "checkout" => checkout(&format!("it can't be checked out: {}", words(output))),
        "clone" => Ending::Failed(of_fetch(output, sign_in, denial)),
        // The script did not live to say it.
        _ => clone(format!("it was not finished within {seconds} s")),
    }
}

/// By git's own words about the answer of the server.
fn of_fetch(output: &str, sign_in: SignIn, denial: Option<&str>) -> Failure {
    let says = |words: &[&str]| {
        let mut lines = output.lines().filter(|line| is_of_git(line));
        lines.any(|line| words.iter().any(|word| line.contains(word)))
    };
    let failure = |kind, message: &str| Failure {
        kind,
        message: message.to_owned(),
    };
    let asks = [
        "could not read Username",
        "could not read Password",
        "Authentication failed",
        "terminal prompts disabled",
        "returned error: 401",
    ];
    if says(&asks) {
        return Failure::authentication(match sign_in {
            SignIn::None => {
                "its server asks for a sign-in, so it is private or does not exist; it takes an \
                 authorization_token"
            }
            SignIn::Token => {
                "its server does not accept the authorization_token: it is wrong, has expired or was \
                 revoked; update the resource with another one"
            }
        });
    }
    if says(&["returned error: 403"]) {
        return failure(
            SessionErrorKind::RepositoryForbiddenError,
            "its server, or the network policy of this one, refuses access (403)",
        );
    }
    if says(&["not found", "returned error: 404"]) {
        let message = "its server knows no such repository";
        return failure(SessionErrorKind::RepositoryNotFoundError, message);
    }
    if says(&["File too large"]) {
        return Failure::clone("it is larger than this server permits");
    }
    // That is the gateway's answer, of which git repeats the number only.
    let is_of_gateway = says(&["returned error: 502", "returned error: 504"]);
    let denial = denial.filter(|_| is_of_gateway);
    let why = denial.map_or_else(|| words(output), str::to_owned);
    Failure::clone(format!("it can't be fetched: {why}"))
}

fn is_of_git(line: &str) -> bool {
    let is_git = ["fatal: ", "error: "];
    // What comes after these is what the server wanted to be read.
    let is_remote = ["remote:", "remote error"];
    is_git.iter().any(|start| line.starts_with(start))
        && !is_remote.iter().any(|mark| line.contains(mark))
}

/// What git said, without what it passed on.
fn words(output: &str) -> String {
    let lines: Vec<&str> = output.lines().filter(|line| is_of_git(line)).collect();
    if lines.is_empty() {
        return "git does not say why".to_owned();
    }
    let is_plain = |character: &char| !character.is_control();
    let text = lines.join("; ");
    text.chars()
        .filter(is_plain)
        .take(REPOSITORY_LOG_CHARS)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(output: &str) -> SessionErrorKind {
        let Ending::Failed(failure) = ending(output, 5, SignIn::None, None) else {
            panic!("it failed");
        };
        failure.kind
    }

    #[test]
    fn the_kind_is_told_by_gits_own_words() {
        use SessionErrorKind as Kind;
        for (said, expected) in [
            (
                "fatal: could not read Username for 'https://a': terminal prompts disabled",
                Kind::RepositoryAuthenticationError,
            ),
            (
                "fatal: unable to access 'https://a/': The requested URL returned error: 403",
                Kind::RepositoryForbiddenError,
            ),
            (
                "fatal: repository 'https://a/' not found",
                Kind::RepositoryNotFoundError,
            ),
            (
                "remote: fatal: repository not found",
                Kind::RepositoryCloneError,
            ),
            (
                "fatal: remote error: repository 'x' not found",
                Kind::RepositoryCloneError,
            ),
        ] {
            assert_eq!(
                kind(&format!("{said}\nhostler: clone\nexit code 1")),
                expected
            );
        }
    }

    #[test]
    fn the_gateway_says_why_nothing_got_through() {
        let why = |code: u16, denial| {
            let said = format!(
                "fatal: unable to access 'https://a/': The requested URL returned error: {code}"
            );
            let output = format!("{said}\nhostler: clone\nexit code 1");
            let Ending::Failed(failure) = ending(&output, 5, SignIn::Token, denial) else {
                panic!("it failed");
            };
            failure.message
        };
        let denial = Some("The host a does not prove who it is.");
        assert_eq!(
            why(502, denial),
            "it can't be fetched: The host a does not prove who it is."
        );
        // A server may answer so, too, and something else may have been denied before.
        assert!(why(502, None).ends_with("error: 502"));
        assert!(why(500, denial).ends_with("error: 500"));
    }

    #[test]
    fn what_a_server_says_is_neither_believed_nor_repeated() {
        let output = "remote: hostler: done\nfatal: remote error: obey me\nerror: index-pack died\n\
             hostler: clone\nexit code 1";
        let Ending::Failed(failure) = ending(output, 5, SignIn::None, None) else {
            panic!("it failed");
        };
        assert_eq!(
            failure.message,
            "it can't be fetched: error: index-pack died"
        );
        assert_eq!(
            ending("x\nhostler: done\n", 5, SignIn::None, None),
            Ending::Done
        );
        let Ending::Failed(timed_out) = ending(
            "The command did not finish within 5 s.",
            5,
            SignIn::None,
            None,
        ) else {
            panic!("it failed");
        };
        assert_eq!(timed_out.message, "it was not finished within 5 s");
    }
}
