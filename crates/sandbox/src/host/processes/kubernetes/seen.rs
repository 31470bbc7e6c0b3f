//! What the cluster says of our pods, kept up to date by one watch: nobody asks for a pod.
//!
//! A list, then its changes. Whatever ends the watch, there is a new list after it, so nothing is
//! missed for good; meanwhile what is known is as old as the last word.

use std::collections::BTreeMap;
use std::io;
use std::time::Duration;

use serde_json::Value;
use tokio::sync::watch;
use tokio::time::timeout;

use super::api::{Api, text};
use super::body::{KEEPER, NAME_ANNOTATION, TOOLS};
use crate::limits::{
    API_ANSWER_BYTES_MAX, ENGINE_REASON_CHARS_MAX, WATCH_PAUSE, WATCH_SECONDS_MAX,
};

pub(super) type Pods = BTreeMap<String, Pod>;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Pod {
    pub(super) uid: String,
    /// As it is called here.
    pub(super) sandbox: String,
    pub(super) life: Life,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Life {
    /// With what keeps it from running so far, if anything is known.
    Begins(Option<String>),
    /// It will never run.
    CannotBegin(String),
    Runs,
    /// Its tools have ended, and its files are there for as long as the pod is.
    HasOnlyFiles(String),
    IsOver(String),
}

/// Learns of all changes until it is dropped.
pub(super) struct Watching {
    api: Api,
    selector: String,
    pods: watch::Sender<Pods>,
}

impl Watching {
    /// With the first list already: whoever looks from now on sees what there is.
    pub(super) async fn begin(
        api: Api,
        selector: String,
    ) -> io::Result<(Self, watch::Receiver<Pods>, String)> {
        let (pods, seen) = watch::channel(Pods::new());
        let watching = Self {
            api,
            selector,
            pods,
        };
        let version = watching.list().await?;
        Ok((watching, seen, version))
    }

    pub(super) async fn go_on(self, mut version: String) {
        loop {
            let ended = self.follow(&version).await;
            match ended {
                // As it should after a while; what was seen last is where the next one begins.
                Ok(last) if last != version => version = last,
                Ok(_) => tokio::time::sleep(WATCH_PAUSE).await,
                Err(error) => {
                    tracing::debug!(%error, "the pods of the cluster are listed anew");
                    tokio::time::sleep(WATCH_PAUSE).await;
                    version = self.list_at_last().await;
                }
            }
        }
    }

    async fn list_at_last(&self) -> String {
        loop {
            match self.list().await {
                Ok(version) => return version,
                Err(error) => tracing::warn!(%error, "the pods of the cluster cannot be seen"),
            }
            tokio::time::sleep(WATCH_PAUSE).await;
        }
    }

    async fn list(&self) -> io::Result<String> {
        let list = self.api.list(&self.selector).await?;
        let found = list.pods.iter().filter_map(read);
        let found: Pods = found.collect();
        self.pods.send_replace(found);
        Ok(list.version)
    }

    /// Answers the version that was seen last. An error: the next one has to begin with a list.
    async fn follow(&self, version: &str) -> io::Result<String> {
        let mut changes = self.api.watch(&self.selector, version).await?;
        let mut last = version.to_owned();
        let mut received = Vec::new();
        // The API ends it before that.
        let limit = Duration::from_secs(2 * WATCH_SECONDS_MAX);
        loop {
            let part = timeout(limit, changes.chunk()).await;
            let part = part.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))?;
            let Some(part) = part.map_err(io::Error::other)? else {
                return Ok(last);
            };
            received.extend_from_slice(&part);
            while let Some(end) = received.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = received.drain(..=end).collect();
                let change: Value = serde_json::from_slice(&line)?;
                self.apply(&change)?;
                let version = text(&change["object"]["metadata"]["resourceVersion"]);
                if !version.is_empty() {
                    last = version;
                }
            }
            if received.len() > API_ANSWER_BYTES_MAX {
                return Err(io::Error::other("a change that is too long"));
            }
        }
    }

    fn apply(&self, change: &Value) -> io::Result<()> {
        let object = &change["object"];
        match change["type"].as_str() {
            Some("ADDED" | "MODIFIED") => {
                if let Some((name, pod)) = read(object) {
                    self.pods.send_modify(|pods| drop(pods.insert(name, pod)));
                }
                Ok(())
            }
            Some("DELETED") => {
                let name = text(&object["metadata"]["name"]);
                self.pods.send_modify(|pods| drop(pods.remove(&name)));
                Ok(())
            }
            Some("BOOKMARK") => Ok(()),
            // Most often: too much has happened since.
            Some("ERROR") => Err(io::Error::other(text(&object["message"]))),
            Some(_) | None => Err(io::Error::other("a change of an unknown kind")),
        }
    }
}

/// `None`: not one of a sandbox.
fn read(pod: &Value) -> Option<(String, Pod)> {
    let metadata = &pod["metadata"];
    let name = metadata["name"].as_str()?.to_owned();
    let sandbox = text(&metadata["annotations"][NAME_ANNOTATION]);
    let is_leaving = !metadata["deletionTimestamp"].is_null();
    let life = match is_leaving {
        true => Life::IsOver("it is being deleted".to_owned()),
        false => life_of(&pod["status"]),
    };
    let uid = text(&metadata["uid"]);
    Some((name, Pod { uid, sandbox, life }))
}

