//! The stored form of a list of positions: runs of neighbours, as `[[first, count], …]`, since a
//! queue is mostly one run and it is written with every append. The form of before, one number
//! for each position, is read too.

use std::fmt;

use hostler_protocol::event::Seq;
use serde::de::{Error, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serializer};

use super::accept::QUEUED_INPUTS_MAX;

/// More than a queue can hold: who stored that has not counted.
const POSITIONS_MAX: usize = 2 * QUEUED_INPUTS_MAX;

pub(super) fn serialize<S: Serializer>(
    positions: &[Seq],
    serializer: S,
) -> Result<S::Ok, S::Error> {
    let runs = positions.chunk_by(|one, next| one.next() == *next);
    serializer.collect_seq(runs.map(|run| (run[0].0, run.len())))
}

pub(super) fn deserialize<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Vec<Seq>, D::Error> {
    let runs = Vec::<Run>::deserialize(deserializer)?;
    let count = runs
        .iter()
        .map(|run| run.count)
        .fold(0, usize::saturating_add);
    if count > POSITIONS_MAX {
        return Err(D::Error::custom("more positions than a queue holds"));
    }
    let positions = runs.iter().flat_map(|run| {
        (0..run.count).scan(Seq(run.first), |next, _| {
            let position = *next;
            *next = Seq(position.0.saturating_add(1));
            Some(position)
        })
    });
    Ok(positions.collect())
}

struct Run {
    first: i64,
    count: usize,
}

impl<'de> Deserialize<'de> for Run {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(RunVisitor)
    }
}

struct RunVisitor;

impl<'de> Visitor<'de> for RunVisitor {
    type Value = Run;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a position, or the first of a run and how many there are")
    }

    fn visit_i64<E: Error>(self, position: i64) -> Result<Run, E> {
        Ok(Run {
            first: position,
            count: 1,
        })
    }

    fn visit_u64<E: Error>(self, position: u64) -> Result<Run, E> {
        self.visit_i64(i64::try_from(position).map_err(E::custom)?)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut pair: A) -> Result<Run, A::Error> {
        let missing = || A::Error::custom("a run has a first position and a count");
        let run = Run {
            first: pair.next_element()?.ok_or_else(missing)?,
            count: pair.next_element()?.ok_or_else(missing)?,
        };
        match pair.next_element::<i64>()? {
            None => Ok(run),
            Some(_) => Err(missing()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, PartialEq, serde::Serialize, Deserialize)]
    struct Queue(#[serde(with = "super")] Vec<Seq>);

    fn queue(positions: &[i64]) -> Queue {
        Queue(positions.iter().copied().map(Seq).collect())
    }

    #[test]
    fn neighbours_are_one_run() {
        for (positions, text) in [
            (&[][..], "[]"),
            (&[7], "[[7,1]]"),
            (&[7, 8, 9], "[[7,3]]"),
            (&[2, 4, 5, 9], "[[2,1],[4,2],[9,1]]"),
        ] {
            let queue = queue(positions);
            assert_eq!(serde_json::to_string(&queue).unwrap(), text);
            assert_eq!(serde_json::from_str::<Queue>(text).unwrap(), queue);
        }
    }

    #[test]
    fn what_an_older_version_has_stored_is_read() {
        let read: Queue = serde_json::from_str("[2,4,5]").unwrap();
        assert_eq!(read, queue(&[2, 4, 5]));
    }

    #[test]
    fn what_nobody_has_stored_is_refused() {
        for text in [
            "[[1]]",
            "[[1,2,3]]",
            "[[1,99999999]]",
            "[[1,-1]]",
            "[\"1\"]",
        ] {
            assert!(serde_json::from_str::<Queue>(text).is_err(), "{text}");
        }
    }
}
