//! Who is asking: the credential of a request, looked up by its hash.
//!
//! A key that was found is remembered for a second, so that a busy client doesn't cost a query
//! per request, and looked up again by one request before that is over: thousands that found it forgotten at the same
//! moment would wait for each other. **Invariant:** a revoked key works at most `CACHED_KEY_TIME` longer.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, header};
use hostler_protocol::Timestamp;
use hostler_protocol::id::{ApiKeyId, WorkspaceId};
use tokio::sync::Semaphore;

use crate::api_key::hash_of;
use crate::limits::{
    CACHED_KEY_TIME, CACHED_KEYS_MAX, CREDENTIAL_CHARS_MAX, KEY_LOOKUPS_MAX, KEY_RENEWED_AFTER,
};
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
#[derive(Debug)]
pub(crate) struct Keyring {
    found: Mutex<HashMap<String, Found>>,
    /// Who looks for a key that is not remembered.
    lookups: Semaphore,
}

#[derive(Debug)]
struct Found {
    /// When it was looked for.
    at: Timestamp,
    caller: Caller,
    /// Somebody looks for it again.
    is_being_renewed: bool,
}

/// What is known of a key.
#[derive(Debug)]
enum Known<'a> {
    Caller(Caller),
    /// The same, and whoever is told so is to look for it again.
    Renew(Renewal<'a>),
    Nothing,
}

/// Given up, it is somebody else's.
#[derive(Debug)]
struct Renewal<'a> {
    keyring: &'a Keyring,
    hash: &'a str,
}

impl Drop for Renewal<'_> {
    fn drop(&mut self) {
        if let Some(found) = self.keyring.found().get_mut(self.hash) {
            found.is_being_renewed = false;
        }
    }
}

impl Default for Keyring {
    fn default() -> Self {
        Self {
            found: Mutex::default(),
            lookups: Semaphore::new(KEY_LOOKUPS_MAX),
        }
    }
}

impl Keyring {
    fn known<'a>(&'a self, hash: &'a str, now: Timestamp) -> Known<'a> {
        let mut found = self.found();
        let Some(one) = found.get_mut(hash) else {
            return Known::Nothing;
        };
        let age = now.since(one.at);
        // A clock that was set back must not keep a key alive.
        if now < one.at || age >= CACHED_KEY_TIME {
            return Known::Nothing;
        }
        if age < KEY_RENEWED_AFTER || one.is_being_renewed {
            return Known::Caller(one.caller);
        }
        one.is_being_renewed = true;
        let keyring = self;
        Known::Renew(Renewal { keyring, hash })
    }

    fn remember(&self, hash: &str, at: Timestamp, caller: Caller) {
        let mut found = self.found();
        if found.len() >= CACHED_KEYS_MAX {
            found.clear();
        }
        let is_being_renewed = false;
        let one = Found {
            at,
            caller,
            is_being_renewed,
        };
        found.insert(hash.to_owned(), one);
    }

    fn found(&self) -> MutexGuard<'_, HashMap<String, Found>> {
        self.found.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Finds the caller of a request.
///
/// # Errors
/// 401 without a valid key, and 403 when the request names another workspace than its key's.
pub(crate) async fn identify(api: &Api, headers: &HeaderMap) -> Result<Caller, ApiError> {
    let credential = credential(headers).ok_or_else(ApiError::authentication)?;
    let hash = hash_of(credential);
    let caller = match api.keyring.known(&hash, api.env.now()) {
        Known::Caller(caller) => caller,
        Known::Renew(_renewal) => look_up(api, &hash).await?,
        Known::Nothing => {
            let _place = api.keyring.lookups.acquire().await;
            // Whoever had the place before may have looked for the same.
            match api.keyring.known(&hash, api.env.now()) {
                Known::Caller(caller) => caller,
                Known::Renew(_) | Known::Nothing => look_up(api, &hash).await?,
            }
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

async fn look_up(api: &Api, hash: &str) -> Result<Caller, ApiError> {
    let at = api.env.now();
    let key = api.store.api_key_by_hash(hash.to_owned()).await?;
    let key = key
        .filter(|key| key.revoked_at.is_none())
        .ok_or_else(ApiError::authentication)?;
    let caller = Caller {
        workspace_id: key.workspace_id,
        api_key_id: key.id,
    };
    api.keyring.remember(hash, at, caller);
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

    fn credential_of(pairs: &[(&'static str, &str)]) -> Option<String> {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.insert(*name, value.parse().unwrap());
        }
        credential(&headers).map(str::to_owned)
    }

    #[test]
    fn one_request_renews_a_key_before_it_is_forgotten() {
        let env = Env::fixed(1);
        let (keyring, start) = (Keyring::default(), env.now());
        let caller = Caller {
            workspace_id: env.id(),
            api_key_id: env.id(),
        };
        let is_known =
            |now| matches!(keyring.known("key", now), Known::Caller(one) if one == caller);
        assert!(!is_known(start));
        keyring.remember("key", start, caller);
        assert!(is_known(start) && !is_known(start.plus(CACHED_KEY_TIME)));
        let earlier = Timestamp::from_micros(start.as_micros() - 1);
        assert!(!is_known(earlier), "of a clock that was set back");
        let late = start.plus(KEY_RENEWED_AFTER);
        let renewal = keyring.known("key", late);
        assert!(matches!(renewal, Known::Renew(_)) && is_known(late));
        // Its client went away.
        drop(renewal);
        let renewal = keyring.known("key", late);
        assert!(matches!(renewal, Known::Renew(_)));
        keyring.remember("key", late, caller);
        drop(renewal);
        assert!(is_known(late.plus(KEY_RENEWED_AFTER / 2)));
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
}
