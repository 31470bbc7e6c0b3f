//! Which addresses an agent's web tools may go to: those that the conversation has named, as far as the agent's
//! configuration and the session's environment let them.

mod address;
mod domains;
mod readings;
mod sources;

pub use address::{AddressProblem, WebAddress};
pub use domains::{DomainRules, is_within};
pub use sources::{AddressRow, AddressSource, is_accepted, names_address, rules_of};

pub(crate) use sources::{holds_address, source_of_call};
