//! Runs the containers of a pod as a kubelet does, as far as it is told in the pod: volumes, users,
//! limits, what of it is read-only, in which order they start, and what became of them.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::{Value, json};

use super::cluster::Shared;

/// Blocks for as long as anything of the pod runs.
pub(super) fn run(shared: &Arc<Shared>, pod: &Value) {
    let name = text(&pod["metadata"]["name"]);
    let uid = text(&pod["metadata"]["uid"]);
    let directory = volumes(shared, pod);
    let update = |change: &dyn Fn(&mut Value)| shared.update(&name, &uid, |pod| change(pod));
    for container in list(&pod["spec"]["initContainers"]) {
        if let Err(waiting) = start(shared, pod, container, &directory) {
            let status = status(container, &json!({"waiting": waiting}));
            return update(&|pod| pod["status"]["initContainerStatuses"] = json!([status]));
        }
        let code = wait(shared, &container_name(pod, container));
        if code != 0 {
            let ended = json!({"terminated": {"exitCode": code, "reason": "Error"}});
            let status = status(container, &ended);
            return update(&|pod| {
                pod["status"]["phase"] = json!("Failed");
                pod["status"]["initContainerStatuses"] = json!([status]);
            });
        }
    }
    let mut statuses = Vec::new();
    for container in list(&pod["spec"]["containers"]) {
        let state = match start(shared, pod, container, &directory) {
            Ok(()) => json!({"running": {"startedAt": "2026-01-01T00:00:00Z"}}),
            Err(waiting) => json!({"waiting": waiting}),
        };
        statuses.push(status(container, &state));
    }
    update(&|pod| {
        pod["status"]["phase"] = json!("Running");
        pod["status"]["containerStatuses"] = json!(statuses);
    });
    std::thread::scope(|scope| {
        for (place, container) in list(&pod["spec"]["containers"]).iter().enumerate() {
            if statuses[place]["state"]["running"].is_null() {
                continue;
            }
            let (name, uid) = (&name, &uid);
            scope.spawn(move || {
                let code = wait(shared, &container_name(pod, container));
                shared.update(name, uid, |pod| ended(pod, place, code));
            });
        }
    });
}

fn ended(pod: &mut Value, place: usize, code: i64) {
    let reason = if code == 0 { "Completed" } else { "Error" };
    let state = json!({"terminated": {"exitCode": code, "reason": reason}});
    pod["status"]["containerStatuses"][place]["state"] = state;
    let statuses = pod["status"]["containerStatuses"].as_array().unwrap();
    if statuses
        .iter()
        .all(|status| status["state"]["terminated"].is_object())
    {
        pod["status"]["phase"] = json!("Failed");
    }
}

fn status(container: &Value, state: &Value) -> Value {
    json!({"name": container["name"], "state": state})
}

/// The directory of each volume below that of the pod.
fn volumes(shared: &Shared, pod: &Value) -> PathBuf {
    let directory = directory_of(shared, pod);
    for volume in list(&pod["spec"]["volumes"]) {
        let place = directory.join(text(&volume["name"]));
        fs::create_dir_all(&place).unwrap();
        let group = pod["spec"]["securityContext"]["fsGroup"].as_u64().unwrap();
        let group = u32::try_from(group).unwrap();
        std::os::unix::fs::chown(&place, Some(0), Some(group)).unwrap();
        fs::set_permissions(&place, fs::Permissions::from_mode(0o2777)).unwrap();
    }
    directory
}

pub(super) fn directory_of(shared: &Shared, pod: &Value) -> PathBuf {
    shared.volumes.path().join(text(&pod["metadata"]["uid"]))
}

fn container_name(pod: &Value, container: &Value) -> String {
    let name = text(&pod["metadata"]["name"]);
    format!("{name}-{}", text(&container["name"]))
}

