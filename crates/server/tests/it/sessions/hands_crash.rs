//! A server that dies behind each append of a session, the client's too, while calls of an MCP server, of a custom tool
//! and those that wait for a word are open: no call runs twice, no answer is lost, and the end is the same.

use std::collections::BTreeMap;
use std::time::Duration;

use hostler_domain::session::Input;
use hostler_protocol::event::{Event, Recorded, Seq, StopReason};
use hostler_protocol::id::{EventId, SessionId};
use hostler_store::{StoreOptions, WakeUps};
use hostler_testkit::{Gate, McpScript, RecordedRequest, Reply};
use serde_json::{Value, json};

use super::answers::{allow, custom_tool, deny, give, toolset, waits_for};
use super::shown::{public, text};
use super::world::{Running, World};

/// More appends, and more of the client's, than the scenario has; the test proves it.
const APPENDS_MAX: u64 = 30;

/// What a call answers that was under way when its server died.
const UNKNOWN: &str = "may or may not have taken effect";

/// As a function of what it is shown, so that it answers a repeated request as it did before.
fn answer(request: &RecordedRequest) -> Reply {
    let use_of = |reply: Reply, tool: &str, n: u64| reply.and_tool_use(tool, json!({"n": n}));
    match results(&request.messages()).len() {
        0 => ["free", "slow", "asked", "refused"]
            .iter()
            .zip(1..)
            .fold(Reply::new(), |reply, (tool, n)| {
                use_of(reply, &format!("mcp__srv__{tool}"), n)
            })
            .and_tool_use("bash", json!({"command": "touch made"}))
            .and_tool_use("look_up", json!({"n": 5})),
        6 => use_of(use_of(Reply::new(), "mcp__srv__free", 6), "look_up", 7),
        _ => Reply::text("Done."),
    }
}

/// The results of calls that a model is shown.
fn results(messages: &[Value]) -> Vec<&Value> {
    let blocks = messages.iter().filter_map(|m| m["content"].as_array());
    let is_result = |block: &&Value| block["type"] == "tool_result";
    blocks.flatten().filter(is_result).collect()
}

fn tools() -> Value {
    let asks =
        |name| json!({"name": name, "enabled": true, "permission_policy": {"type": "always_ask"}});
    let mcp = json!({
        "type": "mcp_toolset", "mcp_server_name": "srv",
        "default_config": {"enabled": true, "permission_policy": {"type": "always_allow"}},
        "configs": [asks("asked"), asks("refused")],
    });
    json!([mcp, toolset("always_ask"), custom_tool("look_up")])
}

/// What the client says next, by the log alone: a result as soon as it is asked for one, and a word when the session
/// waits for it.
fn due(log: &[Recorded]) -> Option<Due> {
    if log.len() == 1 {
        return Some(Due::Message);
    }
    for row in log {
        if let Event::AgentCustomToolUse(_) = row.event
            && !is_answered(log, row.id)
        {
            return Some(Due::Answer(give(row.id, "seven")));
        }
    }
    let id = *waits_for(log).first()?;
    let call = log.iter().find(|row| row.id == id)?;
    let may = matches!(&call.event, Event::AgentMcpToolUse(call) if call.name == "asked");
    Some(Due::Answer(match may {
        true => allow(id),
        false => deny(id, "Never on a Friday."),
    }))
}

enum Due {
    Message,
    Answer(Input),
}

/// Whether the client has said something to this call, or somebody for it.
fn is_answered(log: &[Recorded], id: EventId) -> bool {
    log.iter().any(|row| {
        let is_word =
            matches!(&row.event, Event::UserToolConfirmation(word) if word.tool_use_id == id);
        is_word || result_of(&row.event).is_some_and(|(call, _, _)| call == id)
    })
}

/// Which call an event is the result of, what it says, and whether it is an error.
#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "there are three kinds of results"
)]
fn result_of(event: &Event) -> Option<(EventId, String, bool)> {
    let (id, content, is_error) = match event {
        Event::AgentToolResult(result) => (result.tool_use_id, &result.content, result.is_error),
        Event::AgentMcpToolResult(result) => {
            (result.mcp_tool_use_id, &result.content, result.is_error)
        }
        Event::UserCustomToolResult(result) => {
            (result.custom_tool_use_id, &result.content, result.is_error)
        }
        _ => return None,
    };
    Some((id, text(content), is_error))
}

fn is_over(log: &[Recorded]) -> bool {
    matches!(log.last().map(|row| &row.event), Some(Event::SessionStatusIdle(idle))
        if idle.stop_reason == StopReason::EndTurn)
}

