//! Whether the conversation has named an address. The log is the truth: it is asked about the rows that the fold
//! has remembered, the newest first.

use std::collections::BTreeMap;

use hostler_domain::web::{AddressRow, AddressSource, WebAddress, is_accepted, names_address};
use hostler_protocol::agent::{BuiltinTool, BuiltinToolConfig, SessionAgent, Tool, UrlSources};
use hostler_protocol::event::{Recorded, Seq};
use hostler_protocol::id::SessionId;
use hostler_store::{Store, StoreError};

pub(super) async fn is_named(
    store: &Store,
    session: SessionId,
    agent: &SessionAgent,
    rows: &[AddressRow],
    address: &WebAddress,
) -> Result<bool, StoreError> {
    let sources = sources(agent);
    let accepted = rows.iter().filter(|row| is_accepted(sources, &row.source));
    let accepted: BTreeMap<Seq, &AddressSource> =
        accepted.map(|row| (row.seq, &row.source)).collect();
    // The newest first: what is fetched was mostly named a moment ago.
    let mut left: Vec<Seq> = accepted.keys().rev().copied().collect();
    while !left.is_empty() {
        let found = store.read_rows(session, &left).await?;
        let named = |row: &Recorded| {
            let source = accepted.get(&row.seq);
            source.is_some_and(|source| names_address(&row.event, source, address))
        };
        for row in &found {
            if named(row) {
                return Ok(true);
            }
            // One that is long takes a while, and others want their turn.
            tokio::task::yield_now().await;
        }
        let Some(last) = found.last() else {
            break;
        };
        left.retain(|seq| *seq < last.seq);
    }
    Ok(false)
}

fn sources(agent: &SessionAgent) -> Option<&UrlSources> {
    agent.tools.iter().find_map(|tool| match tool {
        Tool::AgentToolset(toolset) => match toolset.config(BuiltinTool::WebFetch)? {
            BuiltinToolConfig::WebFetch(config) => config.url_sources.as_ref(),
            BuiltinToolConfig::Bash(_)
            | BuiltinToolConfig::Read(_)
            | BuiltinToolConfig::Write(_)
            | BuiltinToolConfig::Edit(_)
            | BuiltinToolConfig::Glob(_)
            | BuiltinToolConfig::Grep(_)
            | BuiltinToolConfig::WebSearch(_) => None,
        },
        Tool::McpToolset(_) | Tool::Custom(_) => None,
    })
}
