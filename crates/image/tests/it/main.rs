//! Images through their front door: a source goes in, a tree comes out, or a reason why not.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod archives;
mod layouts;
mod ordinary_user;
mod packing;
mod registries;
mod stub_registry;
mod trees;
