//! `hostler demo`: starts a server as anybody would, and runs the quickstart of the hosted documentation
//! on it through the public API.
//!
//! It knows nothing that a user does not: it reads the address and the key from the server's banner.

mod model;
mod server;
mod show;
mod sse;

use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, anyhow, bail};
use serde_json::{Value, json};

use crate::api_client::Client;
use crate::config::{Environment, SandboxMode};
use crate::terminal::say;
use model::Chosen;
use server::{Address, DemoServer, Listen, Signals};
use sse::EventStream;

const TASK: &str = "Create a Python script that generates the first 20 Fibonacci numbers and saves them to \
                    fibonacci.txt";
const FILE: &str = "fibonacci.txt";

/// The last of the first 20 Fibonacci numbers: a file without it is not the one that was asked for.
const LAST_NUMBER: &str = "4181";

/// A real model may think and repair for a while.
const SESSION_TIME_MAX: Duration = Duration::from_secs(600);

#[derive(Debug)]
pub struct DemoOptions {
    pub then: Then,
    /// Passed on to the server.
    pub sandbox: Option<SandboxMode>,
    /// The model to use, where it should not follow from the environment.
    pub model: Option<String>,
}

/// What happens when the session is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Then {
    /// The server goes on until it is interrupted, for the user to try more.
    StayUp,
    /// The demo ends, and says by its exit code whether all went well.
    Exit,
}

/// What the server says between the lines of the demo, unless the user wants to see more.
const LOG_FILTER: &str = "HOSTLER__LOG__FILTER";
const LISTEN: &str = "HOSTLER__SERVER__LISTEN";

pub async fn run(options: DemoOptions, environment: &Environment) -> anyhow::Result<ExitCode> {
    // Before there is a server that they could leave behind.
    let mut signals = Signals::new().context("signals cannot be received")?;
    let mut chosen = model::choose(environment, options.model.as_deref())?;
    if environment.get(LOG_FILTER).is_none() {
        chosen.variables.push((LOG_FILTER, "warn".to_owned()));
    }
    say(&format!(
        "Starting a server in a fresh folder; the model is {}.\n",
        chosen.because
    ));
    let listen = match environment.get(LISTEN) {
        Some(_) => Listen::Configured,
        None => Listen::Usual,
    };
    let mut server = DemoServer::spawn(&chosen, options.sandbox, listen)?;
    let mut progress = Progress::Session;
    let outcome = tokio::select! {
        outcome = work(&mut server, &chosen, options.then, &mut progress) => outcome,
        () = signals.next() => match progress {
            Progress::Session => Err(anyhow!("interrupted")),
            Progress::Over => Ok(()),
        }
    };
    let stopped = server.stop(&mut signals).await;
    outcome.and(stopped).map(|()| ExitCode::SUCCESS)
}

/// What an interruption means.
enum Progress {
    Session,
    /// The demo has been shown, and the user is done with trying more.
    Over,
}

/// Shows the session. If the server is to stay up, this ends only if it does not.
async fn work(
    server: &mut DemoServer,
    chosen: &Chosen,
    then: Then,
    progress: &mut Progress,
) -> anyhow::Result<()> {
    let address = server.ready().await?;
    let client = Client::new(&address.base_url, &address.api_key)?;
    let session = tokio::select! {
        session = tokio::time::timeout(SESSION_TIME_MAX, show_session(&client, &chosen.model)) => {
            session.unwrap_or_else(|_| bail!("the session did not end within {SESSION_TIME_MAX:?}"))
        }
        ended = server.ended() => bail!("the server ended in the middle of the session: {}", ended?),
    };
    match (session, then) {
        (session, Then::Exit) => session,
        (session, Then::StayUp) => {
            if let Err(error) = session {
                say(&format!(
                    "\nThe session did not go as it should: {error:#}\n"
                ));
            }
            *progress = Progress::Over;
            say(&how_to_try_more(&address, &chosen.model));
            bail!("the server ended: {}", server.ended().await?)
        }
    }
}

