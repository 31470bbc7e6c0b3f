//! Agents: versions, conflicts, lists.

use std::time::Duration;

use hostler_protocol::agent::{Agent, CreateAgent, Reference};
use hostler_protocol::decode::At;
use hostler_store::{AgentFilter, AgentSaved, Archived, PageRange, Store};
use serde_json::json;

use crate::store_folder::{StoreFolder, first};

const LIVE: AgentFilter = AgentFilter {
    archived: Archived::LeftOut,
    created_from: None,
    created_to: None,
};

fn saved(outcome: AgentSaved) -> Agent {
    match outcome {
        AgentSaved::Saved(agent) => *agent,
        other => panic!("not saved: {other:?}"),
    }
}

#[tokio::test]
async fn each_change_is_a_version_and_a_no_op_is_none() {
    let at = StoreFolder::new();
    let first_version = at.create_agent(json!({"name": "a", "model": "big"})).await;
    at.env.advance(Duration::from_secs(1));
    let second = saved(
        at.update_agent(first_version.id, json!({"name": "b"}))
            .await,
    );
    assert_eq!((second.version, second.name.as_str()), (2, "b"));
    assert_eq!(second.created_at, first_version.created_at);
    assert_eq!(second.updated_at, at.env.now());
    at.env.advance(Duration::from_secs(1));
    let same = saved(
        at.update_agent(second.id, json!({"version": 2, "name": "b"}))
            .await,
    );
    assert_eq!(same, second);
    assert_eq!(at.agent(second.id, None).await, Some(second.clone()));
    assert_eq!(at.agent(second.id, Some(1)).await, Some(first_version));
    assert_eq!(at.agent(second.id, Some(3)).await, None);
}

#[tokio::test]
async fn a_stale_version_changes_nothing() {
    let at = StoreFolder::new();
    let agent = at.create_agent(json!({"name": "a", "model": "big"})).await;
    saved(at.update_agent(agent.id, json!({"name": "b"})).await);
    let stale = at
        .update_agent(agent.id, json!({"version": 1, "name": "b"}))
        .await;
    assert_eq!(stale, AgentSaved::StaleVersion);
    let unknown = at.update_agent(at.env.id(), json!({})).await;
    assert_eq!(unknown, AgentSaved::NoSuchAgent);
    assert_eq!(at.agent(agent.id, None).await.unwrap().version, 2);
}

#[tokio::test]
async fn writers_that_saw_the_same_version_do_not_both_win() {
    let at = StoreFolder::new();
    let agent = at.create_agent(json!({"name": "a", "model": "big"})).await;
    let names = ["b", "c", "d", "e"];
    let updates = names.map(|name| at.update_agent(agent.id, json!({"version": 1, "name": name})));
    let outcomes = futures::future::join_all(updates).await;
    let won = outcomes
        .iter()
        .filter(|outcome| matches!(outcome, AgentSaved::Saved(_)))
        .count();
    assert_eq!(won, 1);
    assert_eq!(at.agent(agent.id, None).await.unwrap().version, 2);
}

#[tokio::test]
async fn archiving_is_final_and_keeps_its_first_moment() {
    let at = StoreFolder::new();
    let agent = at.create_agent(json!({"name": "a", "model": "big"})).await;
    let moment = at.env.now();
    let archive = || at.store.archive_agent(at.workspace, agent.id, at.env.now());
    let archived = archive().await.unwrap().unwrap();
    at.env.advance(Duration::from_secs(1));
    assert_eq!(archive().await.unwrap(), Some(archived.clone()));
    assert_eq!(archived.archived_at, Some(moment));
    let refused = at.update_agent(agent.id, json!({"name": "b"})).await;
    assert_eq!(refused, AgentSaved::Archived);
    let live = at
        .store
        .agents(at.workspace, LIVE, first(10))
        .await
        .unwrap();
    assert_eq!(live, []);
    let all = AgentFilter {
        archived: Archived::Included,
        ..LIVE
    };
    let all = at.store.agents(at.workspace, all, first(10)).await.unwrap();
    assert_eq!(all, [archived]);
}

async fn names(store: &Store, at: &StoreFolder, filter: AgentFilter, range: PageRange) -> String {
    let agents = store.agents(at.workspace, filter, range).await.unwrap();
    agents.iter().map(|agent| agent.name.as_str()).collect()
}

