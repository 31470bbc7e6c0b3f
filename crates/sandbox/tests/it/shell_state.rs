//! The shell of a stopped sandbox goes on where it was: directory, variables, functions, options.

use hostler_sandbox::{Losses, Opened, Provenance, Sandbox, SandboxHost, Spec, Stop};

use crate::world::{World, bash, name, ok};

async fn open(host: &SandboxHost) -> Opened {
    host.open(&name("two"), &Spec::default()).await.unwrap()
}

/// Runs `before`, stops the sandbox, and gives it as it is then.
async fn stop_after(host: &SandboxHost, before: &str) -> Opened {
    let opened = open(host).await;
    ok(&bash(&opened.sandbox, before).await, "(no output)");
    drop(opened);
    again(host).await
}

async fn again(host: &SandboxHost) -> Opened {
    assert_eq!(host.stop(&name("two")).await.unwrap(), Stop::Stopped);
    open(host).await
}

async fn says(sandbox: &Sandbox, command: &str, text: &str) {
    ok(&bash(sandbox, command).await, text);
}

#[tokio::test]
async fn directory_variables_functions_and_options_are_as_they_were() {
    let world = World::new().await;
    let before = "mkdir -p 'a b/c'; cd 'a b'; cd c; export E='exported'; S=plain; \
                  declare -a L=(one 'two three'); declare -A M=([k]='v w'); declare -r R=5; \
                  f() { echo \"f $1\"; }; g() { echo g; }; export -f g; shopt -s extglob expand_aliases\n\
                  h() { case $1 in +(a|b)) echo matches;; esac; }; alias say='echo said'; \
                  umask 027; set -o pipefail -u; unset LANG; IFS=:";
    let opened = stop_after(&world.host, before).await;
    assert_eq!(opened.provenance, Provenance::Restored(Losses::default()));
    let look = "pwd; echo \"$OLDPWD\"; bash -c 'echo $E; g'; echo $S; echo \"${L[1]}\"; echo \"${M[k]}\"; \
                f x; h aab; say it; umask; shopt -qo pipefail && shopt -qo nounset && echo options; \
                echo ${LANG-unset}; [[ $IFS == : ]] && echo IFS; R=6";
    let output = bash(&opened.sandbox, look).await.joined_text();
    let expected = "/workspace/a b/c\n/workspace/a b\nexported\ng\nplain\ntwo three\nv w\nf x\n\
                    matches\nsaid it\n0027\noptions\nunset\nIFS\n";
    assert!(output.starts_with(expected), "{output}");
    assert!(output.contains("R: readonly variable"), "{output}");
    // And once more, from a shell that was restored itself.
    drop(opened);
    let opened = again(&world.host).await;
    says(&opened.sandbox, "pwd; h aab", "/workspace/a b/c\nmatches\n").await;
    world.host.destroy(&name("two")).await.unwrap();
    world.end().await;
}

#[tokio::test]
async fn values_come_back_as_they_were_and_run_nothing() {
    let world = World::new().await;
    let before = r#"export A=$'line one\nline two\n\ttab \x01 \x7f end\n\n' B="it's \"quoted\" \$x \`y\`"
export C='grüße 🦀 \\ ' D='"; touch /workspace/ran; "' E='$(touch /workspace/ran)' F=$'x\ntouch /workspace/ran\n'
export G=$'\xff\xfe bytes' H= ; export NEVER_SET
for i in $(seq 1000); do export "V$i=value $i"; done
env -0 | sort -z | grep -azv '^SHLVL=\|^_=' > sum; unset i"#;
    let opened = stop_after(&world.host, before).await;
    assert_eq!(opened.provenance, Provenance::Restored(Losses::default()));
    let look = "env -0 | sort -z | grep -azv '^SHLVL=\\|^_=' | diff -a - sum && echo same; \
                echo \"$V1000 ${NEVER_SET-unset}\"; ls";
    says(&opened.sandbox, look, "same\nvalue 1000 unset\nsum\n").await;
    world.host.destroy(&name("two")).await.unwrap();
    world.end().await;
}