/// When the server dies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Death {
    Never,
    BehindRunner(u64),
    /// The client goes on to say what is due while there is no server that acts.
    BehindRunnerAndClient(u64),
    BehindClient(u64),
}

struct Scenario {
    world: World,
    session: SessionId,
    mcp: McpScript,
    /// The slow tool ends when the client has given its first result.
    slow: Gate,
    said: u64,
}

impl Scenario {
    async fn new(options: StoreOptions) -> Self {
        let slow = Gate::new();
        let tools_of_server = [
            ("free", None),
            ("slow", Some(&slow)),
            ("asked", None),
            ("refused", None),
        ];
        let mcp = McpScript::start(&tools_of_server).await;
        let mut world = World::new().await;
        world.model.otherwise(answer);
        world.mcp_servers = json!([{"type": "url", "name": "srv", "url": mcp.url()}]);
        world.reopen(options);
        let session = world.session_with_tools(tools()).await;
        Self {
            world,
            session,
            mcp,
            slow,
            said: 0,
        }
    }

    /// The whole log at the end, or `None` if the server has to die before.
    async fn drive(&mut self, death: Death) -> Option<Vec<Recorded>> {
        loop {
            let store = &self.world.store;
            let looks = |log: &[Recorded]| store.is_cut_off() || due(log).is_some() || is_over(log);
            let log = self.world.log_when(self.session, looks).await;
            let dies_alone = matches!(death, Death::BehindRunner(_));
            if is_over(&log) {
                return Some(log);
            }
            match due(&log) {
                Some(due) if !(dies_alone && store.is_cut_off()) => self.say(due).await,
                Some(_) | None => return None,
            }
            if death == Death::BehindClient(self.said) {
                return None;
            }
        }
    }

    async fn say(&mut self, due: Due) {
        self.said += 1;
        match due {
            Due::Message => self.world.say(self.session, "Go.").await,
            Due::Answer(answer) => {
                self.world.send(self.session, vec![answer]).await;
                self.slow.open_for_good();
            }
        }
    }
}

struct Outcome {
    log: Vec<Recorded>,
    died: bool,
    /// How often the server has run each call, by its number.
    runs: BTreeMap<u64, usize>,
    /// The last request to the model.
    shown: Vec<Value>,
}

async fn scenario(death: Death, wake_ups: WakeUps) -> Outcome {
    let options = StoreOptions {
        wake_ups,
        look_interval: Duration::from_millis(20),
        ..StoreOptions::default()
    };
    let runner_appends_max = match death {
        Death::BehindRunner(appends) | Death::BehindRunnerAndClient(appends) => Some(appends),
        Death::Never | Death::BehindClient(_) => None,
    };
    let mut scenario = Scenario::new(StoreOptions {
        runner_appends_max,
        ..options
    })
    .await;
    let engine: Running = scenario.world.engine().await;
    let finished = scenario.drive(death).await;
    drop(engine);
    let died = finished.is_none();
    let log = match finished {
        Some(log) => log,
        None => {
            scenario.world.reopen(options);
            let _engine = scenario.world.engine().await;
            let finished = scenario.drive(Death::Never).await;
            finished.expect("no second death")
        }
    };
    assert_eq!(
        scenario.world.workspace_file(scenario.session, "made"),
        None
    );
    let mut runs = BTreeMap::new();
    for call in scenario.mcp.calls() {
        *runs.entry(call.input["n"].as_u64().unwrap()).or_default() += 1;
    }
    let shown = scenario.world.model.requests().last().unwrap().messages();
    Outcome {
        log,
        died,
        runs,
        shown,
    }
}

impl Outcome {
    /// What was said and asked, without how often it was tried and what had to be waited for. Whether a call was
    /// under way when its server died is chance.
    fn story(&self) -> Vec<String> {
        let of_attempts = ["span.", "error", "gives", "fails", "session.", "waits"];
        let is_attempt = |line: &String| of_attempts.iter().any(|start| line.starts_with(start));
        let public = public(&self.log).into_iter();
        public.filter(|line| !is_attempt(line)).collect()
    }

