//! Sandboxes in pods, over an API peer that runs them in containers of a real engine.
//!
//! What only a cluster can show (admission, rights, scheduling, its network) is not shown here.

mod attached;
mod cluster;
mod kubelet;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use hostler_sandbox::{
    Backend, ExecOrder, HostOptions, Kubernetes, KubernetesApi, LimitSource, Mode, Network,
    NetworkAccess, Provenance, SandboxHost, Spec, Stop, exec, kill_all,
};
use serde_json::{Value, json};
use tempfile::TempDir;

use self::cluster::{Cluster, Fault, NAMESPACE, TOKEN};
use crate::conformance::shown_by;
use crate::containers::{Engine, Kind, image};
use crate::world::{CleanUp, Elsewhere, World, bash, behind_a_gateway, name, ok, options};

const IMAGE: &str = "localhost/hostler-test:latest";
const AGENT_IMAGE: &str = "localhost/hostler-agent:latest";
const PROGRAM: &str = "/usr/local/bin/hostler";

/// A cluster that has both images, and a file with the token for it.
struct Place {
    cluster: Arc<Cluster>,
    files: TempDir,
}

impl Place {
    /// `None` where no engine can be started.
    fn start() -> Option<Self> {
        let engine = Engine::start(Kind::Docker)?;
        engine.import(IMAGE, &image::with_bash());
        let launcher = Path::new(env!("CARGO_BIN_EXE_hostler-sandbox-init"));
        engine.import(AGENT_IMAGE, &image::with_program(launcher, PROGRAM));
        let files = tempfile::tempdir().unwrap();
        // As tools write it: with an end of the line.
        fs::write(files.path().join("token"), format!("{TOKEN}\n")).unwrap();
        Some(Self {
            cluster: Arc::new(Cluster::start(engine)),
            files,
        })
    }

    fn kubernetes(&self) -> Kubernetes {
        Kubernetes {
            api: KubernetesApi {
                server: format!("http://{}/", self.cluster.address),
                ca_file: None,
                token_file: Some(self.files.path().join("token")),
            },
            namespace: NAMESPACE.to_owned(),
            image: IMAGE.to_owned(),
            agent_image: AGENT_IMAGE.to_owned(),
            agent_program: PROGRAM.to_owned(),
            image_pull_secrets: vec!["registry".to_owned()],
            service_account: None,
            node_selector: [("disk".to_owned(), "fast".to_owned())].into(),
            tolerations: Vec::new(),
            runtime_class: Some("gvisor".to_owned()),
            user_namespaces: false,
        }
    }

    fn options(&self, state: &TempDir) -> HostOptions {
        let mut options = options(state);
        options.backend = Backend::Kubernetes(Box::new(self.kubernetes()));
        options.limits.disk_bytes = Some(1 << 30);
        without_gateway(&mut options);
        options
    }

    async fn world(&self) -> World {
        let state = tempfile::tempdir().unwrap();
        let options = self.options(&state);
        let mut world = World::with_options(state, options).await;
        world.elsewhere = Some(Arc::clone(&self.cluster) as Arc<dyn Elsewhere>);
        world
    }

    async fn refusal(&self, change: impl FnOnce(&mut Kubernetes)) -> String {
        let state = tempfile::tempdir().unwrap();
        let mut kubernetes = self.kubernetes();
        change(&mut kubernetes);
        let mut options = self.options(&state);
        options.backend = Backend::Kubernetes(Box::new(kubernetes));
        match SandboxHost::start(options).await {
            Ok(_) => panic!("it started"),
            Err(unavailable) => unavailable.to_string(),
        }
    }
}

fn without_gateway(options: &mut HostOptions) {
    options.probe.network = NetworkAccess::None;
}

