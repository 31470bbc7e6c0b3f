//! The route table. It reads like the index of the API: one line for each operation.

use hostler_protocol::agent::Agent;
use hostler_protocol::credential::{Credential, CredentialValidation, DeletedCredential};
use hostler_protocol::environment::{DeletedEnvironment, Environment};
use hostler_protocol::file::{DeletedFile, FileMetadata};
use hostler_protocol::model::ModelInfo;
use hostler_protocol::session::{DeletedSession, Session};
use hostler_protocol::session_resource::{DeletedResource, FileResource, SessionResource};
use hostler_protocol::skill::{DeletedSkill, DeletedSkillVersion, SkillResource, SkillVersion};
use hostler_protocol::vault::{DeletedVault, Vault};

use crate::operation::{Operations, answers, bytes, event_stream, id_page, page, two_way_page};
use crate::refused::REFUSED;
use crate::sessions::{
    self,
    shapes::{SentEvents, SessionEvent},
};

/// Every operation of the protocol, served or refused.
pub(crate) fn all() -> Operations {
    let served = sessions(vaults(skills(files_and_models(agents_and_environments(
        Operations::default(),
    )))));
    REFUSED.iter().fold(served, |table, (feature, lines)| {
        table.refuse(feature, lines)
    })
}

#[rustfmt::skip] // One line for each operation is what makes it a table.
fn sessions(table: Operations) -> Operations {
    use sessions::{create, crud, events, resources, stream};
    const LIST: &[&str] = &["agent_id", "agent_version", "created_at[gt]", "created_at[gte]", "created_at[lt]",
        "created_at[lte]", "include_archived", "limit", "order", "page", "statuses[]"];
    const EVENTS: &[&str] = &["created_at[gt]", "created_at[gte]", "created_at[lt]", "created_at[lte]", "limit",
        "order", "page", "types[]"];
    table
        .serve("POST /v1/sessions", "sessions.create", create::create, answers::<Session>().takes_json())
        .serve("GET /v1/sessions", "sessions.list", crud::list, two_way_page::<Session>().query(LIST))
        .serve("GET /v1/sessions/{session_id}", "sessions.retrieve", crud::retrieve, answers::<Session>())
        .serve("POST /v1/sessions/{session_id}", "sessions.update", crud::update_session, answers::<Session>().takes_json())
        .serve("DELETE /v1/sessions/{session_id}", "sessions.delete", crud::delete, answers::<DeletedSession>())
        .serve("POST /v1/sessions/{session_id}/archive", "sessions.archive", crud::archive, answers::<Session>())
        .serve("POST /v1/sessions/{session_id}/resources", "sessions.resources.add", resources::add, answers::<FileResource>().takes_json())
        .serve("GET /v1/sessions/{session_id}/resources", "sessions.resources.list", resources::list, page::<SessionResource>().query(&["limit", "page"]))
        .serve("GET /v1/sessions/{session_id}/resources/{resource_id}", "sessions.resources.retrieve", resources::retrieve, answers::<SessionResource>())
        .serve("POST /v1/sessions/{session_id}/resources/{resource_id}", "sessions.resources.update", resources::update, answers::<SessionResource>().takes_json())
        .serve("DELETE /v1/sessions/{session_id}/resources/{resource_id}", "sessions.resources.delete", resources::delete, answers::<DeletedResource>())
        .serve("GET /v1/sessions/{session_id}/events", "sessions.events.list", events::list, page::<SessionEvent>().query(EVENTS))
        .serve("POST /v1/sessions/{session_id}/events", "sessions.events.send", events::send, answers::<SentEvents>().takes_json())
        .serve("GET /v1/sessions/{session_id}/events/stream", "sessions.events.stream", stream::stream, event_stream::<SessionEvent>().query(&["event_deltas[]", "after"]))
}

#[rustfmt::skip] // One line for each operation is what makes it a table.
fn agents_and_environments(table: Operations) -> Operations {
    use crate::{agents, environments};
    const AGENTS: &[&str] = &["created_at[gte]", "created_at[lte]", "include_archived", "limit", "page"];
    table
        .serve("POST /v1/agents", "agents.create", agents::create, answers::<Agent>().takes_json())
        .serve("GET /v1/agents", "agents.list", agents::list, page::<Agent>().query(AGENTS))
        .serve("GET /v1/agents/{agent_id}", "agents.retrieve", agents::get, answers::<Agent>().query(&["version"]))
        .serve("POST /v1/agents/{agent_id}", "agents.update", agents::update, answers::<Agent>().takes_json())
        .serve("POST /v1/agents/{agent_id}/archive", "agents.archive", agents::archive, answers::<Agent>())
        .serve("GET /v1/agents/{agent_id}/versions", "agents.versions.list", agents::list_versions, page::<Agent>().query(&["limit", "page"]))
        .serve("POST /v1/environments", "environments.create", environments::create, answers::<Environment>().takes_json())
        .serve("GET /v1/environments", "environments.list", environments::list, page::<Environment>().query(&["include_archived", "limit", "page"]))
        .serve("GET /v1/environments/{environment_id}", "environments.retrieve", environments::get, answers::<Environment>())
        .serve("POST /v1/environments/{environment_id}", "environments.update", environments::update, answers::<Environment>().takes_json())
        .serve("POST /v1/environments/{environment_id}/archive", "environments.archive", environments::archive, answers::<Environment>())
        .serve("DELETE /v1/environments/{environment_id}", "environments.delete", environments::delete, answers::<DeletedEnvironment>())
}

