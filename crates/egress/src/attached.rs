//! What all connections of one sandbox share.

use std::sync::Arc;

use tokio::sync::{Semaphore, watch};

use crate::options::GatewayOptions;
use crate::policy::Policy;
use crate::usage::Meter;

#[derive(Debug)]
pub(crate) struct Attached {
    pub(crate) label: String,
    pub(crate) options: Arc<GatewayOptions>,
    pub(crate) meter: Meter,
    /// One for each connection.
    pub(crate) permits: Arc<Semaphore>,
    policy: watch::Receiver<Arc<Policy>>,
}

impl Attached {
    pub(crate) fn new(
        label: String,
        options: Arc<GatewayOptions>,
        policy: watch::Receiver<Arc<Policy>>,
    ) -> Self {
        let permits = Arc::new(Semaphore::new(options.connections_max));
        Self {
            label,
            options,
            meter: Meter::default(),
            permits,
            policy,
        }
    }

    pub(crate) fn policy(&self) -> Arc<Policy> {
        Arc::clone(&self.policy.borrow())
    }
}