impl Cluster {
    /// The one of the sandbox of a host: several hosts have sandboxes of the same name.
    fn pod_of(&self, state_dir: &Path, name: &str) -> Value {
        let installation = fs::read_to_string(state_dir.join("installation")).unwrap();
        let is_it = |pod: &Value| {
            pod["metadata"]["labels"]["hostler/installation"] == installation.as_str()
                && pod["metadata"]["annotations"]["hostler/sandbox"] == name
        };
        self.pods().into_iter().find(is_it).expect("its pod")
    }
}

impl Elsewhere for Cluster {
    fn files_of(&self, state_dir: &Path, name: &str) -> PathBuf {
        kubelet::directory_of(&self.shared, &self.pod_of(state_dir, name)).join("box")
    }

    fn kill(&self, state_dir: &Path, name: &str) {
        kubelet::kill(&self.shared, &self.pod_of(state_dir, name), "tools");
    }
}

#[tokio::test]
async fn kubernetes_keeps_every_promise() {
    let Some(place) = Place::start() else { return };
    let backend = Backend::Kubernetes(Box::new(place.kubernetes()));
    let elsewhere = Arc::clone(&place.cluster) as Arc<dyn Elsewhere>;
    shown_by(backend, Some(elsewhere), without_gateway).await;
    assert_eq!(place.cluster.pods(), [Value::Null; 0]);
}

/// Several facts about pods in one test, since each test starts an engine.
#[tokio::test]
async fn a_pod_is_what_it_should_be() {
    let Some(place) = Place::start() else { return };
    reports_what_separates(&place).await;
    gives_no_power_to_whoever_is_inside(&place).await;
    asks_for_no_more_than_it_needs(&place).await;
    gives_outputs_while_it_runs(&place).await;
    says_when_it_was_lost_with_its_files(&place).await;
    is_seen_after_a_watch_that_expired(&place).await;
    leaves_no_stranger_behind(&place).await;
    assert_eq!(place.cluster.pods(), [Value::Null; 0]);
}

async fn reports_what_separates(place: &Place) {
    let world = place.world().await;
    let report = world.host.isolation();
    assert_eq!((report.mode, report.network), (Mode::Pod, Network::None));
    assert!(report.seccomp && report.no_new_privileges);
    assert_ne!(report.memory_limit, LimitSource::None);
    // The API has no bound of processes for a pod, so this one is by user.
    assert_eq!(report.process_limit, LimitSource::Rlimit);
    let user: u64 = world.sh("id -u").await.parse().unwrap();
    assert!(user >= 1_000_000_000, "{user}");
    let two = world.host.open(&name("two"), &Spec::default()).await;
    let of_two = bash(&two.unwrap().sandbox, "id -u").await.joined_text();
    assert_ne!(of_two.trim(), user.to_string());
    world.host.destroy(&name("two")).await.unwrap();
    world.end().await;
}

async fn gives_no_power_to_whoever_is_inside(place: &Place) {
    let world = place.world().await;
    // Not even on loopback: whatever network the cluster gives a pod is out of reach.
    let connect = world.bash("exec 3<>/dev/tcp/127.0.0.1/1").await;
    let said = connect.joined_text();
    assert!(said.contains("Operation not permitted"), "{said}");
    // There is no way to the keeper, nor to the agent but through it.
    assert_eq!(world.sh("ls -A /.hostler/door | wc -l").await, "0");
    assert_eq!(world.sh("ls -A /.hostler").await, "bin\ndoor\nmemory");
    for change in [
        "touch /usr/x",
        "rm /.hostler/bin/hostler",
        "touch /.hostler/door/keeper.sock",
        "touch /mnt/session/uploads/x",
        "ls /var/run/secrets/kubernetes.io",
    ] {
        assert!(world.bash(change).await.is_error, "{change}");
    }
    // An operator has the cluster's tools.
    let order = ExecOrder {
        words: Vec::new(),
        terminal: None,
    };
    let state_dir = world.state.path().join("state");
    let visit = exec(&state_dir, &name("one"), order).await;
    let visit = visit.err().expect("no way in").to_string();
    let said = "use `kubectl exec -it -n sandboxes hostler-";
    assert!(visit.contains(said), "{visit}");
    assert_eq!(
        world.sh("env | grep -c -e KUBERNETES -e LD_ || true").await,
        "0"
    );
    world.end().await;
}

