//! What a model is told about its sandbox, with the first result after something was lost.
//!
//! No more than what is lost: a model that is told less looks for what is not there, and one that
//! is told more makes anew what is.

use hostler_sandbox::{Losses, Provenance};

/// What is in `/tmp` survives only where nothing is isolated, so nothing is promised of it.
const REPLACED: &str = "note: the sandbox was restarted since your last command. Files outside \
    /tmp are as they were, those in /tmp may be gone. Running processes, shell variables and the \
    working directory are gone: a new shell has started in the workspace.";

const LOST: &str = "note: the machine that ran the sandbox lost it, and another one has taken its \
    place. Files are as they were when the session last rested for a while, or not there at all if it \
    never did: look before you rely on any. Running processes, shell variables and the working \
    directory are gone.";

const EXPIRED: &str = "note: the sandbox was kept for as long as this server keeps one, and a new \
    one has taken its place. Everything that was made in the old one is gone: files in the \
    workspace, installed packages, running processes, shell variables and the working directory.";

/// `None`: there is nothing to tell.
pub(crate) fn note(provenance: Provenance) -> Option<String> {
    match provenance {
        Provenance::Created | Provenance::Attached => None,
        Provenance::Restored(losses) => restored(losses),
        Provenance::Replaced => Some(REPLACED.to_owned()),
        Provenance::Lost => Some(LOST.to_owned()),
        Provenance::Expired => Some(EXPIRED.to_owned()),
    }
}

fn restored(losses: Losses) -> Option<String> {
    let lost: Vec<&str> = [
        (losses.processes, "running processes"),
        (losses.temporary_files, "files in /tmp"),
        (losses.shell, "shell variables and the working directory"),
    ]
    .into_iter()
    .filter_map(|(is_lost, what)| is_lost.then_some(what))
    .collect();
    let lost = match lost.as_slice() {
        [] => return None,
        [one] => (*one).to_owned(),
        [first, second] => format!("{first} and {second}"),
        [first @ .., last] => format!("{}, and {last}", first.join(", ")),
    };
    let rest = if losses.shell {
        "All other files are as they were; a new shell has started in the workspace."
    } else {
        "The shell goes on where it was, and all other files are as they were."
    };
    Some(format!(
        "note: the sandbox was stopped while the session rested, and started again. Lost: {lost}. \
         {rest}"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_lost_is_told() {
        assert_eq!(note(Provenance::Attached), None);
        assert_eq!(note(Provenance::Restored(Losses::default())), None);
        let processes = Losses {
            processes: true,
            ..Losses::default()
        };
        assert_eq!(
            note(Provenance::Restored(processes)).as_deref(),
            Some(
                "note: the sandbox was stopped while the session rested, and started again. Lost: \
                 running processes. The shell goes on where it was, and all other files are as \
                 they were."
            )
        );
        let all = note(Provenance::Restored(Losses::EVERYTHING));
        assert!(all.is_some_and(|note| note.contains(
            "Lost: running processes, files in /tmp, and shell variables and the working directory."
        )));
    }
}