#[tokio::test]
async fn a_shell_that_lays_traps_for_its_successor_gets_a_plain_one() {
    let world = World::new().await;
    // Restoring this shell's options would end the next one, and so would its functions.
    let cases = [
        (
            "declare() { echo taken; }; trap 'echo trapped' DEBUG; A=1",
            "echo $A",
            "1\n",
        ),
        (
            "set -e; A=2; false() { return 1; }",
            "echo $A; set +e",
            "2\n",
        ),
        ("set -x; A=3", "{ set +x; } 2>/dev/null; echo $A", "3\n"),
        (
            "PROMPT_COMMAND='exit 1'; A=4; PS4='$(exit 3)'",
            "echo $A",
            "4\n",
        ),
    ];
    for (before, look, text) in cases {
        let opened = open(&world.host).await;
        bash(&opened.sandbox, before).await;
        drop(opened);
        let opened = again(&world.host).await;
        let output = bash(&opened.sandbox, look).await.joined_text();
        assert!(output.ends_with(text), "after {before}: {output}");
        drop(opened);
        world.host.destroy(&name("two")).await.unwrap();
    }
    world.end().await;
}

#[tokio::test]
async fn what_is_too_long_leaves_the_exported_variables() {
    let world = World::new().await;
    let before = "long=$(head -c 6000000 /dev/zero | tr '\\0' x); export A=5; cd /usr";
    let opened = stop_after(&world.host, before).await;
    says(&opened.sandbox, "echo $A ${#long}; pwd", "5 0\n/usr\n").await;
    world.host.destroy(&name("two")).await.unwrap();
    world.end().await;
}

#[tokio::test]
async fn a_directory_that_is_gone_and_a_damaged_state_are_said() {
    let world = World::new().await;
    let opened = stop_after(&world.host, "mkdir /tmp/gone; cd /tmp/gone; A=5").await;
    let text = "[note: the working directory /tmp/gone is not there any more; this is the \
                workspace]\n/workspace\n5\n";
    says(&opened.sandbox, "pwd; echo $A", text).await;
    drop(opened);
    world.host.stop(&name("two")).await.unwrap();
    let state = world.on_host("../two/shell_state");
    std::fs::write(
        &state,
        "nonsense that is long enough to have a header\0\0\0",
    )
    .unwrap();
    let opened = open(&world.host).await;
    let text = "[note: the state of the last shell is lost: it is damaged]\n/workspace\n\n";
    says(&opened.sandbox, "pwd; echo $A", text).await;
    world.host.destroy(&name("two")).await.unwrap();
    world.end().await;
}

#[tokio::test]
async fn a_state_that_ends_the_shell_costs_only_itself() {
    let world = World::new().await;
    let opened = stop_after(&world.host, "A=5").await;
    drop(opened);
    world.host.stop(&name("two")).await.unwrap();
    // As nothing but a bug or a damaged disk would have it.
    let text = "exit 3\n\0/\n\0\n\0";
    let header = format!("hostler shell 1{:24}\n", text.len());
    std::fs::write(world.on_host("../two/shell_state"), header + text).unwrap();
    let opened = open(&world.host).await;
    let text = "[note: the state of the last shell could not be restored: this is a new \
                one]\n/workspace\n";
    says(&opened.sandbox, "pwd", text).await;
    world.host.destroy(&name("two")).await.unwrap();
    world.end().await;
}

#[tokio::test]
async fn two_stops_without_a_command_between_lose_nothing() {
    let world = World::new().await;
    let opened = stop_after(&world.host, "A=5; cd /usr").await;
    drop(opened);
    drop(again(&world.host).await);
    let opened = again(&world.host).await;
    says(&opened.sandbox, "echo $A; pwd", "5\n/usr\n").await;
    world.host.destroy(&name("two")).await.unwrap();
    world.end().await;
}

#[tokio::test]
async fn news_come_again_until_they_are_told() {
    let world = World::new().await;
    let opened = stop_after(&world.host, "sleep 1000 &").await;
    let losses = Losses {
        processes: true,
        ..Losses::default()
    };
    assert_eq!(opened.provenance, Provenance::Restored(losses));
    // Of two at once, one has the news.
    let second = open(&world.host).await;
    assert_eq!(second.provenance, Provenance::Attached);
    drop(opened);
    // What is told is of the stop; what was found runs.
    let opened = open(&world.host).await;
    assert_eq!(opened.provenance, Provenance::Attached);
    let news = opened.news.unwrap();
    assert_eq!(news.provenance(), Provenance::Restored(losses));
    drop(news);
    let attached = world.host.attach(&name("two")).await.unwrap().unwrap();
    attached.news.unwrap().told();
    assert!(open(&world.host).await.news.is_none());
    world.host.destroy(&name("two")).await.unwrap();
    assert!(world.host.attach(&name("two")).await.unwrap().is_none());
    world.end().await;
}
