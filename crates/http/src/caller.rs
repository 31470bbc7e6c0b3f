//! Who is asking: the credential of a request, looked up by its hash.
//!
//! A key that was found is remembered for a second, so that a busy client doesn't cost a query
//! per request. **Invariant:** a revoked key works at most `CACHED_KEY_TIME` longer.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, header};
use hostler_protocol::Timestamp;
use hostler_protocol::id::{ApiKeyId, WorkspaceId};

use crate::api_key::hash_of;
use crate::limits::{CACHED_KEY_TIME, CACHED_KEYS_MAX, CREDENTIAL_CHARS_MAX};
use crate::{Api, ApiError};

const API_KEY: &str = "x-api-key";
pub(crate) const WORKSPACE: &str = "anthropic-workspace-id";

/// The workspace that a request acts in, and the key that opened it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Caller {
    pub(crate) workspace_id: WorkspaceId,
    pub(crate) api_key_id: ApiKeyId,
}

/// `admission.rs` has put the caller there: a route outside of it has none.
impl<S: Sync> FromRequestParts<S> for Caller {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, ApiError> {
        let caller = parts.extensions.get::<Self>().copied();
        caller.ok_or_else(ApiError::authentication)
    }
}

/// The keys that were found lately, by hash.
#[derive(Debug, Default)]
pub(crate) struct Keyring {
    found: Mutex<HashMap<String, (Timestamp, Caller)>>,
}

impl Keyring {
    fn remembered(&self, hash: &str, now: Timestamp) -> Option<Caller> {
        let found = self.found.lock().unwrap_or_else(PoisonError::into_inner);
        let (at, caller) = found.get(hash)?;
        // A clock that was set back must not keep a key alive.
        (now >= *at && now.since(*at) < CACHED_KEY_TIME).then_some(*caller)
    }

    fn remember(&self, hash: String, now: Timestamp, caller: Caller) {
        let mut found = self.found.lock().unwrap_or_else(PoisonError::into_inner);
        if found.len() >= CACHED_KEYS_MAX {
            found.clear();
        }
        found.insert(hash, (now, caller));
    }
}

/// Finds the caller of a request.
///
/// # Errors
/// 401 without a valid key, and 403 when the request names another workspace than its key's.
pub(crate) async fn identify(api: &Api, headers: &HeaderMap) -> Result<Caller, ApiError> {
    let credential = credential(headers).ok_or_else(ApiError::authentication)?;
    let hash = hash_of(credential);
    let now = api.env.now();
    let caller = match api.keyring.remembered(&hash, now) {
        Some(caller) => caller,
        None => {
            let key = api.store.api_key_by_hash(hash.clone()).await?;
            let key = key
                .filter(|key| key.revoked_at.is_none())
                .ok_or_else(ApiError::authentication)?;
            let caller = Caller {
                workspace_id: key.workspace_id,
                api_key_id: key.id,
            };
            api.keyring.remember(hash, now, caller);
            caller
        }
    };
    if let Some(named) = headers.get(WORKSPACE) {
        let named = named.to_str().unwrap_or_default();
        if named.parse() != Ok(caller.workspace_id) {
            let message = format!("{WORKSPACE}: this key belongs to another workspace");
            return Err(ApiError::permission(message));
        }
    }
    Ok(caller)
}

/// The bearer token or the `x-api-key`. `None` when there is none, or two that differ.
fn credential(headers: &HeaderMap) -> Option<&str> {
    let bearer = headers.get(header::AUTHORIZATION).and_then(|value| {
        let (scheme, token) = value.to_str().ok()?.split_once(' ')?;
        scheme
            .eq_ignore_ascii_case("bearer")
            .then_some(token.trim())
    });
    let api_key = headers.get(API_KEY).and_then(|value| value.to_str().ok());
    let bearer = bearer.filter(|token| !token.is_empty());
    let api_key = api_key.map(str::trim).filter(|key| !key.is_empty());
    let credential = match (bearer, api_key) {
        (Some(bearer), Some(api_key)) if bearer != api_key => None,
        (Some(one), _) | (None, Some(one)) => Some(one),
        (None, None) => None,
    };
    credential.filter(|text| text.len() <= CREDENTIAL_CHARS_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use hostler_domain::Env;
    use std::time::Duration;

    fn credential_of(pairs: &[(&'static str, &str)]) -> Option<String> {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.insert(*name, value.parse().unwrap());
        }
        credential(&headers).map(str::to_owned)
    }

    #[test]
    fn both_headers_work_and_must_agree() {
        let key = Some("k".to_owned());
        assert_eq!(credential_of(&[("authorization", "Bearer k")]), key);
        assert_eq!(credential_of(&[("authorization", "bearer  k ")]), key);
        assert_eq!(credential_of(&[("x-api-key", "k")]), key);
        let both = [("authorization", "Bearer k"), ("x-api-key", "k")];
        assert_eq!(credential_of(&both), key);
        let different = [("authorization", "Bearer k"), ("x-api-key", "j")];
        assert_eq!(credential_of(&different), None);
        assert_eq!(credential_of(&[("authorization", "Basic k")]), None);
        assert_eq!(credential_of(&[("x-api-key", "")]), None);
        assert_eq!(credential_of(&[]), None);
    }

    #[test]
    fn a_key_is_remembered_for_a_second() {
        let (env, keyring) = (Env::fixed(1), Keyring::default());
        let caller = Caller {
            workspace_id: env.id(),
            api_key_id: env.id(),
        };
        let now = env.now();
        keyring.remember("hash".into(), now, caller);
        assert_eq!(keyring.remembered("hash", now), Some(caller));
        assert_eq!(keyring.remembered("hash", now.plus(CACHED_KEY_TIME)), None);
        env.advance(Duration::from_millis(999));
        assert_eq!(keyring.remembered("hash", env.now()), Some(caller));
        let earlier = Timestamp::from_micros(now.as_micros() - 1);
        assert_eq!(keyring.remembered("hash", earlier), None);
    }
}
