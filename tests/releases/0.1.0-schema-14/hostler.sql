BEGIN TRANSACTION;
CREATE TABLE agent_versions (
    agent_id text not null references agents (id),
    version bigint not null,
    config text not null,
    created_at bigint not null,
    primary key (agent_id, version)
);
INSERT INTO "agent_versions" VALUES('agent_011ChVqQfe6g8gHDcxTSejba',1,'{"name":"Fixture","description":null,"system":"You are kept.","model":{"id":"claude-opus-5-5","effort":{"type":"high"},"speed":"standard"},"tools":[{"type":"agent_toolset_20260401","default_config":{"enabled":true,"permission_policy":{"type":"always_allow"}},"configs":[]}],"mcp_servers":[],"skills":[{"type":"custom","skill_id":"skill_011ChVqQfXecF29PPNLpL1fp","version":"skver_011ChVqQfXecF29PPNUEkwof"}],"multiagent":null,"execution_identity":{"type":"service_account"},"metadata":{}}',1795892147337943);
INSERT INTO "agent_versions" VALUES('agent_011ChVqQfe6g8gHDcxTSejba',2,'{"name":"Fixture","description":"changed once","system":"You are kept.","model":{"id":"claude-opus-5-5","effort":{"type":"high"},"speed":"standard"},"tools":[{"type":"agent_toolset_20260401","default_config":{"enabled":true,"permission_policy":{"type":"always_allow"}},"configs":[]}],"mcp_servers":[],"skills":[{"type":"custom","skill_id":"skill_011ChVqQfXecF29PPNLpL1fp","version":"skver_011ChVqQfXecF29PPNUEkwof"}],"multiagent":null,"execution_identity":{"type":"service_account"},"metadata":{}}',1795892147355032);
CREATE TABLE agents (
    id text primary key,
    workspace_id text not null,
    version bigint not null,
    created_at bigint not null,
    archived_at bigint
);
INSERT INTO "agents" VALUES('agent_011ChVqQfe6g8gHDcxTSejba','wrkspc_011ChVqQefom6N79C9N8gSSd',2,1795892147337943,NULL);
CREATE TABLE api_keys (
    id text primary key,
    workspace_id text not null references workspaces (id),
    name text not null,
    hash text not null,
    hint text not null,
    created_at bigint not null,
    revoked_at bigint
);
INSERT INTO "api_keys" VALUES('apikey_011ChVqQefom6N79C9UKpCV3','wrkspc_011ChVqQefom6N79C9N8gSSd','HOSTLER_API_KEY','d4459c7208c123f077a395a2d05076ce10b1280be507060b85905c0f18adbc67','else',1795892147110775,NULL);
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
INSERT INTO "credentials" VALUES('vcrd_011ChVqR2t2oCNMgtS54pTr5','wrkspc_011ChVqQefom6N79C9N8gSSd','vlt_011ChVqR2rJHMQ2uvLv7Eh7M','fixture','{"type":"mcp_oauth","mcp_server_url":"https://mcp.example.com/","refresh":{"client_id":"fixture","token_endpoint":"https://auth.example.com/token","token_endpoint_auth":{"type":"client_secret_basic"},"resource":null,"scope":null}}','{}','https://mcp.example.com',1,'{"v":1,"key":"8e60ee3877f18c02","data_key":"A1LPto9zjky3pXPPw4Po6mxzUtImioaSY5WxqqyemBBAnyxvlEWGR/RGWu547bUNmJbXV6d6FxRzmWk9","secret":"Lsy+EhwlVFjmRsofIL3N0AacbmNORvKNnvyEq85z9iUTV1AvUp//dJVM17GVbsQFjVrTd2ZMU15E7evP9KY1/utlaLQ5+WkusVwxsUGPVKvLgf/yOMhsQrg4AVBAS4M1z/zlYJBUMSb+khYEmH31MRMOOlQ="}','8e60ee3877f18c02',1795892152305235,1795892152305235,NULL);
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
INSERT INTO "environments" VALUES('env_011ChVqQfjJdqEoK3hqLVj7w','wrkspc_011ChVqQefom6N79C9N8gSSd','fixture',NULL,'{"type":"cloud","networking":{"type":"unrestricted"},"packages":{"type":"packages","apt":[],"cargo":[],"gem":[],"go":[],"npm":[],"pip":[]}}','{}',1795892147358504,1795892147358504,NULL);
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
INSERT INTO "events" VALUES(1,1,1,'sevt_011ChVqQfoGa46v7bGNDC1Rx','hostler.session_created','internal',NULL,NULL,0,1795892147374540,'{"type":"hostler.session_created","agent":{"type":"agent","id":"agent_011ChVqQfe6g8gHDcxTSejba","version":2,"name":"Fixture","description":"changed once","system":"You are kept.","model":{"id":"claude-opus-5-5","effort":{"type":"high"},"speed":"standard"},"tools":[{"type":"agent_toolset_20260401","default_config":{"enabled":true,"permission_policy":{"type":"always_allow"}},"configs":[]}],"mcp_servers":[],"skills":[{"type":"custom","skill_id":"skill_011ChVqQfXecF29PPNLpL1fp","version":"skver_011ChVqQfXecF29PPNUEkwof"}],"execution_identity":{"type":"service_account"},"multiagent":null},"environment_id":"env_011ChVqQfjJdqEoK3hqLVj7w","session_thread_id":"sthr_011ChVqQfoGa46v7bForLrto"}',2771067250);
INSERT INTO "events" VALUES(2,1,2,'sevt_011ChVqQfsjgc9qioSNGWS85','user.message','queued',NULL,NULL,0,1795892147392541,'{"type":"user.message","content":[{"type":"text","text":"Do your work, häßlich 🦀."}]}',3537195756);
INSERT INTO "events" VALUES(3,1,3,'sevt_011ChVqQfsjgc9qioSXz5FTP','session.status_running','public',NULL,NULL,0,1795892147392541,'{"type":"session.status_running"}',723917080);
INSERT INTO "events" VALUES(4,1,4,'sevt_011ChVqQfsjgc9qioSfVxXQT','session.thread_status_running','public',NULL,NULL,0,1795892147392541,'{"type":"session.thread_status_running","session_thread_id":"sthr_011ChVqQfoGa46v7bForLrto","agent_name":"Fixture"}',764303303);
INSERT INTO "events" VALUES(5,1,5,'sevt_011ChVqQfsjgc9qioSNGWS85','user.message','public',2,NULL,1,1795892147399505,'{"type":"hostler.input_processed","event_id":"sevt_011ChVqQfsjgc9qioSNGWS85","event_type":"user.message","received_seq":2}',213018213);
INSERT INTO "events" VALUES(6,1,6,'sevt_011ChVqQfuUQZmBkQuFnxbDj','span.model_request_start','public',NULL,NULL,1,1795892147399587,'{"type":"span.model_request_start"}',2583401072);
INSERT INTO "events" VALUES(7,1,7,'sevt_011ChVqQfuxyXPYwvbxJoy9r','agent.message','public',NULL,NULL,1,1795892147439812,'{"type":"agent.message","content":[{"type":"text","text":"I work."}]}',559185706);
INSERT INTO "events" VALUES(8,1,8,'sevt_011ChVqQg5PcP2BM5k3U5GKX','agent.tool_use','public',NULL,NULL,1,1795892147439887,'{"type":"agent.tool_use","name":"bash","input":{"command": "echo precious > kept; echo result > /mnt/session/outputs/result.txt; cat /mnt/user/notes.txt"},"evaluated_permission":"allow","evaluation":{"type":"always_allow"}}',1806621160);
INSERT INTO "events" VALUES(9,1,9,'sevt_011ChVqQg5PcP2BM5k9JkUtV','hostler.model_response','internal',NULL,NULL,1,1795892147439901,'{"type":"hostler.model_response","model_request_start_id":"sevt_011ChVqQfuUQZmBkQuFnxbDj","based_on":5,"blocks":[{"type":"text","text":"I work."},{"type":"tool_use","name":"bash","input":{"command": "echo precious > kept; echo result > /mnt/session/outputs/result.txt; cat /mnt/user/notes.txt"},"id":"toolu_000001"}],"tool_uses":[{"event_id":"sevt_011ChVqQg5PcP2BM5k3U5GKX","provider_id":"toolu_000001"}],"stop":{"type":"tool_use"},"usage":{"input_tokens":10,"output_tokens":5,"cache_read_input_tokens":0,"cache_creation_5m_input_tokens":0,"cache_creation_1h_input_tokens":0},"cost_nano_dollars":0}',3007192601);
INSERT INTO "events" VALUES(10,1,10,'sevt_011ChVqQg5PcP2BM5kGcnybP','span.model_request_end','public',NULL,NULL,1,1795892147439903,'{"type":"span.model_request_end","model_request_start_id":"sevt_011ChVqQfuUQZmBkQuFnxbDj","is_error":false,"model_usage":{"input_tokens":10,"output_tokens":5,"cache_creation_input_tokens":0,"cache_read_input_tokens":0}}',3335015452);
INSERT INTO "events" VALUES(11,1,11,'sevt_011ChVqQg5e6WjFgyd4Wg4TC','hostler.tool_started','internal',NULL,NULL,1,1795892147440098,'{"type":"hostler.tool_started","tool_use_id":"sevt_011ChVqQg5PcP2BM5k3U5GKX"}',2992363963);
INSERT INTO "events" VALUES(12,1,12,'sevt_011ChVqQg8N4RMVV5scpHR4T','agent.tool_result','public',NULL,NULL,1,1795892147451113,'{"type":"agent.tool_result","tool_use_id":"sevt_011ChVqQg5PcP2BM5k3U5GKX","content":[{"type":"text","text":"kept for later\n"}],"is_error":false}',184492714);
INSERT INTO "events" VALUES(13,1,13,'sevt_011ChVqQg8N4RMVV5sippXrs','span.model_request_start','public',NULL,NULL,1,1795892147451256,'{"type":"span.model_request_start"}',1428300747);
INSERT INTO "events" VALUES(14,1,14,'sevt_011ChVqQg8rfjSyfhSo2SKqq','agent.message','public',NULL,NULL,1,1795892147459748,'{"type":"agent.message","content":[{"type":"text","text":"All is done."}]}',2417387761);
INSERT INTO "events" VALUES(15,1,15,'sevt_011ChVqQgALzCQ7igg7fwFZU','hostler.model_response','internal',NULL,NULL,1,1795892147459787,'{"type":"hostler.model_response","model_request_start_id":"sevt_011ChVqQg8N4RMVV5sippXrs","based_on":12,"blocks":[{"type":"text","text":"All is done."}],"tool_uses":[],"stop":{"type":"end_turn"},"usage":{"input_tokens":10,"output_tokens":5,"cache_read_input_tokens":0,"cache_creation_5m_input_tokens":0,"cache_creation_1h_input_tokens":0},"cost_nano_dollars":0}',44102400);
INSERT INTO "events" VALUES(16,1,16,'sevt_011ChVqQgALzCQ7iggFB5g3a','span.model_request_end','public',NULL,NULL,1,1795892147459788,'{"type":"span.model_request_end","model_request_start_id":"sevt_011ChVqQg8N4RMVV5sippXrs","is_error":false,"model_usage":{"input_tokens":10,"output_tokens":5,"cache_creation_input_tokens":0,"cache_read_input_tokens":0}}',3285342112);
INSERT INTO "events" VALUES(17,1,17,'sevt_011ChVqQgAbmYrS72io2gUbq','session.thread_status_idle','public',NULL,NULL,1,1795892147460302,'{"type":"session.thread_status_idle","session_thread_id":"sthr_011ChVqQfoGa46v7bForLrto","agent_name":"Fixture","stop_reason":{"type":"end_turn"},"stop_details":null}',2473183847);
INSERT INTO "events" VALUES(18,1,18,'sevt_011ChVqQgAbmYrS72ixRrH9W','session.usage','public',NULL,NULL,1,1795892147460306,'{"type":"session.usage","usage":{"input_tokens":20,"output_tokens":10,"cache_read_input_tokens":0,"cache_creation":{"ephemeral_5m_input_tokens":0,"ephemeral_1h_input_tokens":0},"active_seconds":0.067744,"list_cost":{"amount":"0","currency":"USD"},"server_tool_use":{"web_search_requests":0,"web_fetch_requests":0}},"budget":null}',482330868);
INSERT INTO "events" VALUES(19,1,19,'sevt_011ChVqQgAbmYrS72j3qdfVT','session.status_idle','public',NULL,NULL,1,1795892147460308,'{"type":"session.status_idle","stop_reason":{"type":"end_turn"},"stop_details":null}',3448715107);
INSERT INTO "events" VALUES(20,2,1,'sevt_011ChVqR35wLdA9MAFKhznDc','hostler.session_created','internal',NULL,NULL,0,1795892152353437,'{"type":"hostler.session_created","agent":{"type":"agent","id":"agent_011ChVqQfe6g8gHDcxTSejba","version":2,"name":"Fixture","description":"changed once","system":"You are kept.","model":{"id":"claude-opus-5-5","effort":{"type":"high"},"speed":"standard"},"tools":[{"type":"agent_toolset_20260401","default_config":{"enabled":true,"permission_policy":{"type":"always_allow"}},"configs":[]}],"mcp_servers":[],"skills":[{"type":"custom","skill_id":"skill_011ChVqQfXecF29PPNLpL1fp","version":"skver_011ChVqQfXecF29PPNUEkwof"}],"execution_identity":{"type":"service_account"},"multiagent":null},"environment_id":"env_011ChVqQfjJdqEoK3hqLVj7w","session_thread_id":"sthr_011ChVqR35wLdA9MAF6YzNg1"}',3231726657);
INSERT INTO "events" VALUES(21,2,2,'sevt_011ChVqR37B5Ceuta23RU9Fk','user.message','queued',NULL,NULL,0,1795892152358485,'{"type":"user.message","content":[{"type":"text","text":"Tell me."}]}',3449062155);
INSERT INTO "events" VALUES(22,2,3,'sevt_011ChVqR37B5Ceuta24Mbv6G','session.status_running','public',NULL,NULL,0,1795892152358485,'{"type":"session.status_running"}',2869607241);
INSERT INTO "events" VALUES(23,2,4,'sevt_011ChVqR37B5Ceuta2CQzgPS','session.thread_status_running','public',NULL,NULL,0,1795892152358485,'{"type":"session.thread_status_running","session_thread_id":"sthr_011ChVqR35wLdA9MAF6YzNg1","agent_name":"Fixture"}',3453599395);
INSERT INTO "events" VALUES(24,2,5,'sevt_011ChVqR37B5Ceuta23RU9Fk','user.message','public',2,NULL,1,1795892152368107,'{"type":"hostler.input_processed","event_id":"sevt_011ChVqR37B5Ceuta23RU9Fk","event_type":"user.message","received_seq":2}',4010109523);
INSERT INTO "events" VALUES(25,2,6,'sevt_011ChVqR39f6eaUyeEXwFvaa','span.model_request_start','public',NULL,NULL,1,1795892152368183,'{"type":"span.model_request_start"}',2578337029);
CREATE TABLE file_storage (
    workspace_id text primary key,
    bytes bigint not null
);
INSERT INTO "file_storage" VALUES('wrkspc_011ChVqQefom6N79C9N8gSSd',211);
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
INSERT INTO "files" VALUES('file_011ChVqQfmnMNWw9e3QLgxpC','wrkspc_011ChVqQefom6N79C9N8gSSd','notes.txt','text/plain',15,'cf4db7d86723d067ff0a8f8ae8bcdc8c4450a17ec205c8a28a33816d20a6f163',0,NULL,1795892147369051,NULL);
INSERT INTO "files" VALUES('file_011ChVqQfoGa46v7bG39GWPH','wrkspc_011ChVqQefom6N79C9N8gSSd','notes.txt','text/plain',15,'cf4db7d86723d067ff0a8f8ae8bcdc8c4450a17ec205c8a28a33816d20a6f163',0,'sesn_011ChVqQfoGa46v7bG9YDsj1',1795892147374540,NULL);
INSERT INTO "files" VALUES('file_011ChVqQg7sWdhkqfJXp18ZP','wrkspc_011ChVqQefom6N79C9N8gSSd','result.txt','text/plain',7,'5656fafa00d4f294bcb606cf4f7d4fa877390e46f583e8b3c8744ace104a31d1',1,'sesn_011ChVqQfoGa46v7bG9YDsj1',1795892147449072,NULL);
CREATE TABLE sandbox_checkpoints (
    session_id text primary key,
    blob_id text not null,
    format bigint not null,
    size_bytes bigint not null,
    sha256 text not null,
    made_at bigint not null,
    created_at bigint not null
);
INSERT INTO "sandbox_checkpoints" VALUES('sesn_011ChVqQfoGa46v7bG9YDsj1','sevt_011ChVqR2XCevimpXuXhMqYk',1,1791,'d4c75644dee269bddb9fa3795f3aa5bd0674625ca5d3acf955ca3671db6fa784',1795892147405939,1795892152227733);
CREATE TABLE session_agents (
    session_key integer primary key,
    agent text not null
);
INSERT INTO "session_agents" VALUES(1,'{"type":"agent","id":"agent_011ChVqQfe6g8gHDcxTSejba","version":2,"name":"Fixture","description":"changed once","system":"You are kept.","model":{"id":"claude-opus-5-5","effort":{"type":"high"},"speed":"standard"},"tools":[{"type":"agent_toolset_20260401","default_config":{"enabled":true,"permission_policy":{"type":"always_allow"}},"configs":[]}],"mcp_servers":[],"skills":[{"type":"custom","skill_id":"skill_011ChVqQfXecF29PPNLpL1fp","version":"skver_011ChVqQfXecF29PPNUEkwof"}],"execution_identity":{"type":"service_account"},"multiagent":null}');
INSERT INTO "session_agents" VALUES(2,'{"type":"agent","id":"agent_011ChVqQfe6g8gHDcxTSejba","version":2,"name":"Fixture","description":"changed once","system":"You are kept.","model":{"id":"claude-opus-5-5","effort":{"type":"high"},"speed":"standard"},"tools":[{"type":"agent_toolset_20260401","default_config":{"enabled":true,"permission_policy":{"type":"always_allow"}},"configs":[]}],"mcp_servers":[],"skills":[{"type":"custom","skill_id":"skill_011ChVqQfXecF29PPNLpL1fp","version":"skver_011ChVqQfXecF29PPNUEkwof"}],"execution_identity":{"type":"service_account"},"multiagent":null}');
CREATE TABLE session_environments (
    session_key integer primary key,
    config text not null,
    metadata text not null,
    updated_at bigint not null
);
INSERT INTO "session_environments" VALUES(1,'{"type":"cloud","networking":{"type":"unrestricted"},"packages":{"type":"packages","apt":[],"cargo":[],"gem":[],"go":[],"npm":[],"pip":[]}}','{}',1795892147358504);
INSERT INTO "session_environments" VALUES(2,'{"type":"cloud","networking":{"type":"unrestricted"},"packages":{"type":"packages","apt":[],"cargo":[],"gem":[],"go":[],"npm":[],"pip":[]}}','{}',1795892147358504);
CREATE TABLE session_outputs (
    session_id text not null,
    path text not null,
    file_id text,
    sha256 text,
    fingerprint text,
    primary key (session_id, path)
);
INSERT INTO "session_outputs" VALUES('sesn_011ChVqQfoGa46v7bG9YDsj1','result.txt','file_011ChVqQg7sWdhkqfJXp18ZP','5656fafa00d4f294bcb606cf4f7d4fa877390e46f583e8b3c8744ace104a31d1','7.10152737.1795892147445939072.1795892147445939072');
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
, sealed text, sealed_by text, token_version bigint, skills text);
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
INSERT INTO "session_resources" VALUES('sesrsc_011ChVqQfoGa46v7bG1PZBKF','sesn_011ChVqQfoGa46v7bG9YDsj1','file_011ChVqQfoGa46v7bG39GWPH','mnt/user/notes.txt','file_011ChVqQfmnMNWw9e3QLgxpC',0,1795892147374540,1795892147374540);
CREATE TABLE session_skills (
    session_id text not null,
    position bigint not null,
    version_id text not null,
    primary key (session_id, position)
);
INSERT INTO "session_skills" VALUES('sesn_011ChVqQfoGa46v7bG9YDsj1',0,'skver_011ChVqQfXecF29PPNUEkwof');
INSERT INTO "session_skills" VALUES('sesn_011ChVqR35wLdA9MAFGcEeq5',0,'skver_011ChVqQfXecF29PPNUEkwof');
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
INSERT INTO "sessions" VALUES(1,'sesn_011ChVqQfoGa46v7bG9YDsj1','wrkspc_011ChVqQefom6N79C9N8gSSd','env_011ChVqQfjJdqEoK3hqLVj7w','agent_011ChVqQfe6g8gHDcxTSejba',2,'sthr_011ChVqQfoGa46v7bForLrto','worked','{"kept":"yes"}','idle','{"status":"idle","thread":"sthr_011ChVqQfoGa46v7bForLrto","agent_name":"Fixture","queued":[],"tokens":{"input_tokens":20,"output_tokens":10,"cache_read_input_tokens":0,"cache_creation_5m_input_tokens":0,"cache_creation_1h_input_tokens":0},"cost_nano_dollars":0,"active_micros":67767,"running_since":null,"retry_at":null,"updated_at":"2026-11-28T18:55:47.460308Z","terminated_at":null}',1795892147374540,1795892147460308,NULL,19,NULL,NULL,1,0,NULL,NULL);
INSERT INTO "sessions" VALUES(2,'sesn_011ChVqR35wLdA9MAFGcEeq5','wrkspc_011ChVqQefom6N79C9N8gSSd','env_011ChVqQfjJdqEoK3hqLVj7w','agent_011ChVqQfe6g8gHDcxTSejba',2,'sthr_011ChVqR35wLdA9MAF6YzNg1','broken off','{}','running','{"status":"running","thread":"sthr_011ChVqR35wLdA9MAF6YzNg1","agent_name":"Fixture","queued":[],"tokens":{"input_tokens":0,"output_tokens":0,"cache_read_input_tokens":0,"cache_creation_5m_input_tokens":0,"cache_creation_1h_input_tokens":0},"cost_nano_dollars":0,"active_micros":0,"running_since":"2026-11-28T18:55:52.358485Z","retry_at":null,"updated_at":"2026-11-28T18:55:52.358485Z","terminated_at":null}',1795892152353437,1795892152358485,NULL,6,1795892152358485,'sevt_011ChVqQed5U8RNrNoPB8Dae-sevt_011ChVqQerU33wQ51nkatfch',1,1795892182366253,1,NULL);
CREATE TABLE skill_versions (
    id text primary key,
    workspace_id text not null,
    skill_id text not null,
    name text not null,
    description text not null,
    files text not null,
    size_bytes bigint not null,
    sha256 text not null,
    created_at bigint not null,
    deleted_at bigint
);
INSERT INTO "skill_versions" VALUES('skver_011ChVqQfXecF29PPNUEkwof','wrkspc_011ChVqQefom6N79C9N8gSSd','skill_011ChVqQfXecF29PPNLpL1fp','kept-skill','Is kept.','[{"path":"SKILL.md","size":53,"executable":false}]',189,'9de505fc16453728b3a580db64b9a5d60891b3d80827113fcdcb5c4ddf246ef0',1795892147312503,NULL);
CREATE TABLE skills (
    id text primary key,
    workspace_id text not null,
    display_name text not null,
    name text not null,
    latest_version_id text not null,
    created_at bigint not null,
    updated_at bigint not null
);
INSERT INTO "skills" VALUES('skill_011ChVqQfXecF29PPNLpL1fp','wrkspc_011ChVqQefom6N79C9N8gSSd','kept-skill','kept-skill','skver_011ChVqQfXecF29PPNUEkwof',1795892147312503,1795892147312503);
CREATE TABLE vaults (
    id text primary key,
    workspace_id text not null,
    display_name text not null,
    metadata text not null,
    created_at bigint not null,
    updated_at bigint not null,
    archived_at bigint
);
INSERT INTO "vaults" VALUES('vlt_011ChVqR2rJHMQ2uvLv7Eh7M','wrkspc_011ChVqQefom6N79C9N8gSSd','fixture','{}',1795892152298610,1795892152298610,NULL);
CREATE TABLE workspaces (
    id text primary key,
    name text not null,
    created_at bigint not null
);
INSERT INTO "workspaces" VALUES('wrkspc_011ChVqQefom6N79C9N8gSSd','default',1795892147110229);
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
CREATE INDEX skills_by_age on skills (workspace_id, created_at, id);
CREATE INDEX skill_versions_by_age on skill_versions (skill_id, created_at, id);
CREATE INDEX skill_versions_by_deletion on skill_versions (deleted_at) where deleted_at is not null;
CREATE INDEX session_skills_by_version on session_skills (version_id);
COMMIT;
PRAGMA user_version=14;
