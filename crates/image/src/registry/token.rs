//! How a registry says where tokens are had, and how one is read from the answer.

use reqwest::Url;
use serde::Deserialize;

/// From `Bearer realm="…",service="…",scope="…"`.
pub(super) fn url(challenge: &str, repository: &str) -> Option<Url> {
    let (scheme, parameters) = challenge.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("bearer") {
        return None;
    }
    let mut url = Url::parse(&parameter(parameters, "realm")?).ok()?;
    let scope = parameter(parameters, "scope");
    let scope = scope.unwrap_or_else(|| format!("repository:{repository}:pull"));
    {
        let mut query = url.query_pairs_mut();
        if let Some(service) = parameter(parameters, "service") {
            query.append_pair("service", &service);
        }
        query.append_pair("scope", &scope);
    }
    Some(url)
}

/// Values are quoted; none of those that matter holds a quotation mark.
fn parameter(parameters: &str, name: &str) -> Option<String> {
    let mut rest = parameters;
    while let Some((key, after)) = rest.split_once("=\"") {
        let (value, next) = after.split_once('"')?;
        if key.trim_matches([' ', ',']).eq_ignore_ascii_case(name) {
            return Some(value.to_owned());
        }
        rest = next;
    }
    None
}

pub(super) fn parse(body: &[u8]) -> Option<String> {
    #[derive(Deserialize)]
    struct Answer {
        token: Option<String>,
        access_token: Option<String>,
    }
    let answer: Answer = serde_json::from_slice(body).ok()?;
    let token = answer.token.or(answer.access_token)?;
    let is_plain = !token.is_empty() && token.bytes().all(|byte| byte.is_ascii_graphic());
    is_plain.then_some(token)
}
