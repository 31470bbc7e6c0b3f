//! Seals secrets so that a database, a backup or a log of them is worth nothing without the master key.
//!
//! Entry points: [`MasterKey`], which the operator holds, and [`Keyring`], which seals with the newest
//! one and opens with any. Each secret has a data key of its own; the master key wraps data keys only, so
//! that changing it rewrites some bytes of each record and no secret.
//!
//! **Invariant:** what is sealed is bound to its record ([`Record`]): moved to another place it doesn't open.
//!
//! This crate never does IO and knows no SQL, no configuration and no protocol.

mod keyring;
mod master_key;
mod record;
mod sealed;

pub use keyring::{Keyring, OpenError, SealError};
pub use master_key::{KeyId, MasterKey, NotAMasterKey};
pub use record::Record;
pub use sealed::{NotSealed, Sealed};
