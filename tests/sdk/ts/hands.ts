// A session with a tool of the client's own and one that is asked about. Nothing in it knows about Hostler.

import Anthropic from "@anthropic-ai/sdk";
import { betaTool } from "@anthropic-ai/sdk/helpers/beta/json-schema";

const client = new Anthropic();

const schema = { type: "object", properties: { id: { type: "string" } }, required: ["id"] } as const;

const lookUp = betaTool({
  name: "look_up",
  description: "Looks up an order.",
  inputSchema: schema,
  run: (input) => `order ${input.id} is on its way`,
});

const agent = await client.beta.agents.create({
  name: "Hands",
  model: "claude-opus-5-5",
  tools: [
    { type: "custom", name: "look_up", description: "Looks up an order.", input_schema: { ...schema, required: [...schema.required] } },
    {
      type: "agent_toolset_20260401",
      default_config: { permission_policy: { type: "always_ask" } },
    },
  ],
});
const environment = await client.beta.environments.create({ name: "hands" });
const session = await client.beta.sessions.create({ agent: agent.id, environment_id: environment.id });
console.log(session.id);

const stream = await client.beta.sessions.events.stream(session.id);
const runner = client.beta.sessions.events.toolRunner(session.id, { tools: [lookUp], maxIdleMs: 1000 });
const answering = (async () => {
  for await (const call of runner) {
    if (call.name === "look_up") {
      console.log("ran", call.name, call.isError, call.posted);
    }
  }
})();

await client.beta.sessions.events.send(session.id, {
  events: [{ type: "user.message", content: [{ type: "text", text: "Where is order 7?" }] }],
});

let said = "";
for await (const event of stream) {
  if (event.type === "agent.tool_use" && event.evaluated_permission === "ask") {
    await client.beta.sessions.events.send(session.id, {
      events: [{ type: "user.tool_confirmation", tool_use_id: event.id, result: "allow" }],
    });
  } else if (event.type === "agent.message") {
    said = event.content.map((block) => (block.type === "text" ? block.text : "")).join("");
  } else if (event.type === "session.status_idle" && event.stop_reason.type === "end_turn") {
    break;
  }
}
await answering;
console.log(said);
