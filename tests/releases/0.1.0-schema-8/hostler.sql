BEGIN TRANSACTION;
CREATE TABLE agent_versions (
    agent_id text not null references agents (id),
    version bigint not null,
    config text not null,
    created_at bigint not null,
    primary key (agent_id, version)
);
INSERT INTO "agent_versions" VALUES('agent_011ChVMkx3sVGU38mZbqnYe9',1,'{"name":"Fixture","description":null,"system":"You are kept.","model":{"id":"claude-opus-5-5","effort":{"type":"high"},"speed":"standard"},"tools":[{"type":"agent_toolset_20260401","default_config":{"enabled":true,"permission_policy":{"type":"always_allow"}},"configs":[]}],"mcp_servers":[],"skills":[],"multiagent":null,"execution_identity":{"type":"service_account"},"metadata":{}}',1795870391490749);
INSERT INTO "agent_versions" VALUES('agent_011ChVMkx3sVGU38mZbqnYe9',2,'{"name":"Fixture","description":"changed once","system":"You are kept.","model":{"id":"claude-opus-5-5","effort":{"type":"high"},"speed":"standard"},"tools":[{"type":"agent_toolset_20260401","default_config":{"enabled":true,"permission_policy":{"type":"always_allow"}},"configs":[]}],"mcp_servers":[],"skills":[],"multiagent":null,"execution_identity":{"type":"service_account"},"metadata":{}}',1795870391738345);
CREATE TABLE agents (
    id text primary key,
    workspace_id text not null,
    version bigint not null,
    created_at bigint not null,
    archived_at bigint
);
INSERT INTO "agents" VALUES('agent_011ChVMkx3sVGU38mZbqnYe9','wrkspc_011ChVMkrtovXHuVyL332Cqy',2,1795870391490749,NULL);
CREATE TABLE api_keys (
    id text primary key,
    workspace_id text not null references workspaces (id),
    name text not null,
    hash text not null,
    hint text not null,
    created_at bigint not null,
    revoked_at bigint
);
INSERT INTO "api_keys" VALUES('apikey_011ChVMkru4b2bKmgQW18anb','wrkspc_011ChVMkrtovXHuVyL332Cqy','HOSTLER_API_KEY','d4459c7208c123f077a395a2d05076ce10b1280be507060b85905c0f18adbc67','else',1795870390285109,NULL);
CREATE TABLE credentials (
    id text primary key,
    workspace_id text not null,
    vault_id text not null references vaults (id),
    display_name text,
    auth text not null,
    metadata text not null,
    active_key text,
    version bigint not null,
    sealed text,
    sealed_by text,
    created_at bigint not null,
    updated_at bigint not null,
    archived_at bigint
);
INSERT INTO "credentials" VALUES('vcrd_011ChVMmFuR6s8L3TpFcDj4R','wrkspc_011ChVMkrtovXHuVyL332Cqy','vlt_011ChVMmFhksoVudveBkUs2R','fixture','{"type":"mcp_oauth","mcp_server_url":"https://mcp.example.com/","refresh":{"client_id":"fixture","token_endpoint":"https://auth.example.com/token","token_endpoint_auth":{"type":"client_secret_basic"},"resource":null,"scope":null}}','{}','https://mcp.example.com',1,'{"v":1,"key":"8e60ee3877f18c02","data_key":"x457xLWBFyGe26KhvAPKEhvvcGcXp6d2Vr4FQhrWIMFK44uDa2v9tev9gRQcqFsiNmzWz5ksEsxh54n9","secret":"M7wcVKnDRVsEODblLFk9CLAz+ZBBrxvi/7t7Hf7uCPNoQco8afsF1DDq+hJ4fLdz4gnvvgg7IW2hkrCbIrqVWnRKImycYHZFpNHrbKg65dedk08eNVSCdftu72ajoWa39fnv973oHFCSQZZ97Ap7hLLseCk="}','8e60ee3877f18c02',1795870395666200,1795870395666200,NULL);
CREATE TABLE deleted_sessions (
    id text primary key,
    workspace_id text not null,
    event_id text not null,
    deleted_at bigint not null
);
CREATE TABLE environments (
    id text primary key,
    workspace_id text not null,
    name text not null,
    description text,
    config text not null,
    metadata text not null,
    created_at bigint not null,
    updated_at bigint not null,
    archived_at bigint
);
INSERT INTO "environments" VALUES('env_011ChVMkyLGLZ2T6PFVYR9s3','wrkspc_011ChVMkrtovXHuVyL332Cqy','fixture',NULL,'{"type":"cloud","networking":{"type":"unrestricted"},"packages":{"type":"packages","apt":[],"cargo":[],"gem":[],"go":[],"npm":[],"pip":[]}}','{}',1795870391790309,1795870391790309,NULL);
CREATE TABLE events (
    key integer primary key,
    session_key bigint not null,
    seq bigint not null,
    id text not null,
    type text not null,
    visibility text not null,
    source_seq bigint,
    thread_id text,
    epoch bigint not null,
    at bigint not null,
    body text not null
);
INSERT INTO "events" VALUES(1,1,1,'sevt_011ChVMkyo3db8CxTYvC8AU1','hostler.session_created','internal',NULL,NULL,0,1795870391898257,'{"type":"hostler.session_created","agent":{"type":"agent","id":"agent_011ChVMkx3sVGU38mZbqnYe9","version":2,"name":"Fixture","description":"changed once","system":"You are kept.","model":{"id":"claude-opus-5-5","effort":{"type":"high"},"speed":"standard"},"tools":[{"type":"agent_toolset_20260401","default_config":{"enabled":true,"permission_policy":{"type":"always_allow"}},"configs":[]}],"mcp_servers":[],"skills":[],"execution_identity":{"type":"service_account"},"multiagent":null},"environment_id":"env_011ChVMkyLGLZ2T6PFVYR9s3","session_thread_id":"sthr_011ChVMkyo3db8CxTYTgoFEp"}');
INSERT INTO "events" VALUES(2,1,2,'sevt_011ChVMkzfdVwtG4dFvkBEB1','user.message','queued',NULL,NULL,0,1795870392102240,'{"type":"user.message","content":[{"type":"text","text":"Do your work, häßlich 🦀."}]}');
INSERT INTO "events" VALUES(3,1,3,'sevt_011ChVMkzgd1ccHbJK5ymZ8j','session.status_running','public',NULL,NULL,0,1795870392102240,'{"type":"session.status_running"}');
INSERT INTO "events" VALUES(4,1,4,'sevt_011ChVMkzgd1ccHbJKER7nye','session.thread_status_running','public',NULL,NULL,0,1795870392102240,'{"type":"session.thread_status_running","session_thread_id":"sthr_011ChVMkyo3db8CxTYTgoFEp","agent_name":"Fixture"}');
INSERT INTO "events" VALUES(5,1,5,'sevt_011ChVMkzfdVwtG4dFvkBEB1','user.message','public',2,NULL,1,1795870392123152,'{"type":"hostler.input_processed","event_id":"sevt_011ChVMkzfdVwtG4dFvkBEB1","event_type":"user.message","received_seq":2}');
INSERT INTO "events" VALUES(6,1,6,'sevt_011ChVMkzkqMQdkgjApMRm17','span.model_request_start','public',NULL,NULL,1,1795870392123174,'{"type":"span.model_request_start"}');
INSERT INTO "events" VALUES(7,1,7,'sevt_011ChVMkzmaovFN7okJgg6rN','agent.message','public',NULL,NULL,1,1795870392259669,'{"type":"agent.message","content":[{"type":"text","text":"I work."}]}');
INSERT INTO "events" VALUES(8,1,8,'sevt_011ChVMm1LZQSQh3ZJEMg52j','agent.tool_use','public',NULL,NULL,1,1795870392259667,'{"type":"agent.tool_use","name":"bash","input":{"command": "echo precious > kept; echo result > /mnt/session/outputs/result.txt; cat /mnt/user/notes.txt"},"evaluated_permission":"allow","evaluation":{"type":"always_allow"}}');
INSERT INTO "events" VALUES(9,1,9,'sevt_011ChVMm1LZQSQh3ZJKLYj8d','hostler.model_response','internal',NULL,NULL,1,1795870392259670,'{"type":"hostler.model_response","model_request_start_id":"sevt_011ChVMkzkqMQdkgjApMRm17","based_on":5,"blocks":[{"type":"text","text":"I work."},{"type":"tool_use","name":"bash","input":{"command": "echo precious > kept; echo result > /mnt/session/outputs/result.txt; cat /mnt/user/notes.txt"},"id":"toolu_000001"}],"tool_uses":[{"event_id":"sevt_011ChVMm1LZQSQh3ZJEMg52j","provider_id":"toolu_000001"}],"stop":{"type":"tool_use"},"usage":{"input_tokens":10,"output_tokens":5,"cache_read_input_tokens":0,"cache_creation_5m_input_tokens":0,"cache_creation_1h_input_tokens":0},"cost_nano_dollars":0}');
INSERT INTO "events" VALUES(10,1,10,'sevt_011ChVMm1LZQSQh3ZJQ5mvbE','span.model_request_end','public',NULL,NULL,1,1795870392259671,'{"type":"span.model_request_end","model_request_start_id":"sevt_011ChVMkzkqMQdkgjApMRm17","is_error":false,"model_usage":{"input_tokens":10,"output_tokens":5,"cache_creation_input_tokens":0,"cache_read_input_tokens":0}}');
INSERT INTO "events" VALUES(11,1,11,'sevt_011ChVMm1LZQSQh3ZJZFHiuh','hostler.tool_started','internal',NULL,NULL,1,1795870392259723,'{"type":"hostler.tool_started","tool_use_id":"sevt_011ChVMm1LZQSQh3ZJEMg52j"}');
INSERT INTO "events" VALUES(12,1,12,'sevt_011ChVMm1TkafSjkybhXuqb5','agent.tool_result','public',NULL,NULL,1,1795870392288262,'{"type":"agent.tool_result","tool_use_id":"sevt_011ChVMm1LZQSQh3ZJEMg52j","content":[{"type":"text","text":"kept for later\n"}],"is_error":false}');
INSERT INTO "events" VALUES(13,1,13,'sevt_011ChVMm1TkafSjkybs7Q9z5','span.model_request_start','public',NULL,NULL,1,1795870392288299,'{"type":"span.model_request_start"}');
INSERT INTO "events" VALUES(14,1,14,'sevt_011ChVMm1UFTxreieVicbvV6','agent.message','public',NULL,NULL,1,1795870392410957,'{"type":"agent.message","content":[{"type":"text","text":"All is done."}]}');
INSERT INTO "events" VALUES(15,1,15,'sevt_011ChVMm1z1WuFpMegRqtVG4','hostler.model_response','internal',NULL,NULL,1,1795870392410963,'{"type":"hostler.model_response","model_request_start_id":"sevt_011ChVMm1TkafSjkybs7Q9z5","based_on":12,"blocks":[{"type":"text","text":"All is done."}],"tool_uses":[],"stop":{"type":"end_turn"},"usage":{"input_tokens":10,"output_tokens":5,"cache_read_input_tokens":0,"cache_creation_5m_input_tokens":0,"cache_creation_1h_input_tokens":0},"cost_nano_dollars":0}');
INSERT INTO "events" VALUES(16,1,16,'sevt_011ChVMm1z1WuFpMegaXF1cw','span.model_request_end','public',NULL,NULL,1,1795870392410964,'{"type":"span.model_request_end","model_request_start_id":"sevt_011ChVMm1TkafSjkybs7Q9z5","is_error":false,"model_usage":{"input_tokens":10,"output_tokens":5,"cache_creation_input_tokens":0,"cache_read_input_tokens":0}}');
INSERT INTO "events" VALUES(17,1,17,'sevt_011ChVMm1zzfqP6MZbjBs1t8','session.thread_status_idle','public',NULL,NULL,1,1795870392414311,'{"type":"session.thread_status_idle","session_thread_id":"sthr_011ChVMkyo3db8CxTYTgoFEp","agent_name":"Fixture","stop_reason":{"type":"end_turn"},"stop_details":null}');
INSERT INTO "events" VALUES(18,1,18,'sevt_011ChVMm1zzfqP6MZbsW1YLt','session.usage','public',NULL,NULL,1,1795870392414316,'{"type":"session.usage","usage":{"input_tokens":20,"output_tokens":10,"cache_read_input_tokens":0,"cache_creation":{"ephemeral_5m_input_tokens":0,"ephemeral_1h_input_tokens":0},"active_seconds":0.312061,"list_cost":{"amount":"0","currency":"USD"},"server_tool_use":{"web_search_requests":0,"web_fetch_requests":0}},"budget":null}');
INSERT INTO "events" VALUES(19,1,19,'sevt_011ChVMm1zzfqP6MZbyVQ83G','session.status_idle','public',NULL,NULL,1,1795870392414318,'{"type":"session.status_idle","stop_reason":{"type":"end_turn"},"stop_details":null}');
INSERT INTO "events" VALUES(20,2,1,'sevt_011ChVMmGk1sHYPm9dj2K3CP','hostler.session_created','internal',NULL,NULL,0,1795870395862707,'{"type":"hostler.session_created","agent":{"type":"agent","id":"agent_011ChVMkx3sVGU38mZbqnYe9","version":2,"name":"Fixture","description":"changed once","system":"You are kept.","model":{"id":"claude-opus-5-5","effort":{"type":"high"},"speed":"standard"},"tools":[{"type":"agent_toolset_20260401","default_config":{"enabled":true,"permission_policy":{"type":"always_allow"}},"configs":[]}],"mcp_servers":[],"skills":[],"execution_identity":{"type":"service_account"},"multiagent":null},"environment_id":"env_011ChVMkyLGLZ2T6PFVYR9s3","session_thread_id":"sthr_011ChVMmGk1sHYPm9dWAi41z"}');
INSERT INTO "events" VALUES(21,2,2,'sevt_011ChVMmGyuGPhbdPGXoYdyM','user.message','queued',NULL,NULL,0,1795870395918344,'{"type":"user.message","content":[{"type":"text","text":"Tell me."}]}');
INSERT INTO "events" VALUES(22,2,3,'sevt_011ChVMmGz9Y9nrbM5nmTUtP','session.status_running','public',NULL,NULL,0,1795870395918344,'{"type":"session.status_running"}');
INSERT INTO "events" VALUES(23,2,4,'sevt_011ChVMmGz9Y9nrbM5wf9F23','session.thread_status_running','public',NULL,NULL,0,1795870395918344,'{"type":"session.thread_status_running","session_thread_id":"sthr_011ChVMmGk1sHYPm9dWAi41z","agent_name":"Fixture"}');
INSERT INTO "events" VALUES(24,2,5,'sevt_011ChVMmGyuGPhbdPGXoYdyM','user.message','public',2,NULL,1,1795870395934150,'{"type":"hostler.input_processed","event_id":"sevt_011ChVMmGyuGPhbdPGXoYdyM","event_type":"user.message","received_seq":2}');
INSERT INTO "events" VALUES(25,2,6,'sevt_011ChVMmH3sXpTpVeDuwDsEK','span.model_request_start','public',NULL,NULL,1,1795870395934170,'{"type":"span.model_request_start"}');
CREATE TABLE file_storage (
    workspace_id text primary key,
    bytes bigint not null
);
INSERT INTO "file_storage" VALUES('wrkspc_011ChVMkrtovXHuVyL332Cqy',22);
CREATE TABLE files (
    id text primary key,
    workspace_id text not null,
    filename text not null,
    mime_type text not null,
    size_bytes bigint not null,
    sha256 text not null,
    downloadable bigint not null,
    scope_id text,
    created_at bigint not null,
    expires_at bigint
);
INSERT INTO "files" VALUES('file_011ChVMkya9UWWXGYe3sFXEF','wrkspc_011ChVMkrtovXHuVyL332Cqy','notes.txt','text/plain',15,'cf4db7d86723d067ff0a8f8ae8bcdc8c4450a17ec205c8a28a33816d20a6f163',0,NULL,1795870391846390,NULL);
INSERT INTO "files" VALUES('file_011ChVMkyo3db8CxTYggvx1C','wrkspc_011ChVMkrtovXHuVyL332Cqy','notes.txt','text/plain',15,'cf4db7d86723d067ff0a8f8ae8bcdc8c4450a17ec205c8a28a33816d20a6f163',0,'sesn_011ChVMkyo3db8CxTYkupDE9',1795870391898257,NULL);
INSERT INTO "files" VALUES('file_011ChVMm1QHLzJ79VY5EVzzQ','wrkspc_011ChVMkrtovXHuVyL332Cqy','result.txt','text/plain',7,'5656fafa00d4f294bcb606cf4f7d4fa877390e46f583e8b3c8744ace104a31d1',1,'sesn_011ChVMkyo3db8CxTYkupDE9',1795870392274596,NULL);
CREATE TABLE sandbox_checkpoints (
    session_id text primary key,
    blob_id text not null,
    format bigint not null,
    size_bytes bigint not null,
    sha256 text not null,
    made_at bigint not null,
    created_at bigint not null
);
INSERT INTO "sandbox_checkpoints" VALUES('sesn_011ChVMkyo3db8CxTYkupDE9','sevt_011ChVMmFStBfqa3JeyWVRCb',1,1684,'511178012be0339e78408329dc0e9321dd6214b4151d7f75a0a2f86a2ca235eb',1795870392129161,1795870395568479);
CREATE TABLE session_agents (
    session_key integer primary key,
    agent text not null
);
INSERT INTO "session_agents" VALUES(1,'{"type":"agent","id":"agent_011ChVMkx3sVGU38mZbqnYe9","version":2,"name":"Fixture","description":"changed once","system":"You are kept.","model":{"id":"claude-opus-5-5","effort":{"type":"high"},"speed":"standard"},"tools":[{"type":"agent_toolset_20260401","default_config":{"enabled":true,"permission_policy":{"type":"always_allow"}},"configs":[]}],"mcp_servers":[],"skills":[],"execution_identity":{"type":"service_account"},"multiagent":null}');
INSERT INTO "session_agents" VALUES(2,'{"type":"agent","id":"agent_011ChVMkx3sVGU38mZbqnYe9","version":2,"name":"Fixture","description":"changed once","system":"You are kept.","model":{"id":"claude-opus-5-5","effort":{"type":"high"},"speed":"standard"},"tools":[{"type":"agent_toolset_20260401","default_config":{"enabled":true,"permission_policy":{"type":"always_allow"}},"configs":[]}],"mcp_servers":[],"skills":[],"execution_identity":{"type":"service_account"},"multiagent":null}');
CREATE TABLE session_environments (
    session_key integer primary key,
    config text not null,
    metadata text not null,
    updated_at bigint not null
);
INSERT INTO "session_environments" VALUES(1,'{"type":"cloud","networking":{"type":"unrestricted"},"packages":{"type":"packages","apt":[],"cargo":[],"gem":[],"go":[],"npm":[],"pip":[]}}','{}',1795870391790309);
INSERT INTO "session_environments" VALUES(2,'{"type":"cloud","networking":{"type":"unrestricted"},"packages":{"type":"packages","apt":[],"cargo":[],"gem":[],"go":[],"npm":[],"pip":[]}}','{}',1795870391790309);
CREATE TABLE session_outputs (
    session_id text not null,
    path text not null,
    file_id text,
    sha256 text,
    fingerprint text,
    primary key (session_id, path)
);
INSERT INTO "session_outputs" VALUES('sesn_011ChVMkyo3db8CxTYkupDE9','result.txt','file_011ChVMm1QHLzJ79VY5EVzzQ','5656fafa00d4f294bcb606cf4f7d4fa877390e46f583e8b3c8744ace104a31d1','7.10011142.1795870392261161046.1795870392261161046');
CREATE TABLE session_repositories (
    id text primary key,
    session_id text not null,
    url text not null,
    mount_path text not null,
    checkout text,
    placed_at bigint,
    created_at bigint not null,
    updated_at bigint not null
);
CREATE TABLE session_resources (
    id text primary key,
    session_id text not null,
    file_id text not null,
    mount_path text not null,
    origin_id text not null,
    is_counted bigint not null,
    created_at bigint not null,
    updated_at bigint not null
);
INSERT INTO "session_resources" VALUES('sesrsc_011ChVMkyo3db8CxTYaDvpfd','sesn_011ChVMkyo3db8CxTYkupDE9','file_011ChVMkyo3db8CxTYggvx1C','mnt/user/notes.txt','file_011ChVMkya9UWWXGYe3sFXEF',0,1795870391898257,1795870391898257);
CREATE TABLE session_snapshot_texts (
    session_key bigint not null,
    format bigint not null,
    number bigint not null,
    body text not null,
    primary key (session_key, format, number)
);
CREATE TABLE session_snapshots (
    session_key integer primary key,
    format bigint not null,
    seq bigint not null,
    body text not null
);
CREATE TABLE sessions (
    key integer primary key,
    id text not null,
    workspace_id text not null,
    environment_id text not null,
    agent_id text not null,
    agent_version bigint not null,
    thread_id text not null,
    title text,
    metadata text not null,
    status text not null,
    summary text not null,
    created_at bigint not null,
    updated_at bigint not null,
    archived_at bigint,
    last_seq bigint not null,
    -- When a runner is due: null if there is nothing to do.
    needs_runner_at bigint,
    lease_owner text,
    lease_epoch bigint not null,
    lease_expires_at bigint not null
, takes bigint);
INSERT INTO "sessions" VALUES(1,'sesn_011ChVMkyo3db8CxTYkupDE9','wrkspc_011ChVMkrtovXHuVyL332Cqy','env_011ChVMkyLGLZ2T6PFVYR9s3','agent_011ChVMkx3sVGU38mZbqnYe9',2,'sthr_011ChVMkyo3db8CxTYTgoFEp','worked','{"kept":"yes"}','idle','{"status":"idle","thread":"sthr_011ChVMkyo3db8CxTYTgoFEp","agent_name":"Fixture","queued":[],"tokens":{"input_tokens":20,"output_tokens":10,"cache_read_input_tokens":0,"cache_creation_5m_input_tokens":0,"cache_creation_1h_input_tokens":0},"cost_nano_dollars":0,"active_micros":312078,"running_since":null,"retry_at":null,"updated_at":"2026-11-28T12:53:12.414318Z","terminated_at":null}',1795870391898257,1795870392414318,NULL,19,NULL,NULL,1,0,NULL);
INSERT INTO "sessions" VALUES(2,'sesn_011ChVMmGk1sHYPm9dd3S22g','wrkspc_011ChVMkrtovXHuVyL332Cqy','env_011ChVMkyLGLZ2T6PFVYR9s3','agent_011ChVMkx3sVGU38mZbqnYe9',2,'sthr_011ChVMmGk1sHYPm9dWAi41z','broken off','{}','running','{"status":"running","thread":"sthr_011ChVMmGk1sHYPm9dWAi41z","agent_name":"Fixture","queued":[],"tokens":{"input_tokens":0,"output_tokens":0,"cache_read_input_tokens":0,"cache_creation_5m_input_tokens":0,"cache_creation_1h_input_tokens":0},"cost_nano_dollars":0,"active_micros":0,"running_since":"2026-11-28T12:53:15.918344Z","retry_at":null,"updated_at":"2026-11-28T12:53:15.918344Z","terminated_at":null}',1795870395862707,1795870395918344,NULL,6,1795870395918344,'sevt_011ChVMkrEsUrBXkomHMXvh1-sevt_011ChVMksoPCevT62rogVDMR',1,1795870425922109,1);
CREATE TABLE vaults (
    id text primary key,
    workspace_id text not null,
    display_name text not null,
    metadata text not null,
    created_at bigint not null,
    updated_at bigint not null,
    archived_at bigint
);
INSERT INTO "vaults" VALUES('vlt_011ChVMmFhksoVudveBkUs2R','wrkspc_011ChVMkrtovXHuVyL332Cqy','fixture','{}',1795870395619787,1795870395619787,NULL);
CREATE TABLE workspaces (
    id text primary key,
    name text not null,
    created_at bigint not null
);
INSERT INTO "workspaces" VALUES('wrkspc_011ChVMkrtovXHuVyL332Cqy','default',1795870390284742);
CREATE UNIQUE INDEX sessions_by_id on sessions (id);
CREATE INDEX sessions_by_age on sessions (workspace_id, created_at, id);
CREATE INDEX sessions_by_environment on sessions (environment_id);
CREATE INDEX sessions_by_due_time on sessions (needs_runner_at) where needs_runner_at is not null;
CREATE INDEX sessions_by_lease on sessions (lease_owner) where lease_owner is not null;
CREATE UNIQUE INDEX events_by_position on events (session_key, seq);
CREATE UNIQUE INDEX api_keys_by_hash on api_keys (hash);
CREATE INDEX api_keys_by_age on api_keys (workspace_id, created_at, id);
CREATE INDEX agents_by_age on agents (workspace_id, created_at, id);
CREATE INDEX environments_by_age on environments (workspace_id, created_at, id);
CREATE INDEX files_by_age on files (workspace_id, created_at, id);
CREATE INDEX files_by_expiry on files (expires_at) where expires_at is not null;
CREATE UNIQUE INDEX session_resources_by_path on session_resources (session_id, mount_path);
CREATE UNIQUE INDEX session_resources_by_file on session_resources (file_id);
CREATE INDEX session_resources_by_origin on session_resources (origin_id, file_id);
CREATE INDEX files_by_scope on files (scope_id) where scope_id is not null;
CREATE UNIQUE INDEX session_outputs_by_file on session_outputs (file_id) where file_id is not null;
CREATE UNIQUE INDEX session_repositories_by_path on session_repositories (session_id, mount_path);
CREATE INDEX vaults_by_age on vaults (workspace_id, created_at, id);
CREATE INDEX credentials_by_age on credentials (vault_id, created_at, id);
CREATE UNIQUE INDEX credentials_by_active_key on credentials (vault_id, active_key);
CREATE INDEX credentials_by_master_key on credentials (sealed_by, id);
COMMIT;
PRAGMA user_version=8;
