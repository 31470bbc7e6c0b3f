//! Becoming somebody else, and marks on files that would make one.

use super::table::{Attempt, hold};
use crate::world::World;

const ATTEMPTS: &[Attempt] = &[
    (
        "give a file to an id that is not there",
        "os.chown('/workspace', 70000, 0)",
        "EINVAL",
    ),
    (
        "become an id that is not there",
        "os.setresuid(70000, 70000, 70000)",
        "EINVAL",
    ),
    (
        "mark a file for the overlay",
        "(make('f'), os.setxattr('f', 'trusted.overlay.opaque', b'y'))",
        "EPERM|EOPNOTSUPP",
    ),
    (
        "make a file immutable",
        "(make('f'), fcntl.ioctl(os.open('f', 0), 0x40086602, b'\\x10' + b'\\0' * 7))",
        "EPERM|ENOTTY|EOPNOTSUPP",
    ),
    (
        "regain capabilities",
        "call('prctl', 47, 2, 21, 0, 0)",
        "EPERM|EINVAL",
    ),
    (
        "allow new privileges again",
        "call('prctl', 38, 0, 0, 0, 0)",
        "EINVAL",
    ),
];

#[tokio::test]
async fn nobody_becomes_somebody_else() {
    hold(ATTEMPTS).await;
}

#[tokio::test]
async fn capabilities_stay_dropped() {
    let world = World::new().await;
    let kept =
        "grep -E '^(CapPrm|CapEff|CapBnd|CapInh|CapAmb|NoNewPrivs|Seccomp):' /proc/self/status";
    let status = world.sh(kept).await;
    let field = |name: &str| {
        let line = status.lines().find(|line| line.starts_with(name)).unwrap();
        line.split_whitespace().nth(1).unwrap().to_owned()
    };
    // chown, dac_override, fowner, fsetid, kill, setgid, setuid.
    for (set, bits) in [
        ("CapPrm", 0xfb_u64),
        ("CapEff", 0xfb),
        ("CapBnd", 0xfb),
        ("CapInh", 0),
        ("CapAmb", 0),
    ] {
        let found = u64::from_str_radix(&field(set), 16).unwrap();
        assert_eq!(found, bits, "{set}: {found:#x}");
    }
    assert_eq!(
        (field("NoNewPrivs"), field("Seccomp")),
        ("1".into(), "2".into())
    );
    world.end().await;
}

/// With one id only there is nobody to become in the first place.
#[tokio::test]
async fn a_set_uid_program_gains_nothing() {
    let world = World::new().await;
    let user = "cp /usr/bin/id /workspace/id; chmod 4755 /workspace/id; \
                /usr/bin/python3 -c 'import os\ntry: os.setresuid(1000, 1000, 1000)\n\
                except OSError: print(0); raise SystemExit\n\
                os.execv(\"/workspace/id\", [\"id\", \"-u\"])'";
    let expected = if rustix::process::geteuid().is_root() {
        "1000"
    } else {
        "0"
    };
    assert_eq!(world.sh(user).await, expected);
    world.end().await;
}
