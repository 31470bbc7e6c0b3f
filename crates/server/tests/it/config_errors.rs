//! What the configuration refuses, with the exact sentence. Each says where, which key, and what to do.

use hostler_server::config::{Environment, Overrides, load};

use crate::configuration::ConfigFile;

/// One file, one problem.
#[track_caller]
fn refused(text: &str, expected: &str) {
    assert_eq!(ConfigFile::new(text).problems([]), [expected]);
}

/// One variable, one problem.
#[track_caller]
fn refused_env(name: &str, value: &str, expected: &str) {
    let expected = format!("environment variable {name}: {expected}");
    assert_eq!(ConfigFile::new("").problems([(name, value)]), [expected]);
}

#[test]
fn unknown_keys() {
    refused(
        "[server]\nlisten = \"127.0.0.1:1\"\nlistn = \"x\"\n",
        "hostler.toml:3:1: server.listn: unknown key, did you mean `listen`?",
    );
    refused(
        "[servers]\n",
        "hostler.toml:1:2: servers: unknown key, did you mean `server`?",
    );
    refused(
        "[log]\n  colour = true\n",
        "hostler.toml:2:3: log.colour: unknown key, expected one of `format`, `filter`",
    );
    refused(
        "[providers.anthropc]\nbase_url = \"https://example.com\"\n",
        "hostler.toml:1:12: providers.anthropc: unknown key, did you mean `anthropic`? A new provider needs \
         a `kind`",
    );
    refused(
        "[[models]]\nid = \"gpt-4.1\"\nprovder = \"openai\"\n",
        "hostler.toml:3:1: models.\"gpt-4.1\".provder: unknown key, did you mean `provider`?",
    );
    refused_env(
        "HOSTLER__SERVER__LISTN",
        "x",
        "server.listn: unknown key, did you mean `listen`?",
    );
    refused_env(
        "HOSTLER__LOGS__FILTER",
        "x",
        "logs: unknown key, did you mean `log`?",
    );
}

#[test]
fn wrong_types() {
    refused(
        "[server]\nlisten = 4180\n",
        "hostler.toml:2:10: server.listen: expected a string, found integer `4180`",
    );
    refused(
        "server = 5\n",
        "hostler.toml:1:10: server: expected a table, found integer `5`",
    );
    refused(
        "[rate_limits]\nread_per_minute = -1\n",
        "hostler.toml:2:19: rate_limits.read_per_minute: expected a whole number from 0 to 4294967295, \
         found integer `-1`",
    );
    refused(
        "[log]\nformat = \"jsn\"\n",
        "hostler.toml:2:10: log.format: `jsn`: unknown value, did you mean `json`?",
    );
    refused(
        "[[models]]\nid = \"x\"\nprovider = \"openai\"\nefforts = [\"low\", \"hihg\"]\n",
        "hostler.toml:4:19: models.x.efforts[1]: `hihg`: unknown value, did you mean `high`?",
    );
    refused_env(
        "HOSTLER__ENGINE__MAX_PARALLEL_TOOLS",
        "many",
        "engine.max_parallel_tools: expected a whole number, found \"many\"",
    );
    refused_env(
        "HOSTLER__RATE_LIMITS__ENABLED",
        "yes",
        "rate_limits.enabled: expected true or false, found \"yes\"",
    );
    refused_env(
        "HOSTLER__MODELS",
        "gpt-5",
        "models: expected an array written as TOML: string values must be quoted, expected literal string",
    );
}

#[test]
fn durations_and_sizes() {
    refused(
        "[server]\nshutdown_grace = \"10\"\n",
        "hostler.toml:2:18: server.shutdown_grace: expected a duration with a unit, such as \"30s\", \
         \"500ms\" or \"1m30s\", found \"10\"",
    );
    refused(
        "[server]\nshutdown_grace = 10\n",
        "hostler.toml:2:18: server.shutdown_grace: expected a duration with a unit, such as \"30s\", found \
         integer `10`",
    );
    refused_env(
        "HOSTLER__SERVER__MAX_BODY_BYTES",
        "32 megs",
        "server.max_body_bytes: expected a size in bytes, such as 1048576, \"32MiB\" or \"500MB\", found \
         \"32 megs\"",
    );
    refused_env(
        "HOSTLER__SERVER__MAX_BODY_BYTES",
        "0",
        "server.max_body_bytes: must be at least 1 byte",
    );
}

