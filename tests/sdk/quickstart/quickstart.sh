#!/usr/bin/env bash
# The quickstart of the hosted documentation, with curl. Nothing in it knows about Hostler; where the
# documentation reads JSON with jq, this does with sed, so that it needs nothing besides curl.
set -euo pipefail

: "${ANTHROPIC_BASE_URL:=https://api.anthropic.com}"

request() {
  curl -sS --fail-with-body "$ANTHROPIC_BASE_URL$1" "${@:2}" \
    -H "x-api-key: $ANTHROPIC_API_KEY" \
    -H "anthropic-version: 2023-06-01" \
    -H "anthropic-beta: managed-agents-2026-04-01" \
    -H "content-type: application/json"
}

id() { grep -oE "\"id\": ?\"$1_[^\"]+\"" | head -n 1 | cut -d '"' -f 4; }

agent=$(request /v1/agents -d @- <<'EOF'
{
  "name": "Coding Assistant",
  "model": "claude-opus-4-8",
  "system": "You are a helpful coding assistant. Write clean, well-documented code.",
  "tools": [
    {"type": "agent_toolset_20260401"}
  ]
}
EOF
)
AGENT_ID=$(id agent <<<"$agent")
echo "Agent ID: $AGENT_ID"

environment=$(request /v1/environments -d @- <<'EOF'
{
  "name": "quickstart-env",
  "config": {
    "type": "cloud",
    "networking": {"type": "unrestricted"}
  }
}
EOF
)
ENVIRONMENT_ID=$(id env <<<"$environment")
echo "Environment ID: $ENVIRONMENT_ID"

session=$(request /v1/sessions -d @- <<EOF
{
  "agent": "$AGENT_ID",
  "environment_id": "$ENVIRONMENT_ID",
  "title": "Quickstart session"
}
EOF
)
SESSION_ID=$(id sesn <<<"$session")
echo "Session ID: $SESSION_ID"

# Open the stream, and wait until the server has answered it: from then on nothing is missed.
folder=$(mktemp -d)
mkfifo "$folder/stream" "$folder/progress"
exec 3<>"$folder/stream" 4<>"$folder/progress"
request "/v1/sessions/$SESSION_ID/events/stream" -N -v >&3 2>&4 &
trap 'rm -rf "$folder"; kill %% 2>/dev/null || true' EXIT
while IFS= read -r progress <&4 && [[ $progress != "< HTTP/"* ]]; do :; done

request "/v1/sessions/$SESSION_ID/events" -d @- >/dev/null <<'EOF'
{
  "events": [
    {
      "type": "user.message",
      "content": [
        {
          "type": "text",
          "text": "Create a Python script that generates the first 20 Fibonacci numbers and saves them to fibonacci.txt"
        }
      ]
    }
  ]
}
EOF

# Process streaming events.
event=""
while IFS= read -r line <&3; do
  case $line in
    "event: "*) event=${line#event: } ;;
    "data: "*)
      case $event in
        agent.message) grep -oE '"text": ?"([^"\\]|\\.)*"' <<<"$line" | sed -E 's/^"text": ?"(.*)"$/\1/' ;;
        agent.tool_use) printf '[Using tool: %s]\n' "$(grep -oE '"name": ?"[^"]*"' <<<"$line" | head -n 1 | cut -d '"' -f 4)" ;;
        session.status_idle)
          printf '\nAgent finished.\n'
          break
          ;;
      esac
      ;;
  esac
done
