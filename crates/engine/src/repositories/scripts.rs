//! What runs in the sandboxes that clone and check out: `git`, told to trust nothing.
//!
//! Everything that a client chose comes in variables, so that no text of a client is ever read as a
//! command. The last line says how it ended, see `failure.rs`.

use std::collections::BTreeMap;

use hostler_protocol::session_repository::{Checkout, RepositoryUrl};

use super::RepositoryOptions;
use super::found_skills::FIND;
use crate::limits::{REPOSITORY_DEPTH, REPOSITORY_SKILLS_MAX};

/// Where the mirror is, and what is made of it, both in the workspace.
pub(super) const MIRROR: &str = "mirror";
pub(super) const TREE: &str = "tree";

/// `git` reads no configuration but what is here: it runs no hook, filter, helper or program that a
/// repository or its server could name, and speaks the protocols of the variable only.
const GIT: &str = r#"
umask 022
cd /workspace || exit 1
say() { printf 'hostler: %s\n' "$1"; exit "${2:-1}"; }
command -v git >/dev/null || say no_git
git() {
    command git -c core.hooksPath=/dev/null -c core.fsmonitor=false -c core.askPass=/bin/false \
        -c credential.helper= -c gc.auto=0 -c maintenance.auto=false -c submodule.recurse=false \
        -c fetch.recurseSubmodules=false -c fetch.unpackLimit=1 -c transfer.fsckObjects=true \
        -c fetch.fsck.badTimezone=ignore -c fetch.fsck.badDate=ignore \
        -c fetch.fsck.missingSpaceBeforeDate=ignore -c fetch.fsck.missingSpaceBeforeEmail=ignore \
        -c fetch.fsck.badName=ignore -c fetch.fsck.badEmail=ignore \
        -c fetch.fsck.zeroPaddedFilemode=ignore -c fetch.fsck.zeroPaddedDate=ignore \
        -c http.followRedirects=initial -c http.lowSpeedLimit=1000 -c http.lowSpeedTime=30 \
        -c http.emptyAuth=false -c init.defaultBranch=main -c advice.detachedHead=false "$@"
}
# What a server sends as words is not bounded otherwise.
run() { git "$@" 2>&1 | tail -c 4000 >log; return "${PIPESTATUS[0]}"; }
failed() { cat log; say "$1"; }
"#;

/// Makes the mirror, or fetches what it lacks.
const FETCH: &str = r#"
# Ignored, so that git says what is wrong instead of ending in silence.
trap '' XFSZ
ulimit -f $((BYTES_MAX / 1024))
if [ -d mirror ]; then
    state() { git -C mirror for-each-ref; cat mirror/HEAD; }
    state >before
    git ls-remote --symref -- "$URL" HEAD 2>words | head -c 4000 >head
    [ "${PIPESTATUS[0]}" = 0 ] || { tail -c 4000 words >log; failed clone; }
    run -C mirror fetch --quiet --prune --force --no-write-fetch-head -- "$URL" \
        '+refs/heads/*:refs/heads/*' '+refs/tags/*:refs/tags/*' || failed clone
    branch=$(sed -n '1s/^ref: \(refs\/heads\/[^\t]*\)\tHEAD$/\1/p' head)
    [ -z "$branch" ] || git -C mirror symbolic-ref HEAD "$branch"
    if [ -n "$SHA" ] && ! git -C mirror cat-file -e "$SHA^{commit}" 2>/dev/null; then
        run -C mirror fetch --quiet --no-write-fetch-head -- "$URL" "+$SHA:refs/kept/$SHA" \
            || say no_commit
    fi
    state >after
    cmp -s before after && say unchanged 0
    if [ "$(ls mirror/objects/pack | grep -c 'pack$')" -gt 20 ]; then
        git -C mirror repack -a -d -q >log 2>&1
    fi
else
    run clone --quiet --bare --template= -- "$URL" mirror || failed clone
    if [ -n "$SHA" ] && ! git -C mirror cat-file -e "$SHA^{commit}" 2>/dev/null; then
        run -C mirror fetch --quiet --no-write-fetch-head -- "$URL" "+$SHA:refs/kept/$SHA"
    fi
