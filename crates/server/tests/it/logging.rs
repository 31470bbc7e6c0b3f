//! The log: JSON lines whose fields are at the top, text without colours, and a filter.

use std::io;
use std::sync::{Arc, Mutex};

use hostler_server::config::{LogFormat, LogOptions};
use hostler_server::logging::{Colours, subscriber};

/// What was logged, for the test to read.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl io::Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn logged(format: LogFormat, filter: &str, log: impl FnOnce()) -> String {
    let lines = Lines::default();
    let options = LogOptions {
        format,
        filter: filter.to_owned(),
    };
    let writer = lines.clone();
    let subscriber = subscriber(&options, Colours::Off, move || writer.clone()).unwrap();
    tracing::subscriber::with_default(subscriber, log);
    String::from_utf8(lines.0.lock().unwrap().clone()).unwrap()
}

#[test]
fn json_lines_carry_ids_as_fields() {
    let text = logged(LogFormat::Json, "info", || {
        let span = tracing::info_span!("request", request_id = "req_1");
        span.in_scope(|| tracing::info!(session_id = "sesn_1", "appended"));
    });
    let line: serde_json::Value = serde_json::from_str(text.trim()).unwrap();
    assert_eq!(line["message"], "appended");
    assert_eq!(line["session_id"], "sesn_1");
    assert_eq!(line["level"], "INFO");
    assert_eq!(line["span"]["request_id"], "req_1");
}

#[test]
fn text_lines_are_plain_and_filtered() {
    let text = logged(LogFormat::Text, "warn", || {
        tracing::info!("not this");
        tracing::warn!(event_id = "sevt_1", "this");
    });
    assert!(!text.contains("not this"));
    assert!(
        text.contains("WARN") && text.trim_end().ends_with("this event_id=\"sevt_1\""),
        "{text}"
    );
    assert!(!text.contains('\u{1b}'), "no colours: {text:?}");
}
