//! What is measured, as the text of `/metrics`.

use std::sync::Arc;

use anyhow::Context;
use hostler_http::MetricsText;
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use crate::limits::METRICS_INTERVAL;

/// Starts measuring in this process.
pub(crate) fn start() -> anyhow::Result<PrometheusHandle> {
    let recorder = PrometheusBuilder::new().build_recorder();
    let handle = recorder.handle();
    metrics::set_global_recorder(recorder).context("measuring was started already")?;
    Ok(handle)
}

/// What was measured by the time it is asked for.
pub(crate) fn text(handle: PrometheusHandle) -> MetricsText {
    Arc::new(move || handle.render())
}

/// Sums up what was measured, so that it does not grow while nobody asks for it.
pub(crate) async fn sum_up(
    handle: PrometheusHandle,
    stop: CancellationToken,
) -> anyhow::Result<()> {
    let mut ticks = tokio::time::interval(METRICS_INTERVAL);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = stop.cancelled() => return Ok(()),
            _ = ticks.tick() => handle.run_upkeep(),
        }
    }
}
