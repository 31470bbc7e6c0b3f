//! Skills: who sees them, how many versions they have, and what is left of those that were deleted.

use hostler_protocol::agent::WantedSkill;
use hostler_protocol::id::{SkillId, WorkspaceId};
use hostler_protocol::skill::{SkillResource, SkillVersion, VersionWanted};
use hostler_store::{NewSkillVersion, SkillCreated, VersionDeleted};

use crate::store_folder::{StoreFolder, first};

fn version(at: &StoreFolder, skill_id: SkillId, versions_max: u32) -> NewSkillVersion {
    NewSkillVersion {
        id: at.env.id(),
        skill_id,
        name: "a-skill".to_owned(),
        description: "Does it.".to_owned(),
        files: Vec::new(),
        archive: b"its archive".to_vec(),
        at: at.env.now(),
        quota_bytes: 1_000,
        versions_max,
    }
}

async fn create(at: &StoreFolder, workspace: WorkspaceId) -> SkillResource {
    let new = version(at, at.env.id(), 1);
    let created = at.store.create_skill(workspace, "A skill".to_owned(), new);
    match created.await.unwrap() {
        SkillCreated::Created(skill) => skill,
        other => panic!("{other:?}"),
    }
}

async fn add(at: &StoreFolder, skill: SkillId, most: u32) -> SkillCreated<SkillVersion> {
    let new = version(at, skill, most);
    let created = at.store.create_skill_version(at.workspace, new);
    created.await.unwrap()
}

fn blobs(at: &StoreFolder) -> usize {
    let folder = at.folder.path().join("blobs/skills");
    std::fs::read_dir(folder).map_or(0, Iterator::count)
}

#[tokio::test]
async fn another_workspace_has_none_of_it() {
    let at = StoreFolder::new();
    let (skill, other) = (create(&at, at.workspace).await, at.env.id());
    let latest = VersionWanted::Latest;
    let wanted = WantedSkill {
        skill_id: skill.id,
        version: latest,
    };
    assert!(at.store.skill(other, skill.id).await.unwrap().is_none());
    let listed = at.store.skills(other, first(10)).await.unwrap();
    assert!(listed.is_empty());
    let found = at.store.skill_version(other, skill.id, latest).await;
    assert!(found.unwrap().is_none());
    let versions = at.store.skill_versions(other, skill.id, first(10)).await;
    assert!(versions.unwrap().is_none());
    let content = at.store.skill_content(other, skill.id, latest).await;
    assert!(content.unwrap().is_none());
    let found = at.store.skills_wanted(other, vec![wanted]).await;
    assert!(found.unwrap().is_empty());
    let new = version(&at, skill.id, 10);
    let created = at.store.create_skill_version(other, new).await;
    assert_eq!(created.unwrap(), SkillCreated::NoSuchSkill);
    let id = skill.latest_version_id;
    let deleted = at
        .store
        .delete_skill_version(other, skill.id, id, at.env.now());
    assert_eq!(deleted.await.unwrap(), VersionDeleted::NoSuchVersion);
    let deleted = at.store.delete_skill(other, skill.id, at.env.now()).await;
    assert!(!deleted.unwrap());
    let found = at.store.skills_wanted(at.workspace, vec![wanted]).await;
    assert_eq!(found.unwrap().len(), 1);
}

#[tokio::test]
async fn versions_have_a_bound_and_leave_nothing_behind() {
    let at = StoreFolder::new();
    let skill = create(&at, at.workspace).await;
    for _ in 0..2 {
        let added = add(&at, skill.id, 3).await;
        assert!(matches!(added, SkillCreated::Created(_)), "{added:?}");
    }
    assert_eq!(add(&at, skill.id, 3).await, SkillCreated::TooManyVersions);
    assert_eq!(blobs(&at), 3);
    let deleted = at.store.delete_skill(at.workspace, skill.id, at.env.now());
    assert!(deleted.await.unwrap());
    assert_eq!(blobs(&at), 0);
    // Their bytes are free again: a quota of 1,000 holds no more than ninety.
    for _ in 0..90 {
        let skill = create(&at, at.workspace).await;
        let deleted = at.store.delete_skill(at.workspace, skill.id, at.env.now());
        assert!(deleted.await.unwrap());
    }
    create(&at, at.workspace).await;
}
