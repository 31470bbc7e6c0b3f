BEGIN TRANSACTION;
CREATE TABLE agent_versions (
    agent_id text not null references agents (id),
    version bigint not null,
    config text not null,
    created_at bigint not null,
    primary key (agent_id, version)
);
INSERT INTO "agent_versions" VALUES('agent_011ChVcTDU4m6WYWMzZEkxLQ',1,'{"name":"Fixture","description":null,"system":"You are kept.","model":{"id":"claude-opus-5-5","effort":{"type":"high"},"speed":"standard"},"tools":[{"type":"agent_toolset_20260401","default_config":{"enabled":true,"permission_policy":{"type":"always_allow"}},"configs":[]}],"mcp_servers":[],"skills":[],"multiagent":null,"execution_identity":{"type":"service_account"},"metadata":{}}',1795881953233513);
INSERT INTO "agent_versions" VALUES('agent_011ChVcTDU4m6WYWMzZEkxLQ',2,'{"name":"Fixture","description":"changed once","system":"You are kept.","model":{"id":"claude-opus-5-5","effort":{"type":"high"},"speed":"standard"},"tools":[{"type":"agent_toolset_20260401","default_config":{"enabled":true,"permission_policy":{"type":"always_allow"}},"configs":[]}],"mcp_servers":[],"skills":[],"multiagent":null,"execution_identity":{"type":"service_account"},"metadata":{}}',1795881953287026);
CREATE TABLE agents (
    id text primary key,
    workspace_id text not null,
    version bigint not null,
    created_at bigint not null,
    archived_at bigint
);
INSERT INTO "agents" VALUES('agent_011ChVcTDU4m6WYWMzZEkxLQ','wrkspc_011ChVcTC2Vm8LBZFxrp8iVd',2,1795881953233513,NULL);
CREATE TABLE api_keys (
    id text primary key,
    workspace_id text not null references workspaces (id),
    name text not null,
    hash text not null,
    hint text not null,
    created_at bigint not null,
    revoked_at bigint
);
INSERT INTO "api_keys" VALUES('apikey_011ChVcTC3yswffXkC3CAdXr','wrkspc_011ChVcTC2Vm8LBZFxrp8iVd','HOSTLER_API_KEY','d4459c7208c123f077a395a2d05076ce10b1280be507060b85905c0f18adbc67','else',1795881952902314,NULL);
CREATE TABLE credential_refreshes (
    credential_id text primary key references credentials (id) on delete cascade,
    until bigint not null
);
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
INSERT INTO "credentials" VALUES('vcrd_011ChVcTb4qCdm5vw7JqbFY6','wrkspc_011ChVcTC2Vm8LBZFxrp8iVd','vlt_011ChVcTb3M6pm39nCcGYvbm','fixture','{"type":"mcp_oauth","mcp_server_url":"https://mcp.example.com/","refresh":{"client_id":"fixture","token_endpoint":"https://auth.example.com/token","token_endpoint_auth":{"type":"client_secret_basic"},"resource":null,"scope":null}}','{}','https://mcp.example.com',1,'{"v":1,"key":"8e60ee3877f18c02","data_key":"Hzikwnkys9xHu7l4Yec0etCny9LcW680RCwsQMj1GQcktn45iS7fPdFf6cdhGRu2L6fmeSAkWqmiPx2N","secret":"GXaV696HObdqKIXHf1v9FCcE74fkuxfxJIzeAFEEdKhHWI5Gr0GtxkmItGRBddsWa4A2U3to6oaZirAJbP0vAaPEb4k+oIno8guG3gm0ACCOKd96edcsEH6KPG1nMwo5ucAbuum2NczpyrcRqljS+ZrQCxs="}','8e60ee3877f18c02',1795881958285331,1795881958285331,NULL);
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
INSERT INTO "environments" VALUES('env_011ChVcTDiSivzNw1e7JFh2Z','wrkspc_011ChVcTC2Vm8LBZFxrp8iVd','fixture',NULL,'{"type":"cloud","networking":{"type":"unrestricted"},"packages":{"type":"packages","apt":[],"cargo":[],"gem":[],"go":[],"npm":[],"pip":[]}}','{}',1795881953291280,1795881953291280,NULL);
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
, checksum bigint);
INSERT INTO "events" VALUES(1,1,1,'sevt_011ChVcTDoQXqQU1VAb8ju4Q','hostler.session_created','internal',NULL,NULL,0,1795881953311700,'{"type":"hostler.session_created","agent":{"type":"agent","id":"agent_011ChVcTDU4m6WYWMzZEkxLQ","version":2,"name":"Fixture","description":"changed once","system":"You are kept.","model":{"id":"claude-opus-5-5","effort":{"type":"high"},"speed":"standard"},"tools":[{"type":"agent_toolset_20260401","default_config":{"enabled":true,"permission_policy":{"type":"always_allow"}},"configs":[]}],"mcp_servers":[],"skills":[],"execution_identity":{"type":"service_account"},"multiagent":null},"environment_id":"env_011ChVcTDiSivzNw1e7JFh2Z","session_thread_id":"sthr_011ChVcTDoQXqQU1VA5tvZnz"}',3137763743);
INSERT INTO "events" VALUES(2,1,2,'sevt_011ChVcTDt7cuko55iStnxWZ','user.message','queued',NULL,NULL,0,1795881953330510,'{"type":"user.message","content":[{"type":"text","text":"Do your work, häßlich 🦀."}]}',2375777849);
INSERT INTO "events" VALUES(3,1,3,'sevt_011ChVcTDt7cuko55idKCSZQ','session.status_running','public',NULL,NULL,0,1795881953330510,'{"type":"session.status_running"}',2717895138);
INSERT INTO "events" VALUES(4,1,4,'sevt_011ChVcTDt7cuko55ikhoCk4','session.thread_status_running','public',NULL,NULL,0,1795881953330510,'{"type":"session.thread_status_running","session_thread_id":"sthr_011ChVcTDoQXqQU1VA5tvZnz","agent_name":"Fixture"}',2965857720);
INSERT INTO "events" VALUES(5,1,5,'sevt_011ChVcTDt7cuko55iStnxWZ','user.message','public',2,NULL,1,1795881953333730,'{"type":"hostler.input_processed","event_id":"sevt_011ChVcTDt7cuko55iStnxWZ","event_type":"user.message","received_seq":2}',1912299760);
INSERT INTO "events" VALUES(6,1,6,'sevt_011ChVcTDts3hiX7YgJJfF7b','span.model_request_start','public',NULL,NULL,1,1795881953333795,'{"type":"span.model_request_start"}',3740678013);
INSERT INTO "events" VALUES(7,1,7,'sevt_011ChVcTDv6uHDDTrYjmzKE5','agent.message','public',NULL,NULL,1,1795881953349032,'{"type":"agent.message","content":[{"type":"text","text":"I work."}]}',2234019759);
INSERT INTO "events" VALUES(8,1,8,'sevt_011ChVcTDxq1e6rC5KW6n1Ba','agent.tool_use','public',NULL,NULL,1,1795881953349097,'{"type":"agent.tool_use","name":"bash","input":{"command": "echo precious > kept; echo result > /mnt/session/outputs/result.txt; cat /mnt/user/notes.txt"},"evaluated_permission":"allow","evaluation":{"type":"always_allow"}}',1151053779);
INSERT INTO "events" VALUES(9,1,9,'sevt_011ChVcTDxq1e6rC5KY7ucZx','hostler.model_response','internal',NULL,NULL,1,1795881953349110,'{"type":"hostler.model_response","model_request_start_id":"sevt_011ChVcTDts3hiX7YgJJfF7b","based_on":5,"blocks":[{"type":"text","text":"I work."},{"type":"tool_use","name":"bash","input":{"command": "echo precious > kept; echo result > /mnt/session/outputs/result.txt; cat /mnt/user/notes.txt"},"id":"toolu_000001"}],"tool_uses":[{"event_id":"sevt_011ChVcTDxq1e6rC5KW6n1Ba","provider_id":"toolu_000001"}],"stop":{"type":"tool_use"},"usage":{"input_tokens":10,"output_tokens":5,"cache_read_input_tokens":0,"cache_creation_5m_input_tokens":0,"cache_creation_1h_input_tokens":0},"cost_nano_dollars":0}',2790274569);
INSERT INTO "events" VALUES(10,1,10,'sevt_011ChVcTDxq1e6rC5KhTWhaw','span.model_request_end','public',NULL,NULL,1,1795881953349112,'{"type":"span.model_request_end","model_request_start_id":"sevt_011ChVcTDts3hiX7YgJJfF7b","is_error":false,"model_usage":{"input_tokens":10,"output_tokens":5,"cache_creation_input_tokens":0,"cache_read_input_tokens":0}}',1899750462);
INSERT INTO "events" VALUES(11,1,11,'sevt_011ChVcTDxq1e6rC5KpXWgV9','hostler.tool_started','internal',NULL,NULL,1,1795881953349271,'{"type":"hostler.tool_started","tool_use_id":"sevt_011ChVcTDxq1e6rC5KW6n1Ba"}',3927020797);
INSERT INTO "events" VALUES(12,1,12,'sevt_011ChVcTEGgZXbevnEYXGBC7','agent.tool_result','public',NULL,NULL,1,1795881953421165,'{"type":"agent.tool_result","tool_use_id":"sevt_011ChVcTDxq1e6rC5KW6n1Ba","content":[{"type":"text","text":"kept for later\n"}],"is_error":false}',567555704);
INSERT INTO "events" VALUES(13,1,13,'sevt_011ChVcTEGgZXbevnEhGnZjz','span.model_request_start','public',NULL,NULL,1,1795881953421351,'{"type":"span.model_request_start"}',2305042792);
INSERT INTO "events" VALUES(14,1,14,'sevt_011ChVcTEGvf9PRwkMJ64iQA','agent.message','public',NULL,NULL,1,1795881953428411,'{"type":"agent.message","content":[{"type":"text","text":"All is done."}]}',265363136);
INSERT INTO "events" VALUES(15,1,15,'sevt_011ChVcTEJQxoi8rGBFRmmyr','hostler.model_response','internal',NULL,NULL,1,1795881953428455,'{"type":"hostler.model_response","model_request_start_id":"sevt_011ChVcTEGgZXbevnEhGnZjz","based_on":12,"blocks":[{"type":"text","text":"All is done."}],"tool_uses":[],"stop":{"type":"end_turn"},"usage":{"input_tokens":10,"output_tokens":5,"cache_read_input_tokens":0,"cache_creation_5m_input_tokens":0,"cache_creation_1h_input_tokens":0},"cost_nano_dollars":0}',1331292328);
INSERT INTO "events" VALUES(16,1,16,'sevt_011ChVcTEJQxoi8rGBK17rL4','span.model_request_end','public',NULL,NULL,1,1795881953428456,'{"type":"span.model_request_end","model_request_start_id":"sevt_011ChVcTEGgZXbevnEhGnZjz","is_error":false,"model_usage":{"input_tokens":10,"output_tokens":5,"cache_creation_input_tokens":0,"cache_read_input_tokens":0}}',1460418847);
INSERT INTO "events" VALUES(17,1,17,'sevt_011ChVcTEJQxoi8rGBUAezYH','session.thread_status_idle','public',NULL,NULL,1,1795881953428978,'{"type":"session.thread_status_idle","session_thread_id":"sthr_011ChVcTDoQXqQU1VA5tvZnz","agent_name":"Fixture","stop_reason":{"type":"end_turn"},"stop_details":null}',1538120890);
INSERT INTO "events" VALUES(18,1,18,'sevt_011ChVcTEJQxoi8rGBbC9xdY','session.usage','public',NULL,NULL,1,1795881953428982,'{"type":"session.usage","usage":{"input_tokens":20,"output_tokens":10,"cache_read_input_tokens":0,"cache_creation":{"ephemeral_5m_input_tokens":0,"ephemeral_1h_input_tokens":0},"active_seconds":0.098453,"list_cost":{"amount":"0","currency":"USD"},"server_tool_use":{"web_search_requests":0,"web_fetch_requests":0}},"budget":null}',2306363772);
INSERT INTO "events" VALUES(19,1,19,'sevt_011ChVcTEJQxoi8rGBhYX421','session.status_idle','public',NULL,NULL,1,1795881953428983,'{"type":"session.status_idle","stop_reason":{"type":"end_turn"},"stop_details":null}',209931464);
INSERT INTO "events" VALUES(20,2,1,'sevt_011ChVcTbPgJavt13CYftCC1','hostler.session_created','internal',NULL,NULL,0,1795881958361693,'{"type":"hostler.session_created","agent":{"type":"agent","id":"agent_011ChVcTDU4m6WYWMzZEkxLQ","version":2,"name":"Fixture","description":"changed once","system":"You are kept.","model":{"id":"claude-opus-5-5","effort":{"type":"high"},"speed":"standard"},"tools":[{"type":"agent_toolset_20260401","default_config":{"enabled":true,"permission_policy":{"type":"always_allow"}},"configs":[]}],"mcp_servers":[],"skills":[],"execution_identity":{"type":"service_account"},"multiagent":null},"environment_id":"env_011ChVcTDiSivzNw1e7JFh2Z","session_thread_id":"sthr_011ChVcTbPgJavt13CMVxcZV"}',4137840288);
INSERT INTO "events" VALUES(21,2,2,'sevt_011ChVcTbRfR8UWV9zHhYABk','user.message','queued',NULL,NULL,0,1795881958369290,'{"type":"user.message","content":[{"type":"text","text":"Tell me."}]}',2895815158);
INSERT INTO "events" VALUES(22,2,3,'sevt_011ChVcTbRfR8UWV9zNaceGe','session.status_running','public',NULL,NULL,0,1795881958369290,'{"type":"session.status_running"}',2406885252);
INSERT INTO "events" VALUES(23,2,4,'sevt_011ChVcTbRfR8UWV9zT1Kf1Z','session.thread_status_running','public',NULL,NULL,0,1795881958369290,'{"type":"session.thread_status_running","session_thread_id":"sthr_011ChVcTbPgJavt13CMVxcZV","agent_name":"Fixture"}',812750056);
INSERT INTO "events" VALUES(24,2,5,'sevt_011ChVcTbRfR8UWV9zHhYABk','user.message','public',2,NULL,1,1795881958380024,'{"type":"hostler.input_processed","event_id":"sevt_011ChVcTbRfR8UWV9zHhYABk","event_type":"user.message","received_seq":2}',1934970942);
INSERT INTO "events" VALUES(25,2,6,'sevt_011ChVcTbUPVCTNACDDF9wTi','span.model_request_start','public',NULL,NULL,1,1795881958380097,'{"type":"span.model_request_start"}',527511121);
CREATE TABLE file_storage (
    workspace_id text primary key,
    bytes bigint not null
);
INSERT INTO "file_storage" VALUES('wrkspc_011ChVcTC2Vm8LBZFxrp8iVd',22);
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
INSERT INTO "files" VALUES('file_011ChVcTDjgY6uURvSwxESW4','wrkspc_011ChVcTC2Vm8LBZFxrp8iVd','notes.txt','text/plain',15,'cf4db7d86723d067ff0a8f8ae8bcdc8c4450a17ec205c8a28a33816d20a6f163',0,NULL,1795881953297177,NULL);
INSERT INTO "files" VALUES('file_011ChVcTDoQXqQU1VALKnXkX','wrkspc_011ChVcTC2Vm8LBZFxrp8iVd','notes.txt','text/plain',15,'cf4db7d86723d067ff0a8f8ae8bcdc8c4450a17ec205c8a28a33816d20a6f163',0,'sesn_011ChVcTDoQXqQU1VAVJ6Eag',1795881953311700,NULL);
INSERT INTO "files" VALUES('file_011ChVcTEAjTC1AEqEBt3ukA','wrkspc_011ChVcTC2Vm8LBZFxrp8iVd','result.txt','text/plain',7,'5656fafa00d4f294bcb606cf4f7d4fa877390e46f583e8b3c8744ace104a31d1',1,'sesn_011ChVcTDoQXqQU1VAVJ6Eag',1795881953397285,NULL);
CREATE TABLE sandbox_checkpoints (
    session_id text primary key,
    blob_id text not null,
    format bigint not null,
    size_bytes bigint not null,
    sha256 text not null,
    made_at bigint not null,
    created_at bigint not null
);
INSERT INTO "sandbox_checkpoints" VALUES('sesn_011ChVcTDoQXqQU1VAVJ6Eag','sevt_011ChVcTacYSi1TV9hTag8sD',1,1677,'72e47091690469fc86afc949a2061cb0c9e93d4a94a48e60bf28f82f2fce0664',1795881953341574,1795881958182678);
CREATE TABLE session_agents (
    session_key integer primary key,
    agent text not null
);
INSERT INTO "session_agents" VALUES(1,'{"type":"agent","id":"agent_011ChVcTDU4m6WYWMzZEkxLQ","version":2,"name":"Fixture","description":"changed once","system":"You are kept.","model":{"id":"claude-opus-5-5","effort":{"type":"high"},"speed":"standard"},"tools":[{"type":"agent_toolset_20260401","default_config":{"enabled":true,"permission_policy":{"type":"always_allow"}},"configs":[]}],"mcp_servers":[],"skills":[],"execution_identity":{"type":"service_account"},"multiagent":null}');
INSERT INTO "session_agents" VALUES(2,'{"type":"agent","id":"agent_011ChVcTDU4m6WYWMzZEkxLQ","version":2,"name":"Fixture","description":"changed once","system":"You are kept.","model":{"id":"claude-opus-5-5","effort":{"type":"high"},"speed":"standard"},"tools":[{"type":"agent_toolset_20260401","default_config":{"enabled":true,"permission_policy":{"type":"always_allow"}},"configs":[]}],"mcp_servers":[],"skills":[],"execution_identity":{"type":"service_account"},"multiagent":null}');
CREATE TABLE session_environments (
    session_key integer primary key,
    config text not null,
    metadata text not null,
    updated_at bigint not null
);
INSERT INTO "session_environments" VALUES(1,'{"type":"cloud","networking":{"type":"unrestricted"},"packages":{"type":"packages","apt":[],"cargo":[],"gem":[],"go":[],"npm":[],"pip":[]}}','{}',1795881953291280);
INSERT INTO "session_environments" VALUES(2,'{"type":"cloud","networking":{"type":"unrestricted"},"packages":{"type":"packages","apt":[],"cargo":[],"gem":[],"go":[],"npm":[],"pip":[]}}','{}',1795881953291280);
CREATE TABLE session_outputs (
    session_id text not null,
    path text not null,
    file_id text,
    sha256 text,
    fingerprint text,
    primary key (session_id, path)
);
INSERT INTO "session_outputs" VALUES('sesn_011ChVcTDoQXqQU1VAVJ6Eag','result.txt','file_011ChVcTEAjTC1AEqEBt3ukA','5656fafa00d4f294bcb606cf4f7d4fa877390e46f583e8b3c8744ace104a31d1','7.12214287.1795881953381574504.1795881953381574504');
CREATE TABLE session_placeholders (
    session_id text not null,
    secret_name text not null,
    placeholder text not null,
    primary key (session_id, secret_name)
);
CREATE TABLE session_repositories (
    id text primary key,
    session_id text not null,
    url text not null,
    mount_path text not null,
    checkout text,
    placed_at bigint,
    created_at bigint not null,
    updated_at bigint not null
, sealed text, sealed_by text, token_version bigint);
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
INSERT INTO "session_resources" VALUES('sesrsc_011ChVcTDoQXqQU1VAHBxncK','sesn_011ChVcTDoQXqQU1VAVJ6Eag','file_011ChVcTDoQXqQU1VALKnXkX','mnt/user/notes.txt','file_011ChVcTDjgY6uURvSwxESW4',0,1795881953311700,1795881953311700);
CREATE TABLE session_snapshot_texts (
    session_key bigint not null,
    format bigint not null,
    number bigint not null,
    body text not null, checksum bigint,
    primary key (session_key, format, number)
);
CREATE TABLE session_snapshots (
    session_key integer primary key,
    format bigint not null,
    seq bigint not null,
    body text not null
, checksum bigint);
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
, takes bigint, vault_ids text);
INSERT INTO "sessions" VALUES(1,'sesn_011ChVcTDoQXqQU1VAVJ6Eag','wrkspc_011ChVcTC2Vm8LBZFxrp8iVd','env_011ChVcTDiSivzNw1e7JFh2Z','agent_011ChVcTDU4m6WYWMzZEkxLQ',2,'sthr_011ChVcTDoQXqQU1VA5tvZnz','worked','{"kept":"yes"}','idle','{"status":"idle","thread":"sthr_011ChVcTDoQXqQU1VA5tvZnz","agent_name":"Fixture","queued":[],"tokens":{"input_tokens":20,"output_tokens":10,"cache_read_input_tokens":0,"cache_creation_5m_input_tokens":0,"cache_creation_1h_input_tokens":0},"cost_nano_dollars":0,"active_micros":98473,"running_since":null,"retry_at":null,"updated_at":"2026-11-28T16:05:53.428983Z","terminated_at":null}',1795881953311700,1795881953428983,NULL,19,NULL,NULL,1,0,NULL,NULL);
INSERT INTO "sessions" VALUES(2,'sesn_011ChVcTbPgJavt13CMvfty3','wrkspc_011ChVcTC2Vm8LBZFxrp8iVd','env_011ChVcTDiSivzNw1e7JFh2Z','agent_011ChVcTDU4m6WYWMzZEkxLQ',2,'sthr_011ChVcTbPgJavt13CMVxcZV','broken off','{}','running','{"status":"running","thread":"sthr_011ChVcTbPgJavt13CMVxcZV","agent_name":"Fixture","queued":[],"tokens":{"input_tokens":0,"output_tokens":0,"cache_read_input_tokens":0,"cache_creation_5m_input_tokens":0,"cache_creation_1h_input_tokens":0},"cost_nano_dollars":0,"active_micros":0,"running_since":"2026-11-28T16:05:58.369290Z","retry_at":null,"updated_at":"2026-11-28T16:05:58.369290Z","terminated_at":null}',1795881958361693,1795881958369290,NULL,6,1795881958369290,'sevt_011ChVcTBu4DQzX8LdAginbb-sevt_011ChVcTCNLM5R4fwe3qvJJd',1,1795881988378735,1,NULL);
CREATE TABLE vaults (
    id text primary key,
    workspace_id text not null,
    display_name text not null,
    metadata text not null,
    created_at bigint not null,
    updated_at bigint not null,
    archived_at bigint
);
INSERT INTO "vaults" VALUES('vlt_011ChVcTb3M6pm39nCcGYvbm','wrkspc_011ChVcTC2Vm8LBZFxrp8iVd','fixture','{}',1795881958279531,1795881958279531,NULL);
CREATE TABLE workspaces (
    id text primary key,
    name text not null,
    created_at bigint not null
);
INSERT INTO "workspaces" VALUES('wrkspc_011ChVcTC2Vm8LBZFxrp8iVd','default',1795881952897005);
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
CREATE INDEX session_repositories_by_master_key on session_repositories (sealed_by, id);
COMMIT;
PRAGMA user_version=12;