fn life_of(status: &Value) -> Life {
    if matches!(status["phase"].as_str(), Some("Failed" | "Succeeded")) {
        return Life::IsOver(why_it_ended(status));
    }
    let state = |name: &str| {
        let containers = status["containerStatuses"].as_array().into_iter().flatten();
        let mut found = containers.filter(|container| container["name"] == name);
        found.next().map(|container| &container["state"])
    };
    let has = |name: &str, what: &str| state(name).is_some_and(|state| state[what].is_object());
    if has(TOOLS, "terminated") {
        let why = why_it_ended(status);
        return match has(KEEPER, "running") {
            true => Life::HasOnlyFiles(why),
            false => Life::IsOver(why),
        };
    }
    if has(KEEPER, "terminated") {
        return Life::IsOver(why_it_ended(status));
    }
    if has(TOOLS, "running") && has(KEEPER, "running") {
        return Life::Runs;
    }
    match waiting(status) {
        Some((reason, said)) if HOPELESS.contains(&reason.as_str()) => Life::CannotBegin(said),
        Some((_, said)) => Life::Begins(Some(said)),
        None => Life::Begins(unscheduled(status)),
    }
}

/// What a container waits for that does not come by itself.
const HOPELESS: &[&str] = &[
    "ErrImagePull",
    "ImagePullBackOff",
    "InvalidImageName",
    "ErrImageNeverPull",
    "CreateContainerConfigError",
    "CreateContainerError",
    "RunContainerError",
];

fn containers(status: &Value) -> impl Iterator<Item = &Value> {
    let lists = ["initContainerStatuses", "containerStatuses"];
    let lists = lists.into_iter().filter_map(|list| status[list].as_array());
    lists.flatten()
}

/// The reason in the cluster's words, and a sentence.
fn waiting(status: &Value) -> Option<(String, String)> {
    containers(status).find_map(|container| {
        let waiting = &container["state"]["waiting"];
        let reason = waiting["reason"].as_str()?;
        let container = text(&container["name"]);
        let said = bounded(&format!(
            "the container {container} waits: {reason}: {}",
            text(&waiting["message"])
        ));
        Some((reason.to_owned(), said))
    })
}

fn unscheduled(status: &Value) -> Option<String> {
    let conditions = status["conditions"].as_array()?;
    let found = conditions
        .iter()
        .find(|condition| condition["type"] == "PodScheduled" && condition["status"] == "False")?;
    let (reason, message) = (text(&found["reason"]), text(&found["message"]));
    Some(bounded(&format!("{reason}: {message}")))
}

/// That of the pod, as when it was evicted, or of the container that ended.
fn why_it_ended(status: &Value) -> String {
    let (reason, message) = (text(&status["reason"]), text(&status["message"]));
    if !reason.is_empty() {
        return bounded(&format!("{reason}: {message}"));
    }
    let ended = containers(status).find_map(|container| {
        let ended = &container["state"]["terminated"];
        let code = ended["exitCode"].as_i64().filter(|code| *code != 0)?;
        let (name, reason) = (text(&container["name"]), text(&ended["reason"]));
        let message = text(&ended["message"]);
        Some(format!(
            "the container {name} ended with {code}: {reason} {message}"
        ))
    });
    bounded(&ended.unwrap_or_else(|| "it has ended".to_owned()))
}

fn bounded(text: &str) -> String {
    text.trim().chars().take(ENGINE_REASON_CHARS_MAX).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn container(name: &str, state: Value) -> Value {
        json!({"name": name, "state": state})
    }

    fn of(status: Value) -> Life {
        let pod = json!({
            "metadata": {"name": "pod", "uid": "1", "annotations": {NAME_ANNOTATION: "one"}},
            "status": status,
        });
        read(&pod).unwrap().1.life
    }

    #[test]
    fn a_pod_runs_when_both_of_its_containers_do() {
        let running = json!({"running": {}});
        let both = |tools: Value, keeper: Value| {
            let statuses = [container(TOOLS, tools), container(KEEPER, keeper)];
            of(json!({"phase": "Running", "containerStatuses": statuses}))
        };
        let killed = json!({"terminated": {"exitCode": 137, "reason": "OOMKilled"}});
        assert_eq!(both(running.clone(), running.clone()), Life::Runs);
        let creating = json!({"waiting": {"reason": "ContainerCreating"}});
        let said = "the container keeper waits: ContainerCreating:".to_owned();
        assert_eq!(both(running.clone(), creating), Life::Begins(Some(said)));
        let said = "the container tools ended with 137: OOMKilled".to_owned();
        assert_eq!(
            both(killed.clone(), running.clone()),
            Life::HasOnlyFiles(said)
        );
        assert!(matches!(both(running, killed), Life::IsOver(_)));
    }

    #[test]
    fn what_keeps_a_pod_from_running_is_passed_on() {
        let nowhere = json!({"phase": "Pending", "conditions": [{
            "type": "PodScheduled", "status": "False", "reason": "Unschedulable",
            "message": "0/3 nodes are available: 3 Insufficient memory.",
        }]});
        let said = "Unschedulable: 0/3 nodes are available: 3 Insufficient memory.".to_owned();
        assert_eq!(of(nowhere), Life::Begins(Some(said)));
        let no_image = json!({"waiting": {"reason": "ErrImagePull", "message": "not found"}});
        let no_image = json!({"phase": "Pending",
            "initContainerStatuses": [container("install", no_image)]});
        let said = "the container install waits: ErrImagePull: not found".to_owned();
        assert_eq!(of(no_image), Life::CannotBegin(said));
        let evicted = json!({"phase": "Failed", "reason": "Evicted",
            "message": "Usage of EmptyDir volume \"box\" exceeds the limit \"1Gi\"."});
        let said = "Evicted: Usage of EmptyDir volume \"box\" exceeds the limit \"1Gi\".";
        assert_eq!(of(evicted), Life::IsOver(said.to_owned()));
        assert_eq!(of(json!({})), Life::Begins(None));
    }
}
