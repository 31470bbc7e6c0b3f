//! The lists that hold for a page: the agent's, and the environment's allowed hosts.

use hostler_protocol::environment::is_host_listed;

use super::address::WebAddress;

/// What holds for one tool of one session. A list that is absent restricts nothing.
#[derive(Debug, Clone, Default)]
pub struct DomainRules {
    pub allowed: Option<Vec<String>>,
    pub blocked: Option<Vec<String>>,
    /// Of an environment with limited networking.
    pub hosts: Option<Vec<String>>,
}

impl DomainRules {
    /// # Errors
    /// Which of the lists is against the page, in a sentence for the model.
    pub fn check(&self, address: &WebAddress) -> Result<(), String> {
        let host = address.host();
        if let Some(hosts) = &self.hosts
            && !is_host_listed(hosts, host)
        {
            return Err(format!(
                "the environment of this session does not allow the host {host}"
            ));
        }
        if let Some(allowed) = &self.allowed
            && !allowed.iter().any(|entry| covers(entry, address))
        {
            return Err(format!(
                "{host} is not among the allowed domains of this agent"
            ));
        }
        if let Some(blocked) = &self.blocked
            && blocked.iter().any(|entry| covers(entry, address))
        {
            return Err(format!("{host} is among the blocked domains of this agent"));
        }
        Ok(())
    }
}

/// Whether an entry covers a page: its host or one below it, and a path below the entry's.
fn covers(entry: &str, address: &WebAddress) -> bool {
    let (host, path) = match entry.find('/') {
        Some(slash) => entry.split_at(slash),
        None => (entry, ""),
    };
    let is_host = address
        .name()
        .is_some_and(|name| is_or_is_below(name, host));
    let at = address.url().path();
    is_host
        && at
            .strip_prefix(path)
            .is_some_and(|rest| path.is_empty() || rest.is_empty() || rest.starts_with('/'))
}

fn is_or_is_below(name: &str, domain: &str) -> bool {
    let rest = name.strip_suffix(domain);
    rest.is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
}

/// Whether an entry of `allowed_domains` names something that the allowed hosts of an environment let through.
pub fn is_within(entry: &str, hosts: &[String]) -> bool {
    let domain = entry.split('/').next().unwrap_or_default();
    is_host_listed(hosts, domain)
        || hosts.iter().any(|host| {
            let name = host.strip_prefix("*.").unwrap_or(host);
            is_or_is_below(name, domain)
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(entries: &[&str]) -> Option<Vec<String>> {
        Some(entries.iter().map(|&entry| entry.to_owned()).collect())
    }

    fn permits(rules: &DomainRules, url: &str) -> bool {
        rules.check(&WebAddress::parse(url).unwrap()).is_ok()
    }

    #[test]
    fn an_entry_covers_its_subdomains_and_what_is_below_its_path() {
        let rules = DomainRules {
            allowed: list(&["example.com", "example.org/docs"]),
            ..DomainRules::default()
        };
        for url in [
            "https://example.com/",
            "https://a.b.EXAMPLE.com./x",
            "http://example.com:8080/",
            "https://example.org/docs",
            "https://www.example.org/docs/a",
        ] {
            assert!(permits(&rules, url), "{url}");
        }
        for url in [
            "https://badexample.com/",
            "https://example.com.evil.net/",
            "https://example.org/docsx",
            "https://example.org/docs/../x",
            "https://127.0.0.1/",
        ] {
            assert!(!permits(&rules, url), "{url}");
        }
    }

    #[test]
    fn the_lists_hold_together() {
        let rules = DomainRules {
            blocked: list(&["ads.example.com"]),
            hosts: list(&["example.com", "*.example.com"]),
            ..DomainRules::default()
        };
        assert!(permits(&rules, "https://www.example.com/"));
        assert!(!permits(&rules, "https://x.ads.example.com/"));
        assert!(!permits(&rules, "https://example.org/"));
    }

    #[test]
    fn a_domain_is_within_the_hosts_that_it_shares_a_page_with() {
        let hosts = ["api.example.com".to_owned(), "*.example.org".to_owned()];
        for entry in [
            "example.com",
            "api.example.com/v1",
            "example.org",
            "a.example.org",
        ] {
            assert!(is_within(entry, &hosts), "{entry}");
        }
        for entry in ["www.example.com", "example.net", "ample.com"] {
            assert!(!is_within(entry, &hosts), "{entry}");
        }
    }
}
