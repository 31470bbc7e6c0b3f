//! What all connections of one sandbox share.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{Semaphore, watch};

use crate::budget::Budget;
use crate::denial::Denial;
use crate::host_name::{Host, HostName};
use crate::limits::{
    BODIES_HELD_MAX, LOOKUPS_MAX, REFUSALS_LOGGED_AT_ONCE, REFUSALS_LOGGED_PER_SECOND,
};
use crate::names::{Meaning, Names};
use crate::options::GatewayOptions;
use crate::policy::Policy;
use crate::secrets::{Injection, Secrets};
use crate::trust::Trust;
use crate::usage::Meter;

/// What all sandboxes share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) options: GatewayOptions,
    /// One for each connection of any sandbox.
    pub(crate) permits: Arc<Semaphore>,
    /// One for each look-up of any sandbox.
    pub(crate) lookups: Arc<Semaphore>,
    pub(crate) trust: Trust,
}

#[derive(Debug)]
pub(crate) struct Attached {
    pub(crate) label: String,
    pub(crate) shared: Arc<Shared>,
    pub(crate) meter: Meter,
    /// One for each connection.
    pub(crate) permits: Arc<Semaphore>,
    /// One for each look-up.
    pub(crate) lookups: Arc<Semaphore>,
    /// One for each body that is held whole.
    pub(crate) held_bodies: Arc<Semaphore>,
    pub(crate) secrets: Option<Secrets>,
    names: Mutex<Names>,
    policy: watch::Receiver<Arc<Policy>>,
    log: Mutex<LogBudget>,
    last_denial: Mutex<Option<Denial>>,
}

#[derive(Debug)]
struct LogBudget {
    budget: Budget,
    left_out: u64,
}

impl Attached {
    pub(crate) fn new(
        label: String,
        shared: Arc<Shared>,
        policy: watch::Receiver<Arc<Policy>>,
        secrets: Option<Secrets>,
    ) -> Self {
        Self {
            label,
            meter: Meter::default(),
            permits: Arc::new(Semaphore::new(shared.options.connections_max)),
            lookups: Arc::new(Semaphore::new(LOOKUPS_MAX)),
            held_bodies: Arc::new(Semaphore::new(BODIES_HELD_MAX)),
            secrets,
            names: Mutex::new(Names::new(shared.options.names_network)),
            policy,
            log: Mutex::new(LogBudget {
                budget: Budget::new(REFUSALS_LOGGED_PER_SECOND, REFUSALS_LOGGED_AT_ONCE),
                left_out: 0,
            }),
            last_denial: Mutex::default(),
            shared,
        }
    }

    pub(crate) fn options(&self) -> &GatewayOptions {
        &self.shared.options
    }

    pub(crate) fn policy(&self) -> Arc<Policy> {
        Arc::clone(&self.policy.borrow())
    }

    /// What the policy of this moment says about a host, before anything is known of its addresses.
    pub(crate) fn judge(&self, host: &Host) -> Result<(), Denial> {
        let policy = self.policy();
        match (host, policy.as_ref()) {
            (_, Policy::Nothing) => Err(Denial::Nothing),
            (_, Policy::Unrestricted) => Ok(()),
            (Host::Name(name), Policy::Limited(hosts)) if hosts.matches(name) => Ok(()),
            (Host::Name(name), Policy::Limited(_)) => Err(Denial::NotInList(name.to_string())),
            (Host::Address(_), Policy::Limited(_)) => {
                Err(Denial::AddressNotInList(host.to_string()))
            }
        }
    }

    pub(crate) fn is_limited(&self) -> bool {
        match self.policy().as_ref() {
            Policy::Limited(_) | Policy::Nothing => true,
            Policy::Unrestricted => false,
        }
    }

    /// What is replaced, at this moment, in a request to a host.
    pub(crate) async fn injection(&self, host: &Host, port: u16) -> Result<Injection, Denial> {
        match &self.secrets {
            Some(secrets) => secrets.injection(host, port).await,
            None => Ok(Injection::none()),
        }
    }

    /// Waits until the policy doesn't permit the host any more.
    pub(crate) async fn revoked(&self, host: &Host) -> Denial {
        let mut policy = self.policy.clone();
        loop {
            if let Err(denial) = self.judge(host) {
                return denial;
            }
            if policy.changed().await.is_err() {
                // The attachment is being dropped, and this with it.
                std::future::pending::<()>().await;
            }
        }
    }

    /// The address that a sandbox is told for a name.
    pub(crate) fn address_for(&self, name: &HostName) -> Ipv4Addr {
        let allowed = self.policy().allows(name);
        let mut names = self.names.lock().unwrap_or_else(PoisonError::into_inner);
        if allowed {
            names.address(name)
        } else {
            names.denied()
        }
    }

    pub(crate) fn meaning(&self, address: IpAddr) -> Meaning {
        let names = self.names.lock().unwrap_or_else(PoisonError::into_inner);
        names.meaning(address)
    }

    /// Counts and logs that something didn't get through; never its content.
    pub(crate) fn note_denial(&self, protocol: &'static str, port: u16, denial: &Denial) {
        let decision = if denial.is_refusal() {
            self.meter.refused();
            "refused"
        } else {
            "failed"
        };
        *self.last() = Some(denial.clone());
        metrics::counter!("hostler_egress_decisions_total", "decision" => decision, "protocol" => protocol)
            .increment(1);
        let left_out = {
            let mut log = self.log.lock().unwrap_or_else(PoisonError::into_inner);
            if log.budget.take().is_err() {
                log.left_out += 1;
                return;
            }
            std::mem::take(&mut log.left_out)
        };
        tracing::info!(
            sandbox = self.label,
            decision,
            protocol,
            port,
            reason = denial.reason(),
            left_out,
            "{denial}"
        );
    }

    pub(crate) fn last_denial(&self) -> Option<Denial> {
        self.last().clone()
    }

    fn last(&self) -> MutexGuard<'_, Option<Denial>> {
        let last = self.last_denial.lock();
        last.unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn note_allowed(&self, protocol: &'static str, host: &Host, port: u16) {
        metrics::counter!("hostler_egress_decisions_total", "decision" => "allowed", "protocol" => protocol)
            .increment(1);
        tracing::debug!(sandbox = self.label, decision = "allowed", protocol, %host, port);
    }
}
