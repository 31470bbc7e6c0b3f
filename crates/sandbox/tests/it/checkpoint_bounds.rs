//! What is too much for an archive is refused while it is packed, and the sandbox stays as it is:
//! an archive that nobody can unpack must not take the place of its files.

use hostler_sandbox::Spec;

use crate::checkpoint::{another_host, pack};
use crate::world::{CleanUp, World, bash, name, ok};

#[tokio::test]
async fn directories_that_are_too_deep_keep_a_sandbox_here() {
    let world = World::new().await;
    let two = name("two");
    let opened = world.host.open(&two, &Spec::default()).await.unwrap();
    let make = "echo file > kept; for _ in $(seq 300); do mkdir d; cd d; done; cd /workspace";
    bash(&opened.sandbox, make).await;
    drop(opened);
    let packed = world
        .host
        .checkpoint(&two, "mark_1", None, std::io::sink())
        .await;
    let refused = packed.unwrap_err().to_string();
    assert!(
        refused.contains("directories in more than 256 others"),
        "{refused}"
    );
    assert!(!world.host.evict(&two, "mark_1").await.unwrap());
    let opened = world.host.open(&two, &Spec::default()).await.unwrap();
    ok(&bash(&opened.sandbox, "cat kept; rm -r d").await, "file\n");
    drop(opened);
    // With the cause gone it is packed.
    pack(&world.host, "two").await;
    world.host.destroy(&two).await.unwrap();
    world.end().await;
}

#[tokio::test]
async fn a_file_of_more_pieces_than_are_noted_comes_back_whole() {
    let world = World::new().await;
    let two = name("two");
    let opened = world.host.open(&two, &Spec::default()).await.unwrap();
    let make = "python3 -c '\nwith open(\"holes\", \"wb\") as f:\n  for i in range(4200):\n    \
        f.seek(i * 8192); f.write(b\"%d\" % i)'; sha256sum holes";
    let before = bash(&opened.sandbox, make).await;
    drop(opened);
    let (archive, created_at) = pack(&world.host, "two").await;
    let (host, _state) = another_host().await;
    let _clean_up = CleanUp::of(&host);
    let restored = host
        .restore(&two, "mark_1", created_at, archive.reader())
        .await;
    assert!(restored.unwrap().bytes >= 4199 * 8192);
    let opened = host.open(&two, &Spec::default()).await.unwrap();
    let after = bash(&opened.sandbox, "sha256sum holes").await;
    assert_eq!(after.joined_text(), before.joined_text());
    drop(opened);
    world.host.destroy(&two).await.unwrap();
    world.end().await;
}
