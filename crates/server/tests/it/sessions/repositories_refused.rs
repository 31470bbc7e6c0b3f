//! Repositories that can't be had, and those whose makers mean harm.

use std::path::Path;
use std::time::Duration;

use hostler_protocol::event::{Event, Recorded, RetryStatus, SessionErrorKind};
use hostler_protocol::session_repository::Checkout;

use super::git_server::{GitServer, sh};
use super::repositories::{branch, commit, result, turn};
use super::shown::public;
use super::world::World;

const ONE_COMMIT: &str = "echo hello > file && git add file && git commit -qm one";

/// Kind and message of each error, in the order of the paths.
fn errors(log: &[Recorded]) -> Vec<(SessionErrorKind, String)> {
    let mut errors: Vec<_> = log
        .iter()
        .filter_map(|row| {
            let Event::SessionError(told) = &row.event else {
                return None;
            };
            Some(&told.error)
        })
        .collect();
    errors.sort_by_key(|error| {
        let place = error.message.split("/workspace/").nth(1);
        let digits = place.and_then(|place| place.split(':').next());
        digits.and_then(|digits| digits.parse::<u32>().ok())
    });
    assert!(
        errors
            .iter()
            .all(|error| error.retry_status == RetryStatus::Retrying)
    );
    assert!(errors.iter().all(|error| error.repository_url.is_some()));
    let told = |error: &&hostler_protocol::event::SessionError| (error.kind, error.message.clone());
    errors.iter().map(told).collect()
}

/// The errors of a session with these repositories, whose tools work all the same.
async fn errors_of(
    world: &mut World,
    server: &GitServer,
    given: &[(&str, Option<Checkout>)],
) -> Vec<(SessionErrorKind, String)> {
    world.clones(server, given);
    let _engine = world.engine().await;
    let session = world.session().await;
    let log = turn(world, session, "echo works").await;
    let lines = public(&log);
    let worked = lines.iter().find(|line| line.starts_with("gives works"));
    let worked = worked.unwrap_or_else(|| panic!("{lines:?}"));
    let errors = errors(&log);
    // The model is told the same words.
    assert!(errors.iter().all(|(_, message)| worked.contains(message)));
    // Once, and not with every call.
    let again = turn(world, session, "echo again").await;
    assert_eq!(self::errors(&again), []);
    errors
}

#[tokio::test]
async fn each_refusal_has_its_kind_and_the_session_goes_on() {
    use SessionErrorKind as Kind;
    let server = GitServer::start("");
    server.repository("tool", ONE_COMMIT);
    let mut world = World::new().await;
    let missing = commit("0123456789abcdef0123456789abcdef01234567");
    let given = [
        ("/private/tool.git", None),
        ("/forbidden/tool.git", None),
        ("/nothing.git", None),
        ("/tool.git", branch("nothing")),
        ("/tool.git", missing),
        ("/tool.git", None),
    ];
    let errors = errors_of(&mut world, &server, &given).await;
    let kinds: Vec<Kind> = errors.iter().map(|(kind, _)| *kind).collect();
    assert_eq!(
        kinds,
        [
            Kind::RepositoryAuthenticationError,
            Kind::RepositoryForbiddenError,
            Kind::RepositoryNotFoundError,
            Kind::RepositoryCheckoutError,
            Kind::RepositoryCheckoutError,
        ],
        "{errors:?}"
    );
    assert!(
        errors[0].1.contains("it takes an authorization_token"),
        "{errors:?}"
    );
}

#[tokio::test]
async fn a_server_that_never_answers_is_given_up() {
    let server = GitServer::start("");
    let mut world = World::new().await;
    world.repositories.clone_time_max = Duration::from_secs(1);
    let errors = errors_of(&mut world, &server, &[("/silent/tool.git", None)]).await;
    let [(kind, message)] = errors.as_slice() else {
        panic!("{errors:?}");
    };
    assert_eq!(*kind, SessionErrorKind::RepositoryCloneError);
    assert!(
        message.ends_with("it was not finished within 1 s"),
        "{message}"
    );
}

