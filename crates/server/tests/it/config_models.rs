//! Which model id goes where, and how entries of the configuration change those that are built in.

use hostler_server::config::{Models, Price};

use crate::configuration::{ConfigFile, load_env};

/// `provider/upstream id` of a model id.
fn route(models: &Models, id: &str) -> Option<String> {
    models
        .route(id)
        .map(|model| format!("{}/{}", model.provider, model.upstream(id)))
}

#[test]
fn the_built_in_routes() {
    let models = load_env([]).unwrap().config.models;
    for (id, expected) in [
        ("claude-opus-4-5", Some("anthropic/claude-opus-4-5")),
        (
            "claude-something-new",
            Some("anthropic/claude-something-new"),
        ),
        ("gpt-5", Some("openai/gpt-5")),
        ("scripted", Some("scripted/scripted")),
        ("scripted-slow", Some("scripted/scripted-slow")),
        ("llama", None),
    ] {
        assert_eq!(route(&models, id).as_deref(), expected, "{id}");
    }
}

#[test]
fn the_exact_id_wins_then_the_longest_wildcard() {
    let models = ConfigFile::new(
        "[providers.a]\nkind = \"scripted\"\n[providers.b]\nkind = \"scripted\"\n\
         [[models]]\nid = \"*\"\nprovider = \"openai\"\n\
         [[models]]\nid = \"claude-opus-*\"\nprovider = \"a\"\n\
         [[models]]\nid = \"claude-opus-4-5\"\nprovider = \"b\"\nupstream_id = \"big\"\n",
    )
    .load([])
    .unwrap()
    .config
    .models;
    assert_eq!(route(&models, "claude-opus-4-5").unwrap(), "b/big");
    assert_eq!(route(&models, "claude-opus-9").unwrap(), "a/claude-opus-9");
    assert_eq!(
        route(&models, "claude-sonnet-9").unwrap(),
        "anthropic/claude-sonnet-9"
    );
    assert_eq!(route(&models, "llama").unwrap(), "openai/llama");
}

#[test]
fn a_wildcard_carries_the_known_models_with_it() {
    let models = load_env([(
        "HOSTLER__MODELS",
        r#"[{ id = "claude-*", provider = "openai", upstream_id = "anthropic/claude-*" }]"#,
    )])
    .unwrap()
    .config
    .models;
    let known = "claude-haiku-4-5";
    assert_eq!(
        route(&models, known).unwrap(),
        "openai/anthropic/claude-haiku-4-5"
    );
    assert_eq!(
        models.route(known).unwrap().display_name,
        "Claude Haiku 4.5"
    );
}

#[test]
fn an_entry_changes_only_what_it_says() {
    let models = ConfigFile::new(
        "[[models]]\nid = \"claude-sonnet-4-5\"\nprice = { input = 2.0 }\ncontext_window = 100000\n",
    )
    .load([])
    .unwrap()
    .config
    .models;
    let model = models.route("claude-sonnet-4-5").unwrap();
    assert_eq!(model.context_window, 100_000);
    assert_eq!(model.max_output_tokens, 64_000);
    let price = Price {
        input: 2.0,
        output: 15.0,
        cache_read: 0.3,
        cache_write_5m: 3.75,
        cache_write_1h: 6.0,
    };
    assert_eq!(model.price, Some(price));
}

#[test]
fn a_model_without_a_price_is_unpriced() {
    let models = load_env([]).unwrap().config.models;
    assert_eq!(models.route("claude-sonnet-5-5").unwrap().price, None);
    assert_eq!(models.route("gpt-5").unwrap().price, None);
}
