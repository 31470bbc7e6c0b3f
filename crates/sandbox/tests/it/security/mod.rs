//! Ways out that must be closed: every attempt has a name, and how it must end.
//!
//! The same names are in the table of `docs/security.md`, with what stops each.

mod descriptors;
mod hostile_agent;
mod kernel;
mod mounts;
mod namespaces;
mod proc_and_dev;
mod processes;
mod programs;
mod separation;
mod sockets;
mod table;
mod terminals;
mod users;