#[rustfmt::skip] // One line for each operation is what makes it a table.
fn files_and_models(table: Operations) -> Operations {
    use crate::{files, models};
    const FILES: &[&str] = &["ids[]", "limit", "page", "scope_id"];
    table
        .serve("POST /v1/files", "files.upload", files::upload, answers::<FileMetadata>().takes_upload())
        .serve("GET /v1/files", "files.list", files::list, page::<FileMetadata>().query(FILES))
        .serve("GET /v1/files/{file_id}", "files.retrieve_metadata", files::get, answers::<FileMetadata>())
        .serve("GET /v1/files/{file_id}/content", "files.download", files::content, bytes())
        .serve("DELETE /v1/files/{file_id}", "files.delete", files::delete, answers::<DeletedFile>())
        .serve("GET /v1/models", "models.list", models::list, id_page::<ModelInfo>().query(&["after_id", "before_id", "lifecycle[]", "limit"]))
        .serve("GET /v1/models/{model_id}", "models.retrieve", models::get, answers::<ModelInfo>())
}

#[rustfmt::skip] // One line for each operation is what makes it a table.
fn vaults(table: Operations) -> Operations {
    use crate::vaults::{self, credentials};
    const LIST: &[&str] = &["include_archived", "limit", "page"];
    table
        .serve("POST /v1/vaults", "vaults.create", vaults::create, answers::<Vault>().takes_json())
        .serve("GET /v1/vaults", "vaults.list", vaults::list, page::<Vault>().query(LIST))
        .serve("GET /v1/vaults/{vault_id}", "vaults.retrieve", vaults::get, answers::<Vault>())
        .serve("POST /v1/vaults/{vault_id}", "vaults.update", vaults::update, answers::<Vault>().takes_json())
        .serve("POST /v1/vaults/{vault_id}/archive", "vaults.archive", vaults::archive, answers::<Vault>())
        .serve("DELETE /v1/vaults/{vault_id}", "vaults.delete", vaults::delete, answers::<DeletedVault>())
        .serve("POST /v1/vaults/{vault_id}/credentials", "vaults.credentials.create", credentials::create, answers::<Credential>().takes_json())
        .serve("GET /v1/vaults/{vault_id}/credentials", "vaults.credentials.list", credentials::list, page::<Credential>().query(LIST))
        .serve("GET /v1/vaults/{vault_id}/credentials/{credential_id}", "vaults.credentials.retrieve", credentials::get, answers::<Credential>())
        .serve("POST /v1/vaults/{vault_id}/credentials/{credential_id}", "vaults.credentials.update", credentials::update, answers::<Credential>().takes_json())
        .serve("POST /v1/vaults/{vault_id}/credentials/{credential_id}/archive", "vaults.credentials.archive", credentials::archive, answers::<Credential>())
        .serve("POST /v1/vaults/{vault_id}/credentials/{credential_id}/mcp_oauth_validate", "vaults.credentials.mcp_oauth_validate", credentials::validate, answers::<CredentialValidation>())
        .serve("DELETE /v1/vaults/{vault_id}/credentials/{credential_id}", "vaults.credentials.delete", credentials::delete, answers::<DeletedCredential>())
}

#[rustfmt::skip] // One line for each operation is what makes it a table.
fn skills(table: Operations) -> Operations {
    use crate::skills::{self, versions};
    table
        .serve("POST /v1/skills", "skills.create", skills::create, answers::<SkillResource>().takes_skill())
        .serve("GET /v1/skills", "skills.list", skills::list, page::<SkillResource>().query(&["limit", "page", "source"]))
        .serve("GET /v1/skills/{skill_id}", "skills.retrieve", skills::get, answers::<SkillResource>())
        .serve("DELETE /v1/skills/{skill_id}", "skills.delete", skills::delete, answers::<DeletedSkill>())
        .serve("POST /v1/skills/{skill_id}/versions", "skills.versions.create", versions::create, answers::<SkillVersion>().takes_skill())
        .serve("GET /v1/skills/{skill_id}/versions", "skills.versions.list", versions::list, page::<SkillVersion>().query(&["limit", "page"]))
        .serve("GET /v1/skills/{skill_id}/versions/{version}", "skills.versions.retrieve", versions::get, answers::<SkillVersion>())
        .serve("DELETE /v1/skills/{skill_id}/versions/{version}", "skills.versions.delete", versions::delete, answers::<DeletedSkillVersion>())
        .serve("GET /v1/skills/{skill_id}/versions/{version}/content", "skills.versions.download", versions::content, bytes())
}
