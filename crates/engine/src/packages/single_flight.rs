//! One installation at a time for each list of packages, however many sessions wait for it.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use hostler_sandbox::{SandboxError, SandboxName, Spec};

use super::Wanted;
use super::build::build;
use crate::limits::PACKAGE_FAILURE_KEPT;
use crate::options::Parts;

type Turn = Arc<tokio::sync::Mutex<Option<Failure>>>;

/// Of all sessions of an engine.
#[derive(Default)]
pub(crate) struct Builds(Mutex<HashMap<SandboxName, Turn>>);

/// So that the calls of one answer do not each try what has just failed.
pub(crate) struct Failure {
    at: Instant,
    reason: String,
}

impl Builds {
    /// The layer with these packages over the root of `spec`, installed if it is not there.
    pub(super) async fn layer(
        &self,
        parts: &Parts,
        key: &SandboxName,
        wanted: Wanted<'_>,
        spec: &Spec,
    ) -> Result<PathBuf, SandboxError> {
        if let Some(layer) = parts.sandboxes.layer(key).await? {
            return Ok(layer);
        }
        let turn = self.turn(key);
        if turn.try_lock().is_err() {
            tracing::info!(%key, "a session waits for packages that another one installs");
        }
        let mut failure = turn.lock().await;
        if let Some(layer) = parts.sandboxes.layer(key).await? {
            return Ok(layer);
        }
        if let Some(Failure { at, reason }) = &*failure
            && at.elapsed() < PACKAGE_FAILURE_KEPT
        {
            return Err(SandboxError::Unavailable {
                reason: reason.clone(),
            });
        }
        match build(parts, key, wanted, spec).await {
            Ok(layer) => {
                *failure = None;
                Ok(layer)
            }
            Err(reason) => {
                tracing::warn!(%key, %reason, "packages cannot be installed");
                *failure = Some(Failure {
                    at: Instant::now(),
                    reason: reason.clone(),
                });
                Err(SandboxError::Unavailable { reason })
            }
        }
    }

    /// Whether somebody waits for the layer of this key or works on it.
    pub(crate) fn is_under_way(&self, key: &SandboxName) -> bool {
        let turns = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        turns
            .get(key)
            .is_some_and(|turn| Arc::strong_count(turn) > 1)
    }

    fn turn(&self, key: &SandboxName) -> Turn {
        let mut turns = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // Forgotten when nobody waits any more and no failure is worth remembering.
        turns.retain(|_, turn| {
            let is_used = Arc::strong_count(turn) > 1;
            is_used
                || turn.try_lock().is_ok_and(|failure| {
                    failure
                        .as_ref()
                        .is_some_and(|failure| failure.at.elapsed() < PACKAGE_FAILURE_KEPT)
                })
        });
        Arc::clone(turns.entry(key.clone()).or_default())
    }
}