#[test]
fn values_that_make_no_sense() {
    refused_env(
        "HOSTLER__SERVER__LISTEN",
        "localhost",
        "server.listen: \"localhost\" is not an address with a port, such as \"127.0.0.1:4180\" or \
         \"[::1]:4180\"",
    );
    refused_env(
        "HOSTLER__SERVER__PUBLIC_URL",
        "hostler.example.com",
        "server.public_url: \"hostler.example.com\" is not a URL that begins with https:// or http://",
    );
    refused_env(
        "HOSTLER__RATE_LIMITS__CREATE_PER_MINUTE",
        "0",
        "rate_limits.create_per_minute: must be at least 1; to have no limits, set rate_limits.enabled = \
         false",
    );
    refused_env(
        "HOSTLER__ENGINE__COMPACTION_THRESHOLD",
        "80",
        "engine.compaction_threshold: must be from 0.1 to 0.95",
    );
    refused_env(
        "HOSTLER__ENGINE__MODEL_RETRY_MAX",
        "10ms",
        "engine.model_retry_max: must not be less than `model_retry_base`",
    );
    refused_env(
        "HOSTLER__SANDBOX__TMP_BYTES",
        "4GiB",
        "sandbox.tmp_bytes: must be less than `memory_bytes`, since it counts as memory",
    );
    refused_env(
        "HOSTLER__SANDBOX__UID_BASE",
        "0",
        "sandbox.uid_base: must be from 65536 to 4294901759",
    );
}

#[test]
fn networks_and_hosts() {
    refused(
        "[network]\nallowed_networks = [\"10.0.0.1/8\"]\n",
        "hostler.toml:2:20: network.allowed_networks: \"10.0.0.1/8\": the bits of a network's address \
         behind its prefix are zero",
    );
    refused(
        "[network]\nhosts = { \"a_host\" = \"nowhere\" }\n",
        "hostler.toml:2:22: network.hosts.a_host: \"nowhere\" is not an IP address",
    );
    refused(
        "[network.hosts]\n\"10.0.0.1\" = \"10.0.0.1\"\n",
        "hostler.toml:2:1: network.hosts.\"10.0.0.1\": a host name doesn't end with a number: write \
         addresses in their canonical form",
    );
    refused(
        "[network]\nmode = \"off\"\n",
        "hostler.toml:2:8: network.mode: `off`: unknown value, expected one of `gateway`, `none`",
    );
}

#[test]
fn a_key_in_the_file_is_refused_and_not_repeated() {
    let file = ConfigFile::new("[providers.anthropic]\napi_key = \"canary\"\n");
    let problems = file.problems([]);
    assert_eq!(
        problems,
        [
            "hostler.toml:2:1: providers.anthropic.api_key: a key may not be in the configuration file, \
             which is copied and shown to others; set the environment variable \
             HOSTLER__PROVIDERS__ANTHROPIC__API_KEY, or put the key alone into a file and name it with \
             `api_key_file`"
        ]
    );
}

#[test]
fn a_key_in_the_wrong_variable_is_not_repeated() {
    refused_env(
        "HOSTLER__PROVIDERS__ANTHROPIC",
        "canary",
        "providers.anthropic: is a table, so its fields are set one by one, with `__` and the name of the \
         field behind this name",
    );
}

#[test]
fn key_files_that_hold_no_key() {
    let file = ConfigFile::new("[providers.openai]\napi_key_file = \"key\"\n");
    let key = file.folder.path().join("key");
    let place = "hostler.toml:2:16: providers.openai.api_key_file: key: ";
    assert_eq!(
        file.problems([]),
        [format!(
            "{place}cannot be opened: No such file or directory (os error 2)"
        )]
    );
    std::fs::write(&key, " \n").unwrap();
    assert_eq!(file.problems([]), [format!("{place}holds no key")]);
    std::fs::write(&key, "OPENAI_API_KEY: sk-1").unwrap();
    assert_eq!(
        file.problems([]),
        [format!("{place}holds more than a key: it must be one word")]
    );
}

