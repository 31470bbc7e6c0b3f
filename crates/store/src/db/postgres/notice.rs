//! What one notification says: sessions, and behind each where its log ends at least.
//!
//! `sesn_A,12,sesn_B,7!,sesn_C` is: A has grown to 12, B to 7 by something that breaks into a step,
//! and of C nothing is known. A server that reads ids alone passes over the rest, so that versions
//! can be mixed.

use std::collections::BTreeMap;
use std::fmt;

use hostler_protocol::event::Seq;
use hostler_protocol::id::SessionId;

use crate::hub::{Growth, Urgency};

/// Wake-ups that are told together, one for each session.
#[derive(Debug)]
pub(super) struct Notice(BTreeMap<SessionId, Growth>);

impl Notice {
    pub(super) fn of(first: (SessionId, Growth)) -> Self {
        Self(BTreeMap::from([first]))
    }

    pub(super) fn add(&mut self, (session, growth): (SessionId, Growth)) {
        let told = self.0.entry(session).or_insert(growth);
        *told = both(*told, growth);
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }
}

/// One that says what two say. An end that breaks in may be told later than it was.
fn both(one: Growth, other: Growth) -> Growth {
    match (one, other) {
        (Growth::To(one, urgency), Growth::To(other, Urgency::Waits)) => {
            Growth::To(one.max(other), urgency)
        }
        (Growth::To(one, _), Growth::To(other, Urgency::BreaksIn)) => {
            Growth::To(one.max(other), Urgency::BreaksIn)
        }
        (Growth::Unknown, _) | (_, Growth::Unknown) => Growth::Unknown,
    }
}

impl fmt::Display for Notice {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, (session, growth)) in self.0.iter().enumerate() {
            let comma = if position > 0 { "," } else { "" };
            write!(formatter, "{comma}{session}")?;
            match growth {
                Growth::To(end, Urgency::Waits) => write!(formatter, ",{}", end.0)?,
                Growth::To(end, Urgency::BreaksIn) => write!(formatter, ",{}!", end.0)?,
                Growth::Unknown => {}
            }
        }
        Ok(())
    }
}

/// The wake-ups in a notification. What can't be read is passed over.
pub(super) fn read(text: &str) -> impl Iterator<Item = (SessionId, Growth)> {
    let mut words = text.split(',').peekable();
    std::iter::from_fn(move || {
        loop {
            if let Ok(session) = words.next()?.parse() {
                let growth = words.peek().and_then(|word| read_growth(word));
                return Some((session, growth.unwrap_or(Growth::Unknown)));
            }
        }
    })
}

fn read_growth(word: &str) -> Option<Growth> {
    let (number, urgency) = match word.strip_suffix('!') {
        Some(number) => (number, Urgency::BreaksIn),
        None => (word, Urgency::Waits),
    };
    Some(Growth::To(Seq(number.parse().ok()?), urgency))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::ANNOUNCED_TOGETHER;
    use hostler_domain::Env;

    fn to(end: i64, urgency: Urgency) -> Growth {
        Growth::To(Seq(end), urgency)
    }

    #[test]
    fn what_is_told_is_what_is_read() {
        let env = Env::fixed(1);
        let told = [
            (env.id(), to(12, Urgency::Waits)),
            (env.id(), to(7, Urgency::BreaksIn)),
            (env.id(), Growth::Unknown),
        ];
        let mut notice = Notice::of(told[0]);
        told.iter().for_each(|one| notice.add(*one));
        let mut heard: Vec<_> = read(&notice.to_string()).collect();
        heard.sort_by_key(|(session, _)| told.iter().position(|(other, _)| other == session));
        assert_eq!(heard, told);
    }

    #[test]
    fn one_word_for_a_session_says_the_most_of_all() {
        let session = Env::fixed(1).id();
        let merged = |growths: &[Growth]| {
            let mut notice = Notice::of((session, growths[0]));
            growths.iter().for_each(|one| notice.add((session, *one)));
            read(&notice.to_string()).collect::<Vec<_>>()
        };
        let (waits, breaks_in) = (to(9, Urgency::Waits), to(7, Urgency::BreaksIn));
        let both = [(session, to(9, Urgency::BreaksIn))];
        assert_eq!(merged(&[waits, breaks_in]), both);
        assert_eq!(merged(&[breaks_in, waits]), both);
        assert_eq!(
            merged(&[waits, Growth::Unknown]),
            [(session, Growth::Unknown)]
        );
    }

    #[test]
    fn ids_alone_are_read_and_what_is_none_is_passed_over() {
        let env = Env::fixed(1);
        let (one, two): (SessionId, SessionId) = (env.id(), env.id());
        let heard: Vec<_> = read(&format!("{one},{two},?,x,5!,,")).collect();
        assert_eq!(heard, [(one, Growth::Unknown), (two, Growth::Unknown)]);
        assert_eq!(read("").count(), 0);
    }

    #[test]
    fn the_longest_one_is_one_that_the_database_takes() {
        let env = Env::fixed(1);
        let longest = || (env.id(), to(i64::MAX, Urgency::BreaksIn));
        let mut notice = Notice::of(longest());
        while notice.len() < ANNOUNCED_TOGETHER {
            notice.add(longest());
        }
        assert!(notice.to_string().len() < 8_000);
    }
}
