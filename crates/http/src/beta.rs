//! The headers `anthropic-beta` and `anthropic-version`: what a request says it knows.

use axum::extract::FromRequestParts;
use axum::http::HeaderMap;
use axum::http::request::Parts;

use crate::ApiError;
use crate::limits::{BETA_CHARS_MAX, BETAS_MAX};

const BETA: &str = "anthropic-beta";
const VERSION: &str = "anthropic-version";

/// Later spellings of the feature's name start with this one.
const MANAGED_AGENTS: &str = "managed-agents-2026-04-01";
const AGENT_MEMORY: &str = "agent-memory-2026-07-22";
const DREAMING: &str = "dreaming-2026-04-21";
const MCP_TUNNELS: &str = "mcp-tunnels-2026-06-22";
const WEBHOOKS: &str = "webhooks-2026-10-07";
const LEGACY_FILES: &str = "files-api-2025-04-14";
const LEGACY_SKILLS: &str = "skills-2025-10-02";

/// Values that clients are known to send. They are accepted everywhere; most change nothing here.
const KNOWN: &[&str] = &[
    "admin-user-sign-out-2026-10-08",
    "advisor-tool-2026-03-01",
    AGENT_MEMORY,
    "analytics-usage-cost-2026-08-24",
    "cache-diagnosis-2026-04-07",
    "ce-claude-code-managed-settings-2026-10-06",
    "ce-plugins-2026-09-01",
    "ce-user-management-2026-07-13",
    "code-execution-2025-05-22",
    "compact-2026-01-12",
    "compact-2026-09-04",
    "computer-use-2024-10-22",
    "computer-use-2025-01-24",
    "computer-use-2025-11-24",
    "context-1m-2025-08-07",
    "context-management-2025-06-27",
    "dev-full-thinking-2025-05-14",
    DREAMING,
    "experimental-claude-tag-2026-10-21",
    "extended-cache-ttl-2025-04-11",
    "fallback-credit-2026-06-01",
    "fallback-credit-2026-07-01",
    "fast-mode-2026-02-01",
    LEGACY_FILES,
    "inline-tools-2026-09-15",
    "interleaved-thinking-2025-05-14",
    MANAGED_AGENTS,
    "mcp-client-2025-04-04",
    "mcp-client-2025-11-20",
    "mcp-client-2026-09-15",
    "mcp-tunnels-2026-05-19",
    MCP_TUNNELS,
    "message-batches-2024-09-24",
    "message-threads-2026-08-12",
    "mid-conversation-output-config-2026-07-01",
    "mid-conversation-system-clear-at-2026-08-21",
    "mid-conversation-tool-changes-2026-07-01",
    "model-context-window-exceeded-2025-08-26",
    "oauth-2025-04-20",
    "oidc-federation-2026-04-01",
    "output-128k-2025-02-19",
    "output-300k-2026-03-24",
    "pdfs-2024-09-25",
    "prompt-caching-2024-07-31",
    "server-side-fallback-2026-06-01",
    "server-side-fallback-2026-07-01",
    LEGACY_SKILLS,
    "spend-limit-reads-2026-09-26",
    "structured-outputs-2025-11-13",
    "task-budgets-2026-03-13",
    "telemetry-destinations-2026-08-11",
    "thinking-binding-controls-2026-08-01",
    "thinking-display-updates-2026-08-18",
    "thinking-token-count-2026-05-13",
    "token-counting-2024-11-01",
    "token-efficient-tools-2025-02-19",
    "user-profiles-2026-03-24",
    "user-profiles-2026-08-18",
    "user-profiles-2026-09-04",
    "user-profiles-billing-2026-10-01",
    WEBHOOKS,
];

/// The values of `anthropic-beta`: blanks trimmed, duplicates dropped.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Betas(Vec<String>);

impl Betas {
    pub(crate) fn read(headers: &HeaderMap) -> Result<Self, ApiError> {
        let mut betas: Vec<String> = Vec::new();
        for header in headers.get_all(BETA) {
            let text = header
                .to_str()
                .map_err(|_| ApiError::invalid("anthropic-beta: Input should be visible ASCII"))?;
            for value in text.split(',').map(str::trim).filter(|v| !v.is_empty()) {
                if value.len() > BETA_CHARS_MAX || betas.len() == BETAS_MAX {
                    let message = format!(
                        "anthropic-beta: Input should be at most {BETAS_MAX} values of at most \
                         {BETA_CHARS_MAX} characters"
                    );
                    return Err(ApiError::invalid(message));
                }
                if !betas.iter().any(|beta| beta == value) {
                    betas.push(value.to_owned());
                }
            }
        }
        Ok(Self(betas))
    }

    pub(crate) fn managed_agents(&self) -> bool {
        self.0.iter().any(|beta| beta.starts_with(MANAGED_AGENTS))
    }

    /// Whether lists of files have the shape of before the files API left beta.
    pub(crate) fn legacy_files(&self) -> bool {
        self.has(LEGACY_FILES)
    }

    /// Whether skills are asked for in the shapes of before they left beta.
    pub(crate) fn legacy_skills(&self) -> bool {
        self.has(LEGACY_SKILLS)
    }

    fn has(&self, value: &str) -> bool {
        self.0.iter().any(|beta| beta == value)
    }

