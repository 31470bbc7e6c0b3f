//! Defaults, file, environment, flags: which wins, and what each is read as.

use std::path::PathBuf;
use std::time::Duration;

use hostler_server::config::{
    Environment, Loaded, LogFormat, Overrides, ProviderApi, ProviderKey, SandboxMode, Secret, load,
};

use crate::configuration::{ConfigFile, load_env};

#[test]
fn without_any_source_the_defaults_hold() {
    let config = load_env([]).unwrap().config;
    assert_eq!(config.server.listen.to_string(), "127.0.0.1:4180");
    assert_eq!(config.server.data_dir, PathBuf::from("./hostler-data"));
    assert_eq!(config.server.max_body_bytes, 32 * 1024 * 1024);
    assert_eq!(config.server.max_upload_bytes, 500_000_000);
    assert!(config.server.require_beta_header);
    assert_eq!(config.sandbox.mode, SandboxMode::Isolated);
    assert_eq!(
        config.sandbox.state_dir,
        PathBuf::from("./hostler-data/sandboxes")
    );
    assert_eq!(config.sandbox.idle_stop, Some(Duration::from_secs(900)));
    let month = Duration::from_secs(30 * 24 * 60 * 60);
    assert_eq!(config.sandbox.keep, Some(month));
    let names: Vec<_> = config.providers.keys().collect();
    assert_eq!(names, ["anthropic", "openai", "scripted"]);
}

#[test]
fn an_idle_stop_of_zero_is_none() {
    let idle_stop = |value| {
        let variable = [("HOSTLER__SANDBOX__IDLE_STOP", value)];
        load_env(variable).unwrap().config.sandbox.idle_stop
    };
    assert_eq!(idle_stop("2h"), Some(Duration::from_secs(7_200)));
    assert_eq!(idle_stop("0s"), None);
}

#[test]
fn each_later_source_wins() {
    let file = ConfigFile::new("[server]\nlisten = \"127.0.0.1:1\"\nshutdown_grace = \"1s\"\n");
    let listen = |variables, overrides: &Overrides| {
        load(overrides, &Environment::from_pairs::<1>(variables))
            .unwrap()
            .config
            .server
            .listen
            .port()
    };
    let unrelated = [("HOME", "/nowhere")];
    let variable = [("HOSTLER__SERVER__LISTEN", "127.0.0.1:2")];
    let flag = Overrides {
        listen: Some("127.0.0.1:3".to_owned()),
        ..file.overrides()
    };
    assert_eq!(listen(unrelated, &file.overrides()), 1);
    assert_eq!(listen(variable, &file.overrides()), 2);
    assert_eq!(listen(variable, &flag), 3);
    let kept = load(&flag, &Environment::from_pairs(variable))
        .unwrap()
        .config
        .server;
    assert_eq!(
        kept.shutdown_grace,
        Duration::from_secs(1),
        "a source changes only what it names"
    );
}

#[test]
fn the_environment_is_typed_by_the_field() {
    let config = load_env([
        ("HOSTLER__SERVER__MAX_BODY_BYTES", "1000"),
        ("HOSTLER__SERVER__MAX_UPLOAD_BYTES", "3 GiB"),
        ("HOSTLER__SERVER__SHUTDOWN_GRACE", "1m30s"),
        ("HOSTLER__SERVER__REQUIRE_BETA_HEADER", "false"),
        ("HOSTLER__ENGINE__COMPACTION_THRESHOLD", "0.5"),
        ("HOSTLER__ENGINE__MAX_PARALLEL_TOOLS", "3"),
        ("HOSTLER__LOG__FORMAT", "json"),
        ("HOSTLER__LOG__FILTER", "[turn]=debug"),
    ])
    .unwrap()
    .config;
    assert_eq!(config.server.max_body_bytes, 1000);
    assert_eq!(config.server.max_upload_bytes, 3 << 30);
    assert_eq!(config.server.shutdown_grace, Duration::from_secs(90));
    assert!(!config.server.require_beta_header);
    assert_eq!(config.engine.compaction_threshold, 0.5);
    assert_eq!(config.engine.max_parallel_tools, 3);
    assert_eq!(config.log.format, LogFormat::Json);
    assert_eq!(config.log.filter, "[turn]=debug");
}

#[test]
fn names_of_variables_may_be_written_in_any_case() {
    let config = load_env([("hostler__Server__LISTEN", "127.0.0.1:7")])
        .unwrap()
        .config;
    assert_eq!(config.server.listen.port(), 7);
}

#[test]
fn variables_with_one_underscore_are_no_settings() {
    load_env([("HOSTLER_API_KEY", "sk-hostler-x"), ("HOSTLERS", "x")]).unwrap();
}

