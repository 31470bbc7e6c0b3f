//! The skills of a repository: `.claude/skills/<name>/SKILL.md` of the commit that is checked out.
//!
//! The sandbox that checks out cuts the front matters out and prints them, and they are judged here. All
//! of it is a stranger's: it is bounded on both sides, and what is no skill is left out.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use hostler_skill::{Fields, FrontMatter, Refused};
use hostler_store::RepositorySkill;

use crate::limits::REPOSITORY_SKILLS_MAX;

/// What a line of the script begins with that shows a skill: its folder and its front matter follow, both
/// in base64.
const SHOWS: &str = "hostler-skill: ";

/// Shows the skills of the commit `$1` of `tree`. No link is followed: what `git` calls a link is no file.
/// The bounds are those of what one call may print.
pub(super) const FIND: &str = r#"
show_skills() {
    local folder front spent=0
    while IFS= read -r -d '' folder; do
        case $(git -C tree ls-tree --full-tree "$1" -- "$folder/SKILL.md") in
        100644*|100755*) ;;
        *) continue ;;
        esac
        front=$(git -C tree cat-file blob "$1:$folder/SKILL.md" | head -c 8000 \
            | awk 'NR == 1 && !/^---/ { exit } { print } NR > 1 && /^---/ { exit }' | base64 -w 0)
        spent=$((spent + ${#front}))
        [ "$spent" -le 60000 ] || break
        printf 'hostler-skill: %s %s\n' "$(printf %s "${folder##*/}" | base64 -w 0)" "$front"
    done < <(git -C tree ls-tree -d -z --full-tree --name-only "$1" .claude/skills/ | head -z -n "$SKILLS_MAX")
}
"#;

/// In the order of their folders, as far as they are skills.
pub(super) fn read(output: &str) -> Vec<RepositorySkill> {
    let lines = output.lines().filter_map(|line| line.strip_prefix(SHOWS));
    lines
        .take(REPOSITORY_SKILLS_MAX)
        .filter_map(read_line)
        .collect()
}

fn read_line(line: &str) -> Option<RepositorySkill> {
    let (folder, front) = line.split_once(' ')?;
    let folder = text(folder).filter(|folder| !folder.chars().any(char::is_control))?;
    match read_skill(&text(front)?, &folder) {
        Ok((name, description)) => Some(RepositorySkill {
            folder,
            name,
            description,
        }),
        // A stranger's words, its name among them, are no matter for the log.
        Err(_) => {
            tracing::info!("a repository has a skill that is none");
            None
        }
    }
}

fn read_skill(front: &str, folder: &str) -> Result<(String, String), Refused> {
    FrontMatter::read(front, Fields::Any)?.in_folder(folder)
}

fn text(base64: &str) -> Option<String> {
    String::from_utf8(BASE64_STANDARD.decode(base64).ok()?).ok()
}
