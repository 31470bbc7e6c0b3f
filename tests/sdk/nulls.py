"""The documented choice between null and absent for every optional field that a response can have.

The SDK marks all of these `Optional[...] = None`, which says neither. A field that is in no table is an error of
the checker: a new SDK version must be classified, not waved through. Keys are `Model.field`; `*.field` stands for
any model that has no entry of its own.
"""

from __future__ import annotations

from enum import Enum


class Presence(Enum):
    """What the wire must look like when there is nothing to say."""

    ALWAYS = "always there, never null"
    NULL = "always there, null when empty"
    ABSENT = "absent when not applicable, never null"
    EITHER = "absent or null: the documentation leaves it open"


_ALWAYS = """
BetaManagedAgentsModelConfig.effort BetaManagedAgentsModelConfig.speed
BetaManagedAgentsSendSessionEvents.data
BetaManagedAgentsSessionStats.active_seconds BetaManagedAgentsSessionStats.duration_seconds
BetaManagedAgentsCacheCreationUsage.ephemeral_1h_input_tokens
BetaManagedAgentsCacheCreationUsage.ephemeral_5m_input_tokens
BetaManagedAgentsServerToolUsage.web_fetch_requests BetaManagedAgentsServerToolUsage.web_search_requests
*.active_seconds *.cache_creation *.cache_read_input_tokens *.input_tokens *.output_tokens
BetaManagedAgentsDeltaContent.index BetaManagedAgentsMemoryStoreResource.access
BetaManagedAgentsMemoryStoreResource.name BetaManagedAgentsMemoryStoreResource.description
BetaManagedAgentsMemoryStoreResource.mount_path
BetaPackages.type BetaFileMetadata.downloadable BetaDeletedFile.type DeletedFile.type
"""

_NULL = """
*.archived_at *.description *.system *.multiagent
BetaManagedAgentsSession.title BetaManagedAgentsSession.budget BetaManagedAgentsSession.deployment_id
BetaManagedAgentsSessionUsageEvent.budget
BetaManagedAgentsOutcomeEvaluationResource.completed_at BetaManagedAgentsOutcomeEvaluationResource.explanation
BetaManagedAgentsSessionThread.parent_thread_id BetaManagedAgentsSessionThread.stats
BetaManagedAgentsSessionThread.usage *.workflow_run_id
BetaManagedAgentsWebFetchToolConfig.url_sources BetaManagedAgentsWebFetchURLSources.user_input
BetaManagedAgentsWebFetchURLSources.client_tool_results BetaManagedAgentsWebFetchURLSources.server_tool_results
*.stop_details BetaManagedAgentsSessionRefusalStopDetails.category
BetaManagedAgentsSessionRefusalStopDetails.explanation
*.repository_url BetaManagedAgentsSpanModelRequestEndEvent.is_error *.processed_at
BetaManagedAgentsUserDefineOutcomeEvent.max_iterations
BetaFileMetadata.expires_at BetaFileMetadata.scope
BetaModelInfo.capabilities BetaModelInfo.deprecated_at BetaModelInfo.line BetaModelInfo.max_input_tokens
BetaModelInfo.max_tokens BetaModelInfo.retires_at
BetaManagedAgentsCredential.display_name BetaManagedAgentsMCPOAuthAuthResponse.refresh
BetaManagedAgentsMCPOAuthRefreshResponse.resource BetaManagedAgentsMCPOAuthRefreshResponse.scope
BetaManagedAgentsCredentialValidation.mcp_probe BetaManagedAgentsCredentialValidation.refresh
BetaManagedAgentsMCPProbe.http_response BetaManagedAgentsRefreshObject.http_response
"""

_ABSENT = """
BetaManagedAgentsMCPOAuthAuthResponse.expires_at
BetaManagedAgentsModelConfig.inference_geo *.allowed_domains *.blocked_domains
*.evaluated_permission *.evaluation *.session_thread_id *.from_agent_name *.to_agent_name
*.content *.is_error *.deny_message
BetaManagedAgentsSessionUpdatedEvent.agent BetaManagedAgentsSessionUpdatedEvent.metadata
BetaManagedAgentsSessionUsageSnapshot.list_cost BetaManagedAgentsSessionUsageSnapshot.server_tool_use
BetaManagedAgentsSpanModelUsage.speed BetaEnvironment.scope
"""

_EITHER = """
BetaManagedAgentsSessionUsage.list_cost BetaManagedAgentsSessionUsage.server_tool_use
BetaManagedAgentsSessionUpdatedEvent.title BetaManagedAgentsSessionUpdatedEvent.budget
BetaManagedAgentsDocumentBlock.title BetaManagedAgentsDocumentBlock.context
BetaManagedAgentsCustomToolInputSchema.properties BetaManagedAgentsCustomToolInputSchema.required
BetaManagedAgentsUserLocation.city BetaManagedAgentsUserLocation.country
BetaManagedAgentsUserLocation.region BetaManagedAgentsUserLocation.timezone
BetaManagedAgentsWebFetchToolConfig.max_content_tokens BetaManagedAgentsWebSearchToolConfig.user_location
BetaManagedAgentsGitHubRepositoryResource.checkout BetaManagedAgentsMemoryStoreResource.instructions
BetaModelInfo.allowed_fallback_models BetaModelCapabilities.compaction BetaEffortCapability.xhigh
BetaContextManagementCapability.clear_thinking_20251015 BetaContextManagementCapability.clear_tool_uses_20250919
BetaContextManagementCapability.compact_20260112
"""

PRESENCE: dict[str, Presence] = {
    key: presence
    for presence, table in [
        (Presence.ALWAYS, _ALWAYS), (Presence.NULL, _NULL), (Presence.ABSENT, _ABSENT), (Presence.EITHER, _EITHER),
    ]
    for key in table.split()
}


def presence_of(model: str, field: str) -> Presence | None:
    """None when nobody has classified the field."""
    return PRESENCE.get(f"{model}.{field}", PRESENCE.get(f"*.{field}"))