fn start(shared: &Shared, pod: &Value, container: &Value, directory: &Path) -> Result<(), Value> {
    let name = container_name(pod, container);
    let body = body(pod, container, directory).to_string();
    let path = format!("/containers/create?name={name}");
    let created = shared.engine.request_json("POST", &path, body.as_bytes());
    if created.starts_with("HTTP/1.0 404") {
        let image = text(&container["image"]);
        let message =
            format!("Container image \"{image}\" is not present with pull policy of Never");
        return Err(json!({"reason": "ErrImageNeverPull", "message": message}));
    }
    // 409: the pod of this name before it is being removed at this moment, or this one is gone.
    let started = shared
        .engine
        .request_json("POST", &format!("/containers/{name}/start"), b"");
    match started.starts_with("HTTP/1.0 204") {
        true => Ok(()),
        false => Err(json!({"reason": "RunContainerError", "message": started})),
    }
}

/// What the pod says, in the words of the engine.
fn body(pod: &Value, container: &Value, directory: &Path) -> Value {
    let security = &pod["spec"]["securityContext"];
    let own = &container["securityContext"];
    assert_eq!(security["runAsNonRoot"], true);
    assert_eq!(own["allowPrivilegeEscalation"], false);
    let mut binds = Vec::new();
    let mut in_memory = json!({});
    for mount in list(&container["volumeMounts"]) {
        let target = text(&mount["mountPath"]);
        let volumes = list(&pod["spec"]["volumes"]).iter();
        let mut named = volumes.filter(|volume| volume["name"] == mount["name"]);
        let volume = &named.next().expect("a volume of this name")["emptyDir"];
        if volume["medium"] == "Memory" {
            let size = text(&volume["sizeLimit"]);
            in_memory[&target] = json!(format!("rw,nosuid,nodev,mode=1777,size={size}"));
            continue;
        }
        let mut source = directory.join(text(&mount["name"]));
        if let Some(below) = mount["subPath"].as_str() {
            source = source.join(below);
        }
        let access = if mount["readOnly"] == true {
            "ro"
        } else {
            "rw"
        };
        binds.push(format!("{}:{target}:{access}", source.display()));
    }
    let memory: u64 = text(&container["resources"]["limits"]["memory"])
        .parse()
        .unwrap();
    json!({
        "Image": container["image"],
        "Entrypoint": container["command"],
        "Cmd": [],
        "User": format!("{}:{}", security["runAsUser"], security["runAsGroup"]),
        "Hostname": pod["spec"]["hostname"],
        "WorkingDir": container["workingDir"].as_str().unwrap_or("/"),
        "HostConfig": {
            "NetworkMode": "none",
            "Binds": binds,
            "Tmpfs": in_memory,
            "GroupAdd": [security["fsGroup"].to_string()],
            "CapDrop": own["capabilities"]["drop"],
            "SecurityOpt": ["no-new-privileges"],
            "ReadonlyRootfs": own["readOnlyRootFilesystem"],
            "Memory": memory,
            "MemorySwap": memory,
        },
    })
}

/// With which code it ended.
fn wait(shared: &Shared, container: &str) -> i64 {
    let answer = shared
        .engine
        .request_json("POST", &format!("/containers/{container}/wait"), b"");
    let body = answer.split_once("\r\n\r\n").map_or("", |(_, body)| body);
    let body: Value = serde_json::from_str(body).unwrap_or_default();
    body["StatusCode"].as_i64().unwrap_or(137)
}

/// As one that runs out of memory, or whose node lost it.
pub(super) fn kill(shared: &Shared, pod: &Value, container: &str) {
    let name = text(&pod["metadata"]["name"]);
    let path = format!("/containers/{name}-{container}/kill");
    let killed = shared.engine.request_json("POST", &path, b"");
    assert!(killed.starts_with("HTTP/1.0 204"), "{killed}");
}

pub(super) fn remove(shared: &Shared, pod: &Value) {
    let spec = &pod["spec"];
    for container in list(&spec["initContainers"])
        .iter()
        .chain(list(&spec["containers"]))
    {
        let path = format!(
            "/containers/{}?force=true&v=true",
            container_name(pod, container)
        );
        shared.engine.request_json("DELETE", &path, b"");
    }
    let _ = fs::remove_dir_all(directory_of(shared, pod));
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}