    /// Refuses requests that lack what `route` needs, as if the route did not exist.
    ///
    /// # Errors
    /// 404, as the hosted service answers.
    pub(crate) fn check_required(&self, route: &str) -> Result<(), ApiError> {
        let (present, needed) = match family(route) {
            Family::ManagedAgents => (self.managed_agents(), MANAGED_AGENTS),
            Family::Memory => (
                self.managed_agents() || self.has(AGENT_MEMORY),
                AGENT_MEMORY,
            ),
            Family::Dreams => (self.has(DREAMING), DREAMING),
            Family::Tunnels => (self.has(MCP_TUNNELS), MCP_TUNNELS),
            Family::Webhooks => (self.has(WEBHOOKS), WEBHOOKS),
            Family::Open => (true, ""),
        };
        if present {
            return Ok(());
        }
        let message = format!("not found: this endpoint needs the header {BETA}: {needed}");
        Err(ApiError::no_such_route(message))
    }

    /// Refuses values that Hostler has never heard of. Agents and sessions take any value: so
    /// does the hosted service.
    ///
    /// # Errors
    /// 400 that names the value and the header.
    pub(crate) fn check_known(&self, route: &str) -> Result<(), ApiError> {
        if matches!(segment(route), "agents" | "sessions") {
            return Ok(());
        }
        let unknown = self
            .0
            .iter()
            .find(|beta| !KNOWN.contains(&beta.as_str()) && !beta.starts_with(MANAGED_AGENTS));
        match unknown {
            None => Ok(()),
            Some(unknown) => {
                let message = format!("unexpected value '{unknown}' for the header {BETA}");
                Err(ApiError::invalid(message))
            }
        }
    }
}

impl<S: Sync> FromRequestParts<S> for Betas {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, ApiError> {
        Self::read(&parts.headers)
    }
}

enum Family {
    ManagedAgents,
    Memory,
    Dreams,
    Tunnels,
    Webhooks,
    /// Needs no beta header.
    Open,
}

fn family(route: &str) -> Family {
    match segment(route) {
        "agents" | "sessions" | "environments" | "vaults" | "deployments" | "deployment_runs" => {
            Family::ManagedAgents
        }
        "memory_stores" => Family::Memory,
        "dreams" => Family::Dreams,
        "tunnels" => Family::Tunnels,
        "organizations" => Family::Webhooks,
        _ => Family::Open,
    }
}

/// The resource of a route: what follows `/v1/`.
fn segment(route: &str) -> &str {
    let rest = route.strip_prefix("/v1/").unwrap_or(route);
    rest.split('/').next().unwrap_or_default()
}

/// Any well-formed date is a version: clients send the one that they were built for.
///
/// # Errors
/// 400 when the header is missing or no date.
pub(crate) fn check_version(headers: &HeaderMap) -> Result<(), ApiError> {
    let Some(value) = headers.get(VERSION) else {
        return Err(ApiError::invalid(format!("{VERSION}: header is required")));
    };
    if value.to_str().is_ok_and(is_date) {
        return Ok(());
    }
    let message = format!("{VERSION}: Input should be a date, as in 2023-06-01");
    Err(ApiError::invalid(message))
}

fn is_date(text: &str) -> bool {
    let parts: Vec<&str> = text.split('-').collect();
    let [year, month, day] = parts.as_slice() else {
        return false;
    };
    let number = |part: &str, digits: usize| {
        let all_digits = part.len() == digits && part.bytes().all(|byte| byte.is_ascii_digit());
        all_digits.then(|| part.parse::<u32>().ok()).flatten()
    };
    number(year, 4).is_some()
        && number(month, 2).is_some_and(|month| (1..=12).contains(&month))
        && number(day, 2).is_some_and(|day| (1..=31).contains(&day))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn betas(values: &[&str]) -> Betas {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(BETA, value.parse().unwrap());
        }
        Betas::read(&headers).unwrap()
    }

    #[test]
    fn values_are_trimmed_and_counted_once() {
        let given = betas(&["a , b,,a", "c"]);
        assert_eq!(given, Betas(vec!["a".into(), "b".into(), "c".into()]));
    }

    #[test]
    fn each_family_needs_its_value() {
        let agents = betas(&["managed-agents-2026-04-01-research-preview"]);
        assert!(agents.check_required("/v1/sessions/{session_id}").is_ok());
        assert!(agents.check_required("/v1/memory_stores").is_ok());
        assert!(agents.check_required("/v1/dreams").is_err());
        assert!(betas(&[]).check_required("/v1/agents").is_err());
        assert!(betas(&[]).check_required("/v1/files").is_ok());
    }

    #[test]
    fn unknown_values_pass_only_on_agents_and_sessions() {
        let odd = betas(&["managed-agents-2026-04-01", "made-up-2026-01-01"]);
        assert!(odd.check_known("/v1/agents/{agent_id}").is_ok());
        let refusal = odd.check_known("/v1/files").unwrap_err();
        assert_eq!(
            refusal.message(),
            "unexpected value 'made-up-2026-01-01' for the header anthropic-beta"
        );
        let known = betas(&["files-api-2025-04-14", "oauth-2025-04-20"]);
        assert!(known.check_known("/v1/environments").is_ok());
    }

    #[test]
    fn versions_are_dates() {
        for (text, good) in [
            ("2023-06-01", true),
            ("2026-10-21", true),
            ("2026-13-01", false),
            ("2026-1-1", false),
            ("latest", false),
            ("", false),
        ] {
            assert_eq!(is_date(text), good, "{text}");
        }
    }
}