fi
say done 0
"#;

/// Makes a working tree with a repository of its own: its objects are those of the mirror, under
/// second names, until the sandbox ends.
const CHECKOUT: &str = r#"
if [ -n "$SHA" ]; then
    git -C mirror cat-file -e "$SHA^{commit}" 2>/dev/null || say no_commit
elif [ -n "$BRANCH" ]; then
    git -C mirror show-ref --quiet --verify "refs/heads/$BRANCH" || say no_branch
fi
clone() { run clone --quiet --no-checkout --local --template= "$@" -- mirror tree; }
if [ -n "$BRANCH" ]; then clone --branch "$BRANCH"; else clone; fi || failed checkout
git -C tree remote set-url origin "$URL" || say checkout
commit=$SHA
[ -n "$commit" ] || commit=$(git -C tree rev-parse --quiet --verify 'HEAD^{commit}')
if [ -n "$commit" ]; then
    git -C tree ls-tree -rl --full-tree "$commit" 2>log | awk -F '\t' \
        -v bytes="$BYTES_MAX" -v files="$FILES_MAX" -v depth="$DEPTH_MAX" '
        { split($1, entry, " "); sum += entry[4]; count++ }
        count > files { print "too_many_files"; exit }
        sum > bytes { print "too_many_bytes"; exit }
        gsub("/", "/", $2) > depth { print "too_deep"; exit }' >verdict
    status=("${PIPESTATUS[@]}")
    [ ! -s verdict ] || say "$(cat verdict)"
    [ "${status[*]}" = '0 0' ] || failed checkout
    if [ -n "$SHA" ]; then
        run -C tree checkout --quiet --force --detach "$SHA"
    else
        run -C tree checkout --quiet --force
    fi || failed checkout
    show_skills "$commit"
fi
rm -rf mirror
say done 0
"#;

pub(super) fn fetch() -> String {
    format!("({GIT}{FETCH})")
}

pub(super) fn checkout() -> String {
    format!("({GIT}{FIND}{CHECKOUT})")
}

/// What both scripts find. `protocols` are those that git may speak.
pub(super) fn variables(
    options: &RepositoryOptions,
    url: &RepositoryUrl,
    checkout: Option<&Checkout>,
    protocols: &str,
) -> BTreeMap<String, String> {
    let (branch, sha) = match checkout {
        None => ("", String::new()),
        Some(Checkout::Branch { name }) => (name.as_str(), String::new()),
        Some(Checkout::Commit { sha }) => ("", sha.to_ascii_lowercase()),
    };
    let own = [
        ("URL", url.as_str().to_owned()),
        ("BRANCH", branch.to_owned()),
        ("SHA", sha),
        ("BYTES_MAX", options.bytes_max.to_string()),
        ("FILES_MAX", options.files_max.to_string()),
        ("DEPTH_MAX", REPOSITORY_DEPTH.to_string()),
        ("SKILLS_MAX", REPOSITORY_SKILLS_MAX.to_string()),
        ("GIT_ALLOW_PROTOCOL", protocols.to_owned()),
    ];
    let fixed = [
        ("GIT_CONFIG_NOSYSTEM", "1"),
        ("GIT_CONFIG_SYSTEM", "/dev/null"),
        ("GIT_CONFIG_GLOBAL", "/dev/null"),
        ("GIT_ATTR_NOSYSTEM", "1"),
        ("GIT_TERMINAL_PROMPT", "0"),
        ("GIT_ASKPASS", "/bin/false"),
        ("GIT_SSH_COMMAND", "/bin/false"),
        ("GIT_LFS_SKIP_SMUDGE", "1"),
        ("GIT_NO_LAZY_FETCH", "1"),
        ("LC_ALL", "C"),
    ];
    let fixed = fixed.map(|(name, value)| (name, value.to_owned()));
    let all = own.into_iter().chain(fixed);
    all.map(|(name, value)| (name.to_owned(), value)).collect()
}
