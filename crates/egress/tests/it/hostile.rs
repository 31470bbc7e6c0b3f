//! Attempts to get out, each with its name and the refusal that it meets.
//!
//! `allowed.example` leads to a server on loopback, so that a connection made by mistake is seen:
//! whatever else leads to loopback would arrive there.

mod addresses;
mod authorities;
mod inside_tls;
mod requests;

use std::fmt;

use crate::wire::{Reply, ask};
use crate::world::World;

/// What a client reads instead of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// 403, the host isn't in the list.
    NotInList,
    /// 403, an address instead of a name.
    NoName,
    /// 403, this isn't a host name.
    BadName,
    /// 403, this isn't a port.
    BadPort,
    /// 403, the address isn't public, or is the machine's own.
    NotPublic,
    /// 403, target, server name and Host disagree.
    OtherHost,
    /// 403, a method that isn't passed on.
    Method,
    /// 400 or the end of the connection: nothing that can be read in one way.
    Unreadable,
}

impl Refusal {
    fn of(reply: Option<&Reply>) -> Result<Self, String> {
        let Some(reply) = reply else {
            return Ok(Self::Unreadable);
        };
        if reply.status == 400 {
            return Ok(Self::Unreadable);
        }
        let text = reply.text();
        let words = [
            ("is not in allowed_hosts", Self::NotInList),
            ("permits names only", Self::NoName),
            ("is not a host name", Self::BadName),
            ("is not a port", Self::BadPort),
            ("permits public addresses only", Self::NotPublic),
            ("the machine that runs this sandbox", Self::NotPublic),
            ("but the connection leads to", Self::OtherHost),
            ("is not permitted here", Self::Method),
        ];
        let found = words.iter().find(|(words, _)| text.contains(words));
        match (reply.status, found) {
            (403, Some((_, refusal))) => Ok(*refusal),
            _ => Err(format!("{} {text}", reply.status)),
        }
    }
}

/// What went otherwise than expected, all of it, by name.
#[derive(Default)]
pub(crate) struct Offences(Vec<String>);

impl Offences {
    pub(crate) fn compare<T: fmt::Debug + PartialEq>(&mut self, name: &str, got: T, expected: T) {
        if got != expected {
            self.0.push(format!("{name}: {got:?}, not {expected:?}"));
        }
    }

    #[track_caller]
    pub(crate) fn assert_none(&self) {
        assert!(self.0.is_empty(), "\n{}", self.0.join("\n"));
    }
}

/// Sends one attempt to the proxy and says how it was refused.
pub(crate) async fn attempt(world: &World, bytes: impl AsRef<[u8]>) -> Result<Refusal, String> {
    let reply = ask(world.proxy, bytes).await;
    Refusal::of(reply.as_ref())
}
