//! Which commit of a repository is checked out.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::decode::{At, Invalid};
use crate::limits::BRANCH_BYTES_MAX;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Checkout {
    /// The newest commit of a branch, with the branch checked out.
    Branch { name: String },
    /// One commit, by its whole hash, with no branch checked out.
    Commit { sha: String },
}

impl Checkout {
    pub(crate) fn decode(at: At<'_>) -> Result<Self, Invalid> {
        let mut fields = at.fields()?;
        let checkout = match fields.tag()? {
            "branch" => Self::Branch {
                name: fields.required("name", |at| {
                    let name = at.text(1..=BRANCH_BYTES_MAX)?;
                    match is_branch_name(&name) {
                        true => Ok(name),
                        false => Err(at.invalid("Input should be the name of a Git branch")),
                    }
                })?,
            },
            "commit" => Self::Commit {
                sha: fields.required("sha", |at| {
                    let sha = at.text(1..=64)?;
                    match is_object_name(&sha) {
                        true => Ok(sha),
                        false => Err(at.invalid(
                            "Input should be the whole hash of a commit, 40 or 64 hexadecimal \
                             digits",
                        )),
                    }
                })?,
            },
            other => return Err(fields.unknown_tag(other, &["branch", "commit"])),
        };
        fields.finish()?;
        Ok(checkout)
    }
}

fn is_object_name(text: &str) -> bool {
    matches!(text.len(), 40 | 64) && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// The rules of `git check-ref-format --branch`, without the shorthands of the latter.
fn is_branch_name(name: &str) -> bool {
    let forbidden = |character: char| {
        character.is_control()
            || matches!(character, ' ' | '~' | '^' | ':' | '?' | '*' | '[' | '\\')
    };
    let is_component =
        |part: &str| !part.is_empty() && !part.starts_with('.') && !part.ends_with(".lock");
    name.len() <= BRANCH_BYTES_MAX
        && !name.contains(forbidden)
        && !name.contains("..")
        && !name.contains("@{")
        && !name.starts_with('-')
        && !name.ends_with('.')
        && !matches!(name, "@" | "HEAD")
        && name.split('/').all(is_component)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn branches_are_what_git_takes_for_one() {
        for good in [
            "main",
            "feature/x-1",
            "v1.0",
            "übung",
            "a@b",
            "refs/heads/x",
        ] {
            assert!(is_branch_name(good), "{good}");
        }
        for bad in [
            "",
            "-main",
            "--upload-pack=x",
            "a b",
            "a..b",
            ".a",
            "a/.b",
            "a.lock",
            "a.lock/b",
            "a/",
            "/a",
            "a//b",
            "a.",
            "@",
            "HEAD",
            "a@{1}",
            "a~1",
            "a^",
            "a:b",
            "a?",
            "a*",
            "a[b",
            "a\\b",
            "a\nb",
            "a\0",
        ] {
            assert!(!is_branch_name(bad), "{bad:?}");
        }
    }

    #[test]
    fn a_checkout_is_a_branch_or_a_whole_hash() {
        let sha = "0123456789abcdef0123456789abcdef01234567";
        for (given, place) in [
            (json!({"type": "branch", "name": "main"}), None),
            (json!({"type": "commit", "sha": sha}), None),
            (json!({"type": "commit", "sha": &sha[..7]}), Some("sha")),
            (
                json!({"type": "commit", "sha": "g".repeat(40)}),
                Some("sha"),
            ),
            (json!({"type": "branch", "name": "-x"}), Some("name")),
            (json!({"type": "branch", "sha": sha}), Some("name")),
            (
                json!({"type": "branch", "name": "a", "sha": sha}),
                Some("sha"),
            ),
            (json!({"type": "tag", "name": "v1"}), Some("type")),
            (json!({"name": "main"}), Some("type")),
            (json!("main"), Some("")),
        ] {
            let read = Checkout::decode(At::root(&given)).map_err(|invalid| invalid.path);
            assert_eq!(read.err().as_deref(), place, "{given}");
        }
    }
}