#[test]
fn providers() {
    refused(
        "[providers.local]\nkind = \"openai\"\n",
        "hostler.toml:1:12: providers.local: `base_url` is missing; it is needed for this kind",
    );
    refused(
        "[providers.scripted]\nbase_url = \"http://x\"\n",
        "hostler.toml:2:1: providers.scripted.base_url: has no meaning for a provider of kind \
         \"scripted\"",
    );
    refused(
        "[providers.openai]\nscript = \"x\"\n",
        "hostler.toml:2:1: providers.openai.script: has no meaning for a provider of kind \"openai\"",
    );
    refused(
        "[providers.Local]\nkind = \"scripted\"\n",
        "hostler.toml:1:12: providers.Local: a provider's name is made of lower-case letters, digits, `-` \
         and `_`",
    );
    refused(
        "[providers.vllm]\n",
        "hostler.toml:1:12: providers.vllm: a new provider needs a `kind`: anthropic, openai or scripted",
    );
    refused(
        "[providers.openai]\nheaders = { \"a b\" = \"x\" }\n",
        "hostler.toml:2:13: providers.openai.headers.\"a b\": not a valid name of a header",
    );
}

#[test]
fn models() {
    refused(
        "[models]\nid = \"x\"\n",
        "hostler.toml:1:1: models: expected an array of tables, each written as [[models]] with an `id`",
    );
    refused(
        "[[models]]\nprovider = \"openai\"\n",
        "hostler.toml:1:1: models[0]: a model needs an `id`, which is a string",
    );
    refused(
        "[[models]]\nid = \"gpt-5\"\n[[models]]\nid = \"gpt-5\"\n",
        "hostler.toml:3:1: models[1]: the id \"gpt-5\" is there twice",
    );
    refused(
        "[[models]]\nid = \"llama\"\nprovider = \"opnai\"\n",
        "hostler.toml:3:12: models.llama.provider: `opnai`: unknown provider, did you mean `openai`?",
    );
    refused(
        "[[models]]\nid = \"llama\"\n",
        "hostler.toml:1:1: models.llama: `provider` is missing, and no wildcard fits this id",
    );
    refused(
        "[[models]]\nid = \"a*b\"\nprovider = \"openai\"\n",
        "hostler.toml:2:6: models.\"a*b\".id: a `*` may only be the last character",
    );
    refused(
        "[[models]]\nid = \"gpt-5\"\nprice = { input = 1.0 }\n",
        "hostler.toml:3:9: models.gpt-5.price: `input` and `output` are both needed",
    );
}

#[test]
fn buckets() {
    refused(
        "[blobs]\nurl = \"s3://b\"\naccess_key_id = \"a\"\nsecret_access_key_file = \"hostler.toml\"\n",
        "hostler.toml:4:26: blobs.secret_access_key_file: holds more than a key: it must be one word",
    );
    refused(
        "[blobs]\nurl = \"s3://b\"\naccess_key_id = \"a\"\n",
        "hostler.toml:2:7: blobs.url: a secret is needed, too: set HOSTLER__BLOBS__SECRET_ACCESS_KEY, or name \
         a file with `secret_access_key_file`",
    );
    refused(
        "[blobs]\nsecret_access_key = \"x\"\n",
        "hostler.toml:2:1: blobs.secret_access_key: a secret may not be in the configuration file, which is \
         copied and shown to others; set the environment variable HOSTLER__BLOBS__SECRET_ACCESS_KEY, or put it \
         alone into a file and name it with `secret_access_key_file`",
    );
    refused(
        "[blobs]\nendpoint = \"https://user@host/path\"\n",
        "hostler.toml:2:12: blobs.endpoint: must be https://HOST, https://HOST:PORT, or the same with http",
    );
}

#[test]
fn containers_as_archives() {
    refused(
        "[sandbox]\nmode = \"docker\"\ncheckpoint = \"blobs\"\ndocker.image = \"debian:12\"\n",
        "hostler.toml:3:14: sandbox.checkpoint: must be `local` when sandbox.mode is `docker`: an archive \
         would hold neither what was installed in the container nor the state of its shell",
    );
}

#[test]
fn pods() {
    refused(
        "[sandbox.kubernetes]\nnamespace = \"agents/pods\"\n",
        "hostler.toml:2:13: sandbox.kubernetes.namespace: must be 1 to 63 lower-case letters, digits \
         and hyphens",
    );
    refused(
        "[sandbox.kubernetes]\nserver = \"10.0.0.1:6443\"\n",
        "hostler.toml:2:10: sandbox.kubernetes.server: must begin with `https://`, or with `http://` for \
         this machine",
    );
    refused(
        "[sandbox]\nmode = \"kubernetes\"\nkubernetes.image = \"debian:12\"\n",
        "default: sandbox.kubernetes.agent_image: must name an image when sandbox.mode is \
         `kubernetes`",
    );
}

