//! Secrets of vaults, used by programs in a real sandbox that know placeholders only.

use hostler_egress::Authorities;
use hostler_protocol::credential::{CreateCredential, Credential};
use hostler_protocol::decode::At;
use hostler_protocol::event::{Event, SessionErrorKind};
use hostler_protocol::id::VaultId;
use hostler_protocol::vault::{Vault, VaultFields};
use hostler_store::{CredentialCreated, FIRST_CREDENTIAL_VERSION, seal_credential};
use hostler_testkit::Reply;
use serde_json::{Value, json};

use super::secret_host::SecretHost;
use super::shown::public;
use super::world::World;

const HOST: &str = "api.test";
const SECRET: &str = "canary-5f1a0e77-value";

impl World {
    /// A vault that sessions made from now on look through after the others.
    pub(super) async fn add_vault(&mut self) -> VaultId {
        let fields = VaultFields {
            display_name: "test".to_owned(),
            metadata: Default::default(),
        };
        let vault = Vault::new(self.env.id(), fields, self.env.now());
        let id = vault.id;
        self.store
            .create_vault(self.workspace, vault)
            .await
            .unwrap();
        self.vaults.push(id);
        id
    }

    pub(super) async fn add_credential(&self, vault: VaultId, auth: Value) -> Credential {
        let body = json!({ "auth": auth });
        let new = CreateCredential::decode(At::root(&body), self.env.now()).unwrap();
        let credential = Credential::new(self.env.id(), vault, new.fields, self.env.now());
        let sealed = seal_credential(
            &self.vault_keys,
            self.workspace,
            &credential,
            FIRST_CREDENTIAL_VERSION,
            &new.secrets,
        );
        let created = self
            .store
            .create_credential(self.workspace, credential.clone(), sealed.unwrap())
            .await;
        assert!(matches!(created.unwrap(), CredentialCreated::Created(_)));
        credential
    }

    pub(super) fn believe(mut self, host: &SecretHost) -> Self {
        self.authorities = Authorities::These(host.roots.clone());
        self
    }
}

pub(super) fn variable(name: &str, value: &str, hosts: &[&str]) -> Value {
    json!({"type": "environment_variable", "secret_name": name, "secret_value": value,
        "networking": {"type": "limited", "allowed_hosts": hosts}})
}

/// What each command gives, one after the other in one session.
async fn results(world: &World, commands: &[String]) -> Vec<String> {
    let session = world.session().await;
    let _engine = world.engine().await;
    for command in commands {
        let input = json!({ "command": command });
        world.model.reply(Reply::tool_use("bash", input));
    }
    world.model.reply(Reply::text("Done."));
    world.say(session, "Work.").await;
    let mut lines = public(&world.log_after_turns(session, 1).await);
    lines.retain(|line| line.starts_with("gives") || line.starts_with("fails"));
    assert_eq!(lines.len(), commands.len());
    lines
}

#[tokio::test]
async fn programs_send_the_secret_and_never_have_it() {
    let host = SecretHost::start(HOST).await;
    let mut world = World::new().await.with_host(HOST).believe(&host);
    let vault = world.add_vault().await;
    world
        .add_credential(vault, variable("API_KEY", SECRET, &[HOST]))
        .await;
    let (https, http) = (
        format!("https://{HOST}:{}/", host.https),
        format!("http://{HOST}:{}/", host.http),
    );
    let python = format!(
        "/usr/bin/python3 -c 'import os, urllib.request as u; \
         q = u.Request(\"{https}python\", data=os.environ[\"API_KEY\"].encode(), headers={{\"X-Key\": os.environ[\"API_KEY\"]}}); \
         print(u.urlopen(q).read().decode())'"
    );
    let node = format!(
        "node -e 'fetch(\"{https}node\", {{method: \"POST\", headers: {{\"x-key\": process.env.API_KEY}}, \
         body: process.env.API_KEY}}).then(r => r.text()).then(console.log)'"
    );
    let curl = |flags: &str, url: &str, name: &str| {
        format!("curl -sS {flags} -H \"X-Key: $API_KEY\" --data \"$API_KEY\" {url}{name}")
    };
    let commands = [
        curl("--http2", &https, "curl2"),
        curl("--http1.1", &https, "curl1"),
        // Past the proxy, and without any variable.
        curl("--noproxy '*' --http2", &https, "transparent"),
        format!(
            "key=$API_KEY; env -i /usr/bin/curl -sS -H \"X-Key: $key\" --data \"$key\" {https}bare"
        ),
        curl("", &http, "clear"),
        python,
        node,
        "env; cat /proc/*/environ | tr '\\0' '\\n'".to_owned(),
    ];
    let gave = results(&world, &commands).await;
    for line in &gave {
        assert!(line.starts_with("gives"), "{line}");
        assert!(!line.contains(SECRET), "{line}");
    }
    assert!(
        gave[7].contains("API_KEY=hostler_placeholder_"),
        "{}",
        gave[7]
    );
    let seen = host.seen();
    let names = [
        "curl2",
        "curl1",
        "transparent",
        "bare",
        "clear",
        "python",
        "node",
    ];
    for name in names {
        let told = seen.iter().find(|told| {
            told.lines().next().unwrap().ends_with(&format!("/{name}"))
                || told.lines().next().unwrap().contains(&format!("/{name}"))
        });
        let told = told.unwrap_or_else(|| panic!("{name} in {seen:?}"));
        assert!(told.contains(&format!("x-key: {SECRET}\n")), "{told}");
        assert!(told.ends_with(&format!("{SECRET}\n")), "{told}");
    }
    assert!(seen[0].starts_with("HTTP/2.0"), "{}", seen[0]);
}

#[tokio::test]
async fn a_host_that_the_environment_does_not_permit_is_told_and_gets_nothing() {
    let host = SecretHost::start(HOST).await;
    let limited = json!({"type": "limited", "allowed_hosts": ["other.test"]});
    let mut world = World::new().await.with_host(HOST).believe(&host);
    world = world.with_networking(limited);
    let vault = world.add_vault().await;
    let auth = variable("API_KEY", SECRET, &[HOST, "other.test"]);
    let credential = world.add_credential(vault, auth).await;
    let session = world.session().await;
    let _engine = world.engine().await;
    let command = format!(
        "curl -sS -H \"X-Key: $API_KEY\" https://{HOST}:{}/; true",
        host.https
    );
    world
        .model
        .reply(Reply::tool_use("bash", json!({ "command": command })));
    world.model.reply(Reply::text("Done."));
    world.say(session, "Work.").await;
    let log = world.log_after_turns(session, 1).await;
    let errors: Vec<_> = log
        .iter()
        .filter_map(|row| {
            let Event::SessionError(told) = &row.event else {
                return None;
            };
            Some(&told.error)
        })
        .collect();
    let [error] = errors.as_slice() else {
        panic!("{errors:?}");
    };
    assert_eq!(error.kind, SessionErrorKind::CredentialHostUnreachableError);
    assert_eq!(error.credential_id, Some(credential.id));
    assert_eq!(error.vault_id, Some(vault));
    let expected = format!("The secret API_KEY can't be sent to {HOST}: ");
    assert!(error.message.starts_with(&expected), "{}", error.message);
    assert!(host.seen().is_empty());
}