async fn asks_for_no_more_than_it_needs(place: &Place) {
    let world = place.world().await;
    let pod = place.cluster.pods().remove(0);
    let spec = &pod["spec"];
    assert_eq!(spec["automountServiceAccountToken"], false);
    assert_eq!(spec["enableServiceLinks"], false);
    assert_eq!(spec["shareProcessNamespace"], false);
    assert_eq!(spec["restartPolicy"], "Never");
    assert_eq!(spec["runtimeClassName"], "gvisor");
    assert_eq!(spec["nodeSelector"], json!({"disk": "fast"}));
    assert_eq!(spec["imagePullSecrets"], json!([{"name": "registry"}]));
    let all = [&spec["initContainers"], &spec["containers"]];
    let all = all.into_iter().flat_map(|list| list.as_array().unwrap());
    for container in all {
        let expected = json!({
            "allowPrivilegeEscalation": false,
            "privileged": false,
            "readOnlyRootFilesystem": true,
            "capabilities": {"drop": ["ALL"]},
        });
        assert_eq!(container["securityContext"], expected);
        assert!(container["env"].is_null() && container["ports"].is_null());
    }
    world.end().await;
}

async fn gives_outputs_while_it_runs(place: &Place) {
    let world = place.world().await;
    let write = "cd /mnt/session/outputs; mkdir in; head -c 3000000 /dev/zero > in/zeros; \
                 ln -s /etc/passwd link; mkfifo pipe";
    world.sh(write).await;
    let outputs = world.host.outputs(&name("one")).await.unwrap().unwrap();
    assert!(!outputs.is_empty().unwrap());
    let scan = outputs.scan().await.unwrap();
    let paths: Vec<&str> = scan.files.iter().map(|file| file.path.as_str()).collect();
    assert_eq!((paths, scan.left_out_count), (vec!["in/zeros"], 2));
    let (file, fingerprint) = outputs.read("in/zeros".to_owned()).await.unwrap().unwrap();
    assert_eq!(fingerprint, scan.files[0].fingerprint);
    assert_eq!(file.metadata().unwrap().len(), 3_000_000);
    assert!(outputs.read("link".to_owned()).await.unwrap().is_err());
    assert!(outputs.read("../home/x".to_owned()).await.unwrap().is_err());
    // Then they are here.
    let (host, _state, _clean_up) = world.let_go();
    assert_eq!(host.stop(&name("one")).await.unwrap(), Stop::Stopped);
    assert_eq!(place.cluster.pods(), [Value::Null; 0]);
    let outputs = host.outputs(&name("one")).await.unwrap().unwrap();
    assert_eq!(outputs.scan().await.unwrap().files.len(), 1);
}

async fn says_when_it_was_lost_with_its_files(place: &Place) {
    let world = place.world().await;
    world.sh("echo old > file").await;
    let state_dir = world.state.path().join("state");
    let (host, _state, _clean_up) = world.let_go();
    host.stop(&name("one")).await.unwrap();
    let opened = host.open(&name("one"), &Spec::default()).await.unwrap();
    opened.news.expect("that it was stopped").told();
    ok(
        &bash(&opened.sandbox, "cat file; echo new > file").await,
        "old\n",
    );
    drop(opened.sandbox);
    // The node is gone, or somebody deleted the pod.
    let killed = tokio::task::spawn_blocking(move || kill_all(&state_dir));
    assert_eq!(killed.await.unwrap().unwrap(), 1);
    let opened = host.open(&name("one"), &Spec::default()).await.unwrap();
    assert_eq!(opened.provenance, Provenance::Lost);
    ok(&bash(&opened.sandbox, "cat file").await, "old\n");
}

