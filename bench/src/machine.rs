//! Facts of the machine, without which no figure means anything.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

#[derive(Debug)]
pub(crate) struct Machine(Vec<(&'static str, String)>);

impl Machine {
    /// `folder` is where the data of the servers is.
    pub(crate) fn here(folder: &Path, server: &Path) -> Self {
        let cores = std::thread::available_parallelism()
            .map(usize::from)
            .unwrap_or_default();
        Self(vec![
            ("cores", cores.to_string()),
            ("processor", processor()),
            ("memory", memory()),
            ("kernel", first_line("/proc/sys/kernel/osrelease")),
            ("file system of the data", file_system(folder)),
            ("load average at the start", first_line("/proc/loadavg")),
            ("rustc", output(Command::new("rustc").arg("--version"))),
            (
                "commit",
                output(Command::new("git").args(["rev-parse", "--short=12", "HEAD"])),
            ),
            ("server", build(server)),
        ])
    }

    pub(crate) fn rows(&self) -> impl Iterator<Item = (&'static str, &str)> {
        self.0.iter().map(|(name, value)| (*name, value.as_str()))
    }

    pub(crate) fn json(&self) -> Value {
        let facts: serde_json::Map<String, Value> = self
            .rows()
            .map(|(name, value)| (name.to_owned(), json!(value)))
            .collect();
        Value::Object(facts)
    }
}

fn build(server: &Path) -> String {
    let mib = fs::metadata(server)
        .map(|metadata| metadata.len())
        .unwrap_or_default()
        >> 20;
    let folder = server
        .parent()
        .and_then(|folder| folder.file_name())
        .unwrap_or_default();
    let kind = if folder == "debug" {
        "development build"
    } else {
        "release build"
    };
    format!(
        "{}, {kind}, {mib} MiB",
        output(Command::new(server).arg("--version"))
    )
}

fn processor() -> String {
    let cpuinfo = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let name = cpuinfo
        .lines()
        .find_map(|line| line.strip_prefix("model name"));
    name.map(|rest| rest.trim_start_matches([' ', '\t', ':']))
        .unwrap_or("unknown")
        .to_owned()
}

fn memory() -> String {
    let line = first_line("/proc/meminfo");
    let kib: u64 = line
        .split_whitespace()
        .nth(1)
        .and_then(|n| n.parse().ok())
        .unwrap_or_default();
    format!("{} GiB", kib >> 20)
}

/// Of the mount that the folder is on: the longest mount point that leads to it.
fn file_system(folder: &Path) -> String {
    let folder = folder.canonicalize().unwrap_or_else(|_| folder.to_owned());
    let mounts = fs::read_to_string("/proc/self/mounts").unwrap_or_default();
    mounts
        .lines()
        .filter_map(|line| {
            let mut fields = line.split(' ').skip(1);
            Some((fields.next()?, fields.next()?))
        })
        .filter(|(point, _)| folder.starts_with(point))
        .max_by_key(|(point, _)| point.len())
        .map_or_else(|| "unknown".to_owned(), |(_, kind)| kind.to_owned())
}

fn first_line(path: &str) -> String {
    let text = fs::read_to_string(path).unwrap_or_default();
    text.lines().next().unwrap_or_default().to_owned()
}

/// The first line of what a program says; a machine without it is still a machine.
fn output(command: &mut Command) -> String {
    let said = command
        .output()
        .map(|output| output.stdout)
        .unwrap_or_default();
    String::from_utf8_lossy(&said)
        .lines()
        .next()
        .unwrap_or("unknown")
        .to_owned()
}
