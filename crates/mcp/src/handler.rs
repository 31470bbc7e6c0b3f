//! What a server may ask of us while it works, and what is answered.

use rmcp::model::{
    ClientCapabilities, ClientConfig, ElicitRequestParams, ElicitResult, ElicitationAction,
    ElicitationCapability, ElicitationSchema, FormElicitationCapability, Implementation,
    ProgressNotificationParam, ProtocolVersion,
};
use rmcp::service::{NotificationContext, RequestContext, RoleClient};
use rmcp::{ClientHandler, ErrorData};
use serde_json::{Map, Value};
use tokio::sync::watch;

/// What is answered when a server asks the user something in the middle of a call. There is no user.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Elicitation {
    /// Servers are told that they can't ask, and a question that comes all the same is declined.
    #[default]
    Decline,
    /// A form is sent back with the defaults that the server itself gave. It is declined if a field that it
    /// requires has none.
    AcceptDefaults,
}

/// Our side of a connection.
#[derive(Debug)]
pub(crate) struct Handler {
    elicitation: Elicitation,
    news: watch::Sender<News>,
}

/// What a server has told by itself.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct News {
    /// How often it said that its tools are others now.
    pub(crate) tools_changed: u64,
    /// How often it said that it is still at work.
    pub(crate) progress: u64,
}

impl Handler {
    pub(crate) fn new(elicitation: Elicitation) -> (Self, watch::Receiver<News>) {
        let (news, receiver) = watch::channel(News::default());
        (Self { elicitation, news }, receiver)
    }
}

impl ClientHandler for Handler {
    fn get_info(&self) -> ClientConfig {
        let mut capabilities = ClientCapabilities::default();
        capabilities.elicitation = match self.elicitation {
            Elicitation::Decline => None,
            Elicitation::AcceptDefaults => {
                Some(ElicitationCapability::new().with_form(FormElicitationCapability::new()))
            }
        };
        let version = env!("CARGO_PKG_VERSION");
        ClientConfig::new(capabilities, Implementation::new("hostler", version))
            .with_protocol_version(ProtocolVersion::LATEST_WITH_INITIALIZE)
    }

    async fn create_elicitation(
        &self,
        request: ElicitRequestParams,
        _context: RequestContext<RoleClient>,
    ) -> Result<ElicitResult, ErrorData> {
        let content = match (self.elicitation, request) {
            (
                Elicitation::AcceptDefaults,
                ElicitRequestParams::FormElicitationParams {
                    requested_schema, ..
                },
            ) => defaults(&requested_schema),
            // An address to be opened by a person, a form that nobody fills in, and what is not known yet.
            _ => None,
        };
        Ok(match content {
            Some(content) => {
                ElicitResult::new(ElicitationAction::Accept).with_content(content.into())
            }
            None => ElicitResult::new(ElicitationAction::Decline),
        })
    }

    async fn on_progress(
        &self,
        _progress: ProgressNotificationParam,
        _context: NotificationContext<RoleClient>,
    ) {
        self.news.send_modify(|news| news.progress += 1);
    }

    async fn on_tool_list_changed(&self, _context: NotificationContext<RoleClient>) {
        self.news.send_modify(|news| news.tools_changed += 1);
    }
}

/// The form with what the server proposed. `None` if that leaves out what it requires.
fn defaults(schema: &ElicitationSchema) -> Option<Map<String, Value>> {
    let fields: Map<String, Value> = schema
        .properties
        .iter()
        .filter_map(|(name, field)| {
            // The SDK has a type for each kind of field; what they share is their text.
            let field = serde_json::to_value(field).ok()?;
            Some((name.clone(), field.get("default")?.clone()))
        })
        .collect();
    let required = schema.required.iter().flatten();
    required
        .into_iter()
        .all(|name| fields.contains_key(name))
        .then_some(fields)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn form(value: Value) -> ElicitationSchema {
        serde_json::from_value(value).unwrap()
    }

    #[test]
    fn a_form_is_filled_in_with_its_own_defaults() {
        let form = form(
            json!({"type": "object", "required": ["name"], "properties": {
                "name": {"type": "string", "default": "Ada"},
                "age": {"type": "integer", "default": 36},
                "note": {"type": "string"},
            }}),
        );
        let filled = defaults(&form).map(Value::from);
        assert_eq!(filled, Some(json!({"name": "Ada", "age": 36})));
    }

    #[test]
    fn a_form_that_requires_what_nobody_knows_is_not_filled_in() {
        let form = form(
            json!({"type": "object", "required": ["password"], "properties": {
                "password": {"type": "string"},
            }}),
        );
        assert_eq!(defaults(&form), None);
    }
}
