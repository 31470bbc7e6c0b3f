//! What clients were told: how soon, whether a refusal is one as documented, and, in the end, whether what was
//! acknowledged is there.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::work::{Item, Kind};
use crate::api::Api;
use crate::client::Answer;
use crate::outcome::Outcome;
use crate::rig::TURN_WAIT;
use crate::samples::Samples;

/// Sessions that are waited for and read whole; of the others it is asked whether they are there.
const READ_WHOLE: usize = 200;

/// How long there has been this load.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Since {
    JustNow,
    AWhile,
}

/// What came of some requests.
#[derive(Debug, Default)]
pub(super) struct Tally {
    pub(super) taken: Samples,
    /// The same of requests that came while the load was new.
    pub(super) onset: Samples,
    pub(super) refused: Samples,
    /// Acknowledged ids, by what they are in.
    acknowledged: Vec<(usize, String)>,
    /// Neither taken nor refused as documented.
    pub(super) wrong: Vec<String>,
    /// Not asked: the driver has no connection left for them.
    pub(super) unasked: usize,
    /// Until the last of them was answered.
    pub(super) seconds: f64,
}

impl Tally {
    pub(super) fn note(
        &mut self,
        item: &Item,
        since: Since,
        took: Duration,
        answer: anyhow::Result<Answer>,
    ) {
        match answer {
            Ok(answer) if answer.status == 200 => {
                match since {
                    Since::JustNow => self.onset.push(took),
                    Since::AWhile => self.taken.push(took),
                }
                if let Some(id) = item.acknowledged(&answer.body) {
                    self.acknowledged.push((item.place, id));
                }
            }
            Ok(answer) => match refusal_problem(&answer) {
                None => self.refused.push(took),
                Some(problem) => self.wrong.push(format!("{}: {problem}", item.path)),
            },
            Err(error) => self.wrong.push(format!("{}: {error:#}", item.path)),
        }
    }

    pub(super) fn taken_per_second(&self) -> f64 {
        (self.taken.len() + self.onset.len()) as f64 / self.seconds.max(f64::MIN_POSITIVE)
    }

    pub(super) fn asked(&self) -> usize {
        self.taken.len() + self.onset.len() + self.refused.len() + self.wrong.len()
    }

    /// The figures of another, without what was acknowledged.
    pub(super) fn add(&mut self, other: &Tally) {
        self.taken.extend(&other.taken);
        self.onset.extend(&other.onset);
        self.refused.extend(&other.refused);
        self.wrong.extend(other.wrong.iter().cloned());
        self.unasked += other.unasked;
    }
}

/// What is wrong with a refusal.
fn refusal_problem(answer: &Answer) -> Option<String> {
    let said = || String::from_utf8_lossy(&answer.body).into_owned();
    let kind = match answer.status {
        429 => "rate_limit_error",
        529 => "overloaded_error",
        other => return Some(format!("{other} {}", said())),
    };
    let wait = answer
        .retry_after
        .as_ref()
        .and_then(|text| text.parse::<u32>().ok());
    if !wait.is_some_and(|seconds| (1..=60).contains(&seconds)) {
        return Some(format!(
            "{} with retry-after {:?}",
            answer.status, answer.retry_after
        ));
    }
    let body: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    let message = body["error"]["message"].as_str().unwrap_or_default();
    let is_as_documented = body["type"] == "error"
        && body["error"]["type"] == kind
        && !message.is_empty()
        && body["request_id"]
            .as_str()
            .is_some_and(|id| id.starts_with("req_"))
        && body["request_id"].as_str() == answer.request_id.as_deref();
    (!is_as_documented).then(|| format!("{} {}", answer.status, said()))
}

/// Everything that was acknowledged to anybody.
#[derive(Debug, Default)]
pub(super) struct Books {
    by_place: BTreeMap<usize, Vec<String>>,
    wrong: Vec<String>,
}

impl Books {
    pub(super) fn enter(&mut self, tally: Tally) {
        for (place, id) in tally.acknowledged {
            self.by_place.entry(place).or_default().push(id);
        }
        self.wrong.extend(tally.wrong);
    }

    pub(super) async fn judge(
        self,
        api: &mut Api,
        kind: Kind,
        sessions: &[String],
        outcome: &mut Outcome,
    ) -> anyhow::Result<()> {
        outcome.failures.extend(self.wrong.into_iter().take(20));
        let acknowledged: usize = self.by_place.values().map(Vec::len).sum();
        match kind {
            Kind::Reads => return Ok(()),
            Kind::Messages => {
                for (place, ids) in &self.by_place {
                    let session = sessions.get(*place).map_or("", String::as_str);
                    let (missing, doubled) = api.missing_and_doubled(session, ids).await?;
                    outcome.fail_unless(missing + doubled == 0, || {
                        format!("{session}: {missing} acknowledged events missing, {doubled} twice")
                    });
                }
            }
            Kind::Sessions => {
                let made = self.by_place.into_values().flatten();
                for (number, session) in made.enumerate() {
                    judge_session(api, &session, number < READ_WHOLE, outcome).await?;
                }
            }
        }
        let name = kind.name();
        outcome.figure(
            format!("{name}: acknowledged, and there afterwards"),
            acknowledged as f64,
            "",
        );
        Ok(())
    }
}

/// It is there; of some it is waited for the end of the turn that it was made with.
async fn judge_session(
    api: &mut Api,
    session: &str,
    is_read: bool,
    outcome: &mut Outcome,
) -> anyhow::Result<()> {
    let until = Instant::now() + TURN_WAIT;
    loop {
        let status = api.status_of(session).await?;
        let is_at_rest = status == "idle";
        if is_at_rest || !is_read {
            break;
        }
        if Instant::now() > until {
            outcome
                .failures
                .push(format!("{session}: {status} after {TURN_WAIT:?}"));
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    if is_read {
        let answers = api.events(session).await?;
        let said = answers
            .iter()
            .filter(|event| event["type"] == "agent.message")
            .count();
        outcome.fail_unless(said == 1, || {
            format!("{session}: {said} answers to one message")
        });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;

    fn answer(status: u16, retry_after: Option<&str>, body: &str) -> Answer {
        Answer {
            status,
            retry_after: retry_after.map(str::to_owned),
            request_id: Some("req_1".to_owned()),
            body: Bytes::from(body.to_owned()),
        }
    }

    #[test]
    fn only_a_refusal_as_documented_is_one() {
        let body = r#"{"type":"error","error":{"type":"overloaded_error","message":"busy"},"request_id":"req_1"}"#;
        assert_eq!(refusal_problem(&answer(529, Some("1"), body)), None);
        for bad in [
            answer(529, None, body),
            answer(529, Some("0"), body),
            answer(429, Some("1"), body),
            answer(503, Some("1"), body),
            answer(529, Some("1"), &body.replace("busy", "")),
            answer(529, Some("1"), &body.replace("req_1", "req_2")),
            answer(529, Some("1"), "busy"),
        ] {
            assert!(refusal_problem(&bad).is_some(), "{bad:?}");
        }
    }
}