#[test]
fn pools_that_cannot_be() {
    refused(
        "[sandbox]\nmode = \"unsafe-process\"\npool = 1\n",
        "hostler.toml:3:8: sandbox.pool: must be 0 when sandbox.mode is `unsafe-process`: only isolated \
         sandboxes are made ahead",
    );
    refused(
        "[sandbox]\npool = 65\n",
        "hostler.toml:2:8: sandbox.pool: must be at most 64",
    );
}

#[test]
fn disks_that_cannot_be() {
    refused(
        "[sandbox]\nmode = \"unsafe-process\"\ndisk = \"image\"\n",
        "hostler.toml:3:8: sandbox.disk: must be `auto` or `per-file` when sandbox.mode is \
         `unsafe-process`: only an isolated sandbox has an image",
    );
    refused(
        "[sandbox]\ndisk_bytes = \"64MiB\"\ndisk_files = 100000\n",
        "hostler.toml:3:14: sandbox.disk_files: must be from 1024 to one for each 1024 bytes of \
         `disk_bytes`, which is 65536",
    );
    refused_env(
        "HOSTLER__SANDBOX__DISK_BYTES",
        "1MiB",
        "sandbox.disk_bytes: must be at least 16MiB",
    );
}

#[test]
fn files_that_cannot_be_read() {
    let file = ConfigFile::new("[server\nlisten = \n");
    let problems = file.problems([]);
    assert!(
        problems.iter().all(|p| p.starts_with("hostler.toml:")),
        "{problems:?}"
    );
    assert_eq!(problems.len(), 2, "both lines are wrong: {problems:?}");

    let missing = Overrides {
        config: Some("/nowhere/x.toml".into()),
        ..Overrides::default()
    };
    let error = load(&missing, &Environment::default()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the configuration is not valid: /nowhere/x.toml: cannot be opened: No such file or directory (os \
         error 2)"
    );

    let long = ConfigFile::new(&"#".repeat(2 << 20));
    assert_eq!(
        long.problems([]),
        ["hostler.toml: is longer than 1048576 bytes"]
    );
}

#[test]
fn all_problems_are_told_at_once() {
    let file = ConfigFile::new(
        "[server]\nlistn = \"x\"\nshutdown_grace = \"soon\"\n[log]\nformat = \"xml\"\n\
         [providers.anthropic]\napi_key = \"x\"\n",
    );
    let error = file
        .load([("HOSTLER__ENGINE__MODEL_RETRY_BASE", "5")])
        .unwrap_err();
    let mut keys: Vec<&str> = error
        .problems
        .iter()
        .map(|problem| problem.key.as_str())
        .collect();
    keys.sort_unstable();
    assert_eq!(
        keys,
        [
            "engine.model_retry_base",
            "log.format",
            "providers.anthropic.api_key",
            "server.listn",
            "server.shutdown_grace"
        ]
    );
    assert!(
        error
            .to_string()
            .starts_with("the configuration has 5 errors:\n  ")
    );
}

#[test]
fn what_carries_previews() {
    let shared =
        "[database]\nurl = \"postgres://h@localhost/h\"\n[nats]\nurl = \"tls://a,nats://b\"\n";
    assert!(ConfigFile::new(shared).load([]).is_ok());
    let also = |more: &str, expected: &str| refused(&format!("{shared}{more}\n"), expected);
    refused(
        "[nats]\nurl = \"tls://a\"\n",
        "hostler.toml:2:7: nats.url: has no use without database.url: only servers that share a database tell \
         each other",
    );
    also(
        "token = \"t\"",
        "hostler.toml:5:1: nats.token: a secret may not be in the configuration file, which is copied and shown \
         to others; set the environment variable HOSTLER__NATS__TOKEN, or put it alone into a file and name it \
         with `token_file`",
    );
    also(
        "subject = \"a.*\"",
        "hostler.toml:5:11: nats.subject: must be words of letters, digits, - and _ with dots between, 64 \
         characters at most",
    );
    also(
        "user = \"me\"",
        "hostler.toml:5:8: nats.user: a password is needed, too: set HOSTLER__NATS__PASSWORD, or name a file with \
         `password_file`",
    );
    also(
        "user = \"me\"\ntoken_file = \"t\"",
        "hostler.toml:5:8: nats.user: only one of user, token can be used",
    );
    also(
        "credentials_file = \"none.creds\"",
        "hostler.toml:5:20: nats.credentials_file: cannot be opened: No such file or directory (os error 2)",
    );
    let with_secret = shared.replace("nats://b", "nats://me:word@b");
    refused(
        &with_secret,
        "hostler.toml:4:7: nats.url: must not hold a name, a password or a token: there are settings for these",
    );
}
