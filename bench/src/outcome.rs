//! What a scenario found: figures with their goals, distributions, and what failed.

use serde_json::{Value, json};

use crate::counters::Used;
use crate::floor::FloorSummary;
use crate::samples::Summary;

pub(crate) use Goal::{AtLeast, AtMost};

/// Threads that take less of the CPU are not named.
const THREAD_SHARE_SHOWN: f64 = 0.1;

#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) id: &'static str,
    pub(crate) title: &'static str,
    pub(crate) figures: Vec<Figure>,
    pub(crate) series: Vec<(String, Summary)>,
    pub(crate) floor: Option<FloorSummary>,
    /// Wrong answers, never slow ones.
    pub(crate) failures: Vec<String>,
    pub(crate) notes: Vec<String>,
}

#[derive(Debug, Clone)]
pub(crate) struct Figure {
    pub(crate) name: String,
    pub(crate) value: f64,
    pub(crate) unit: &'static str,
    pub(crate) goal: Option<Goal>,
}

/// The limit itself is met.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Goal {
    AtMost(f64),
    AtLeast(f64),
}

impl Goal {
    pub(crate) fn is_met_by(self, value: f64) -> bool {
        match self {
            AtMost(limit) => value <= limit,
            AtLeast(limit) => value >= limit,
        }
    }

    fn json(self, value: f64) -> Value {
        match self {
            AtMost(limit) => json!({ "at_most": limit, "met": self.is_met_by(value) }),
            AtLeast(limit) => json!({ "at_least": limit, "met": self.is_met_by(value) }),
        }
    }
}

impl Outcome {
    pub(crate) fn new(id: &'static str, title: &'static str) -> Self {
        Self {
            id,
            title,
            figures: Vec::new(),
            series: Vec::new(),
            floor: None,
            failures: Vec::new(),
            notes: Vec::new(),
        }
    }

    pub(crate) fn figure(&mut self, name: impl Into<String>, value: f64, unit: &'static str) {
        self.figures.push(Figure {
            name: name.into(),
            value,
            unit,
            goal: None,
        });
    }

    pub(crate) fn judged(
        &mut self,
        name: impl Into<String>,
        value: f64,
        unit: &'static str,
        goal: Goal,
    ) {
        self.figures.push(Figure {
            name: name.into(),
            value,
            unit,
            goal: Some(goal),
        });
    }

    /// The counters, divided by how often something happened.
    pub(crate) fn used(&mut self, per: &str, used: &Used, n: usize) {
        let n = n.max(1) as f64;
        self.figure(
            format!("server CPU per {per}"),
            used.server_cpu_us / n,
            "µs",
        );
        for (name, us) in &used.by_thread_us {
            let share = us / used.server_cpu_us.max(1.0);
            if share >= THREAD_SHARE_SHOWN {
                self.figure(format!("… of it in threads `{name}`"), us / n, "µs");
            }
        }
        if used.children_cpu_us > 0.0 {
            self.figure(
                format!("children's CPU per {per}"),
                used.children_cpu_us / n,
                "µs",
            );
        }
        self.figure(
            format!("bytes written per {per}"),
            used.bytes_written as f64 / n,
            "bytes",
        );
    }

    pub(crate) fn distribution(&mut self, name: impl Into<String>, summary: Summary) {
        self.series.push((name.into(), summary));
    }

    pub(crate) fn fail_unless(&mut self, holds: bool, says: impl FnOnce() -> String) {
        if !holds {
            self.failures.push(says());
        }
    }

    pub(crate) fn note(&mut self, says: impl Into<String>) {
        self.notes.push(says.into());
    }

    pub(crate) fn json(&self) -> Value {
        let figures: Vec<Value> = self.figures.iter().map(Figure::json).collect();
        let series: serde_json::Map<String, Value> = self
            .series
            .iter()
            .map(|(name, summary)| (name.clone(), summary.json()))
            .collect();
        json!({
            "id": self.id,
            "title": self.title,
            "figures": figures,
            "series": series,
            "floor": self.floor.map(|floor| floor.json()),
            "failures": self.failures,
            "notes": self.notes,
        })
    }
}

impl Figure {
    fn json(&self) -> Value {
        let goal = self.goal.map(|goal| goal.json(self.value));
        json!({ "name": self.name, "value": self.value, "unit": self.unit, "goal": goal })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_goal_includes_its_limit() {
        assert!(AtMost(3.0).is_met_by(3.0));
        assert!(!AtMost(3.0).is_met_by(3.1));
        assert!(AtLeast(0.5).is_met_by(0.5));
        assert!(!AtLeast(0.5).is_met_by(0.4));
    }
}
