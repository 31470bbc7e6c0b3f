//! What the web tools of agents reach.

use std::net::SocketAddr;

use hostler_egress::Outward;
use hostler_engine::WebTools;
use hostler_web::{FetchOptions, Fetcher, SearchError, Searcher};

use super::gateway_options;
use crate::config::Config;

/// Pages by connections that go where those of sandboxes may; the search service as the operator has named it.
pub(crate) fn tools(config: &Config, listening: SocketAddr) -> Result<WebTools, SearchError> {
    let fetcher = |timeout| {
        let outward = Outward::new(gateway_options(&config.network, listening));
        let reader = "/proc/self/exe".into();
        Fetcher::new(outward, FetchOptions::new(timeout, reader))
    };
    let search = config.web.search.clone();
    Ok(WebTools {
        fetch: config.web.fetch.map(fetcher),
        search: search.map(Searcher::new).transpose()?,
    })
}
