//! The report: Markdown for people, JSON for machines, both with the facts of the machine.

use std::fmt::Write;

use serde_json::{Value, json};

use crate::machine::Machine;
use crate::outcome::{AtLeast, AtMost, Figure, Goal, Outcome};
use crate::samples::Summary;

pub(crate) fn head(machine: &Machine) -> String {
    let mut text = String::from("# Benchmark\n\n");
    for (name, value) in machine.rows() {
        let _ = writeln!(text, "- {name}: {value}");
    }
    text
}

pub(crate) fn json(machine: &Machine, outcomes: &[Outcome]) -> Value {
    let scenarios: Vec<Value> = outcomes.iter().map(Outcome::json).collect();
    json!({ "machine": machine.json(), "scenarios": scenarios })
}

pub(crate) fn section(outcome: &Outcome) -> String {
    let mut text = String::new();
    let _ = writeln!(text, "\n## {}: {}\n", outcome.id, outcome.title);
    if !outcome.figures.is_empty() {
        text.push_str("| figure | value | goal | |\n| --- | ---: | ---: | --- |\n");
    }
    for figure in &outcome.figures {
        let _ = writeln!(text, "{}", figure_row(figure));
    }
    let floor = outcome.floor.map(|floor| floor.rows());
    let series = outcome
        .series
        .iter()
        .map(|(name, summary)| (name.clone(), *summary));
    let floor = floor
        .into_iter()
        .flatten()
        .filter(|(_, summary)| summary.n > 0);
    let rows: Vec<(String, Summary)> = series
        .chain(floor.map(|(name, summary)| (format!("floor: {name}"), summary)))
        .collect();
    if !rows.is_empty() {
        text.push_str(
            "\n| ms | p50 | p95 | p99 | max | n |\n| --- | ---: | ---: | ---: | ---: | ---: |\n",
        );
    }
    for (name, summary) in rows {
        let Summary {
            n,
            p50,
            p95,
            p99,
            max,
        } = summary;
        let _ = writeln!(
            text,
            "| {name} | {p50:.3} | {p95:.3} | {p99:.3} | {max:.3} | {n} |"
        );
    }
    let _ = writeln!(text, "\nFailures: {}.", outcome.failures.len());
    for failure in &outcome.failures {
        let _ = writeln!(text, "- FAILED: {failure}");
    }
    for note in &outcome.notes {
        let _ = writeln!(text, "- {note}");
    }
    text
}

fn figure_row(figure: &Figure) -> String {
    let (goal, verdict) = match figure.goal {
        None => (String::new(), ""),
        Some(goal) => {
            let verdict = if goal.is_met_by(figure.value) {
                "met"
            } else {
                "**missed**"
            };
            (limit(goal), verdict)
        }
    };
    format!(
        "| {} | {} {} | {goal} | {verdict} |",
        figure.name,
        rounded(figure.value),
        figure.unit
    )
}

fn limit(goal: Goal) -> String {
    match goal {
        AtMost(limit) => format!("≤ {}", rounded(limit)),
        AtLeast(limit) => format!("≥ {}", rounded(limit)),
    }
}

/// Three digits that matter, or a whole number.
fn rounded(value: f64) -> String {
    match value.abs() {
        size if size >= 100.0 => format!("{value:.0}"),
        size if size >= 10.0 => format!("{value:.1}"),
        size if size >= 0.1 => format!("{value:.2}"),
        _tiny => format!("{value:.4}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missed_goal_is_said_so() {
        let mut outcome = Outcome::new("P1", "turn overhead");
        outcome.judged("ratio to the floor", 3.5, "×", AtMost(3.0));
        outcome.judged("flatness", 1.1, "×", AtMost(1.2));
        outcome.judged("share", 0.4, "×", AtLeast(0.5));
        outcome.figure("rate", 1234.0, "/s");
        let text = section(&outcome);
        assert!(
            text.contains("| ratio to the floor | 3.50 × | ≤ 3.00 | **missed** |"),
            "{text}"
        );
        assert!(
            text.contains("| flatness | 1.10 × | ≤ 1.20 | met |"),
            "{text}"
        );
        assert!(
            text.contains("| share | 0.40 × | ≥ 0.50 | **missed** |"),
            "{text}"
        );
        assert!(text.contains("| rate | 1234 /s |  |  |"), "{text}");
        assert!(text.contains("Failures: 0."), "{text}");
    }
}
