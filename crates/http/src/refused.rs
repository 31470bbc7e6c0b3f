//! What the protocol has and this version doesn't do yet. Each is refused by name, so that a
//! client learns the reason instead of a 404.

/// Features, each with the methods and paths of its operations.
pub(crate) const REFUSED: &[(&str, &[&str])] = &[
    (
        "the work queue",
        &[
            "GET /v1/environments/{environment_id}/work/{work_id}",
            "POST /v1/environments/{environment_id}/work/{work_id}",
            "GET /v1/environments/{environment_id}/work",
            "POST /v1/environments/{environment_id}/work/{work_id}/ack",
            "POST /v1/environments/{environment_id}/work/{work_id}/heartbeat",
            "GET /v1/environments/{environment_id}/work/poll",
            "GET /v1/environments/{environment_id}/work/stats",
            "POST /v1/environments/{environment_id}/work/{work_id}/stop",
        ],
    ),
    (
        "session threads",
        &[
            "GET /v1/sessions/{session_id}/threads/{thread_id}",
            "GET /v1/sessions/{session_id}/threads",
            "POST /v1/sessions/{session_id}/threads/{thread_id}/archive",
            "GET /v1/sessions/{session_id}/threads/{thread_id}/events",
            "GET /v1/sessions/{session_id}/threads/{thread_id}/stream",
        ],
    ),
    (
        "memory stores",
        &[
            "POST /v1/memory_stores",
            "GET /v1/memory_stores/{memory_store_id}",
            "POST /v1/memory_stores/{memory_store_id}",
            "GET /v1/memory_stores",
            "DELETE /v1/memory_stores/{memory_store_id}",
            "POST /v1/memory_stores/{memory_store_id}/archive",
            "POST /v1/memory_stores/{memory_store_id}/memories",
            "GET /v1/memory_stores/{memory_store_id}/memories/{memory_id}",
            "POST /v1/memory_stores/{memory_store_id}/memories/{memory_id}",
            "GET /v1/memory_stores/{memory_store_id}/memories",
            "DELETE /v1/memory_stores/{memory_store_id}/memories/{memory_id}",
            "GET /v1/memory_stores/{memory_store_id}/memory_versions/{memory_version_id}",
            "GET /v1/memory_stores/{memory_store_id}/memory_versions",
            "POST /v1/memory_stores/{memory_store_id}/memory_versions/{memory_version_id}/redact",
        ],
    ),
    (
        "deployments",
        &[
            "POST /v1/deployments",
            "GET /v1/deployments/{deployment_id}",
            "POST /v1/deployments/{deployment_id}",
            "GET /v1/deployments",
            "POST /v1/deployments/{deployment_id}/archive",
            "POST /v1/deployments/{deployment_id}/pause",
            "POST /v1/deployments/{deployment_id}/run",
            "POST /v1/deployments/{deployment_id}/unpause",
            "GET /v1/deployment_runs/{deployment_run_id}",
            "GET /v1/deployment_runs",
        ],
    ),
    (
        "dreams",
        &[
            "POST /v1/dreams",
            "GET /v1/dreams/{dream_id}",
            "GET /v1/dreams",
            "POST /v1/dreams/{dream_id}/archive",
            "POST /v1/dreams/{dream_id}/cancel",
        ],
    ),
    (
        "tunnels",
        &[
            "POST /v1/tunnels",
            "GET /v1/tunnels/{tunnel_id}",
            "GET /v1/tunnels",
            "POST /v1/tunnels/{tunnel_id}/archive",
            "POST /v1/tunnels/{tunnel_id}/reveal_token",
            "POST /v1/tunnels/{tunnel_id}/rotate_token",
            "POST /v1/tunnels/{tunnel_id}/certificates",
            "GET /v1/tunnels/{tunnel_id}/certificates/{certificate_id}",
            "GET /v1/tunnels/{tunnel_id}/certificates",
            "POST /v1/tunnels/{tunnel_id}/certificates/{certificate_id}/archive",
        ],
    ),
    (
        "user profiles",
        &[
            "POST /v1/user_profiles",
            "GET /v1/user_profiles/{user_profile_id}",
            "POST /v1/user_profiles/{user_profile_id}",
            "GET /v1/user_profiles",
            "DELETE /v1/user_profiles/{user_profile_id}",
            "POST /v1/user_profiles/{user_profile_id}/enrollment_url",
            "POST /v1/user_profiles/{user_profile_id}/action_urls",
        ],
    ),
    (
        "webhooks",
        &[
            "POST /v1/organizations/webhooks",
            "GET /v1/organizations/webhooks/{webhook_endpoint_id}",
            "POST /v1/organizations/webhooks/{webhook_endpoint_id}",
            "GET /v1/organizations/webhooks",
            "DELETE /v1/organizations/webhooks/{webhook_endpoint_id}",
            "POST /v1/organizations/webhooks/{webhook_endpoint_id}/regenerate_signing_secret",
        ],
    ),
];
