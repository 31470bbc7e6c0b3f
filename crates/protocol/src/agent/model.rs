//! The `model` of an agent: which LLM, how hard it thinks, how fast it is served.
//!
//! What a model can do is not known here: the caller looks it up and passes [`ModelFacts`].

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::decode::{At, Invalid};
use crate::limits::MODEL_ID_CHARS;

/// An agent's model with every default resolved.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ModelConfig {
    pub id: String,
    pub effort: Effort,
    pub speed: Speed,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inference_geo: Option<InferenceGeo>,
}

/// The object form of an effort level: `{"type": "high"}`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Effort {
    #[serde(rename = "type")]
    pub level: EffortLevel,
}

#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum EffortLevel {
    Low,
    Medium,
    High,
    Xhigh,
    Max,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Speed {
    Standard,
    Fast,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum InferenceGeo {
    Us,
    Global,
}

const EFFORT_LEVELS: [(&str, EffortLevel); 5] = [
    ("low", EffortLevel::Low),
    ("medium", EffortLevel::Medium),
    ("high", EffortLevel::High),
    ("xhigh", EffortLevel::Xhigh),
    ("max", EffortLevel::Max),
];

/// What agents need to know about a model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModelFacts {
    pub default_effort: EffortLevel,
    /// The levels that the model accepts.
    pub efforts: Vec<EffortLevel>,
    pub supports_fast: bool,
    pub supports_inference_geo: bool,
}

/// Finds the facts about a model by its id; `None` for a model that can't be used here.
pub type ModelLookup = dyn Fn(&str) -> Option<ModelFacts> + Send + Sync;

/// A `model` as requested.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModelParams {
    pub id: String,
    pub effort: Option<EffortLevel>,
    pub speed: Option<Speed>,
    pub inference_geo: Option<InferenceGeo>,
    /// Where `id` stands in the request.
    path: String,
    id_path: String,
}

impl ModelParams {
    /// Either a model id or the object form.
    pub fn decode(at: At<'_>) -> Result<Self, Invalid> {
        let path = at.path.clone();
        if at.value.is_string() {
            return Ok(Self {
                id: at.text(MODEL_ID_CHARS)?,
                effort: None,
                speed: None,
                inference_geo: None,
                id_path: path.clone(),
                path,
            });
        }
        if !at.value.is_object() {
            return Err(at.invalid("Input should be a model id or an object"));
        }
        let mut fields = at.fields()?;
        let (id, id_path) =
            fields.required("id", |at| Ok((at.text(MODEL_ID_CHARS)?, at.path.clone())))?;
        let effort = fields.nullable("effort", decode_effort)?;
        let speed = fields.nullable("speed", |at| {
            at.word(&[("standard", Speed::Standard), ("fast", Speed::Fast)])
        })?;
        let inference_geo = fields.nullable("inference_geo", |at| {
            at.word(&[("us", InferenceGeo::Us), ("global", InferenceGeo::Global)])
        })?;
        fields.finish()?;
        Ok(Self {
            id,
            effort,
            speed,
            inference_geo,
            path,
            id_path,
        })
    }

    /// Fills in the defaults. `current` is the stored model that this one replaces: the same
    /// `id` without an `effort` keeps the stored effort, and nothing else is inherited.
    pub fn resolve(
        self,
        current: Option<&ModelConfig>,
        models: &ModelLookup,
    ) -> Result<ModelConfig, Invalid> {
        let facts = model_facts(&self.id, &self.id_path, models)?;
        let refuse = |key: &str, message: &str| {
            let message = format!("model '{}' {message}", self.id);
            Err(Invalid::new(format!("{}.{key}", self.path), message))
        };
        if let Some(effort) = self.effort
            && !facts.efforts.contains(&effort)
        {
            return refuse("effort", "does not support this effort level");
        }
        if self.speed == Some(Speed::Fast) && !facts.supports_fast {
            return refuse("speed", "does not support fast mode");
        }
        if self.inference_geo.is_some() && !facts.supports_inference_geo {
            return refuse("inference_geo", "does not support inference_geo");
        }
        let stored = current
            .filter(|stored| stored.id == self.id)
            .map(|stored| stored.effort.level);
        let level = self.effort.or(stored).unwrap_or(facts.default_effort);
        Ok(ModelConfig {
            id: self.id,
            effort: Effort { level },
            speed: self.speed.unwrap_or(Speed::Standard),
            inference_geo: self.inference_geo,
        })
    }
}