fn how_to_try_more(address: &Address, model: &str) -> String {
    format!(
        "
The server goes on. In another terminal:

  export ANTHROPIC_BASE_URL={}
  export ANTHROPIC_API_KEY={}

  pip install anthropic
  python3 -c 'import anthropic; print(anthropic.Anthropic().beta.sessions.list().data[0].id)'

or any program written with an official Anthropic SDK; its agents may name the model {model:?}.
Ctrl-C ends the server and removes its folder; `hostler serve` keeps one.
",
        address.base_url, address.api_key
    )
}

/// The quickstart: an agent, an environment, a session, a message, and what comes of it.
async fn show_session(client: &Client, model: &str) -> anyhow::Result<()> {
    let agent = client
        .create(
            "/v1/agents",
            &json!({
                "name": "Coding Assistant",
                "model": model,
                "system": "You are a helpful coding assistant. Write clean, well-documented code.",
                "tools": [{ "type": "agent_toolset_20260401" }],
            }),
        )
        .await?;
    let environment = client
        .create("/v1/environments", &json!({ "name": "demo" }))
        .await?;
    let session = client
        .create(
            "/v1/sessions",
            &json!({ "agent": agent, "environment_id": environment, "title": "Demo" }),
        )
        .await?;
    say(&format!(
        "\nagent        {agent}\nenvironment  {environment}\nsession      {session}\n\n"
    ));

    let stream = format!("/v1/sessions/{session}/events/stream");
    let mut events = EventStream::new(client.stream(&stream).await?);
    let message = json!({ "type": "user.message", "content": [{ "type": "text", "text": TASK }] });
    client
        .post(
            &format!("/v1/sessions/{session}/events"),
            &json!({ "events": [message] }),
        )
        .await?;
    let mut tool_output = String::new();
    let stop_reason = loop {
        let event = events
            .next()
            .await?
            .context("the stream ended before the session was idle")?;
        say(&show::event(&event));
        if event["type"] == "agent.tool_result" {
            tool_output = show::text_of(&event);
        }
        if event["type"] == "session.status_idle" {
            break event["stop_reason"]["type"]
                .as_str()
                .unwrap_or_default()
                .to_owned();
        }
    };
    if stop_reason != "end_turn" {
        bail!("the turn ended because of {stop_reason}");
    }
    show_result(client, &session, tool_output).await
}

/// The end of the demo: the file as a client gets it.
async fn show_result(client: &Client, session: &str, tool_output: String) -> anyhow::Result<()> {
    let list = format!("/v1/files?scope_id={session}");
    let content = match produced_file(client, &list).await? {
        Some((id, content)) => {
            say(&format!(
                "\nGET {list}\n        | {FILE}  {id}\nGET /v1/files/{id}/content\n"
            ));
            content
        }
        None => {
            say("\nThe agent left no such file in /mnt/session/outputs. Its last result says:\n");
            tool_output
        }
    };
    if !content.contains(LAST_NUMBER) {
        bail!("{FILE} does not hold the first 20 Fibonacci numbers");
    }
    say(&format!("\n{FILE}:\n{}", show::indented(&content)));
    Ok(())
}

/// The file that the agent left for its user, with its id.
async fn produced_file(client: &Client, list: &str) -> anyhow::Result<Option<(String, String)>> {
    let files = client.get(list).await?;
    let is_it = |file: &&Value| file["filename"] == FILE && file["downloadable"] == true;
    let file = files["data"]
        .as_array()
        .and_then(|files| files.iter().find(is_it));
    match file.and_then(|file| file["id"].as_str()) {
        Some(id) => {
            let content = client.text(&format!("/v1/files/{id}/content")).await?;
            Ok(Some((id.to_owned(), content)))
        }
        None => Ok(None),
    }
}
