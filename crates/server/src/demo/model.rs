//! Which model the demo talks to: the scripted one, unless the environment has a key or an address.

use anyhow::bail;

use crate::config::Environment;

/// A model, and what the server must be told for it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Chosen {
    pub(super) model: String,
    /// For people: which, and why.
    pub(super) because: String,
    /// Variables of the server's process.
    pub(super) variables: Vec<(&'static str, String)>,
}

const CLAUDE: &str = "claude-sonnet-4-5";
/// Keys with this beginning are for a Hostler server, not for a provider.
const OUR_KEYS: &str = "sk-hostler-";

/// `ANTHROPIC_API_KEY` (with `ANTHROPIC_BASE_URL` and `ANTHROPIC_MODEL`, if set) means Claude;
/// `OPENAI_BASE_URL` (with `OPENAI_API_KEY` and `OPENAI_MODEL`) means what is there; else the script.
pub(super) fn choose(environment: &Environment, model: Option<&str>) -> anyhow::Result<Chosen> {
    let provider_key = environment
        .get("ANTHROPIC_API_KEY")
        .filter(|key| !key.starts_with(OUR_KEYS));
    if let Some(key) = provider_key {
        let mut variables = vec![("HOSTLER__PROVIDERS__ANTHROPIC__API_KEY", key.to_owned())];
        if let Some(url) = environment.get("ANTHROPIC_BASE_URL") {
            variables.push(("HOSTLER__PROVIDERS__ANTHROPIC__BASE_URL", url.to_owned()));
        }
        let model = model
            .or(environment.get("ANTHROPIC_MODEL"))
            .unwrap_or(CLAUDE)
            .to_owned();
        let because = format!("{model}, since ANTHROPIC_API_KEY is set");
        return Ok(Chosen {
            model,
            because,
            variables,
        });
    }
    if let Some(url) = environment.get("OPENAI_BASE_URL") {
        let Some(model) = model.or(environment.get("OPENAI_MODEL")) else {
            bail!("OPENAI_BASE_URL is set, so set OPENAI_MODEL to the name of a model there");
        };
        let id = toml::Value::String(model.to_owned());
        let mut variables = vec![
            ("HOSTLER__PROVIDERS__OPENAI__BASE_URL", url.to_owned()),
            (
                "HOSTLER__MODELS",
                format!("[{{ id = {id}, provider = \"openai\" }}]"),
            ),
        ];
        if let Some(key) = environment.get("OPENAI_API_KEY") {
            variables.push(("HOSTLER__PROVIDERS__OPENAI__API_KEY", key.to_owned()));
        }
        let because = format!("{model} at {url}, since OPENAI_BASE_URL is set");
        return Ok(Chosen {
            model: model.to_owned(),
            because,
            variables,
        });
    }
    Ok(Chosen {
        model: model.unwrap_or("scripted").to_owned(),
        because:
            "a script that needs no key (set ANTHROPIC_API_KEY or OPENAI_BASE_URL for a real one)"
                .to_owned(),
        variables: Vec::new(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen<const N: usize>(pairs: [(&str, &str); N]) -> Chosen {
        choose(&Environment::from_pairs(pairs), None).unwrap()
    }

    #[test]
    fn without_anything_it_is_the_script() {
        let demo = chosen([]);
        assert_eq!((demo.model.as_str(), demo.variables), ("scripted", vec![]));
        let ours = [
            ("ANTHROPIC_API_KEY", "sk-hostler-1"),
            ("ANTHROPIC_BASE_URL", "http://x"),
        ];
        assert_eq!(
            chosen(ours).model,
            "scripted",
            "the key of a Hostler server is no provider's"
        );
    }

    #[test]
    fn an_anthropic_key_means_claude() {
        let demo = chosen([
            ("ANTHROPIC_API_KEY", "sk-ant-1"),
            ("OPENAI_BASE_URL", "http://x"),
        ]);
        assert_eq!(demo.model, CLAUDE);
        let key = (
            "HOSTLER__PROVIDERS__ANTHROPIC__API_KEY",
            "sk-ant-1".to_owned(),
        );
        assert_eq!(demo.variables, [key]);
        assert!(!demo.because.contains("sk-ant-1"));
    }

    #[test]
    fn an_openai_address_means_the_model_there() {
        let demo = chosen([
            ("OPENAI_BASE_URL", "http://x/v1"),
            ("OPENAI_MODEL", "qwen3:8b"),
        ]);
        assert_eq!(demo.model, "qwen3:8b");
        let models = "[{ id = \"qwen3:8b\", provider = \"openai\" }]".to_owned();
        assert_eq!(demo.variables[1], ("HOSTLER__MODELS", models));
        let nameless = Environment::from_pairs([("OPENAI_BASE_URL", "http://x/v1")]);
        assert!(
            choose(&nameless, None)
                .unwrap_err()
                .to_string()
                .contains("OPENAI_MODEL")
        );
    }
}