/// The facts about a model, or the refusal of one that is unknown.
pub(crate) fn model_facts(
    id: &str,
    path: &str,
    models: &ModelLookup,
) -> Result<ModelFacts, Invalid> {
    models(id).ok_or_else(|| {
        let shown: String = id.chars().take(64).collect();
        Invalid::new(path, format!("model '{shown}' is not available"))
    })
}

/// A level, or an object whose `type` is one.
fn decode_effort(at: At<'_>) -> Result<EffortLevel, Invalid> {
    if !at.value.is_object() {
        return at.word(&EFFORT_LEVELS);
    }
    let mut fields = at.fields()?;
    let level = fields.required("type", |at| at.word(&EFFORT_LEVELS))?;
    fields.finish()?;
    Ok(level)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn models(id: &str) -> Option<ModelFacts> {
        let big = ModelFacts {
            default_effort: EffortLevel::High,
            efforts: vec![EffortLevel::Low, EffortLevel::High, EffortLevel::Max],
            supports_fast: true,
            supports_inference_geo: true,
        };
        match id {
            "big" => Some(big),
            "small" => Some(ModelFacts {
                default_effort: EffortLevel::Low,
                efforts: vec![EffortLevel::Low],
                supports_fast: false,
                supports_inference_geo: false,
            }),
            _ => None,
        }
    }

    fn resolved(value: Value, current: Option<&ModelConfig>) -> Result<Value, String> {
        ModelParams::decode(
            At::root(&json!({ "model": value }))
                .fields()
                .unwrap()
                .take("model")
                .unwrap(),
        )
        .and_then(|params| params.resolve(current, &models))
        .map(|config| serde_json::to_value(config).unwrap())
        .map_err(|error| error.to_string())
    }

    #[test]
    fn every_form_reads_back_as_the_object_form() {
        let plain = json!({"id": "big", "effort": {"type": "high"}, "speed": "standard"});
        for given in [
            json!("big"),
            json!({"id": "big"}),
            json!({"id": "big", "effort": null, "speed": null, "inference_geo": null}),
            json!({"id": "big", "effort": "high", "speed": "standard"}),
            json!({"id": "big", "effort": {"type": "high"}}),
        ] {
            assert_eq!(resolved(given.clone(), None), Ok(plain.clone()), "{given}");
        }
        let full =
            json!({"id": "big", "effort": {"type": "max"}, "speed": "fast", "inference_geo": "us"});
        assert_eq!(resolved(full.clone(), None), Ok(full));
    }

    #[test]
    fn refusals_name_the_field() {
        for (given, message) in [
            (
                json!(null),
                "model: Input should be a model id or an object",
            ),
            (json!(""), "model: String should have at least 1 character"),
            (json!("none"), "model: model 'none' is not available"),
            (
                json!({"id": "none"}),
                "model.id: model 'none' is not available",
            ),
            (json!({}), "model.id: Field required"),
            (
                json!({"id": "big", "effort": "huge"}),
                "model.effort: Input should be 'low', 'medium', 'high', 'xhigh', 'max'",
            ),
            (
                json!({"id": "big", "effort": {"type": "low", "x": 1}}),
                "model.effort.x: Extra inputs are not permitted",
            ),
            (
                json!({"id": "small", "effort": "max"}),
                "model.effort: model 'small' does not support this effort level",
            ),
            (
                json!({"id": "small", "speed": "fast"}),
                "model.speed: model 'small' does not support fast mode",
            ),
            (
                json!({"id": "small", "inference_geo": "us"}),
                "model.inference_geo: model 'small' does not support inference_geo",
            ),
            (
                json!({"id": "big", "inference_geo": "mars"}),
                "model.inference_geo: Input should be 'us', 'global'",
            ),
        ] {
            assert_eq!(
                resolved(given.clone(), None),
                Err(message.to_owned()),
                "{given}"
            );
        }
    }

    #[test]
    fn the_same_id_without_effort_keeps_the_stored_effort_and_nothing_else() {
        let stored: ModelConfig = serde_json::from_value(
            json!({"id": "big", "effort": {"type": "max"}, "speed": "fast", "inference_geo": "us"}),
        )
        .unwrap();
        assert_eq!(
            resolved(json!("big"), Some(&stored)),
            Ok(json!({"id": "big", "effort": {"type": "max"}, "speed": "standard"}))
        );
        assert_eq!(
            resolved(json!("small"), Some(&stored)),
            Ok(json!({"id": "small", "effort": {"type": "low"}, "speed": "standard"}))
        );
        assert_eq!(
            resolved(json!({"id": "big", "effort": "low"}), Some(&stored)),
            Ok(json!({"id": "big", "effort": {"type": "low"}, "speed": "standard"}))
        );
    }
}
