//! What shows that a session gets on. A runner that dies behind such a row has not died for nothing:
//! the next one does something else.

use hostler_protocol::event::Event;

/// Whether the world has answered, or the session has come to rest. The marks of attempts are no
/// progress, and neither is what clients send: both come again however often a runner dies.
pub fn is_progress(event: &Event) -> bool {
    match event {
        Event::ModelResponse(_)
        | Event::ModelFailed(_)
        | Event::ContextCompacted(_)
        | Event::AgentToolResult(_)
        | Event::AgentMcpToolResult(_)
        | Event::SessionStatusIdle(_)
        | Event::SessionStatusTerminated(_) => true,
        Event::UserMessage(_)
        | Event::UserInterrupt(_)
        | Event::InputProcessed(_)
        | Event::AgentMessage(_)
        | Event::AgentThinking(_)
        | Event::UserToolConfirmation(_)
        | Event::UserCustomToolResult(_)
        | Event::SystemMessage(_)
        | Event::AgentToolUse(_)
        | Event::AgentCustomToolUse(_)
        | Event::AgentMcpToolUse(_)
        | Event::AgentThreadContextCompacted(_)
        | Event::SessionCreated(_)
        | Event::SessionUpdated(_)
        | Event::SessionError(_)
        | Event::SessionUsage(_)
        | Event::SessionStatusRunning(_)
        | Event::SessionStatusRescheduled(_)
        | Event::SessionThreadStatusRunning(_)
        | Event::SessionThreadStatusIdle(_)
        | Event::SessionThreadStatusRescheduled(_)
        | Event::SessionThreadStatusTerminated(_)
        | Event::ModelRequestStart(_)
        | Event::ModelRequestEnd(_)
        | Event::ToolStarted(_)
        | Event::ResultDeadline(_)
        | Event::PermissionJudged(_)
        | Event::WebSearched(_)
        | Event::Unknown { .. } => false,
    }
}