    /// What holds for every log, whenever its server died.
    fn check(&self, death: Death) {
        let mut seq = Seq(0);
        for row in &self.log {
            assert_eq!(row.seq, seq.next(), "{death:?}: no gap");
            seq = row.seq;
        }
        self.check_what_is_waited_for(death);
        let mut answered = 0;
        for row in &self.log {
            let Some(call) = number(&row.event) else {
                continue;
            };
            answered += 1;
            let given: Vec<_> = self
                .log
                .iter()
                .filter_map(|row| result_of(&row.event))
                .collect();
            let given: Vec<_> = given.iter().filter(|(id, _, _)| *id == row.id).collect();
            let [(_, said, is_error)] = given[..] else {
                panic!("{death:?}: one result for call {call}: {given:?}");
            };
            let ran = self.runs.get(&call).copied().unwrap_or_default();
            match call {
                4 => assert!(said.contains("Never on a Friday."), "{death:?}: {said}"),
                5 | 7 => assert_eq!((said.as_str(), is_error), ("seven", &false), "{death:?}"),
                _ if *is_error => assert!(said.contains(UNKNOWN), "{death:?}: {said}"),
                _ => assert_eq!(ran, 1, "{death:?}: call {call} has the result {said}"),
            }
            assert!(ran <= 1, "{death:?}: call {call} ran {ran} times");
        }
        assert_eq!((answered, self.runs.get(&4)), (7, None), "{death:?}");
        let ids: Vec<_> = results(&self.shown)
            .iter()
            .map(|r| r["tool_use_id"].clone())
            .collect();
        assert_eq!(
            ids.len(),
            8,
            "{death:?}: the model has heard of each call: {ids:?}"
        );
    }

    /// A session that waits names all calls that wait for the client, and no others.
    fn check_what_is_waited_for(&self, death: Death) {
        for (position, row) in self.log.iter().enumerate() {
            let Event::SessionStatusIdle(idle) = &row.event else {
                continue;
            };
            let before = &self.log[..position];
            let open = before.iter().filter(|row| waits_for_client(&row.event));
            let open: Vec<_> = open
                .map(|row| row.id)
                .filter(|id| !is_answered(before, *id))
                .collect();
            let named = match &idle.stop_reason {
                StopReason::RequiresAction { event_ids } => event_ids.clone(),
                StopReason::EndTurn | StopReason::RetriesExhausted | StopReason::Refusal => {
                    Vec::new()
                }
            };
            assert_eq!(named, open, "{death:?} at {position}");
        }
    }
}

/// The number that a call has, if the event is a call of the server's or of the client's tools.
#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "there are two kinds with numbers"
)]
fn number(event: &Event) -> Option<u64> {
    let input = match event {
        Event::AgentMcpToolUse(call) => &call.input,
        Event::AgentCustomToolUse(call) => &call.input,
        _ => return None,
    };
    serde_json::from_str::<Value>(input.get()).unwrap()["n"].as_u64()
}

#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "there are three kinds of calls"
)]
fn waits_for_client(event: &Event) -> bool {
    use hostler_protocol::event::EvaluatedPermission::Ask;
    match event {
        Event::AgentToolUse(call) => call.evaluated_permission == Ask,
        Event::AgentMcpToolUse(call) => call.evaluated_permission == Ask,
        Event::AgentCustomToolUse(_) => true,
        _ => false,
    }
}

/// Dies at each moment in turn, and gives how many there were and how many calls had an unknown end.
async fn die_at_each(death: impl Fn(u64) -> Death, wake_ups: WakeUps) -> (u64, usize) {
    let whole = scenario(Death::Never, wake_ups).await;
    whole.check(Death::Never);
    assert!(!whole.has_unknown_result(), "nobody died");
    let mut unknown = 0;
    for moment in 1..=APPENDS_MAX {
        let death = death(moment);
        let outcome = scenario(death, wake_ups).await;
        if !outcome.died {
            return (moment - 1, unknown);
        }
        outcome.check(death);
        assert_eq!(outcome.story(), whole.story(), "{death:?}");
        unknown += usize::from(outcome.has_unknown_result());
    }
    panic!("more than {APPENDS_MAX} moments to die in");
}

impl Outcome {
    fn has_unknown_result(&self) -> bool {
        let mut results = self.log.iter().filter_map(|row| result_of(&row.event));
        results.any(|(_, said, _)| said.contains(UNKNOWN))
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_death_behind_each_append_of_the_runner_loses_no_answer() {
    for wake_ups in [WakeUps::On, WakeUps::Off] {
        let (deaths, unknown) = die_at_each(Death::BehindRunner, wake_ups).await;
        assert!(
            deaths >= 6 && unknown > 0,
            "{deaths} deaths, {unknown} unknown"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn answers_to_a_dead_server_count() {
    for wake_ups in [WakeUps::On, WakeUps::Off] {
        let (deaths, unknown) = die_at_each(Death::BehindRunnerAndClient, wake_ups).await;
        assert!(
            deaths >= 6 && unknown > 0,
            "{deaths} deaths, {unknown} unknown"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_death_behind_each_append_of_the_client_loses_no_answer() {
    for wake_ups in [WakeUps::On, WakeUps::Off] {
        let (deaths, _) = die_at_each(Death::BehindClient, wake_ups).await;
        assert_eq!(deaths, 6, "a message, two results and three words");
    }
}
