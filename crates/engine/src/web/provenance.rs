//! Whether the conversation has named an address. The log is the truth: it is asked about the rows that the fold
//! has remembered, the newest first.

use hostler_domain::web::{AddressRow, WebAddress, is_accepted, names_address};
use hostler_protocol::agent::{BuiltinTool, BuiltinToolConfig, SessionAgent, Tool, UrlSources};
use hostler_protocol::event::Seq;
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
    for row in rows {
        if !is_accepted(sources, &row.source) {
            continue;
        }
        let before = Seq(row.seq.0 - 1);
        let found = store.read_log(session, before, 1).await?;
        let named = |event| names_address(event, &row.source, address);
        if found.first().is_some_and(|found| named(&found.event)) {
            return Ok(true);
        }
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
