BEGIN TRANSACTION;
CREATE TABLE agent_versions (
    agent_id text not null references agents (id),
    version bigint not null,
    config text not null,
    created_at bigint not null,
    primary key (agent_id, version)
);
INSERT INTO "agent_versions" VALUES('agent_011ChVUVDyhMU6VXKpoQ33j6',1,'{"name":"Fixture","description":null,"system":"You are kept.","model":{"id":"claude-opus-5-5","effort":{"type":"high"},"speed":"standard"},"tools":[{"type":"agent_toolset_20260401","default_config":{"enabled":true,"permission_policy":{"type":"always_allow"}},"configs":[]}],"mcp_servers":[],"skills":[],"multiagent":null,"execution_identity":{"type":"service_account"},"metadata":{}}',1795875685912699);
INSERT INTO "agent_versions" VALUES('agent_011ChVUVDyhMU6VXKpoQ33j6',2,'{"name":"Fixture","description":"changed once","system":"You are kept.","model":{"id":"claude-opus-5-5","effort":{"type":"high"},"speed":"standard"},"tools":[{"type":"agent_toolset_20260401","default_config":{"enabled":true,"permission_policy":{"type":"always_allow"}},"configs":[]}],"mcp_servers":[],"skills":[],"multiagent":null,"execution_identity":{"type":"service_account"},"metadata":{}}',1795875685947639);
CREATE TABLE agents (
    id text primary key,
    workspace_id text not null,
    version bigint not null,
    created_at bigint not null,
    archived_at bigint
);
INSERT INTO "agents" VALUES('agent_011ChVUVDyhMU6VXKpoQ33j6','wrkspc_011ChVUVCsxvPrysxPDGjydp',2,1795875685912699,NULL);
CREATE TABLE api_keys (
    id text primary key,
    workspace_id text not null references workspaces (id),
    name text not null,
    hash text not null,
    hint text not null,
    created_at bigint not null,
    revoked_at bigint
);
INSERT INTO "api_keys" VALUES('apikey_011ChVUVCtTfC4DYigyKvQUt','wrkspc_011ChVUVCsxvPrysxPDGjydp','HOSTLER_API_KEY','d4459c7208c123f077a395a2d05076ce10b1280be507060b85905c0f18adbc67','else',1795875685657752,NULL);
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
INSERT INTO "credentials" VALUES('vcrd_011ChVUVb5x1vMuHaoXxE2r2','wrkspc_011ChVUVCsxvPrysxPDGjydp','vlt_011ChVUVb4Tauym8aSKd7CYB','fixture','{"type":"mcp_oauth","mcp_server_url":"https://mcp.example.com/","refresh":{"client_id":"fixture","token_endpoint":"https://auth.example.com/token","token_endpoint_auth":{"type":"client_secret_basic"},"resource":null,"scope":null}}','{}','https://mcp.example.com',1,'{"v":1,"key":"8e60ee3877f18c02","data_key":"+DaYYdLdwPOOILsdGlCuo3boFpq7p7VnPc7I1phVKeQfF6Re+BlquxBZAVsOPYCYqAX0wLYFN6OicFga","secret":"8eyVcWZ+M/m4OSU/ctJ80P/2ItuuiMKIM6X/AzpG3dMMPOvddRoe5HJLGvO2/kyLoB2ewAJn0V0OpdnBnXXZWn5rB6qjesVlqmzDpFyr6uySc5DTv1llj3zjtepJxTm6/4h5sA3r40ZhY2SiNlIvQikW5E8="}','8e60ee3877f18c02',1795875690849153,1795875690849153,NULL);
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
INSERT INTO "environments" VALUES('env_011ChVUVE9s3yb9g2gnJnkUM','wrkspc_011ChVUVCsxvPrysxPDGjydp','fixture',NULL,'{"type":"cloud","networking":{"type":"unrestricted"},"packages":{"type":"packages","apt":[],"cargo":[],"gem":[],"go":[],"npm":[],"pip":[]}}','{}',1795875685953559,1795875685953559,NULL);
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
INSERT INTO "events" VALUES(1,1,1,'sevt_011ChVUVEFp1akP6v1vBw7mw','hostler.session_created','internal',NULL,NULL,0,1795875685977191,'{"type":"hostler.session_created","agent":{"type":"agent","id":"agent_011ChVUVDyhMU6VXKpoQ33j6","version":2,"name":"Fixture","description":"changed once","system":"You are kept.","model":{"id":"claude-opus-5-5","effort":{"type":"high"},"speed":"standard"},"tools":[{"type":"agent_toolset_20260401","default_config":{"enabled":true,"permission_policy":{"type":"always_allow"}},"configs":[]}],"mcp_servers":[],"skills":[],"execution_identity":{"type":"service_account"},"multiagent":null},"environment_id":"env_011ChVUVE9s3yb9g2gnJnkUM","session_thread_id":"sthr_011ChVUVEFp1akP6v1XBEyfh"}');
INSERT INTO "events" VALUES(2,1,2,'sevt_011ChVUVEMWnKSMve1EyESGi','user.message','queued',NULL,NULL,0,1795875686000078,'{"type":"user.message","content":[{"type":"text","text":"Do your work, häßlich 🦀."}]}');
INSERT INTO "events" VALUES(3,1,3,'sevt_011ChVUVEMWnKSMve1KyGsyt','session.status_running','public',NULL,NULL,0,1795875686000078,'{"type":"session.status_running"}');
INSERT INTO "events" VALUES(4,1,4,'sevt_011ChVUVEMWnKSMve1RYf3YU','session.thread_status_running','public',NULL,NULL,0,1795875686000078,'{"type":"session.thread_status_running","session_thread_id":"sthr_011ChVUVEFp1akP6v1XBEyfh","agent_name":"Fixture"}');
INSERT INTO "events" VALUES(5,1,5,'sevt_011ChVUVEMWnKSMve1EyESGi','user.message','public',2,NULL,1,1795875686004298,'{"type":"hostler.input_processed","event_id":"sevt_011ChVUVEMWnKSMve1EyESGi","event_type":"user.message","received_seq":2}');
INSERT INTO "events" VALUES(6,1,6,'sevt_011ChVUVENWHQKyFZFFPuohX','span.model_request_start','public',NULL,NULL,1,1795875686004370,'{"type":"span.model_request_start"}');
INSERT INTO "events" VALUES(7,1,7,'sevt_011ChVUVENksXbsm683U9w3v','agent.message','public',NULL,NULL,1,1795875686040548,'{"type":"agent.message","content":[{"type":"text","text":"I work."}]}');
INSERT INTO "events" VALUES(8,1,8,'sevt_011ChVUVEXSRtGPqSyDic4Lm','agent.tool_use','public',NULL,NULL,1,1795875686040628,'{"type":"agent.tool_use","name":"bash","input":{"command": "echo precious > kept; echo result > /mnt/session/outputs/result.txt; cat /mnt/user/notes.txt"},"evaluated_permission":"allow","evaluation":{"type":"always_allow"}}');
INSERT INTO "events" VALUES(9,1,9,'sevt_011ChVUVEXSRtGPqSyJSTN44','hostler.model_response','internal',NULL,NULL,1,1795875686040647,'{"type":"hostler.model_response","model_request_start_id":"sevt_011ChVUVENWHQKyFZFFPuohX","based_on":5,"blocks":[{"type":"text","text":"I work."},{"type":"tool_use","name":"bash","input":{"command": "echo precious > kept; echo result > /mnt/session/outputs/result.txt; cat /mnt/user/notes.txt"},"id":"toolu_000001"}],"tool_uses":[{"event_id":"sevt_011ChVUVEXSRtGPqSyDic4Lm","provider_id":"toolu_000001"}],"stop":{"type":"tool_use"},"usage":{"input_tokens":10,"output_tokens":5,"cache_read_input_tokens":0,"cache_creation_5m_input_tokens":0,"cache_creation_1h_input_tokens":0},"cost_nano_dollars":0}');
INSERT INTO "events" VALUES(10,1,10,'sevt_011ChVUVEXSRtGPqSyUjrgMr','span.model_request_end','public',NULL,NULL,1,1795875686040648,'{"type":"span.model_request_end","model_request_start_id":"sevt_011ChVUVENWHQKyFZFFPuohX","is_error":false,"model_usage":{"input_tokens":10,"output_tokens":5,"cache_creation_input_tokens":0,"cache_read_input_tokens":0}}');
INSERT INTO "events" VALUES(11,1,11,'sevt_011ChVUVEXSRtGPqSyZXJUB9','hostler.tool_started','internal',NULL,NULL,1,1795875686040898,'{"type":"hostler.tool_started","tool_use_id":"sevt_011ChVUVEXSRtGPqSyDic4Lm"}');
INSERT INTO "events" VALUES(12,1,12,'sevt_011ChVUVEaAabnyfG4n8VaFU','agent.tool_result','public',NULL,NULL,1,1795875686051391,'{"type":"agent.tool_result","tool_use_id":"sevt_011ChVUVEXSRtGPqSyDic4Lm","content":[{"type":"text","text":"kept for later\n"}],"is_error":false}');
INSERT INTO "events" VALUES(13,1,13,'sevt_011ChVUVEaAabnyfG4x8jBXx','span.model_request_start','public',NULL,NULL,1,1795875686051569,'{"type":"span.model_request_start"}');
INSERT INTO "events" VALUES(14,1,14,'sevt_011ChVUVEbttWyppJCAHrkC6','agent.message','public',NULL,NULL,1,1795875686090303,'{"type":"agent.message","content":[{"type":"text","text":"All is done."}]}');
INSERT INTO "events" VALUES(15,1,15,'sevt_011ChVUVEjqCr2rPVq4ufUkT','hostler.model_response','internal',NULL,NULL,1,1795875686090373,'{"type":"hostler.model_response","model_request_start_id":"sevt_011ChVUVEaAabnyfG4x8jBXx","based_on":12,"blocks":[{"type":"text","text":"All is done."}],"tool_uses":[],"stop":{"type":"end_turn"},"usage":{"input_tokens":10,"output_tokens":5,"cache_read_input_tokens":0,"cache_creation_5m_input_tokens":0,"cache_creation_1h_input_tokens":0},"cost_nano_dollars":0}');
INSERT INTO "events" VALUES(16,1,16,'sevt_011ChVUVEjqCr2rPVqDMNU3g','span.model_request_end','public',NULL,NULL,1,1795875686090374,'{"type":"span.model_request_end","model_request_start_id":"sevt_011ChVUVEaAabnyfG4x8jBXx","is_error":false,"model_usage":{"input_tokens":10,"output_tokens":5,"cache_creation_input_tokens":0,"cache_read_input_tokens":0}}');
INSERT INTO "events" VALUES(17,1,17,'sevt_011ChVUVEk5Vvy9KVFbUzhAh','session.thread_status_idle','public',NULL,NULL,1,1795875686091106,'{"type":"session.thread_status_idle","session_thread_id":"sthr_011ChVUVEFp1akP6v1XBEyfh","agent_name":"Fixture","stop_reason":{"type":"end_turn"},"stop_details":null}');
INSERT INTO "events" VALUES(18,1,18,'sevt_011ChVUVEk5Vvy9KVFcF8AHc','session.usage','public',NULL,NULL,1,1795875686091110,'{"type":"session.usage","usage":{"input_tokens":20,"output_tokens":10,"cache_read_input_tokens":0,"cache_creation":{"ephemeral_5m_input_tokens":0,"ephemeral_1h_input_tokens":0},"active_seconds":0.091002,"list_cost":{"amount":"0","currency":"USD"},"server_tool_use":{"web_search_requests":0,"web_fetch_requests":0}},"budget":null}');
INSERT INTO "events" VALUES(19,1,19,'sevt_011ChVUVEk5Vvy9KVFpeqkxT','session.status_idle','public',NULL,NULL,1,1795875686091112,'{"type":"session.status_idle","stop_reason":{"type":"end_turn"},"stop_details":null}');
INSERT INTO "events" VALUES(20,2,1,'sevt_011ChVUVbKb5cT1iT4SUXGMh','hostler.session_created','internal',NULL,NULL,0,1795875690904388,'{"type":"hostler.session_created","agent":{"type":"agent","id":"agent_011ChVUVDyhMU6VXKpoQ33j6","version":2,"name":"Fixture","description":"changed once","system":"You are kept.","model":{"id":"claude-opus-5-5","effort":{"type":"high"},"speed":"standard"},"tools":[{"type":"agent_toolset_20260401","default_config":{"enabled":true,"permission_policy":{"type":"always_allow"}},"configs":[]}],"mcp_servers":[],"skills":[],"execution_identity":{"type":"service_account"},"multiagent":null},"environment_id":"env_011ChVUVE9s3yb9g2gnJnkUM","session_thread_id":"sthr_011ChVUVbKb5cT1iT4CFFSL7"}');
INSERT INTO "events" VALUES(21,2,2,'sevt_011ChVUVbMpCtFXr8DJ47d5y','user.message','queued',NULL,NULL,0,1795875690913359,'{"type":"user.message","content":[{"type":"text","text":"Tell me."}]}');
INSERT INTO "events" VALUES(22,2,3,'sevt_011ChVUVbMpCtFXr8DVroNtn','session.status_running','public',NULL,NULL,0,1795875690913359,'{"type":"session.status_running"}');
INSERT INTO "events" VALUES(23,2,4,'sevt_011ChVUVbMpCtFXr8DXyz9kB','session.thread_status_running','public',NULL,NULL,0,1795875690913359,'{"type":"session.thread_status_running","session_thread_id":"sthr_011ChVUVbKb5cT1iT4CFFSL7","agent_name":"Fixture"}');
INSERT INTO "events" VALUES(24,2,5,'sevt_011ChVUVbMpCtFXr8DJ47d5y','user.message','public',2,NULL,1,1795875690920253,'{"type":"hostler.input_processed","event_id":"sevt_011ChVUVbMpCtFXr8DJ47d5y","event_type":"user.message","received_seq":2}');
INSERT INTO "events" VALUES(25,2,6,'sevt_011ChVUVbPZ2a82xiomcQ8zx','span.model_request_start','public',NULL,NULL,1,1795875690920326,'{"type":"span.model_request_start"}');
CREATE TABLE file_storage (
    workspace_id text primary key,
    bytes bigint not null
);
INSERT INTO "file_storage" VALUES('wrkspc_011ChVUVCsxvPrysxPDGjydp',22);
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
INSERT INTO "files" VALUES('file_011ChVUVECLuCXAb32G9gUYq','wrkspc_011ChVUVCsxvPrysxPDGjydp','notes.txt','text/plain',15,'cf4db7d86723d067ff0a8f8ae8bcdc8c4450a17ec205c8a28a33816d20a6f163',0,NULL,1795875685963201,NULL);
INSERT INTO "files" VALUES('file_011ChVUVEFp1akP6v1jzy6cr','wrkspc_011ChVUVCsxvPrysxPDGjydp','notes.txt','text/plain',15,'cf4db7d86723d067ff0a8f8ae8bcdc8c4450a17ec205c8a28a33816d20a6f163',0,'sesn_011ChVUVEFp1akP6v1qvPnHo',1795875685977191,NULL);
INSERT INTO "files" VALUES('file_011ChVUVEZREuwj5hthBtFRR','wrkspc_011ChVUVCsxvPrysxPDGjydp','result.txt','text/plain',7,'5656fafa00d4f294bcb606cf4f7d4fa877390e46f583e8b3c8744ace104a31d1',1,'sesn_011ChVUVEFp1akP6v1qvPnHo',1795875686048829,NULL);
CREATE TABLE sandbox_checkpoints (
    session_id text primary key,
    blob_id text not null,
    format bigint not null,
    size_bytes bigint not null,
    sha256 text not null,
    made_at bigint not null,
    created_at bigint not null
);
INSERT INTO "sandbox_checkpoints" VALUES('sesn_011ChVUVEFp1akP6v1qvPnHo','sevt_011ChVUVapKvuN2Z9kEiEDrH',1,1677,'e012902539526c24cf9e2278e199d3586138a1f64b62d2ce7ed5f60648d78cd0',1795875686009350,1795875690790207);
CREATE TABLE session_agents (
    session_key integer primary key,
    agent text not null
);
INSERT INTO "session_agents" VALUES(1,'{"type":"agent","id":"agent_011ChVUVDyhMU6VXKpoQ33j6","version":2,"name":"Fixture","description":"changed once","system":"You are kept.","model":{"id":"claude-opus-5-5","effort":{"type":"high"},"speed":"standard"},"tools":[{"type":"agent_toolset_20260401","default_config":{"enabled":true,"permission_policy":{"type":"always_allow"}},"configs":[]}],"mcp_servers":[],"skills":[],"execution_identity":{"type":"service_account"},"multiagent":null}');
INSERT INTO "session_agents" VALUES(2,'{"type":"agent","id":"agent_011ChVUVDyhMU6VXKpoQ33j6","version":2,"name":"Fixture","description":"changed once","system":"You are kept.","model":{"id":"claude-opus-5-5","effort":{"type":"high"},"speed":"standard"},"tools":[{"type":"agent_toolset_20260401","default_config":{"enabled":true,"permission_policy":{"type":"always_allow"}},"configs":[]}],"mcp_servers":[],"skills":[],"execution_identity":{"type":"service_account"},"multiagent":null}');
CREATE TABLE session_environments (
    session_key integer primary key,
    config text not null,
    metadata text not null,
    updated_at bigint not null
);
INSERT INTO "session_environments" VALUES(1,'{"type":"cloud","networking":{"type":"unrestricted"},"packages":{"type":"packages","apt":[],"cargo":[],"gem":[],"go":[],"npm":[],"pip":[]}}','{}',1795875685953559);
INSERT INTO "session_environments" VALUES(2,'{"type":"cloud","networking":{"type":"unrestricted"},"packages":{"type":"packages","apt":[],"cargo":[],"gem":[],"go":[],"npm":[],"pip":[]}}','{}',1795875685953559);
CREATE TABLE session_outputs (
    session_id text not null,
    path text not null,
    file_id text,
    sha256 text,
    fingerprint text,
    primary key (session_id, path)
);
INSERT INTO "session_outputs" VALUES('sesn_011ChVUVEFp1akP6v1qvPnHo','result.txt','file_011ChVUVEZREuwj5hthBtFRR','5656fafa00d4f294bcb606cf4f7d4fa877390e46f583e8b3c8744ace104a31d1','7.10012625.1795875686041350366.1795875686041350366');
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
INSERT INTO "session_resources" VALUES('sesrsc_011ChVUVEFp1akP6v1cPFaiV','sesn_011ChVUVEFp1akP6v1qvPnHo','file_011ChVUVEFp1akP6v1jzy6cr','mnt/user/notes.txt','file_011ChVUVECLuCXAb32G9gUYq',0,1795875685977191,1795875685977191);
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
, takes bigint, vault_ids text);
INSERT INTO "sessions" VALUES(1,'sesn_011ChVUVEFp1akP6v1qvPnHo','wrkspc_011ChVUVCsxvPrysxPDGjydp','env_011ChVUVE9s3yb9g2gnJnkUM','agent_011ChVUVDyhMU6VXKpoQ33j6',2,'sthr_011ChVUVEFp1akP6v1XBEyfh','worked','{"kept":"yes"}','idle','{"status":"idle","thread":"sthr_011ChVUVEFp1akP6v1XBEyfh","agent_name":"Fixture","queued":[],"tokens":{"input_tokens":20,"output_tokens":10,"cache_read_input_tokens":0,"cache_creation_5m_input_tokens":0,"cache_creation_1h_input_tokens":0},"cost_nano_dollars":0,"active_micros":91034,"running_since":null,"retry_at":null,"updated_at":"2026-11-28T14:21:26.091112Z","terminated_at":null}',1795875685977191,1795875686091112,NULL,19,NULL,NULL,1,0,NULL,NULL);
INSERT INTO "sessions" VALUES(2,'sesn_011ChVUVbKb5cT1iT4JxZsth','wrkspc_011ChVUVCsxvPrysxPDGjydp','env_011ChVUVE9s3yb9g2gnJnkUM','agent_011ChVUVDyhMU6VXKpoQ33j6',2,'sthr_011ChVUVbKb5cT1iT4CFFSL7','broken off','{}','running','{"status":"running","thread":"sthr_011ChVUVbKb5cT1iT4CFFSL7","agent_name":"Fixture","queued":[],"tokens":{"input_tokens":0,"output_tokens":0,"cache_read_input_tokens":0,"cache_creation_5m_input_tokens":0,"cache_creation_1h_input_tokens":0},"cost_nano_dollars":0,"active_micros":0,"running_since":"2026-11-28T14:21:30.913359Z","retry_at":null,"updated_at":"2026-11-28T14:21:30.913359Z","terminated_at":null}',1795875690904388,1795875690913359,NULL,6,1795875690913359,'sevt_011ChVUVCjnVL7QHYkU1UTEt-sevt_011ChVUVDAq1LdaSweMBMiqQ',1,1795875720918752,1,NULL);
CREATE TABLE vaults (
    id text primary key,
    workspace_id text not null,
    display_name text not null,
    metadata text not null,
    created_at bigint not null,
    updated_at bigint not null,
    archived_at bigint
);
INSERT INTO "vaults" VALUES('vlt_011ChVUVb4Tauym8aSKd7CYB','wrkspc_011ChVUVCsxvPrysxPDGjydp','fixture','{}',1795875690843180,1795875690843180,NULL);
CREATE TABLE workspaces (
    id text primary key,
    name text not null,
    created_at bigint not null
);
INSERT INTO "workspaces" VALUES('wrkspc_011ChVUVCsxvPrysxPDGjydp','default',1795875685655310);
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
PRAGMA user_version=11;
