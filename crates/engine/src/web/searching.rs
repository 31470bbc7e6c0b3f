//! One call of `web_search`: what the service finds, as far as the lists let it through.

use hostler_domain::web::{DomainRules, WebAddress, rules_of};
use hostler_protocol::agent::BuiltinTool;
use hostler_protocol::content::ContentBlock;
use hostler_web::{Hit, Query};

use super::definitions::location;
use super::{WebCall, WebError, WebResult};
use crate::network;

pub(super) async fn search(call: &WebCall<'_>) -> Result<WebResult, WebError> {
    let Some(searcher) = &call.parts.web.search else {
        return Err(WebError::new(
            "unavailable",
            "no search service is set up on this server (web.search in its configuration), so nothing can be \
             searched for",
        ));
    };
    let text = call.text("query")?;
    let hosts = network::web_hosts(call.parts, call.session).await;
    let hosts = hosts.map_err(|error| WebError::new("unavailable", error.to_string()))?;
    let rules = rules_of(call.agent, BuiltinTool::WebSearch, hosts);
    let query = Query {
        text: text.to_owned(),
        allowed_domains: allowed(&rules),
        blocked_domains: rules.blocked.clone().unwrap_or_default(),
        country: location(call.agent).and_then(|at| at.country.clone()),
    };
    let found = searcher.search(&query).await;
    let found = found.map_err(|error| WebError::new(error.code(), error.to_string()))?;
    let permitted = found.into_iter().filter_map(|hit| permitted(&rules, hit));
    let mut content: Vec<_> = permitted.take(searcher.results_max()).collect();
    if content.is_empty() {
        // Without the query: what is in a result may be fetched.
        content.push(ContentBlock::text("Nothing was found."));
    }
    Ok(WebResult {
        content,
        is_error: false,
        searches: 1,
    })
}

/// For the service, which then finds more of what is let through.
fn allowed(rules: &DomainRules) -> Vec<String> {
    let of_agent = rules.allowed.clone();
    let of_environment = || {
        let hosts = rules.hosts.iter().flatten();
        hosts
            .map(|host| host.strip_prefix("*.").unwrap_or(host).to_owned())
            .collect()
    };
    of_agent.unwrap_or_else(of_environment)
}

fn permitted(rules: &DomainRules, hit: Hit) -> Option<ContentBlock> {
    let address = WebAddress::parse(&hit.url).ok()?;
    rules.check(&address).ok()?;
    let lines = [hit.title.as_str(), address.as_str(), hit.snippet.as_str()];
    let lines = lines.into_iter().filter(|line| !line.is_empty());
    Some(ContentBlock::text(lines.collect::<Vec<_>>().join("\n")))
}
