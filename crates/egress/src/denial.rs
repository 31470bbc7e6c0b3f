//! Why something didn't get through, in the words that clients and logs are shown.

use std::fmt;

use crate::address::NotPublic;
use crate::host_name::InvalidName;

/// **Invariant:** what it holds of a client's text went through `shown` or is a parsed name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Denial {
    /// A name that is not in the list of a limited policy.
    NotInList(String),
    /// The address of all denied names: which one was meant is not known.
    DeniedName,
    /// An address without a name, under a limited policy.
    AddressNotInList(String),
    /// The policy permits nothing.
    Nothing,
    InvalidName(String, InvalidName),
    InvalidPort(String),
    NotPublic(String, NotPublic),
    /// An address of the machine that the gateway runs on.
    OwnMachine(String),
    /// An address out of the names' network that stands for no name (any more).
    NoName,
    /// A TLS hello, or a request's Host, that names another host than the connection leads to.
    OtherServerName {
        named: String,
        leads_to: String,
    },
    OtherHost {
        named: String,
        leads_to: String,
    },
    NoServerName(String),
    NotHttpOrTls(String, u16),
    Http2,
    /// A request that can be read in more than one way, or in none.
    Malformed(&'static str),
    Method(String),
    /// A value that no header can carry.
    NotForHeader,
    /// A client that ended TLS with the gateway.
    NoHandshake(String),
    /// The secrets of the sandbox can't be had, so nothing is sent.
    NoSecrets,
    /// A host that doesn't prove who it is.
    Untrusted(String, String),
    /// Not refused, but not possible.
    Unresolved(String),
    Unreachable(String, u16),
    TimedOut(String, u16),
    BrokenAnswer(String),
    /// A kept connection ended while a request was being sent on it.
    KeptEnded(String),
}

impl Denial {
    /// The status of an HTTP answer.
    pub(crate) fn status(&self) -> u16 {
        match self {
            Self::NotInList(_)
            | Self::DeniedName
            | Self::AddressNotInList(_)
            | Self::Nothing
            | Self::InvalidName(..)
            | Self::InvalidPort(_)
            | Self::NotPublic(..)
            | Self::OwnMachine(_)
            | Self::NoName
            | Self::OtherServerName { .. }
            | Self::OtherHost { .. }
            | Self::NoServerName(_)
            | Self::NotHttpOrTls(..)
            | Self::Http2
            | Self::NotForHeader
            | Self::Method(_) => 403,
            Self::Malformed(_) => 400,
            Self::Unresolved(_)
            | Self::Unreachable(..)
            | Self::BrokenAnswer(_)
            | Self::NoHandshake(_)
            | Self::NoSecrets
            | Self::Untrusted(..)
            | Self::KeptEnded(_) => 502,
            Self::TimedOut(..) => 504,
        }
    }

    /// Whether a rule said no, or the other side didn't answer.
    pub(crate) fn is_refusal(&self) -> bool {
        self.status() < 500
    }

    /// Whether the client's own words can say more about what was refused.
    pub(crate) fn is_about_unknown_name(&self) -> bool {
        matches!(self, Self::DeniedName | Self::NoName)
    }

    /// One word for logs.
    pub(crate) fn reason(&self) -> &'static str {
        match self {
            Self::NotInList(_) | Self::DeniedName => "not_in_allowed_hosts",
            Self::AddressNotInList(_) => "address_without_name",
            Self::Nothing => "no_network",
            Self::InvalidName(..) => "invalid_name",
            Self::InvalidPort(_) => "invalid_port",
            Self::NotPublic(..) => "not_public",
            Self::OwnMachine(_) => "own_machine",
            Self::NoName => "no_name",
            Self::OtherServerName { .. } => "other_server_name",
            Self::OtherHost { .. } => "other_host",
            Self::NoServerName(_) => "no_server_name",
            Self::NotHttpOrTls(..) => "not_http_or_tls",
            Self::Http2 => "http2_in_clear",
            Self::Malformed(_) => "malformed",
            Self::Method(_) => "method",
            Self::Unresolved(_) => "unresolved",
            Self::Unreachable(..) => "unreachable",
            Self::TimedOut(..) => "timed_out",
            Self::BrokenAnswer(_) => "broken_answer",
            Self::KeptEnded(_) => "kept_ended",
            Self::NotForHeader => "not_for_header",
            Self::NoHandshake(_) => "no_handshake",
            Self::NoSecrets => "no_secrets",
            Self::Untrusted(..) => "untrusted",
        }
    }
}

impl fmt::Display for Denial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotInList(host) => write!(
                f,
                "The host {host} is not in allowed_hosts of this session's environment (networking: limited)."
            ),
            Self::DeniedName => f.write_str(
                "The host that was asked for is not in allowed_hosts of this session's environment (networking: limited).",
            ),
            Self::AddressNotInList(address) => write!(
                f,
                "The address {address} was not reached by a name: allowed_hosts of this session's environment permits names only (networking: limited)."
            ),
            Self::Nothing => f.write_str("This session's environment permits no network."),
            Self::InvalidName(text, why) => write!(f, "{text:?} is not a host name: {why}."),
            Self::InvalidPort(text) => write!(f, "{text:?} is not a port from 1 to 65535."),
            Self::NotPublic(host, class) => write!(
                f,
                "The host {host} leads to {class} address; the network policy permits public addresses only."
            ),
            Self::OwnMachine(host) => write!(
                f,
                "The host {host} leads to the machine that runs this sandbox, which the network policy never permits."
            ),
            Self::NoName => {
                f.write_str("No name was resolved to this address; resolve the name again.")
            }
            Self::OtherServerName { named, leads_to } => write!(
                f,
                "The TLS hello names {named}, but the connection leads to {leads_to}."
            ),
            Self::OtherHost { named, leads_to } => write!(
                f,
                "The request is for {named}, but the connection leads to {leads_to}."
            ),
            Self::NoServerName(host) => write!(
                f,
                "The TLS hello names no server; it has to name {host} (networking: limited)."
            ),
            Self::NotHttpOrTls(host, port) => write!(
                f,
                "Only HTTP and TLS may go to {host}:{port} (networking: limited)."
            ),
            Self::Http2 => f.write_str("HTTP/2 without TLS is not permitted; use HTTP/1.1 or TLS."),
            Self::Malformed(what) => write!(f, "The request is malformed: {what}."),
            Self::Method(method) => write!(f, "The method {method} is not permitted here."),
            Self::Unresolved(host) => write!(f, "The host {host} could not be resolved."),
            Self::Unreachable(host, port) => write!(f, "{host}:{port} could not be reached."),
            Self::TimedOut(host, port) => write!(f, "{host}:{port} did not answer in time."),
            Self::KeptEnded(host) => write!(f, "The host {host} ended a kept connection."),
            Self::NotForHeader => f.write_str(
                "The value of a credential has a character that no header can carry.",
            ),
            Self::NoHandshake(host) => write!(
                f,
                "A program ended TLS to {host}: most likely it does not trust the authority in SSL_CERT_FILE."
            ),
            Self::NoSecrets => {
                f.write_str("The credentials of this session can't be had, so nothing was sent.")
            }
            Self::Untrusted(host, why) => write!(
                f,
                "The host {host} does not prove who it is, so nothing was sent to it: {why}."
            ),
            Self::BrokenAnswer(host) => {
                write!(f, "The host {host} broke off, or its answer is not HTTP/1.")
            }
        }
    }
}
