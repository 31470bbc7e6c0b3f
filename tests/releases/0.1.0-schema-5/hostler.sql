BEGIN TRANSACTION;
CREATE TABLE agent_versions (
    agent_id text not null references agents (id),
    version bigint not null,
    config text not null,
    created_at bigint not null,
    primary key (agent_id, version)
);
INSERT INTO "agent_versions" VALUES('agent_011ChV75FMRtvKQRYasVPuEr',1,'{"name":"Fixture","description":null,"system":"You are kept.","model":{"id":"claude-opus-5-5","effort":{"type":"high"},"speed":"standard"},"tools":[{"type":"agent_toolset_20260401","default_config":{"enabled":true,"permission_policy":{"type":"always_allow"}},"configs":[]}],"mcp_servers":[],"skills":[],"multiagent":null,"execution_identity":{"type":"service_account"},"metadata":{}}',1795858837400540);
INSERT INTO "agent_versions" VALUES('agent_011ChV75FMRtvKQRYasVPuEr',2,'{"name":"Fixture","description":"changed once","system":"You are kept.","model":{"id":"claude-opus-5-5","effort":{"type":"high"},"speed":"standard"},"tools":[{"type":"agent_toolset_20260401","default_config":{"enabled":true,"permission_policy":{"type":"always_allow"}},"configs":[]}],"mcp_servers":[],"skills":[],"multiagent":null,"execution_identity":{"type":"service_account"},"metadata":{}}',1795858837494509);
CREATE TABLE agents (
    id text primary key,
    workspace_id text not null,
    version bigint not null,
    created_at bigint not null,
    archived_at bigint
);
INSERT INTO "agents" VALUES('agent_011ChV75FMRtvKQRYasVPuEr','wrkspc_011ChV75E3JKDbXVEoSC39tL',2,1795858837400540,NULL);
CREATE TABLE api_keys (
    id text primary key,
    workspace_id text not null references workspaces (id),
    name text not null,
    hash text not null,
    hint text not null,
    created_at bigint not null,
    revoked_at bigint
);
INSERT INTO "api_keys" VALUES('apikey_011ChV75E3JKDbXVEoTuHLJz','wrkspc_011ChV75E3JKDbXVEoSC39tL','HOSTLER_API_KEY','d4459c7208c123f077a395a2d05076ce10b1280be507060b85905c0f18adbc67','else',1795858837093578,NULL);
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
INSERT INTO "environments" VALUES('env_011ChV75FrSSDWPAB8QGsqQX','wrkspc_011ChV75E3JKDbXVEoSC39tL','fixture',NULL,'{"type":"cloud","networking":{"type":"unrestricted"},"packages":{"type":"packages","apt":[],"cargo":[],"gem":[],"go":[],"npm":[],"pip":[]}}','{}',1795858837517634,1795858837517634,NULL);
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
INSERT INTO "events" VALUES(1,1,1,'sevt_011ChV75GBHeuyPCYkc5fkSj','hostler.session_created','internal',NULL,NULL,0,1795858837593051,'{"type":"hostler.session_created","agent":{"type":"agent","id":"agent_011ChV75FMRtvKQRYasVPuEr","version":2,"name":"Fixture","description":"changed once","system":"You are kept.","model":{"id":"claude-opus-5-5","effort":{"type":"high"},"speed":"standard"},"tools":[{"type":"agent_toolset_20260401","default_config":{"enabled":true,"permission_policy":{"type":"always_allow"}},"configs":[]}],"mcp_servers":[],"skills":[],"execution_identity":{"type":"service_account"},"multiagent":null},"environment_id":"env_011ChV75FrSSDWPAB8QGsqQX","session_thread_id":"sthr_011ChV75GBHeuyPCYkAfc9qW"}');
INSERT INTO "events" VALUES(2,1,2,'sevt_011ChV75GZcDPFkYvat8uo68','user.message','queued',NULL,NULL,0,1795858837683604,'{"type":"user.message","content":[{"type":"text","text":"Do your work, häßlich 🦀."}]}');
INSERT INTO "events" VALUES(3,1,3,'sevt_011ChV75GZcDPFkYvbAcXfD6','session.status_running','public',NULL,NULL,0,1795858837683604,'{"type":"session.status_running"}');
INSERT INTO "events" VALUES(4,1,4,'sevt_011ChV75GZcDPFkYvbFfQ9vi','session.thread_status_running','public',NULL,NULL,0,1795858837683604,'{"type":"session.thread_status_running","session_thread_id":"sthr_011ChV75GBHeuyPCYkAfc9qW","agent_name":"Fixture"}');
INSERT INTO "events" VALUES(5,1,5,'sevt_011ChV75GZcDPFkYvat8uo68','user.message','public',2,NULL,1,1795858837696618,'{"type":"hostler.input_processed","event_id":"sevt_011ChV75GZcDPFkYvat8uo68","event_type":"user.message","received_seq":2}');
INSERT INTO "events" VALUES(6,1,6,'sevt_011ChV75Gcq2f2vyk25Rzusv','span.model_request_start','public',NULL,NULL,1,1795858837696673,'{"type":"span.model_request_start"}');
INSERT INTO "events" VALUES(7,1,7,'sevt_011ChV75GeKKQuoesR78YC3B','agent.message','public',NULL,NULL,1,1795858837755070,'{"type":"agent.message","content":[{"type":"text","text":"I work."}]}');
INSERT INTO "events" VALUES(8,1,8,'sevt_011ChV75GsTiyr2ka3ayJif9','agent.tool_use','public',NULL,NULL,1,1795858837755064,'{"type":"agent.tool_use","name":"bash","input":{"command": "echo precious > kept; echo result > /mnt/session/outputs/result.txt; cat /mnt/user/notes.txt"},"evaluated_permission":"allow","evaluation":{"type":"always_allow"}}');
INSERT INTO "events" VALUES(9,1,9,'sevt_011ChV75GsTiyr2ka3fWs3XE','hostler.model_response','internal',NULL,NULL,1,1795858837755076,'{"type":"hostler.model_response","model_request_start_id":"sevt_011ChV75Gcq2f2vyk25Rzusv","based_on":5,"blocks":[{"type":"text","text":"I work."},{"type":"tool_use","name":"bash","input":{"command": "echo precious > kept; echo result > /mnt/session/outputs/result.txt; cat /mnt/user/notes.txt"},"id":"toolu_000001"}],"tool_uses":[{"event_id":"sevt_011ChV75GsTiyr2ka3ayJif9","provider_id":"toolu_000001"}],"stop":{"type":"tool_use"},"usage":{"input_tokens":10,"output_tokens":5,"cache_read_input_tokens":0,"cache_creation_5m_input_tokens":0,"cache_creation_1h_input_tokens":0},"cost_nano_dollars":0}');
INSERT INTO "events" VALUES(10,1,10,'sevt_011ChV75GsTiyr2ka3kpywXg','span.model_request_end','public',NULL,NULL,1,1795858837755077,'{"type":"span.model_request_end","model_request_start_id":"sevt_011ChV75Gcq2f2vyk25Rzusv","is_error":false,"model_usage":{"input_tokens":10,"output_tokens":5,"cache_creation_input_tokens":0,"cache_read_input_tokens":0}}');
INSERT INTO "events" VALUES(11,1,11,'sevt_011ChV75GsTiyr2ka3uBz9gz','hostler.tool_started','internal',NULL,NULL,1,1795858837755250,'{"type":"hostler.tool_started","tool_use_id":"sevt_011ChV75GsTiyr2ka3ayJif9"}');
INSERT INTO "events" VALUES(12,1,12,'sevt_011ChV75GvvwQ5WBRe2zNUHz','agent.tool_result','public',NULL,NULL,1,1795858837769270,'{"type":"agent.tool_result","tool_use_id":"sevt_011ChV75GsTiyr2ka3ayJif9","content":[{"type":"text","text":"kept for later\n"}],"is_error":false}');
INSERT INTO "events" VALUES(13,1,13,'sevt_011ChV75GvvwQ5WBReCFDpeM','span.model_request_start','public',NULL,NULL,1,1795858837769382,'{"type":"span.model_request_start"}');
INSERT INTO "events" VALUES(14,1,14,'sevt_011ChV75GwBD6PibovessTPH','agent.message','public',NULL,NULL,1,1795858837787708,'{"type":"agent.message","content":[{"type":"text","text":"All is done."}]}');
INSERT INTO "events" VALUES(15,1,15,'sevt_011ChV75H1Q7MoYYy9Lp7YCn','hostler.model_response','internal',NULL,NULL,1,1795858837787728,'{"type":"hostler.model_response","model_request_start_id":"sevt_011ChV75GvvwQ5WBReCFDpeM","based_on":12,"blocks":[{"type":"text","text":"All is done."}],"tool_uses":[],"stop":{"type":"end_turn"},"usage":{"input_tokens":10,"output_tokens":5,"cache_read_input_tokens":0,"cache_creation_5m_input_tokens":0,"cache_creation_1h_input_tokens":0},"cost_nano_dollars":0}');
INSERT INTO "events" VALUES(16,1,16,'sevt_011ChV75H1Q7MoYYy9TNiXPC','span.model_request_end','public',NULL,NULL,1,1795858837787729,'{"type":"span.model_request_end","model_request_start_id":"sevt_011ChV75GvvwQ5WBReCFDpeM","is_error":false,"model_usage":{"input_tokens":10,"output_tokens":5,"cache_creation_input_tokens":0,"cache_read_input_tokens":0}}');
INSERT INTO "events" VALUES(17,1,17,'sevt_011ChV75H1eVV5WgADvsACyt','session.thread_status_idle','public',NULL,NULL,1,1795858837788319,'{"type":"session.thread_status_idle","session_thread_id":"sthr_011ChV75GBHeuyPCYkAfc9qW","agent_name":"Fixture","stop_reason":{"type":"end_turn"},"stop_details":null}');
INSERT INTO "events" VALUES(18,1,18,'sevt_011ChV75H1eVV5WgAE74AEU4','session.usage','public',NULL,NULL,1,1795858837788325,'{"type":"session.usage","usage":{"input_tokens":20,"output_tokens":10,"cache_read_input_tokens":0,"cache_creation":{"ephemeral_5m_input_tokens":0,"ephemeral_1h_input_tokens":0},"active_seconds":0.104701,"list_cost":{"amount":"0","currency":"USD"},"server_tool_use":{"web_search_requests":0,"web_fetch_requests":0}},"budget":null}');
INSERT INTO "events" VALUES(19,1,19,'sevt_011ChV75H1eVV5WgAEBiEJPj','session.status_idle','public',NULL,NULL,1,1795858837788326,'{"type":"session.status_idle","stop_reason":{"type":"end_turn"},"stop_details":null}');
INSERT INTO "events" VALUES(20,2,1,'sevt_011ChV75cBZb7no4BLSmfGrH','hostler.session_created','internal',NULL,NULL,0,1795858842272188,'{"type":"hostler.session_created","agent":{"type":"agent","id":"agent_011ChV75FMRtvKQRYasVPuEr","version":2,"name":"Fixture","description":"changed once","system":"You are kept.","model":{"id":"claude-opus-5-5","effort":{"type":"high"},"speed":"standard"},"tools":[{"type":"agent_toolset_20260401","default_config":{"enabled":true,"permission_policy":{"type":"always_allow"}},"configs":[]}],"mcp_servers":[],"skills":[],"execution_identity":{"type":"service_account"},"multiagent":null},"environment_id":"env_011ChV75FrSSDWPAB8QGsqQX","session_thread_id":"sthr_011ChV75cBZb7no4BLJVcQfC"}');
INSERT INTO "events" VALUES(21,2,2,'sevt_011ChV75cEXyjfDb3HBats5r','user.message','queued',NULL,NULL,0,1795858842284395,'{"type":"user.message","content":[{"type":"text","text":"Tell me."}]}');
INSERT INTO "events" VALUES(22,2,3,'sevt_011ChV75cEXyjfDb3HLjyKng','session.status_running','public',NULL,NULL,0,1795858842284395,'{"type":"session.status_running"}');
INSERT INTO "events" VALUES(23,2,4,'sevt_011ChV75cEXyjfDb3HYTbiyf','session.thread_status_running','public',NULL,NULL,0,1795858842284395,'{"type":"session.thread_status_running","session_thread_id":"sthr_011ChV75cBZb7no4BLJVcQfC","agent_name":"Fixture"}');
INSERT INTO "events" VALUES(24,2,5,'sevt_011ChV75cEXyjfDb3HBats5r','user.message','public',2,NULL,1,1795858842286834,'{"type":"hostler.input_processed","event_id":"sevt_011ChV75cEXyjfDb3HBats5r","event_type":"user.message","received_seq":2}');
INSERT INTO "events" VALUES(25,2,6,'sevt_011ChV75cF2kVcJYM9yboVkb','span.model_request_start','public',NULL,NULL,1,1795858842286881,'{"type":"span.model_request_start"}');
CREATE TABLE file_storage (
    workspace_id text primary key,
    bytes bigint not null
);
INSERT INTO "file_storage" VALUES('wrkspc_011ChV75E3JKDbXVEoSC39tL',22);
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
INSERT INTO "files" VALUES('file_011ChV75FvfKYFGZ36vq7ERM','wrkspc_011ChV75E3JKDbXVEoSC39tL','notes.txt','text/plain',15,'cf4db7d86723d067ff0a8f8ae8bcdc8c4450a17ec205c8a28a33816d20a6f163',0,NULL,1795858837534295,NULL);
INSERT INTO "files" VALUES('file_011ChV75GBHeuyPCYkJBQBvZ','wrkspc_011ChV75E3JKDbXVEoSC39tL','notes.txt','text/plain',15,'cf4db7d86723d067ff0a8f8ae8bcdc8c4450a17ec205c8a28a33816d20a6f163',0,'sesn_011ChV75GBHeuyPCYkTcbgJs',1795858837593051,NULL);
INSERT INTO "files" VALUES('file_011ChV75GvS2d6dNBUyb4Y7g','wrkspc_011ChV75E3JKDbXVEoSC39tL','result.txt','text/plain',7,'5656fafa00d4f294bcb606cf4f7d4fa877390e46f583e8b3c8744ace104a31d1',1,'sesn_011ChV75GBHeuyPCYkTcbgJs',1795858837767181,NULL);
CREATE TABLE sandbox_checkpoints (
    session_id text primary key,
    blob_id text not null,
    format bigint not null,
    size_bytes bigint not null,
    sha256 text not null,
    made_at bigint not null,
    created_at bigint not null
);
INSERT INTO "sandbox_checkpoints" VALUES('sesn_011ChV75GBHeuyPCYkTcbgJs','sevt_011ChV75c48Jq99HkrbidYdR',1,1678,'9eadc5ee68472ac543e053ad49aa7f8b31692569823b6ca46c724693af470335',1795858837704747,1795858842245857);
CREATE TABLE session_agents (
    session_key integer primary key,
    agent text not null
);
INSERT INTO "session_agents" VALUES(1,'{"type":"agent","id":"agent_011ChV75FMRtvKQRYasVPuEr","version":2,"name":"Fixture","description":"changed once","system":"You are kept.","model":{"id":"claude-opus-5-5","effort":{"type":"high"},"speed":"standard"},"tools":[{"type":"agent_toolset_20260401","default_config":{"enabled":true,"permission_policy":{"type":"always_allow"}},"configs":[]}],"mcp_servers":[],"skills":[],"execution_identity":{"type":"service_account"},"multiagent":null}');
INSERT INTO "session_agents" VALUES(2,'{"type":"agent","id":"agent_011ChV75FMRtvKQRYasVPuEr","version":2,"name":"Fixture","description":"changed once","system":"You are kept.","model":{"id":"claude-opus-5-5","effort":{"type":"high"},"speed":"standard"},"tools":[{"type":"agent_toolset_20260401","default_config":{"enabled":true,"permission_policy":{"type":"always_allow"}},"configs":[]}],"mcp_servers":[],"skills":[],"execution_identity":{"type":"service_account"},"multiagent":null}');
CREATE TABLE session_environments (
    session_key integer primary key,
    config text not null,
    metadata text not null,
    updated_at bigint not null
);
INSERT INTO "session_environments" VALUES(1,'{"type":"cloud","networking":{"type":"unrestricted"},"packages":{"type":"packages","apt":[],"cargo":[],"gem":[],"go":[],"npm":[],"pip":[]}}','{}',1795858837517634);
INSERT INTO "session_environments" VALUES(2,'{"type":"cloud","networking":{"type":"unrestricted"},"packages":{"type":"packages","apt":[],"cargo":[],"gem":[],"go":[],"npm":[],"pip":[]}}','{}',1795858837517634);
CREATE TABLE session_outputs (
    session_id text not null,
    path text not null,
    file_id text,
    sha256 text,
    fingerprint text,
    primary key (session_id, path)
);
INSERT INTO "session_outputs" VALUES('sesn_011ChV75GBHeuyPCYkTcbgJs','result.txt','file_011ChV75GvS2d6dNBUyb4Y7g','5656fafa00d4f294bcb606cf4f7d4fa877390e46f583e8b3c8744ace104a31d1','7.10019283.1795858837756747825.1795858837756747825');
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
INSERT INTO "session_resources" VALUES('sesrsc_011ChV75GBHeuyPCYkGCRqbH','sesn_011ChV75GBHeuyPCYkTcbgJs','file_011ChV75GBHeuyPCYkJBQBvZ','mnt/user/notes.txt','file_011ChV75FvfKYFGZ36vq7ERM',0,1795858837593051,1795858837593051);
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
);
INSERT INTO "sessions" VALUES(1,'sesn_011ChV75GBHeuyPCYkTcbgJs','wrkspc_011ChV75E3JKDbXVEoSC39tL','env_011ChV75FrSSDWPAB8QGsqQX','agent_011ChV75FMRtvKQRYasVPuEr',2,'sthr_011ChV75GBHeuyPCYkAfc9qW','worked','{"kept":"yes"}','idle','{"status":"idle","thread":"sthr_011ChV75GBHeuyPCYkAfc9qW","agent_name":"Fixture","queued":[],"tokens":{"input_tokens":20,"output_tokens":10,"cache_read_input_tokens":0,"cache_creation_5m_input_tokens":0,"cache_creation_1h_input_tokens":0},"cost_nano_dollars":0,"active_micros":104722,"running_since":null,"retry_at":null,"updated_at":"2026-11-28T09:40:37.788326Z","terminated_at":null}',1795858837593051,1795858837788326,NULL,19,NULL,NULL,1,0);
INSERT INTO "sessions" VALUES(2,'sesn_011ChV75cBZb7no4BLQ7DBeT','wrkspc_011ChV75E3JKDbXVEoSC39tL','env_011ChV75FrSSDWPAB8QGsqQX','agent_011ChV75FMRtvKQRYasVPuEr',2,'sthr_011ChV75cBZb7no4BLJVcQfC','broken off','{}','running','{"status":"running","thread":"sthr_011ChV75cBZb7no4BLJVcQfC","agent_name":"Fixture","queued":[],"tokens":{"input_tokens":0,"output_tokens":0,"cache_read_input_tokens":0,"cache_creation_5m_input_tokens":0,"cache_creation_1h_input_tokens":0},"cost_nano_dollars":0,"active_micros":0,"running_since":"2026-11-28T09:40:42.284395Z","retry_at":null,"updated_at":"2026-11-28T09:40:42.284395Z","terminated_at":null}',1795858842272188,1795858842284395,NULL,6,1795858842284395,'sevt_011ChV75DbkrKSPn3aj4QTPX-sevt_011ChV75EULyABuad7iZUqUh',1,1795858872285305);
CREATE TABLE workspaces (
    id text primary key,
    name text not null,
    created_at bigint not null
);
INSERT INTO "workspaces" VALUES('wrkspc_011ChV75E3JKDbXVEoSC39tL','default',1795858837093069);
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
PRAGMA user_version=5;
