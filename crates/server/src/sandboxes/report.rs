//! The reports of `hostler sandboxes`, for people and for scripts.

use std::fmt::Write;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use hostler_protocol::Timestamp;
use hostler_sandbox::{Inspected, Ownership, Surveyed};
use serde_json::{Value, json};

pub(super) fn table(surveyed: &[Surveyed], now: Timestamp) -> String {
    if surveyed.is_empty() {
        return "There are no sandboxes.\n".to_owned();
    }
    let widths = surveyed.iter().map(|one| one.name.as_str().len());
    let width = widths.max().unwrap_or(0).max(4);
    let mut text = String::new();
    let _ = writeln!(
        text,
        "{:width$}  {:7}  {:>7}  {:>9}  {:>10}  {:>6}  {:>9}",
        "NAME", "STATE", "PID", "MEMORY", "DISK", "AGE", "LAST USE"
    );
    for one in surveyed {
        let _ = writeln!(
            text,
            "{:width$}  {:7}  {:>7}  {:>9}  {:>10}  {:>6}  {:>9}",
            one.name.as_str(),
            state(one),
            one.pid
                .map_or_else(|| "-".to_owned(), |pid| pid.to_string()),
            one.memory_bytes.map_or_else(|| "-".to_owned(), bytes),
            disk(one),
            since(one.created_at, now),
            since(one.changed_at, now),
        );
    }
    text
}

pub(super) fn page(found: &Inspected, now: Timestamp) -> String {
    let one = &found.surveyed;
    let mut text = String::new();
    let mut line = |what: &str, value: &str| {
        let _ = writeln!(text, "{what:18}{value}");
    };
    line("name", one.name.as_str());
    line("state", state(one));
    line("directory", &found.directory.display().to_string());
    line("made", &ago(one.created_at, now));
    line("started", &ago(one.started_at, now));
    line("last use", &ago(one.changed_at, now));
    line(
        "disk",
        &format!("{} in {} files", disk(one), one.disk.files),
    );
    if let Some(memory) = one.memory_bytes {
        line("memory", &bytes(memory));
    }
    if let Some(pid) = one.pid {
        line("first process", &pid.to_string());
    }
    if let Some(mode) = found.seccomp {
        let filtered = if mode == 2 {
            "filtered"
        } else {
            "not filtered"
        };
        line("system calls", filtered);
    }
    if let Some(set) = found.no_new_privileges {
        line("no new privileges", if set { "yes" } else { "no" });
    }
    if let Some(capabilities) = &found.capabilities {
        line("capabilities", capabilities);
    }
    for ids in &found.user_ids {
        line("user ids", &format!("{ids} (inside, outside, count)"));
    }
    for (file, value) in &found.limits {
        line("limit", &format!("{file} = {value}"));
    }
    for mount in &found.mounts {
        line("mount", mount);
    }
    for process in &found.processes {
        let memory = bytes(process.memory_bytes);
        let shown = format!(
            "{} {} {memory:>9} {}",
            process.pid, process.state, process.command
        );
        line("process", &shown);
    }
    text
}

pub(super) fn json_list(surveyed: &[Surveyed]) -> serde_json::Result<String> {
    lines(&Value::Array(surveyed.iter().map(json_of).collect()))
}

pub(super) fn json_page(found: &Inspected) -> serde_json::Result<String> {
    let process = |process: &hostler_sandbox::InnerProcess| {
        json!({
            "pid": process.pid,
            "state": process.state,
            "memory_bytes": process.memory_bytes,
            "command": process.command,
        })
    };
    let limits = found.limits.iter().cloned();
    let limits = limits.map(|(file, value)| (file, Value::String(value)));
    lines(&json!({
        "sandbox": json_of(&found.surveyed),
        "directory": found.directory,
        "seccomp": found.seccomp,
        "no_new_privileges": found.no_new_privileges,
        "capabilities": found.capabilities,
        "user_ids": found.user_ids,
        "limits": limits.collect::<serde_json::Map<_, _>>(),
        "mounts": found.mounts,
        "processes": found.processes.iter().map(process).collect::<Vec<_>>(),
    }))
}

fn json_of(one: &Surveyed) -> Value {
    json!({
        "name": one.name.as_str(),
        "state": state(one),
        "pid": one.pid,
        "memory_bytes": one.memory_bytes,
        "disk_bytes": one.disk.bytes,
        "disk_files": one.disk.files,
        "disk_is_partial": one.disk.is_partial,
        "created_at": time(one.created_at),
        "started_at": time(one.started_at),
        "last_use_at": time(one.changed_at),
    })
}

fn lines(value: &Value) -> serde_json::Result<String> {
    Ok(serde_json::to_string_pretty(value)? + "\n")
}

fn state(one: &Surveyed) -> &'static str {
    match (one.ownership, one.pid) {
        (Ownership::Pooled, _) => "pooled",
        (Ownership::Named, Some(_)) => "running",
        (Ownership::Named, None) => "stopped",
    }
}

fn time(at: Option<SystemTime>) -> Option<String> {
    let since = at?.duration_since(UNIX_EPOCH).ok()?;
    let micros = i64::try_from(since.as_micros()).ok()?;
    Some(Timestamp::from_micros(micros).to_string())
}

fn disk(one: &Surveyed) -> String {
    let more = if one.disk.is_partial { "> " } else { "" };
    format!("{more}{}", bytes(one.disk.bytes))
}

fn bytes(count: u64) -> String {
    const UNITS: [(&str, u64); 4] = [
        ("GiB", 1 << 30),
        ("MiB", 1 << 20),
        ("KiB", 1 << 10),
        ("B", 1),
    ];
    let fitting = UNITS.iter().find(|(_, unit)| count >= *unit);
    let (name, unit) = fitting.unwrap_or(&UNITS[3]);
    let tenths = count.saturating_mul(10) / unit;
    if *unit == 1 {
        format!("{count} {name}")
    } else {
        format!("{}.{} {name}", tenths / 10, tenths % 10)
    }
}

/// The largest unit that fits: an operator looks for days or for seconds.
fn since(at: Option<SystemTime>, now: Timestamp) -> String {
    let Some(at) = at.and_then(|at| at.duration_since(UNIX_EPOCH).ok()) else {
        return "-".to_owned();
    };
    let now = Duration::from_micros(u64::try_from(now.as_micros()).unwrap_or(0));
    let seconds = now.saturating_sub(at).as_secs();
    match seconds {
        0..=119 => format!("{seconds}s"),
        120..=7_199 => format!("{}m", seconds / 60),
        7_200..=172_799 => format!("{}h", seconds / 3_600),
        172_800.. => format!("{}d", seconds / 86_400),
    }
}

fn ago(at: Option<SystemTime>, now: Timestamp) -> String {
    match time(at) {
        Some(shown) => format!("{shown} ({} ago)", since(at, now)),
        None => "-".to_owned(),
    }
}
