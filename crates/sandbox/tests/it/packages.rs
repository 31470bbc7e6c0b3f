//! What one sandbox installs and others share.

use std::fs;
use std::time::Duration;

use hostler_sandbox::{Packages, Root, SandboxHost, Spec};

use crate::root_tree;
use crate::world::{CleanUp, World, bash, name, ok, options};

const AGES: Duration = Duration::from_secs(1000);

#[tokio::test]
async fn packages_are_installed_once_and_shared_read_only() {
    let world = World::new().await;
    let sources = world.state.path().join("sources");
    fs::create_dir(&sources).unwrap();
    fs::write(sources.join("tool"), "#!/bin/bash\necho it works\n").unwrap();
    let building = Spec {
        packages: Packages::Building {
            sources: Some(sources.clone()),
        },
        ..Spec::default()
    };
    let builder = world.host.open(&name("builder"), &building).await.unwrap();
    ok(
        &bash(
            &builder.sandbox,
            "mkdir /opt/packages/bin && install -m 755 /opt/package-sources/tool /opt/packages/bin \
             && ln -s /etc/shadow /opt/packages/link; touch /opt/package-sources/x; ls /opt",
        )
        .await,
        "touch: cannot touch '/opt/package-sources/x': Read-only file system\n\
         package-sources\npackages\n",
    );
    let key = name("layer1");
    assert_eq!(world.host.layer(&key).await.unwrap(), None);
    let layer = world.host.keep_layer(&name("builder"), &key).await.unwrap();
    assert_eq!(world.host.layer(&key).await.unwrap(), Some(layer.clone()));
    let sharing = Spec {
        packages: Packages::Shared(layer),
        ..Spec::default()
    };
    for user in ["user1", "user2"] {
        let opened = world.host.open(&name(user), &sharing).await.unwrap();
        ok(
            &bash(
                &opened.sandbox,
                "/opt/packages/bin/tool; \
                 rm -f /opt/packages/bin/tool 2>&1 || echo stays",
            )
            .await,
            "it works\nrm: cannot remove '/opt/packages/bin/tool': Read-only file system\nstays\n",
        );
    }
    let names: Vec<_> = world.host.list().await.unwrap();
    assert!(names.iter().all(|listed| listed.name != name("builder")));
    assert_eq!(world.host.remove_unused_layers(AGES).await.unwrap(), 0);
    // They stay for those that were made with them, whether they run or not.
    let remove = || world.host.remove_unused_layers(Duration::ZERO);
    world.host.stop(&name("user1")).await.unwrap();
    assert_eq!(remove().await.unwrap(), 0);
    let made_with = world.host.made_with(&name("user1")).await.unwrap();
    assert_eq!(made_with, Some(sharing));
    world.host.destroy(&name("user1")).await.unwrap();
    assert_eq!(remove().await.unwrap(), 0);
    world.host.destroy(&name("user2")).await.unwrap();
    assert_eq!(remove().await.unwrap(), 1);
    assert_eq!(world.host.layer(&key).await.unwrap(), None);
    assert_eq!(world.host.made_with(&name("user2")).await.unwrap(), None);
}

#[tokio::test]
async fn what_is_installed_into_a_root_is_one_more_layer() {
    let state = tempfile::tempdir().unwrap();
    let place = state.path().join("layers");
    fs::create_dir(&place).unwrap();
    let base = root_tree::make(&place);
    let host = SandboxHost::start(options(&state)).await.unwrap();
    let _clean_up = CleanUp::of(&host);
    let building = Spec {
        root: Root::Layers(vec![base.clone()]),
        packages: Packages::Building { sources: None },
        ..Spec::default()
    };
    let builder = host.open(&name("builder"), &building).await.unwrap();
    let install = "mkdir -p /usr/local/bin; echo 'echo installed' > /usr/local/bin/tool; \
        rm -r /opt/lower; mkdir /opt/lower; touch /opt/lower/mine; \
        chown 33:33 /opt/lower/mine 2>/dev/null; ls -A /opt";
    ok(&bash(&builder.sandbox, install).await, "lower\n");
    let layer = host
        .keep_layer(&name("builder"), &name("layer1"))
        .await
        .unwrap();
    let root = Root::Layers(vec![base, layer.clone()]);
    let spec = Spec {
        root: root.clone(),
        ..Spec::default()
    };
    let opened = host.open(&name("user"), &spec).await.unwrap();
    let look = "bash /usr/local/bin/tool; ls /opt/lower; stat -c %u /usr/local/bin/tool /opt/lower; \
        rm /usr/local/bin/tool; ls /usr/local/bin";
    ok(
        &bash(&opened.sandbox, look).await,
        "installed\nmine\n0\n0\n",
    );
    if rustix::process::geteuid().is_root() {
        ok(
            &bash(&opened.sandbox, "stat -c %u /opt/lower/mine").await,
            "33\n",
        );
    }
    assert!(layer.join("usr/local/bin/tool").exists());
    // A sandbox is made of it, so it stays for as long as that has files.
    assert_eq!(host.remove_unused_layers(Duration::ZERO).await.unwrap(), 0);
    drop(opened);
    host.destroy(&name("user")).await.unwrap();
    assert_eq!(host.remove_unused_layers(Duration::ZERO).await.unwrap(), 1);
}