#[test]
fn a_provider_key_comes_from_the_environment_or_from_a_file_of_its_own() {
    let file = ConfigFile::new("[providers.anthropic]\napi_key_file = \"key.txt\"\n");
    std::fs::write(file.folder.path().join("key.txt"), "sk-from-file\n").unwrap();
    let of = |text: &str| ProviderKey::Header(Secret::new(text.to_owned()));
    let key = |loaded: Loaded| {
        let ProviderApi::Anthropic { http, .. } = &loaded.config.providers["anthropic"].api else {
            panic!("the built-in provider has another kind")
        };
        http.key.clone()
    };
    assert_eq!(key(file.load([]).unwrap()), of("sk-from-file"));
    let variable = [("HOSTLER__PROVIDERS__ANTHROPIC__API_KEY", "sk-from-env")];
    assert_eq!(key(file.load(variable).unwrap()), of("sk-from-env"));
    assert_eq!(
        key(load_env([("ANTHROPIC_API_KEY", "sk-of-the-client")]).unwrap()),
        ProviderKey::None
    );
}

#[test]
fn a_new_provider_is_made_by_naming_it() {
    let file = ConfigFile::new(
        "[providers.local]\nkind = \"openai\"\nbase_url = \"http://127.0.0.1:11434/\"\n\
         headers = { \"x-team\" = \"research\" }\n",
    );
    let config = file.load([]).unwrap().config;
    let ProviderApi::Openai { http, vendor } = &config.providers["local"].api else {
        panic!("another kind")
    };
    assert_eq!(http.base_url, "http://127.0.0.1:11434");
    assert_eq!(http.stall_timeout, Duration::from_secs(180));
    assert_eq!(http.headers[0].0, "x-team");
    assert_eq!(*vendor, hostler_provider::Vendor::Generic);
}

#[test]
fn paths_in_the_file_are_relative_to_the_file() {
    let file = ConfigFile::new(
        "[server]\ndata_dir = \"data\"\n[providers.scripted]\nscript = \"scripts/a.json\"\n",
    );
    let config = file.load([]).unwrap().config;
    assert_eq!(config.server.data_dir, file.folder.path().join("data"));
    assert_eq!(
        config.sandbox.state_dir,
        file.folder.path().join("data/sandboxes")
    );
    let ProviderApi::Scripted { script } = &config.providers["scripted"].api else {
        panic!("another kind")
    };
    assert_eq!(
        script.as_deref(),
        Some(&*file.folder.path().join("scripts/a.json"))
    );
    let from_env = file
        .load([("HOSTLER__SERVER__DATA_DIR", "elsewhere")])
        .unwrap()
        .config;
    assert_eq!(from_env.server.data_dir, PathBuf::from("elsewhere"));
}

#[test]
fn the_file_of_the_data_folder_is_found_without_being_named() {
    let file = ConfigFile::new("[log]\nformat = \"json\"\n");
    let overrides = Overrides {
        data_dir: Some(file.folder.path().to_owned()),
        ..Overrides::default()
    };
    let loaded = load(&overrides, &Environment::default()).unwrap();
    assert_eq!(loaded.file, Some(file.path()));
    assert_eq!(loaded.config.log.format, LogFormat::Json);
    assert_eq!(loaded.config.server.data_dir, file.folder.path());
}

#[test]
fn the_printed_configuration_names_each_origin_and_masks_secrets() {
    let file = ConfigFile::new(
        "[server]\nshutdown_grace = \"3s\"\n\
         [providers.openai]\nheaders = { authorization = \"canary-header\" }\n",
    );
    let overrides = Overrides {
        listen: Some("127.0.0.1:9".to_owned()),
        ..file.overrides()
    };
    let environment = Environment::from_pairs([
        ("HOSTLER__PROVIDERS__ANTHROPIC__API_KEY", "canary-key"),
        ("HOSTLER__LOG__FILTER", "warn"),
    ]);
    let loaded = load(&overrides, &environment).unwrap();
    let text = loaded.to_toml();
    let place = file.path().display().to_string();
    for line in [
        "listen = \"127.0.0.1:9\"  # flag --listen".to_owned(),
        "data_dir = \"./hostler-data\"  # default".to_owned(),
        format!("shutdown_grace = \"3s\"  # {place}:2:18"),
        "filter = \"warn\"  # environment variable HOSTLER__LOG__FILTER".to_owned(),
        "api_key = \"***\"  # environment variable HOSTLER__PROVIDERS__ANTHROPIC__API_KEY"
            .to_owned(),
        format!("headers = {{ authorization = \"***\" }}  # {place}:4:29"),
    ] {
        assert!(
            text.lines().any(|l| l == line),
            "no line {line:?} in:\n{text}"
        );
    }
    for canary in ["canary-key", "canary-header"] {
        assert!(!text.contains(canary));
        assert!(
            !format!("{loaded:?}").contains(canary),
            "the debug text shows {canary}"
        );
    }
}

#[test]
fn the_printed_configuration_can_be_read_back() {
    let printed = load_env([]).unwrap().to_toml();
    let again = ConfigFile::new(&printed).load([]).unwrap();
    let without_origins = |text: &str| -> Vec<String> {
        text.lines()
            .map(|line| line.split("  # ").next().unwrap().to_owned())
            .collect()
    };
    assert_eq!(without_origins(&again.to_toml()), without_origins(&printed));
}
