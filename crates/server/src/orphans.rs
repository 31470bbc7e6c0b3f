//! Blobs in a bucket that have no row: there may be very many to look at, and other servers write
//! some, so nobody waits for it.

use hostler_domain::Env;
use hostler_store::Store;
use tokio_util::sync::CancellationToken;

use crate::limits::ORPHANS_EVERY;

/// Sweeps at the start and then now and again, until `stop`.
pub(crate) async fn sweep_a_bucket(
    store: Store,
    env: Env,
    stop: CancellationToken,
) -> anyhow::Result<()> {
    let mut ticks = tokio::time::interval(ORPHANS_EVERY);
    loop {
        tokio::select! {
            () = stop.cancelled() => return Ok(()),
            _ = ticks.tick() => {}
        }
        let swept = tokio::select! {
            () = stop.cancelled() => return Ok(()),
            swept = store.sweep_orphans(env.now()) => swept,
        };
        match swept {
            Ok(0) => {}
            Ok(swept) => tracing::info!(swept, "blobs without a row were deleted"),
            Err(error) => {
                let error = anyhow::Error::new(error);
                tracing::error!("blobs without a row can't be looked for: {error:#}");
            }
        }
    }
}
