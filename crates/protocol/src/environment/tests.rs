//! Requests in, normalised environments or refusals out.

use super::EnvironmentFields;
use super::request::{CreateEnvironment, UpdateEnvironment};
use crate::decode::{At, Invalid, Metadata};
use serde_json::{Value, json};

fn create(changes: Value) -> Result<Value, String> {
    let mut body = json!({"name": "e"});
    for (key, value) in changes.as_object().unwrap() {
        body[key] = value.clone();
    }
    CreateEnvironment::decode(At::root(&body))
        .and_then(CreateEnvironment::resolve)
        .map(|fields| serde_json::to_value(fields.config).unwrap())
        .map_err(|error| error.to_string())
}

fn packages(changes: Value) -> Value {
    let mut packages = json!({"type": "packages", "apt": [], "cargo": [], "gem": [],
                              "go": [], "npm": [], "pip": []});
    for (key, value) in changes.as_object().unwrap() {
        packages[key] = value.clone();
    }
    packages
}

#[test]
fn every_way_to_say_nothing_is_a_cloud_without_limits() {
    let cloud = json!({"type": "cloud", "networking": {"type": "unrestricted"},
                       "packages": packages(json!({}))});
    for given in [
        json!({}),
        json!({"config": null}),
        json!({"config": {"type": "cloud"}}),
        json!({"config": {"type": "anthropic_cloud"}}),
        json!({"config": {"type": "cloud", "networking": null, "packages": null}}),
        json!({"config": {"type": "cloud", "packages": {"apt": null}}, "scope": "organization"}),
    ] {
        assert_eq!(create(given.clone()), Ok(cloud.clone()), "{given}");
    }
    let own = json!({"type": "self_hosted"});
    assert_eq!(create(json!({ "config": own })), Ok(own));
}

#[test]
fn limited_networking_reads_back_in_full() {
    let config = json!({"type": "cloud", "networking": {"type": "limited"}});
    assert_eq!(
        create(json!({ "config": config })).unwrap()["networking"],
        json!({"type": "limited", "allowed_hosts": [], "allow_mcp_servers": false,
               "allow_package_managers": false})
    );
    let config = json!({"type": "cloud",
        "networking": {"type": "limited", "allowed_hosts": ["API.example.com", "*.x.org"],
                       "allow_package_managers": true},
        "packages": {"pip": ["pandas==2.2.0"]}});
    assert_eq!(
        create(json!({ "config": config })),
        Ok(json!({"type": "cloud",
            "networking": {"type": "limited", "allowed_hosts": ["api.example.com", "*.x.org"],
                           "allow_mcp_servers": false, "allow_package_managers": true},
            "packages": packages(json!({"pip": ["pandas==2.2.0"]}))}))
    );
}

#[test]
fn refusals_name_the_field() {
    let cloud = |changes: Value| {
        let mut config = json!({"type": "cloud"});
        for (key, value) in changes.as_object().unwrap() {
            config[key] = value.clone();
        }
        json!({ "config": config })
    };
    let host = |host: &str| {
        cloud(json!({"networking": {"type": "limited", "allowed_hosts": ["a.com", host]}}))
    };
    let bad_host = "config.networking.allowed_hosts.1: Input should be a bare host name or '*.' \
                    and a suffix, without scheme, port or path";
    let one_package = "Input should be one package as its manager names it, without blanks, options \
                       or characters of a shell";
    for (given, message) in [
        (json!({"name": ""}), "name: String should have at least 1 character".to_owned()),
        (json!({"name": null}), "name: Input should be a valid string".into()),
        (json!({"scope": "account"}), "scope: Input should be 'organization'".into()),
        (json!({"image": "x"}), "image: Extra inputs are not permitted".into()),
        (
            json!({"config": {"type": "docker"}}),
            "config.type: 'docker' is not one of 'cloud', 'self_hosted'".into(),
        ),
        (
            json!({"config": {"type": "self_hosted", "networking": null}}),
            "config.networking: Extra inputs are not permitted".into(),
        ),
        (
            cloud(json!({"networking": {"type": "none"}})),
            "config.networking.type: 'none' is not one of 'unrestricted', 'limited'".into(),
        ),
        (
            cloud(json!({"networking": {"type": "unrestricted", "allowed_hosts": []}})),
            "config.networking.allowed_hosts: Extra inputs are not permitted".into(),
        ),
        (host("https://a.com"), bad_host.into()),
        (host("a.com:443"), bad_host.into()),
        (host("a.com/x"), bad_host.into()),
        (host("*"), bad_host.into()),
        (host("a.*.com"), bad_host.into()),
        (
            cloud(json!({"networking": {"type": "limited"}, "packages": {"npm": ["x"]}})),
            "config.networking.allow_package_managers: Input should be true where packages are listed"
                .into(),
        ),
        (
            cloud(json!({"packages": {"pip": ["a b"]}})),
            format!("config.packages.pip.0: {one_package}"),
        ),
        (
            cloud(json!({"packages": {"pip": ["--index-url=x"]}})),
            format!("config.packages.pip.0: {one_package}"),
        ),
        (
            cloud(json!({"packages": {"brew": []}})),
            "config.packages.brew: Extra inputs are not permitted".into(),
        ),
    ] {
        assert_eq!(create(given).unwrap_err(), message);
    }
}

