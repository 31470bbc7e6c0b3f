//! Short messages between servers over NATS, by topic: what is lost is lost.
//!
//! Entry point: [`Relay::connect`]. Nothing here knows what a message says, what a topic is about, or a
//! session. There is no stream that keeps anything and no acknowledgement: whoever needs a message to arrive
//! has the database.

mod limits;
mod options;
mod relay;

pub use limits::MESSAGE_BYTES_MAX;
pub use options::{Credential, RelayOptions, SecretText, ServerAddress, ServerAddressError};
pub use relay::{Relay, RelayError};
