//! `/v1/models`: the models that have a name of their own in the configuration.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use hostler_domain::catalog::ModelSpec;
use hostler_protocol::Timestamp;
use hostler_protocol::model::{ModelInfo, ModelLifecycle, ModelLine, ModelType};
use hostler_protocol::page::IdPage;

use crate::query::Query;
use crate::{Api, ApiError};

const LIMIT: usize = 20;
const LIMIT_MAX: i64 = 1_000;
const LIFECYCLES: &[(&str, ModelLifecycle)] = &[
    ("active", ModelLifecycle::Active),
    ("deprecated", ModelLifecycle::Deprecated),
    ("retired", ModelLifecycle::Retired),
];
const LINES: &[(&str, ModelLine)] = &[
    ("haiku", ModelLine::Haiku),
    ("sonnet", ModelLine::Sonnet),
    ("opus", ModelLine::Opus),
    ("fable", ModelLine::Fable),
    ("mythos", ModelLine::Mythos),
];

pub(crate) async fn list(
    State(api): State<Arc<Api>>,
    query: Query,
) -> Result<Json<IdPage<ModelInfo>>, ApiError> {
    let lifecycles = query.words("lifecycle", LIFECYCLES.len(), LIFECYCLES)?;
    let shown = |info: &ModelInfo| match lifecycles.as_slice() {
        [] => info.lifecycle != ModelLifecycle::Retired,
        wanted => wanted.contains(&info.lifecycle),
    };
    let infos = api.catalog.listed().map(info).filter(shown).collect();
    let limit = query.integer("limit", 1..=LIMIT_MAX)?;
    let limit = limit.map_or(LIMIT, |limit| usize::try_from(limit).unwrap_or(LIMIT));
    let part = part_of(&query, infos, limit)?;
    Ok(Json(part))
}

pub(crate) async fn get(
    State(api): State<Arc<Api>>,
    Path(id): Path<String>,
) -> Result<Json<ModelInfo>, ApiError> {
    let found = api.catalog.find(&id).map(|model| ModelInfo {
        id: id.clone(),
        ..info(model)
    });
    let shown: String = id.chars().take(64).collect();
    found
        .map(Json)
        .ok_or_else(|| ApiError::not_found(format!("model '{shown}'")))
}

/// The items after or before an id, in the order of the list.
fn part_of(
    query: &Query,
    infos: Vec<ModelInfo>,
    limit: usize,
) -> Result<IdPage<ModelInfo>, ApiError> {
    let place = |key: &str| -> Result<Option<usize>, ApiError> {
        let Some(id) = query.text(key)? else {
            return Ok(None);
        };
        let found = infos.iter().position(|info| info.id == id);
        let unknown = || ApiError::invalid(format!("{key}: no model of this list has this id"));
        found.map(Some).ok_or_else(unknown)
    };
    let (after, before) = (place("after_id")?, place("before_id")?);
    let (range, has_more) = match (after, before) {
        (Some(_), Some(_)) => {
            let message = "before_id: Input should not be given together with after_id";
            return Err(ApiError::invalid(message));
        }
        (None, Some(before)) => (before.saturating_sub(limit)..before, before > limit),
        (after, None) => {
            let start = after.map_or(0, |after| after + 1);
            let end = infos.len().min(start.saturating_add(limit));
            (start..end, end < infos.len())
        }
    };
    let data: Vec<ModelInfo> = infos.get(range).unwrap_or_default().to_vec();
    Ok(IdPage {
        has_more,
        first_id: data.first().map(|info| info.id.clone()),
        last_id: data.last().map(|info| info.id.clone()),
        data,
    })
}

fn info(model: &ModelSpec) -> ModelInfo {
    ModelInfo {
        kind: ModelType::Model,
        id: model.id.clone(),
        display_name: model
            .display_name
            .clone()
            .unwrap_or_else(|| model.id.clone()),
        // The epoch is what the hosted service shows for a model of unknown age.
        created_at: model.created_at.unwrap_or(Timestamp::from_micros(0)),
        lifecycle: ModelLifecycle::Active,
        line: line_of(&model.id),
        max_input_tokens: model.context_window,
        max_tokens: model.max_output_tokens.map(u64::from),
        // The configuration knows some of them only.
        capabilities: None,
        deprecated_at: None,
        retires_at: None,
        allowed_fallback_models: None,
    }
}

/// The line is part of the names of Anthropic's models.
fn line_of(id: &str) -> Option<ModelLine> {
    let words = id.strip_prefix("claude-")?;
    LINES
        .iter()
        .find(|(line, _)| words.split('-').any(|word| word == *line))
        .map(|(_, line)| *line)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(id: &str) -> ModelInfo {
        ModelInfo {
            kind: ModelType::Model,
            id: id.into(),
            display_name: id.into(),
            created_at: Timestamp::from_micros(0),
            lifecycle: ModelLifecycle::Active,
            line: None,
            max_input_tokens: None,
            max_tokens: None,
            capabilities: None,
            deprecated_at: None,
            retires_at: None,
            allowed_fallback_models: None,
        }
    }

    fn part(query: &str) -> (String, bool) {
        let infos = ["a", "b", "c", "d", "e"].map(named).to_vec();
        let page = part_of(&Query::parse(query).unwrap(), infos, 2).unwrap();
        let ids = page.data.iter().map(|info| info.id.as_str()).collect();
        (ids, page.has_more)
    }

    #[test]
    fn pages_go_by_id_in_both_directions() {
        for (query, ids, has_more) in [
            ("", "ab", true),
            ("after_id=b", "cd", true),
            ("after_id=d", "e", false),
            ("after_id=e", "", false),
            ("before_id=e", "cd", true),
            ("before_id=c", "ab", false),
            ("before_id=b", "a", false),
            ("before_id=a", "", false),
        ] {
            assert_eq!(part(query), (ids.to_owned(), has_more), "{query}");
        }
        let infos = vec![named("a")];
        for bad in ["after_id=x", "after_id=a&before_id=a"] {
            assert!(part_of(&Query::parse(bad).unwrap(), infos.clone(), 2).is_err());
        }
    }

    #[test]
    fn the_line_is_read_from_the_name() {
        assert_eq!(line_of("claude-opus-4-8"), Some(ModelLine::Opus));
        assert_eq!(line_of("claude-opusculum"), None);
        assert_eq!(line_of("gpt-opus"), None);
    }
}
