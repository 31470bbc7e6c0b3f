//! The list of a workspace's sessions.

use hostler_domain::session::SessionStatus;
use hostler_protocol::Timestamp;
use hostler_protocol::id::{AgentId, SessionId, WorkspaceId};

use crate::sessions::read_session;
use crate::{Order, SessionRow, Store, StoreError, TimeRange};

/// Which sessions; the default is all that are not archived.
#[derive(Debug, Clone, Default)]
pub struct SessionFilter {
    pub agent_id: Option<AgentId>,
    /// Counts only beside `agent_id`.
    pub agent_version: Option<u32>,
    /// Any of these; empty is any at all.
    pub statuses: Vec<SessionStatus>,
    pub created_at: TimeRange,
    pub include_archived: bool,
}

/// Which part of them.
#[derive(Debug, Clone)]
pub struct SessionPage {
    /// In which order to read, by `created_at` and id.
    pub order: Order,
    /// Behind this session, in that order.
    pub after: Option<(Timestamp, SessionId)>,
    /// The most to read: one more than a page shows tells whether there are more.
    pub limit: u32,
}

// A filter that is off is null or empty, so that there is one text for each order.
const SESSIONS_ASCENDING: &str = "\
    select s.id, s.workspace_id, s.environment_id, a.agent, s.title, s.metadata, s.summary, \
    s.created_at, s.archived_at, s.last_seq, s.vault_ids \
    from sessions s join session_agents a on a.session_key = s.key \
    where s.workspace_id = $1 and (s.created_at, s.id) > ($2, $3) \
    and s.created_at >= $4 and s.created_at <= $5 \
    and (cast($6 as text) is null or s.agent_id = $6) \
    and (cast($6 as text) is null or cast($7 as bigint) is null or s.agent_version = $7) \
    and ($8 = '' or replace($8, ',' || s.status || ',', '') <> $8) \
    and ($9 = 1 or s.archived_at is null) \
    order by s.created_at, s.id limit $10";

const SESSIONS_DESCENDING: &str = "\
    select s.id, s.workspace_id, s.environment_id, a.agent, s.title, s.metadata, s.summary, \
    s.created_at, s.archived_at, s.last_seq, s.vault_ids \
    from sessions s join session_agents a on a.session_key = s.key \
    where s.workspace_id = $1 and (s.created_at, s.id) < ($2, $3) \
    and s.created_at >= $4 and s.created_at <= $5 \
    and (cast($6 as text) is null or s.agent_id = $6) \
    and (cast($6 as text) is null or cast($7 as bigint) is null or s.agent_version = $7) \
    and ($8 = '' or replace($8, ',' || s.status || ',', '') <> $8) \
    and ($9 = 1 or s.archived_at is null) \
    order by s.created_at desc, s.id desc limit $10";

impl Store {
    pub async fn list_sessions(
        &self,
        workspace: WorkspaceId,
        filter: SessionFilter,
        page: SessionPage,
    ) -> Result<Vec<SessionRow>, StoreError> {
        let (sql, before_all) = match page.order {
            Order::Ascending => (SESSIONS_ASCENDING, i64::MIN),
            Order::Descending => (SESSIONS_DESCENDING, i64::MAX),
        };
        let (after_at, after_id) = match page.after {
            Some((at, id)) => (at.as_micros(), id.to_string()),
            None => (before_all, String::new()),
        };
        let (first, last) = filter.created_at.bounds();
        let agent = filter.agent_id.map(|id| id.to_string());
        let statuses = word_list(filter.statuses.iter().map(|status| status.as_str()));
        self.db
            .read(move |tx| {
                tx.all(
                    sql,
                    &[
                        &workspace.to_string(),
                        &after_at,
                        &after_id,
                        &first,
                        &last,
                        &agent,
                        &filter.agent_version,
                        &statuses,
                        &i64::from(filter.include_archived),
                        &page.limit,
                    ],
                    |row| read_session(tx, row),
                )
            })
            .await
    }
}

/// `,one,two,`, in which SQL finds a word with a comma on either side; empty for no words at all.
/// `replace` finds it, since `like` takes an underscore for any character.
pub(crate) fn word_list<'w>(words: impl Iterator<Item = &'w str>) -> String {
    let mut list = String::new();
    for word in words {
        if list.is_empty() {
            list.push(',');
        }
        // A word with a comma is none of ours, and would look like two.
        if !word.contains(',') {
            list.push_str(word);
            list.push(',');
        }
    }
    list
}
