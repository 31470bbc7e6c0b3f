//! Events of a session as lines for people. What a line cannot show is left out, never made up.

use serde_json::Value;

const LINES_MAX: usize = 24;
const LINE_CHARS_MAX: usize = 110;

/// One event; empty for those that tell a reader nothing.
pub(super) fn event(event: &Value) -> String {
    let kind = event["type"].as_str().unwrap_or_default();
    match kind {
        "user.message" => format!("you     {}\n", printable(&text_of(event))),
        "agent.message" => format!("agent   {}\n", printable(&text_of(event))),
        "agent.thinking" => "agent   (thinks)\n".to_owned(),
        "agent.tool_use" => tool_use(event),
        "agent.tool_result" => {
            let failed = if event["is_error"] == true {
                "failed\n"
            } else {
                ""
            };
            format!("{failed}{}", indented(&text_of(event)))
        }
        "session.error" => {
            let error = &event["error"];
            let message = error["message"].as_str().unwrap_or_default();
            format!(
                "error   {}: {message}\n",
                error["type"].as_str().unwrap_or_default()
            )
        }
        "session.usage" => usage(&event["usage"]),
        "session.status_idle" => {
            let reason = event["stop_reason"]["type"].as_str().unwrap_or_default();
            format!("idle    {reason}\n")
        }
        "session.status_running" => "running\n".to_owned(),
        "session.status_rescheduled" => "waits to try again\n".to_owned(),
        "session.status_terminated" => "terminated\n".to_owned(),
        _ => String::new(),
    }
}

fn tool_use(event: &Value) -> String {
    let name = event["name"].as_str().unwrap_or_default();
    let input = &event["input"];
    let shown = ["command", "file_path", "path", "pattern"]
        .iter()
        .find_map(|key| input[*key].as_str());
    let shown = shown
        .map(str::to_owned)
        .unwrap_or_else(|| input.to_string());
    let mut lines = format!("{:8}{}\n", name, shortened(&shown));
    if let Some(content) = input["content"].as_str() {
        lines.push_str(&indented(content));
    }
    lines
}

fn usage(usage: &Value) -> String {
    let count = |key: &str| usage[key].as_u64().unwrap_or(0);
    format!(
        "tokens  {} in, {} out\n",
        count("input_tokens"),
        count("output_tokens")
    )
}

/// The text blocks of an event's content.
pub(super) fn text_of(event: &Value) -> String {
    let blocks = event["content"]
        .as_array()
        .map(Vec::as_slice)
        .unwrap_or_default();
    let texts: Vec<&str> = blocks
        .iter()
        .filter_map(|block| block["text"].as_str())
        .collect();
    texts.join("\n")
}

/// A few lines of a longer text, set off from what is around them.
pub(super) fn indented(text: &str) -> String {
    let mut lines: Vec<String> = text
        .lines()
        .take(LINES_MAX)
        .map(|line| format!("        | {}\n", shortened(line)))
        .collect();
    let hidden = text.lines().count().saturating_sub(LINES_MAX);
    if hidden > 0 {
        lines.push(format!("        | ({hidden} more lines)\n"));
    }
    lines.concat()
}

/// Without what could move the cursor or rename the window: a model wrote it.
fn printable(text: &str) -> String {
    text.chars()
        .filter(|c| !c.is_control() || *c == '\n')
        .collect()
}

/// One short line.
fn shortened(line: &str) -> String {
    let line = printable(&line.replace(['\n', '\t'], " "));
    let clean: String = line.chars().take(LINE_CHARS_MAX).collect();
    if line.chars().count() > LINE_CHARS_MAX {
        format!("{clean}…")
    } else {
        clean
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn events_are_shown_as_lines() {
        let write = json!({ "type": "agent.tool_use", "name": "write",
            "input": { "file_path": "/workspace/a.py", "content": "a = 1\nprint(a)" } });
        assert_eq!(
            event(&write),
            "write   /workspace/a.py\n        | a = 1\n        | print(a)\n"
        );
        let result = json!({ "type": "agent.tool_result", "is_error": true,
            "content": [{ "type": "text", "text": "no such file" }] });
        assert_eq!(event(&result), "failed\n        | no such file\n");
        assert_eq!(event(&json!({ "type": "span.model_request_start" })), "");
    }

    #[test]
    fn what_a_model_wrote_cannot_take_the_terminal_over() {
        let text = json!({ "type": "agent.tool_use", "name": "bash",
            "input": { "command": "\u{1b}]0;title\u{7}ls" } });
        assert_eq!(event(&text), "bash    ]0;titlels\n");
    }
}
