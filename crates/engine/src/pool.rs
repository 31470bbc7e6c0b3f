//! Sandboxes that are made ahead of the sessions that will need them.
//!
//! They are made as those of a session are whose environment asks for nothing of its own. All that is
//! of one session, its files, its mounts and its way out, comes when it has claimed one, so that nothing
//! of any session is ever in the pool. A session that needs another sandbox, or comes when there is none,
//! gets one made.

use hostler_sandbox::{Ahead, SandboxError, Spec};
use tokio_util::sync::CancellationToken;

use crate::limits::POOL_PAUSE;
use crate::options::{Engine, Parts};
use crate::packages;

impl Engine {
    /// Keeps the pool of sandboxes full until `stop` is called, and then ends what nobody has claimed.
    /// Dropped before, what is left is ended by the next server.
    pub async fn keep_sandboxes_ahead(self, stop: CancellationToken) {
        let parts = &self.parts;
        if !parts.sandboxes.has_pool() {
            return;
        }
        while !stop.is_cancelled() {
            if let Err(error) = fill(parts, &stop).await {
                tracing::warn!(%error, "no sandbox can be made ahead");
            }
            tokio::select! {
                () = stop.cancelled() => {}
                () = asked(parts) => {}
            }
        }
        if let Err(error) = parts.sandboxes.empty_pool().await {
            tracing::warn!(%error, "sandboxes that nobody has claimed stay until the next start");
        }
        measure(parts);
    }
}

/// One after the other, and each only while none is made for a session.
async fn fill(parts: &Parts, stop: &CancellationToken) -> Result<(), SandboxError> {
    let Some(spec) = template(parts)? else {
        return Ok(());
    };
    loop {
        tokio::select! {
            () = stop.cancelled() => return Ok(()),
            () = parts.sandboxes.launches_rest() => {}
        }
        let ahead = parts.sandboxes.make_ahead(&spec).await?;
        measure(parts);
        match ahead {
            Ahead::Made => {}
            Ahead::Enough => return Ok(()),
        }
    }
}

/// Whoever has claimed one runs its first command now: the next one is made after that.
async fn asked(parts: &Parts) {
    parts.sandboxes.pool_asked().await;
    measure(parts);
    tokio::time::sleep(POOL_PAUSE).await;
}

/// What the sandbox of most sessions is made with. `None`: its root was never pulled, which the first
/// session does that needs it.
fn template(parts: &Parts) -> Result<Option<Spec>, SandboxError> {
    let root = parts.options.roots.at_hand()?;
    Ok(root.map(|root| Spec {
        network: parts.networks.access(),
        ..packages::without_any(root)
    }))
}

fn measure(parts: &Parts) {
    let pooled = u32::try_from(parts.sandboxes.pooled()).unwrap_or(u32::MAX);
    metrics::gauge!("hostler_sandboxes_pooled").set(f64::from(pooled));
}