#[tokio::test]
async fn what_is_too_much_is_refused() {
    use SessionErrorKind as Kind;
    let server = GitServer::start("");
    let big = "head -c 3000000 /dev/urandom > big && git add big";
    server.repository("big", &format!("{big}\n{ONE_COMMIT}"));
    let many = "for i in $(seq 60); do echo > $i; done; git add .";
    server.repository("many", &format!("{many}\n{ONE_COMMIT}"));
    let wide = "head -c 3000000 /dev/zero > zeros && git add zeros";
    server.repository("zeros", &format!("{wide}\n{ONE_COMMIT}"));
    let deep = "d=$(printf 'd/%.0s' $(seq 120)); mkdir -p $d; echo > $d/x; git add .";
    server.repository("deep", &format!("{deep}\n{ONE_COMMIT}"));
    // Ten levels of ten times the same: ten thousand million files in a few bytes.
    server.repository(
        "bomb",
        r#"o=$(echo x | git hash-object -w --stdin); m="100644 blob"
        for level in $(seq 10); do
            o=$(for i in $(seq 10); do printf '%s %s\t%s\n' "$m" $o $i; done | git mktree); m="040000 tree"
        done
        git update-ref refs/heads/main $(git commit-tree -m bomb $o)"#,
    );
    let mut world = World::new().await;
    world.repositories.bytes_max = 2 << 20;
    world.repositories.files_max = 50;
    let given = ["big", "many", "zeros", "deep", "bomb"].map(|name| format!("/{name}.git"));
    let given: Vec<_> = given.iter().map(|path| (path.as_str(), None)).collect();
    let errors = errors_of(&mut world, &server, &given).await;
    let told: Vec<(Kind, &str)> = errors
        .iter()
        .map(|(kind, message)| (*kind, message.rsplit(": ").next().unwrap_or_default()))
        .collect();
    assert_eq!(
        told,
        [
            (
                Kind::RepositoryCloneError,
                "it is larger than this server permits"
            ),
            (
                Kind::RepositoryCheckoutError,
                "it has more files than this server permits"
            ),
            (
                Kind::RepositoryCheckoutError,
                "its files are larger than this server permits"
            ),
            (
                Kind::RepositoryCheckoutError,
                "its directories are deeper than this server permits"
            ),
            (
                Kind::RepositoryCheckoutError,
                "it has more files than this server permits"
            ),
        ],
        "{errors:?}"
    );
}

#[tokio::test]
async fn no_redirect_leads_elsewhere() {
    for elsewhere in [
        "http://127.0.0.1:1/tool.git/info/refs",
        "http://169.254.169.254/latest/meta-data",
        "http://other.test/tool.git/info/refs",
        "file:///etc/passwd",
        "ftp://git.test/tool.git",
    ] {
        let server = GitServer::start(elsewhere);
        let mut world = World::new().await;
        let errors = errors_of(&mut world, &server, &[("/moved/tool.git", None)]).await;
        assert_eq!(errors.len(), 1, "{elsewhere}");
        let (kind, message) = &errors[0];
        let refused = [
            SessionErrorKind::RepositoryCloneError,
            SessionErrorKind::RepositoryForbiddenError,
        ];
        assert!(refused.contains(kind), "{elsewhere}: {message}");
    }
}

/// A host that is permitted by name, and whose name leads into this machine's network.
#[tokio::test]
async fn a_private_address_is_not_dialled() {
    let server = GitServer::start("");
    server.repository("tool", ONE_COMMIT);
    let mut world = World::new().await;
    world.clones(&server, &[("/tool.git", None)]);
    // Nobody says where it is, so it is looked up; the operator permits no private network.
    world.hosts.clear();
    let host = format!("http://localhost:{}", server.port);
    world.repositories.hosts =
        hostler_protocol::session_repository::RepositoryHosts::new(vec![host.parse().unwrap()]);
    world.cloned[0].wish.url = format!("{host}/tool.git").parse().unwrap();
    let _engine = world.engine().await;
    let session = world.session().await;
    let log = turn(&world, session, "true").await;
    assert_eq!(errors(&log).len(), 1);
}