async fn is_seen_after_a_watch_that_expired(place: &Place) {
    let world = place.world().await;
    let is_list = |request: &str| request.ends_with("/pods") && request.starts_with("GET");
    let lists = place
        .cluster
        .requests()
        .iter()
        .filter(|asked| is_list(asked))
        .count();
    place.cluster.compact();
    // A list after the error, and the watch that begins at it.
    place.cluster.asked(lists + 2, is_list).await;
    let (host, _state, _clean_up) = world.let_go();
    assert_eq!(host.stop(&name("one")).await.unwrap(), Stop::Stopped);
    let opened = host.open(&name("one"), &Spec::default()).await.unwrap();
    assert!(matches!(opened.provenance, Provenance::Restored(_)));
}

async fn leaves_no_stranger_behind(place: &Place) {
    let world = place.world().await;
    let known = world.host.open(&name("known"), &Spec::default()).await;
    drop(known.unwrap());
    fs::remove_dir_all(world.state.path().join("state/boxes/one")).unwrap();
    assert_eq!(place.cluster.pods().len(), 2);
    let (host, _state) = world.restart_server().await;
    let _clean_up = CleanUp::of(&host);
    let left = place.cluster.pods();
    let named: Vec<&Value> = left
        .iter()
        .map(|pod| &pod["metadata"]["annotations"]["hostler/sandbox"])
        .collect();
    assert_eq!(named, ["known"]);
    let opened = host.open(&name("known"), &Spec::default()).await.unwrap();
    assert_eq!(opened.provenance, Provenance::Attached);
}

#[tokio::test]
async fn what_a_cluster_refuses_is_said() {
    let Some(place) = Place::start() else { return };
    let elsewhere = place.refusal(|kubernetes| kubernetes.namespace = "others".to_owned());
    let elsewhere = elsewhere.await;
    assert!(elsewhere.contains("pods is forbidden: User"), "{elsewhere}");
    fs::write(place.files.path().join("other"), "stolen").unwrap();
    let file = place.files.path().join("other");
    let stranger = place.refusal(|kubernetes| kubernetes.api.token_file = Some(file));
    let stranger = stranger.await;
    assert!(stranger.contains("Unauthorized (status 401)"), "{stranger}");
    let none = place.refusal(|kubernetes| kubernetes.image = "nobody/has:this".to_owned());
    let none = none.await;
    let said = "the container tools waits: ErrImageNeverPull: Container image \"nobody/has:this\"";
    assert!(none.contains(said), "{none}");
    let open = "http://203.0.113.1:8001".to_owned();
    let open = place
        .refusal(|kubernetes| kubernetes.api.server = open)
        .await;
    assert!(open.contains("it must begin with https://"), "{open}");
    let quota = "exceeded quota: pods, requested: pods=1, used: pods=5, limited: pods=5";
    place.cluster.fail_next(Fault {
        method: "POST",
        of: "/pods",
        status: 403,
        reason: "Forbidden",
        message: quota,
    });
    let full = place.refusal(|_| ()).await;
    assert!(full.contains(quota), "{full}");
    // Whoever is told to come again does.
    for method in ["POST", "DELETE"] {
        place.cluster.fail_next(Fault {
            method,
            of: "/pods",
            status: 429,
            reason: "TooManyRequests",
            message: "the server has received too many requests",
        });
    }
    let world = place.world().await;
    let gateway = world.host.open(&name("two"), &behind_a_gateway()).await;
    let gateway = gateway.expect_err("no gateway").to_string();
    assert!(
        gateway.contains("a pod can have no gateway yet"),
        "{gateway}"
    );
    world.host.destroy(&name("two")).await.unwrap();
    world.end().await;
    assert_eq!(place.cluster.pods(), [Value::Null; 0]);
}
