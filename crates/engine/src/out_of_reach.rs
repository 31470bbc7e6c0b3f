//! Credentials for hosts that their session's environment does not permit: both have to. It is told with the first
//! result after the sandbox was started, since nobody would see it otherwise until a request fails.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use hostler_egress::{HostName, Policy};
use hostler_protocol::credential::{Auth, Credential, CredentialNetworking};
use hostler_protocol::event::{SessionError, SessionErrorKind};
use hostler_protocol::id::SessionId;
use hostler_sandbox::SandboxError;
use hostler_store::SessionVariable;

use crate::limits::UNTOLD_SESSIONS_MAX;
use crate::network;
use crate::options::Parts;

/// What nobody was told yet, of all sessions.
#[derive(Default)]
pub(crate) struct OutOfReach(Mutex<HashMap<SessionId, Vec<SessionError>>>);

impl OutOfReach {
    pub(crate) fn take(&self, session: SessionId) -> Vec<SessionError> {
        self.lock().remove(&session).unwrap_or_default()
    }

    fn keep(&self, session: SessionId, errors: Vec<SessionError>) {
        let mut untold = self.lock();
        if untold.len() >= UNTOLD_SESSIONS_MAX {
            // They hear of it when a request fails.
            untold.clear();
        }
        untold.insert(session, errors);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<SessionId, Vec<SessionError>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Notes which of a session's variables can't be sent where they are for.
pub(crate) async fn look(
    parts: &Parts,
    session: SessionId,
    variables: &[SessionVariable],
) -> Result<(), SandboxError> {
    if variables.is_empty() || parts.networks.gateway().is_none() {
        return Ok(());
    }
    let policy = network::policy(parts, session).await?;
    let credentials = variables
        .iter()
        .map(|variable| &variable.credential.credential);
    let errors: Vec<_> = credentials
        .filter_map(|credential| error(&policy, credential))
        .collect();
    if !errors.is_empty() {
        parts.out_of_reach.keep(session, errors);
    }
    Ok(())
}

fn error(policy: &Policy, credential: &Credential) -> Option<SessionError> {
    let Auth::EnvironmentVariable {
        secret_name,
        networking: CredentialNetworking::Limited { allowed_hosts },
        ..
    } = &credential.auth
    else {
        return None;
    };
    let is_out = |host: &&String| !permits(policy, host);
    let out: Vec<&str> = allowed_hosts
        .iter()
        .filter(is_out)
        .map(String::as_str)
        .collect();
    if out.is_empty() {
        return None;
    }
    let message = format!(
        "The secret {secret_name} can't be sent to {}: the environment of this session does not permit it.",
        out.join(", ")
    );
    let kind = SessionErrorKind::CredentialHostUnreachableError;
    Some(SessionError::of_credential(kind, message, credential))
}

/// An address is permitted where every host is.
fn permits(policy: &Policy, host: &str) -> bool {
    if *policy == Policy::Unrestricted {
        return true;
    }
    // Names below a suffix are permitted if any name below it is.
    let name = host.replacen('*', "any", 1);
    name.parse::<HostName>()
        .is_ok_and(|name| policy.allows(&name))
}

#[cfg(test)]
mod tests {
    use hostler_egress::AllowedHosts;

    use super::*;

    #[test]
    fn what_both_permit_is_in_reach() {
        let policy = Policy::Limited(AllowedHosts::new(["a.example", "*.b.example"]));
        for host in ["a.example", "x.b.example", "*.b.example", "*.c.b.example"] {
            assert!(permits(&policy, host), "{host}");
        }
        for host in ["b.example", "*.a.example", "*.example", "192.0.2.1"] {
            assert!(!permits(&policy, host), "{host}");
        }
        assert!(permits(&Policy::Unrestricted, "192.0.2.1"));
        assert!(!permits(&Policy::Nothing, "a.example"));
    }
}