/// Makes a tree with a name that git itself would not add.
fn with_name(name: &str, inner: &str) -> String {
    format!(
        r#"o=$(echo evil | git hash-object -w --stdin)
        t=$(printf '100755 blob %s\t{inner}\n' $o | git mktree)
        t=$(printf '040000 tree %s\t{name}\n' $t | git mktree)
        git update-ref refs/heads/main $(git commit-tree -m evil $t)"#
    )
}

#[tokio::test]
async fn trees_that_reach_into_git_are_refused() {
    let server = GitServer::start("");
    server.repository("hooks", &with_name(".git", "post-checkout"));
    server.repository("shouted", &with_name(".GIT", "config"));
    server.repository("up", &with_name("..", "x"));
    server.repository(
        "slash",
        r#"o=$(echo evil | git hash-object -w --stdin)
        t=$( { printf '100644 a/../../x\0'; printf "$(echo $o | sed 's/../\\x&/g')"; } | git hash-object -w -t tree --literally --stdin)
        git update-ref refs/heads/main $(git commit-tree -m evil $t)"#,
    );
    let mut world = World::new().await;
    let given = ["/hooks.git", "/shouted.git", "/up.git", "/slash.git"];
    let given = given.map(|path| (path, None));
    let errors = errors_of(&mut world, &server, &given).await;
    assert_eq!(errors.len(), 4, "{errors:?}");
    let boxes = world.folder.path().join("sandboxes/boxes");
    let found = sh(
        Path::new("/"),
        &format!("find {} -name post-checkout -o -name x", boxes.display()),
    );
    assert_eq!(found, "");
}

/// All of this is what a repository may hold. None of it runs or leads anywhere.
#[tokio::test]
async fn hooks_filters_submodules_and_links_do_nothing() {
    let server = GitServer::start("");
    let long = "n".repeat(255);
    server.repository(
        "odd",
        &format!(
            r#"mkdir hooks .githooks; printf '#!/bin/sh\ntouch /workspace/ran\n' > hooks/post-checkout
            chmod +x hooks/post-checkout; cp hooks/post-checkout .githooks/
            echo '* filter=lfs diff=lfs merge=lfs ident' > .gitattributes
            printf '[filter "lfs"]\n smudge = touch /workspace/ran\n[core]\n fsmonitor = touch /workspace/ran\n hooksPath = hooks\n' > .gitconfig
            printf '[submodule "m"]\n path = m\n url = ../tool.git\n update = checkout\n' > .gitmodules
            ln -s /etc/passwd absolute; ln -s ../../../../etc upwards; ln -s . round
            echo one > case; echo two > CASE; echo > '{long}'; echo > ./-rf; echo > './--upload-pack=x'
            printf 'a\nb' > "$(printf 'line\nbreak')"
            git add . 2>/dev/null; git update-index --add --cacheinfo 160000,0123456789abcdef0123456789abcdef01234567,m
            git commit -qm odd; git branch -- HEADING; git tag main"#
        ),
    );
    let mut world = World::new().await;
    world.clones(&server, &[("/odd.git", branch("main"))]);
    let _engine = world.engine().await;
    let session = world.session().await;
    let look = format!(
        "cd 0 && ls /workspace && ls -d -- case CASE -rf --upload-pack=x {long} | wc -l && readlink absolute && \
         readlink upwards && ls .git/hooks .git/modules 2>/dev/null | wc -l; git branch --show-current; \
         cat .git/config | grep -ci 'filter\\|hooks\\|fsmonitor'"
    );
    let expected = "gives 0\n5\n/etc/passwd\n../../../../etc\n0\nmain\n0\n";
    let looked = result(&world, session, &look).await;
    assert_eq!(
        looked
            .replace("fails", "gives")
            .replace("exit code 1", "")
            .trim_end(),
        expected.trim_end()
    );
}
