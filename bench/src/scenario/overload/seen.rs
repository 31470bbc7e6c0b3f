//! What was seen of one kind of request, and what is made of it.

use super::CLIENTS;
use super::books::Tally;
use super::watch::Watched;
use super::work::Kind;
use crate::outcome::{AtLeast, AtMost, Outcome};
use crate::samples::Samples;

/// The slowest of a hundred that were taken, to the slowest of a hundred when there is one client.
const LATENCY_RATIO: f64 = 5.0;
/// What must be left of the work that is done for those who ask in turn.
const GOODPUT_RATIO: f64 = 0.7;
/// Resident memory, to the most that those who ask in turn need.
const MEMORY_RATIO: f64 = 1.5;
/// Of what another kind of request, asked seldom meanwhile, may be refused.
const OTHERS_REFUSED: f64 = 0.01;
const FAILURES_SHOWN: usize = 20;
/// What was seen of one kind of request.
#[derive(Debug, Default)]
pub(super) struct Seen {
    pub(super) alone: Samples,
    pub(super) capacity: Vec<f64>,
    pub(super) crowd: Samples,
    pub(super) crowd_kib: u64,
    pub(super) goodput: Vec<f64>,
    pub(super) offered: Vec<f64>,
    pub(super) over: Tally,
    pub(super) watched: Watched,
    pub(super) recovery: Samples,
    pub(super) after: Samples,
}

impl Seen {
    pub(super) fn report(&self, kind: Kind, outcome: &mut Outcome) {
        self.report_rates(kind.name(), outcome);
        self.report_ratios(kind, outcome);
        let name = kind.name();
        for (what, samples) in [
            ("one client", &self.alone),
            ("64 clients", &self.crowd),
            ("three times as many: taken at first", &self.over.onset),
            ("three times as many: taken", &self.over.taken),
            ("three times as many: refused", &self.over.refused),
            ("… until one is taken again", &self.recovery),
            ("one client afterwards", &self.after),
            ("/healthz meanwhile", &self.watched.health),
            (kind.other(), &self.watched.others),
        ] {
            outcome.distribution(format!("{name}: {what}"), samples.summary());
        }
        let wrong = self.over.wrong.iter().chain(&self.watched.failures);
        outcome.failures.extend(wrong.take(FAILURES_SHOWN).cloned());
    }

    fn report_rates(&self, name: &str, outcome: &mut Outcome) {
        let mean = |rates: &[f64]| rates.iter().sum::<f64>() / rates.len().max(1) as f64;
        let capacity = mean(&self.capacity);
        outcome.figure(
            format!("{name}: taken of {CLIENTS} clients"),
            capacity,
            "/s",
        );
        let offered = mean(&self.offered) / capacity.max(1.0);
        outcome.figure(format!("{name}: offered, to that"), offered, "×");
        let unasked = self.over.unasked as f64;
        outcome.figure(
            format!("{name}: not offered, for want of a connection"),
            unasked,
            "",
        );
        let goodput = mean(&self.goodput) / capacity.max(1.0);
        outcome.judged(
            format!("{name}: taken of it, to that"),
            goodput,
            "×",
            AtLeast(GOODPUT_RATIO),
        );
        let refused = self.over.refused.len() as f64 / self.over.asked().max(1) as f64;
        outcome.figure(format!("{name}: refused"), refused * 100.0, "%");
    }

    fn report_ratios(&self, kind: Kind, outcome: &mut Outcome) {
        let name = kind.name();
        let alone = self.alone.summary().p99.max(f64::MIN_POSITIVE);
        for (what, samples) in [
            ("p99 of what was taken", &self.over.taken),
            ("p99 of one client afterwards", &self.after),
        ] {
            let ratio = samples.summary().p99 / alone;
            let what = format!("{name}: {what}, to one client's before");
            outcome.judged(what, ratio, "×", AtMost(LATENCY_RATIO));
        }
        let resident = self.watched.resident_kib as f64;
        outcome.figure(
            format!("{name}: resident memory, most"),
            resident / 1_024.0,
            "MiB",
        );
        outcome.judged(
            format!("{name}: resident memory, to that of {CLIENTS} clients"),
            resident / self.crowd_kib.max(1) as f64,
            "×",
            AtMost(MEMORY_RATIO),
        );
        let others = self.watched.others_refused as f64 / self.watched.others.len().max(1) as f64;
        outcome.judged(
            format!("{name}: refused of {}, asked seldom", kind.other()),
            others * 100.0,
            "%",
            AtMost(OTHERS_REFUSED * 100.0),
        );
    }
}
