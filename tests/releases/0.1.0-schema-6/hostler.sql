BEGIN TRANSACTION;
CREATE TABLE agent_versions (
    agent_id text not null references agents (id),
    version bigint not null,
    config text not null,
    created_at bigint not null,
    primary key (agent_id, version)
);
INSERT INTO "agent_versions" VALUES('agent_011ChV7kpybPspMVhJ5GU3Qm',1,'{"name":"Fixture","description":null,"system":"You are kept.","model":{"id":"claude-opus-5-5","effort":{"type":"high"},"speed":"standard"},"tools":[{"type":"agent_toolset_20260401","default_config":{"enabled":true,"permission_policy":{"type":"always_allow"}},"configs":[]}],"mcp_servers":[],"skills":[],"multiagent":null,"execution_identity":{"type":"service_account"},"metadata":{}}',1795859374334850);
INSERT INTO "agent_versions" VALUES('agent_011ChV7kpybPspMVhJ5GU3Qm',2,'{"name":"Fixture","description":"changed once","system":"You are kept.","model":{"id":"claude-opus-5-5","effort":{"type":"high"},"speed":"standard"},"tools":[{"type":"agent_toolset_20260401","default_config":{"enabled":true,"permission_policy":{"type":"always_allow"}},"configs":[]}],"mcp_servers":[],"skills":[],"multiagent":null,"execution_identity":{"type":"service_account"},"metadata":{}}',1795859374357282);
CREATE TABLE agents (
    id text primary key,
    workspace_id text not null,
    version bigint not null,
    created_at bigint not null,
    archived_at bigint
);
INSERT INTO "agents" VALUES('agent_011ChV7kpybPspMVhJ5GU3Qm','wrkspc_011ChV7kp3HGuA4sdWmiCEDm',2,1795859374334850,NULL);
CREATE TABLE api_keys (
    id text primary key,
    workspace_id text not null references workspaces (id),
    name text not null,
    hash text not null,
    hint text not null,
    created_at bigint not null,
    revoked_at bigint
);
INSERT INTO "api_keys" VALUES('apikey_011ChV7kp3XvyGsD7MxfLhFf','wrkspc_011ChV7kp3HGuA4sdWmiCEDm','HOSTLER_API_KEY','d4459c7208c123f077a395a2d05076ce10b1280be507060b85905c0f18adbc67','else',1795859374116148,NULL);
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
INSERT INTO "environments" VALUES('env_011ChV7kq6HWJeBtsq6Nqt83','wrkspc_011ChV7kp3HGuA4sdWmiCEDm','fixture',NULL,'{"type":"cloud","networking":{"type":"unrestricted"},"packages":{"type":"packages","apt":[],"cargo":[],"gem":[],"go":[],"npm":[],"pip":[]}}','{}',1795859374361021,1795859374361021,NULL);
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
INSERT INTO "events" VALUES(1,1,1,'sevt_011ChV7kqAFa4QxSzPSsFBWe','hostler.session_created','internal',NULL,NULL,0,1795859374377384,'{"type":"hostler.session_created","agent":{"type":"agent","id":"agent_011ChV7kpybPspMVhJ5GU3Qm","version":2,"name":"Fixture","description":"changed once","system":"You are kept.","model":{"id":"claude-opus-5-5","effort":{"type":"high"},"speed":"standard"},"tools":[{"type":"agent_toolset_20260401","default_config":{"enabled":true,"permission_policy":{"type":"always_allow"}},"configs":[]}],"mcp_servers":[],"skills":[],"execution_identity":{"type":"service_account"},"multiagent":null},"environment_id":"env_011ChV7kq6HWJeBtsq6Nqt83","session_thread_id":"sthr_011ChV7kqAFa4QxSzP3XSshf"}');
INSERT INTO "events" VALUES(2,1,2,'sevt_011ChV7kqGx14wbUXsBRTXft','user.message','queued',NULL,NULL,0,1795859374404180,'{"type":"user.message","content":[{"type":"text","text":"Do your work, häßlich 🦀."}]}');
INSERT INTO "events" VALUES(3,1,3,'sevt_011ChV7kqGx14wbUXsLohPYy','session.status_running','public',NULL,NULL,0,1795859374404180,'{"type":"session.status_running"}');
INSERT INTO "events" VALUES(4,1,4,'sevt_011ChV7kqGx14wbUXsSizBPM','session.thread_status_running','public',NULL,NULL,0,1795859374404180,'{"type":"session.thread_status_running","session_thread_id":"sthr_011ChV7kqAFa4QxSzP3XSshf","agent_name":"Fixture"}');
INSERT INTO "events" VALUES(5,1,5,'sevt_011ChV7kqGx14wbUXsBRTXft','user.message','public',2,NULL,1,1795859374407251,'{"type":"hostler.input_processed","event_id":"sevt_011ChV7kqGx14wbUXsBRTXft","event_type":"user.message","received_seq":2}');
INSERT INTO "events" VALUES(6,1,6,'sevt_011ChV7kqHh9YXeWnTvyhKDU','span.model_request_start','public',NULL,NULL,1,1795859374407294,'{"type":"span.model_request_start"}');
INSERT INTO "events" VALUES(7,1,7,'sevt_011ChV7kqKRoCctH6vjTNUYg','agent.message','public',NULL,NULL,1,1795859374421799,'{"type":"agent.message","content":[{"type":"text","text":"I work."}]}');
INSERT INTO "events" VALUES(8,1,8,'sevt_011ChV7kqMAQ88Z9EJ74z5qz','agent.tool_use','public',NULL,NULL,1,1795859374421791,'{"type":"agent.tool_use","name":"bash","input":{"command": "echo precious > kept; echo result > /mnt/session/outputs/result.txt; cat /mnt/user/notes.txt"},"evaluated_permission":"allow","evaluation":{"type":"always_allow"}}');
INSERT INTO "events" VALUES(9,1,9,'sevt_011ChV7kqMAQ88Z9EJGtKhyq','hostler.model_response','internal',NULL,NULL,1,1795859374421804,'{"type":"hostler.model_response","model_request_start_id":"sevt_011ChV7kqHh9YXeWnTvyhKDU","based_on":5,"blocks":[{"type":"text","text":"I work."},{"type":"tool_use","name":"bash","input":{"command": "echo precious > kept; echo result > /mnt/session/outputs/result.txt; cat /mnt/user/notes.txt"},"id":"toolu_000001"}],"tool_uses":[{"event_id":"sevt_011ChV7kqMAQ88Z9EJ74z5qz","provider_id":"toolu_000001"}],"stop":{"type":"tool_use"},"usage":{"input_tokens":10,"output_tokens":5,"cache_read_input_tokens":0,"cache_creation_5m_input_tokens":0,"cache_creation_1h_input_tokens":0},"cost_nano_dollars":0}');
INSERT INTO "events" VALUES(10,1,10,'sevt_011ChV7kqMAQ88Z9EJNq2iSV','span.model_request_end','public',NULL,NULL,1,1795859374421805,'{"type":"span.model_request_end","model_request_start_id":"sevt_011ChV7kqHh9YXeWnTvyhKDU","is_error":false,"model_usage":{"input_tokens":10,"output_tokens":5,"cache_creation_input_tokens":0,"cache_read_input_tokens":0}}');
INSERT INTO "events" VALUES(11,1,11,'sevt_011ChV7kqMAQ88Z9EJSEHKqJ','hostler.tool_started','internal',NULL,NULL,1,1795859374421933,'{"type":"hostler.tool_started","tool_use_id":"sevt_011ChV7kqMAQ88Z9EJ74z5qz"}');
INSERT INTO "events" VALUES(12,1,12,'sevt_011ChV7kqa4NazQcC48ppfWy','agent.tool_result','public',NULL,NULL,1,1795859374473274,'{"type":"agent.tool_result","tool_use_id":"sevt_011ChV7kqMAQ88Z9EJ74z5qz","content":[{"type":"text","text":"kept for later\n"}],"is_error":false}');
INSERT INTO "events" VALUES(13,1,13,'sevt_011ChV7kqa4NazQcC4GNK4Jv','span.model_request_start','public',NULL,NULL,1,1795859374473405,'{"type":"span.model_request_start"}');
INSERT INTO "events" VALUES(14,1,14,'sevt_011ChV7kqbJ3iVXKFbhEnDN4','agent.message','public',NULL,NULL,1,1795859374486840,'{"type":"agent.message","content":[{"type":"text","text":"All is done."}]}');
INSERT INTO "events" VALUES(15,1,15,'sevt_011ChV7kqdHFeCgpu9hw39rw','hostler.model_response','internal',NULL,NULL,1,1795859374486853,'{"type":"hostler.model_response","model_request_start_id":"sevt_011ChV7kqa4NazQcC4GNK4Jv","based_on":12,"blocks":[{"type":"text","text":"All is done."}],"tool_uses":[],"stop":{"type":"end_turn"},"usage":{"input_tokens":10,"output_tokens":5,"cache_read_input_tokens":0,"cache_creation_5m_input_tokens":0,"cache_creation_1h_input_tokens":0},"cost_nano_dollars":0}');
INSERT INTO "events" VALUES(16,1,16,'sevt_011ChV7kqdHFeCgpu9oasErh','span.model_request_end','public',NULL,NULL,1,1795859374486854,'{"type":"span.model_request_end","model_request_start_id":"sevt_011ChV7kqa4NazQcC4GNK4Jv","is_error":false,"model_usage":{"input_tokens":10,"output_tokens":5,"cache_creation_input_tokens":0,"cache_read_input_tokens":0}}');
INSERT INTO "events" VALUES(17,1,17,'sevt_011ChV7kqdXsnH9Zmc4WRq2y','session.thread_status_idle','public',NULL,NULL,1,1795859374487366,'{"type":"session.thread_status_idle","session_thread_id":"sthr_011ChV7kqAFa4QxSzP3XSshf","agent_name":"Fixture","stop_reason":{"type":"end_turn"},"stop_details":null}');
INSERT INTO "events" VALUES(18,1,18,'sevt_011ChV7kqdXsnH9ZmcEDw2nP','session.usage','public',NULL,NULL,1,1795859374487370,'{"type":"session.usage","usage":{"input_tokens":20,"output_tokens":10,"cache_read_input_tokens":0,"cache_creation":{"ephemeral_5m_input_tokens":0,"ephemeral_1h_input_tokens":0},"active_seconds":0.083174,"list_cost":{"amount":"0","currency":"USD"},"server_tool_use":{"web_search_requests":0,"web_fetch_requests":0}},"budget":null}');
INSERT INTO "events" VALUES(19,1,19,'sevt_011ChV7kqdXsnH9ZmcF7SuDU','session.status_idle','public',NULL,NULL,1,1795859374487372,'{"type":"session.status_idle","stop_reason":{"type":"end_turn"},"stop_details":null}');
INSERT INTO "events" VALUES(20,2,1,'sevt_011ChV7mCLUDa76vJZ57pa47','hostler.session_created','internal',NULL,NULL,0,1795859379330932,'{"type":"hostler.session_created","agent":{"type":"agent","id":"agent_011ChV7kpybPspMVhJ5GU3Qm","version":2,"name":"Fixture","description":"changed once","system":"You are kept.","model":{"id":"claude-opus-5-5","effort":{"type":"high"},"speed":"standard"},"tools":[{"type":"agent_toolset_20260401","default_config":{"enabled":true,"permission_policy":{"type":"always_allow"}},"configs":[]}],"mcp_servers":[],"skills":[],"execution_identity":{"type":"service_account"},"multiagent":null},"environment_id":"env_011ChV7kq6HWJeBtsq6Nqt83","session_thread_id":"sthr_011ChV7mCLUDa76vJYnoSo8r"}');
INSERT INTO "events" VALUES(21,2,2,'sevt_011ChV7mCNCuRzRNKued16f8','user.message','queued',NULL,NULL,0,1795859379337577,'{"type":"user.message","content":[{"type":"text","text":"Tell me."}]}');
INSERT INTO "events" VALUES(22,2,3,'sevt_011ChV7mCNCuRzRNKurf9knf','session.status_running','public',NULL,NULL,0,1795859379337577,'{"type":"session.status_running"}');
INSERT INTO "events" VALUES(23,2,4,'sevt_011ChV7mCNCuRzRNKuygSTwP','session.thread_status_running','public',NULL,NULL,0,1795859379337577,'{"type":"session.thread_status_running","session_thread_id":"sthr_011ChV7mCLUDa76vJYnoSo8r","agent_name":"Fixture"}');
INSERT INTO "events" VALUES(24,2,5,'sevt_011ChV7mCNCuRzRNKued16f8','user.message','public',2,NULL,1,1795859379347726,'{"type":"hostler.input_processed","event_id":"sevt_011ChV7mCNCuRzRNKued16f8","event_type":"user.message","received_seq":2}');
INSERT INTO "events" VALUES(25,2,6,'sevt_011ChV7mCQgxREphsVXKSR2Z','span.model_request_start','public',NULL,NULL,1,1795859379347772,'{"type":"span.model_request_start"}');
CREATE TABLE file_storage (
    workspace_id text primary key,
    bytes bigint not null
);
INSERT INTO "file_storage" VALUES('wrkspc_011ChV7kp3HGuA4sdWmiCEDm',22);
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
INSERT INTO "files" VALUES('file_011ChV7kq7mqfoqmGVa69Ydv','wrkspc_011ChV7kp3HGuA4sdWmiCEDm','notes.txt','text/plain',15,'cf4db7d86723d067ff0a8f8ae8bcdc8c4450a17ec205c8a28a33816d20a6f163',0,NULL,1795859374368255,NULL);
INSERT INTO "files" VALUES('file_011ChV7kqAFa4QxSzPJ6e4xQ','wrkspc_011ChV7kp3HGuA4sdWmiCEDm','notes.txt','text/plain',15,'cf4db7d86723d067ff0a8f8ae8bcdc8c4450a17ec205c8a28a33816d20a6f163',0,'sesn_011ChV7kqAFa4QxSzPRtyUsZ',1795859374377384,NULL);
INSERT INTO "files" VALUES('file_011ChV7kqYpGzh696c9CjeGv','wrkspc_011ChV7kp3HGuA4sdWmiCEDm','result.txt','text/plain',7,'5656fafa00d4f294bcb606cf4f7d4fa877390e46f583e8b3c8744ace104a31d1',1,'sesn_011ChV7kqAFa4QxSzPRtyUsZ',1795859374468257,NULL);
CREATE TABLE sandbox_checkpoints (
    session_id text primary key,
    blob_id text not null,
    format bigint not null,
    size_bytes bigint not null,
    sha256 text not null,
    made_at bigint not null,
    created_at bigint not null
);
INSERT INTO "sandbox_checkpoints" VALUES('sesn_011ChV7kqAFa4QxSzPRtyUsZ','sevt_011ChV7mBye5ftCcFwGetGBy',1,1683,'edd93465aa474f0ef8687722152c45ae454efae42faf8087a3c5a5e82088ed1f',1795859374416767,1795859379248839);
CREATE TABLE session_agents (
    session_key integer primary key,
    agent text not null
);
INSERT INTO "session_agents" VALUES(1,'{"type":"agent","id":"agent_011ChV7kpybPspMVhJ5GU3Qm","version":2,"name":"Fixture","description":"changed once","system":"You are kept.","model":{"id":"claude-opus-5-5","effort":{"type":"high"},"speed":"standard"},"tools":[{"type":"agent_toolset_20260401","default_config":{"enabled":true,"permission_policy":{"type":"always_allow"}},"configs":[]}],"mcp_servers":[],"skills":[],"execution_identity":{"type":"service_account"},"multiagent":null}');
INSERT INTO "session_agents" VALUES(2,'{"type":"agent","id":"agent_011ChV7kpybPspMVhJ5GU3Qm","version":2,"name":"Fixture","description":"changed once","system":"You are kept.","model":{"id":"claude-opus-5-5","effort":{"type":"high"},"speed":"standard"},"tools":[{"type":"agent_toolset_20260401","default_config":{"enabled":true,"permission_policy":{"type":"always_allow"}},"configs":[]}],"mcp_servers":[],"skills":[],"execution_identity":{"type":"service_account"},"multiagent":null}');
CREATE TABLE session_environments (
    session_key integer primary key,
    config text not null,
    metadata text not null,
    updated_at bigint not null
);
INSERT INTO "session_environments" VALUES(1,'{"type":"cloud","networking":{"type":"unrestricted"},"packages":{"type":"packages","apt":[],"cargo":[],"gem":[],"go":[],"npm":[],"pip":[]}}','{}',1795859374361021);
INSERT INTO "session_environments" VALUES(2,'{"type":"cloud","networking":{"type":"unrestricted"},"packages":{"type":"packages","apt":[],"cargo":[],"gem":[],"go":[],"npm":[],"pip":[]}}','{}',1795859374361021);
CREATE TABLE session_outputs (
    session_id text not null,
    path text not null,
    file_id text,
    sha256 text,
    fingerprint text,
    primary key (session_id, path)
);
INSERT INTO "session_outputs" VALUES('sesn_011ChV7kqAFa4QxSzPRtyUsZ','result.txt','file_011ChV7kqYpGzh696c9CjeGv','5656fafa00d4f294bcb606cf4f7d4fa877390e46f583e8b3c8744ace104a31d1','7.10019905.1795859374457298696.1795859374457298696');
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
INSERT INTO "session_resources" VALUES('sesrsc_011ChV7kqAFa4QxSzPBZLb3R','sesn_011ChV7kqAFa4QxSzPRtyUsZ','file_011ChV7kqAFa4QxSzPJ6e4xQ','mnt/user/notes.txt','file_011ChV7kq7mqfoqmGVa69Ydv',0,1795859374377384,1795859374377384);
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
INSERT INTO "sessions" VALUES(1,'sesn_011ChV7kqAFa4QxSzPRtyUsZ','wrkspc_011ChV7kp3HGuA4sdWmiCEDm','env_011ChV7kq6HWJeBtsq6Nqt83','agent_011ChV7kpybPspMVhJ5GU3Qm',2,'sthr_011ChV7kqAFa4QxSzP3XSshf','worked','{"kept":"yes"}','idle','{"status":"idle","thread":"sthr_011ChV7kqAFa4QxSzP3XSshf","agent_name":"Fixture","queued":[],"tokens":{"input_tokens":20,"output_tokens":10,"cache_read_input_tokens":0,"cache_creation_5m_input_tokens":0,"cache_creation_1h_input_tokens":0},"cost_nano_dollars":0,"active_micros":83192,"running_since":null,"retry_at":null,"updated_at":"2026-11-28T09:49:34.487372Z","terminated_at":null}',1795859374377384,1795859374487372,NULL,19,NULL,NULL,1,0,NULL);
INSERT INTO "sessions" VALUES(2,'sesn_011ChV7mCLUDa76vJYxvug2H','wrkspc_011ChV7kp3HGuA4sdWmiCEDm','env_011ChV7kq6HWJeBtsq6Nqt83','agent_011ChV7kpybPspMVhJ5GU3Qm',2,'sthr_011ChV7mCLUDa76vJYnoSo8r','broken off','{}','running','{"status":"running","thread":"sthr_011ChV7mCLUDa76vJYnoSo8r","agent_name":"Fixture","queued":[],"tokens":{"input_tokens":0,"output_tokens":0,"cache_read_input_tokens":0,"cache_creation_5m_input_tokens":0,"cache_creation_1h_input_tokens":0},"cost_nano_dollars":0,"active_micros":0,"running_since":"2026-11-28T09:49:39.337577Z","retry_at":null,"updated_at":"2026-11-28T09:49:39.337577Z","terminated_at":null}',1795859379330932,1795859379337577,NULL,6,1795859379337577,'sevt_011ChV7kov6LYi9ZtPZDTuD7-sevt_011ChV7kpL9Qx2d2b56euQUu',1,1795859409346224,1);
CREATE TABLE workspaces (
    id text primary key,
    name text not null,
    created_at bigint not null
);
INSERT INTO "workspaces" VALUES('wrkspc_011ChV7kp3HGuA4sdWmiCEDm','default',1795859374115481);
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
COMMIT;
PRAGMA user_version=6;