#[tokio::test]
async fn lists_go_from_the_newest_by_key_and_within_bounds() {
    let at = StoreFolder::new();
    let mut agents = Vec::new();
    for name in ["a", "b", "c", "d"] {
        agents.push(at.create_agent(json!({"name": name, "model": "big"})).await);
        at.env.advance(Duration::from_secs(1));
    }
    let list = |filter, range| names(&at.store, &at, filter, range);
    assert_eq!(list(LIVE, first(3)).await, "dcb");
    let after = PageRange {
        after: Some((agents[1].created_at.as_micros(), agents[1].id.to_string())),
        limit: 3,
    };
    assert_eq!(list(LIVE, after).await, "a");
    let middle = AgentFilter {
        created_from: Some(agents[1].created_at),
        created_to: Some(agents[2].created_at),
        ..LIVE
    };
    assert_eq!(list(middle, first(9)).await, "cb");
}

#[tokio::test]
async fn versions_are_paged_by_number() {
    let at = StoreFolder::new();
    let agent = at.create_agent(json!({"name": "1", "model": "big"})).await;
    for name in ["2", "3"] {
        saved(at.update_agent(agent.id, json!({ "name": name })).await);
    }
    let versions = |range| at.store.agent_versions(at.workspace, agent.id, range);
    let numbers = |agents: Option<Vec<Agent>>| -> Vec<u32> {
        let agents = agents.unwrap();
        agents.iter().map(|agent| agent.version).collect()
    };
    assert_eq!(numbers(versions(first(2)).await.unwrap()), [3, 2]);
    let after = PageRange {
        after: Some((2, String::new())),
        limit: 2,
    };
    assert_eq!(numbers(versions(after).await.unwrap()), [1]);
    let unknown = at.store.agent_versions(at.workspace, at.env.id(), first(2));
    assert_eq!(unknown.await.unwrap(), None);
}

#[tokio::test]
async fn a_roster_is_pinned_when_it_is_saved() {
    let at = StoreFolder::new();
    let member = at.create_agent(json!({"name": "m", "model": "big"})).await;
    let roster =
        json!({"type": "coordinator", "agents": [member.id.to_string(), {"type": "self"}]});
    let body = json!({"name": "o", "model": "big", "multiagent": roster});
    let owner = at.create_agent(body).await;
    saved(at.update_agent(member.id, json!({"name": "n"})).await);
    let renamed = saved(at.update_agent(owner.id, json!({"name": "p"})).await);
    let shown = |agent: &Agent| serde_json::to_value(&agent.multiagent).unwrap()["agents"].clone();
    let entry =
        |agent: &Agent, version| json!({"type": "agent", "id": agent.id, "version": version});
    assert_eq!(
        shown(&renamed),
        json!([entry(&member, 1), entry(&owner, 2)])
    );
    let again = saved(
        at.update_agent(owner.id, json!({"multiagent": roster}))
            .await,
    );
    assert_eq!(shown(&again), json!([entry(&member, 2), entry(&owner, 3)]));
    let found = at.store.agents_by_reference(at.workspace, again.roster());
    let pinned = Reference {
        id: member.id,
        version: Some(2),
    };
    assert_eq!(found.await.unwrap()[0].0, pinned);
}

#[tokio::test]
async fn a_roster_sees_its_own_workspace_only() {
    let at = StoreFolder::new();
    let member = at.create_agent(json!({"name": "m", "model": "big"})).await;
    let body = json!({"name": "o", "model": "big",
                      "multiagent": {"type": "coordinator", "agents": [member.id.to_string()]}});
    let create = CreateAgent::decode(At::root(&body)).unwrap();
    let save = at.save(at.env.id());
    let stranger = at.env.id();
    let outcome = at.store.create_agent(stranger, save, create).await.unwrap();
    let AgentSaved::Invalid(invalid) = outcome else {
        panic!("saved: {outcome:?}");
    };
    assert_eq!(invalid.to_string(), "multiagent.agents.0: agent not found");
    let newest = Reference {
        id: member.id,
        version: None,
    };
    assert_eq!(at.store.agent(stranger, newest).await.unwrap(), None);
    assert_eq!(at.store.agents(stranger, LIVE, first(9)).await.unwrap(), []);
}
