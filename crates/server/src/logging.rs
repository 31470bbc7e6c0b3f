//! The log of the process: lines for people or JSON for machines, on stderr.
//!
//! Identifiers of requests, sessions and events are fields, given by those who log. Secrets and what
//! people and models say never enter a line; that is a rule for the callers, this file cannot enforce it.

use std::io::IsTerminal;

use anyhow::Context;
use tracing::Subscriber;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;

use crate::config::{LogFormat, LogOptions};

/// Starts the log of this process. Panics go to it too, so that a log of JSON stays one.
pub fn start(options: &LogOptions) -> anyhow::Result<()> {
    let ansi = options.format == LogFormat::Text && std::io::stderr().is_terminal();
    let subscriber = subscriber(options, Colours::of(ansi), std::io::stderr)?;
    tracing::subscriber::set_global_default(subscriber).context("the log is already started")?;
    std::panic::set_hook(Box::new(|panic| {
        let message = panic
            .payload()
            .downcast_ref::<&str>()
            .copied()
            .or_else(|| panic.payload().downcast_ref::<String>().map(String::as_str))
            .unwrap_or("without a message");
        let place = panic
            .location()
            .map(ToString::to_string)
            .unwrap_or_default();
        tracing::error!(place, "panic: {message}");
    }));
    Ok(())
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Colours {
    On,
    Off,
}

impl Colours {
    fn of(terminal: bool) -> Self {
        if terminal { Self::On } else { Self::Off }
    }
}

/// The SDK for MCP servers logs what servers say, as errors too. It speaks only to whoever names it.
fn quiet(filter: &str) -> String {
    match filter.contains("rmcp") {
        true => filter.to_owned(),
        false => format!("{filter},rmcp=off"),
    }
}

/// What formats and filters lines, for any writer.
pub fn subscriber<W>(
    options: &LogOptions,
    colours: Colours,
    writer: W,
) -> anyhow::Result<Box<dyn Subscriber + Send + Sync>>
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let filter = EnvFilter::builder()
        .parse(quiet(&options.filter))
        .with_context(|| format!("{:?} is not a log filter", options.filter))?;
    let lines = tracing_subscriber::fmt()
        // A line that can't be written would be told to stderr, which panics if that is what can't be
        // written to; and the panic would be logged.
        .log_internal_errors(false)
        .with_env_filter(filter)
        .with_ansi(colours == Colours::On)
        .with_writer(writer);
    Ok(match options.format {
        LogFormat::Text => Box::new(lines.finish()),
        LogFormat::Json => Box::new(lines.json().flatten_event(true).finish()),
    })
}
