//! How much separates a sandbox from its host, in one word, and the refusal of too little.

use hostler_sandbox::{
    Backend, DiskLimit, IsolationReport, LimitSource, SandboxHost, Tier, UserNamespace,
};

use crate::world::{World, options};

async fn report() -> IsolationReport {
    let world = World::new().await;
    let report = world.host.isolation().clone();
    world.end().await;
    report
}

#[tokio::test]
async fn the_tier_follows_from_what_is_there() {
    let mut report = report().await;
    report.memory_limit = LimitSource::CgroupV2;
    report.process_limit = LimitSource::CgroupV1;
    report.user_namespace = UserNamespace::Range {
        base: 300_000,
        size: 65_536,
    };
    report.landlock_abi = Some(1);
    report.disk_limit = DiskLimit::Image;
    report.inode_limit = DiskLimit::Image;
    assert_eq!(report.tier(), Tier::Full);
    for take_away in [
        (|report| report.user_namespace = UserNamespace::Single) as fn(&mut IsolationReport),
        |report| report.disk_limit = DiskLimit::PerFile,
        |report| report.inode_limit = DiskLimit::None,
        |report| report.landlock_abi = None,
    ] {
        let mut less = report.clone();
        take_away(&mut less);
        assert_eq!(less.tier(), Tier::User, "{less:?}");
    }
    for take_away in [
        (|report| report.memory_limit = LimitSource::Rlimit) as fn(&mut IsolationReport),
        |report| report.process_limit = LimitSource::Rlimit,
    ] {
        let mut less = report.clone();
        take_away(&mut less);
        assert_eq!(less.tier(), Tier::Restricted, "{less:?}");
    }
    report.seccomp = false;
    assert_eq!(report.tier(), Tier::None);
}

#[tokio::test]
async fn too_little_is_refused_with_what_is_missing() {
    let state = tempfile::tempdir().unwrap();
    let mut options = options(&state);
    options.backend = Backend::UnsafeProcess;
    options.require = Some(Tier::Restricted);
    let refused = SandboxHost::start(options).await.err().unwrap();
    assert!(
        refused.reason.starts_with(
            "sandbox.require asks for the tier restricted, and this host gives none; missing: \
             isolation, "
        ),
        "{refused}"
    );
    assert!(refused.hint.contains("sandbox.mode"), "{refused}");
}

/// No bound on the disk was asked for, so nobody gets the highest.
#[tokio::test]
async fn what_is_there_is_accepted() {
    let state = tempfile::tempdir().unwrap();
    let mut options = options(&state);
    options.require = Some(Tier::Full);
    let refused = SandboxHost::start(options.clone()).await.err().unwrap();
    assert!(refused.reason.contains("a bound on the disk"), "{refused}");
    let tier = report().await.tier();
    assert!(tier >= Tier::Restricted, "{tier}");
    options.require = Some(tier);
    SandboxHost::start(options).await.unwrap();
}