fn stored(config: &Value) -> EnvironmentFields {
    let body = json!({"name": "e", "description": "d", "config": config,
                      "metadata": {"a": "1", "b": "2"}});
    CreateEnvironment::decode(At::root(&body))
        .unwrap()
        .resolve()
        .unwrap()
}

fn update(current: &EnvironmentFields, body: &Value) -> Result<EnvironmentFields, Invalid> {
    UpdateEnvironment::decode(At::root(body)).and_then(|update| update.apply(current.clone()))
}

#[test]
fn updates_merge_level_by_level() {
    let limited = json!({"type": "limited", "allowed_hosts": ["a.com"], "allow_mcp_servers": true,
                         "allow_package_managers": true});
    let current = stored(&json!({"type": "cloud", "networking": limited,
                                 "packages": {"pip": ["p"], "apt": ["q"]}}));
    for body in [
        json!({}),
        json!({"name": null, "config": null, "scope": null}),
        json!({"config": {"type": "cloud", "networking": {"type": "limited"}}}),
        json!({"config": {"type": "cloud", "packages": {"pip": ["p"]}}}),
    ] {
        assert_eq!(update(&current, &body), Ok(current.clone()), "{body}");
    }
    let config =
        |body: Value| serde_json::to_value(update(&current, &body).unwrap().config).unwrap();
    let changed = config(json!({"config": {"type": "cloud",
        "networking": {"type": "limited", "allowed_hosts": []}, "packages": {"pip": []}}}));
    assert_eq!(changed["networking"]["allowed_hosts"], json!([]));
    assert_eq!(changed["networking"]["allow_mcp_servers"], json!(true));
    assert_eq!(changed["packages"], packages(json!({"apt": ["q"]})));
    let opened =
        config(json!({"config": {"type": "cloud", "networking": {"type": "unrestricted"}}}));
    assert_eq!(opened["networking"], json!({"type": "unrestricted"}));
    let open = stored(&json!({"type": "cloud"}));
    let limit = json!({"config": {"type": "cloud", "networking": {"type": "limited", "allow_mcp_servers": true}}});
    assert_eq!(
        serde_json::to_value(update(&open, &limit).unwrap().config).unwrap()["networking"],
        json!({"type": "limited", "allowed_hosts": [], "allow_mcp_servers": true,
               "allow_package_managers": false})
    );
}

#[test]
fn plain_fields_follow_their_own_rules() {
    let current = stored(&json!({"type": "self_hosted"}));
    let after = update(
        &current,
        &json!({"description": "", "metadata": {"a": "", "b": null, "c": "3"}, "name": "f"}),
    )
    .unwrap();
    assert_eq!(after.description.as_deref(), Some(""));
    assert_eq!(after.metadata, Metadata::from([("c".into(), "3".into())]));
    assert_eq!(after.name, "f");
    let cleared = update(&current, &json!({"description": null})).unwrap();
    assert_eq!(cleared.description, None);
    let refusal = update(&current, &json!({"config": {"type": "cloud"}})).unwrap_err();
    assert_eq!(refusal.code, Some("invalid_config_type_change"));
    let same = json!({"config": {"type": "self_hosted"}});
    assert_eq!(update(&current, &same), Ok(current));
}
