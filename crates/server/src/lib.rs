//! The process around the server: command line, configuration, lifecycle, logging, the data folder.
//!
//! This is the only crate that sees all the others, and it only wires them: it makes the store, the
//! sandbox host, the providers, the engine and the HTTP router, and starts and stops them. What a session
//! means, what a request may say and how a tool runs is never decided here.

mod api_client;
pub mod authorize;
pub mod backup;
pub mod banner;
pub mod cli;
pub mod config;
pub mod data_folder;
mod database;
pub mod demo;
pub mod doctor;
pub mod first_start;
mod handover;
pub mod images;
pub mod keys;
pub mod lifecycle;
mod limits;
pub mod listener;
pub mod logging;
mod metrics;
pub mod migrate;
mod orphans;
mod previews;
pub mod sandboxes;
pub mod serve;
mod terminal;
pub mod transfer;
mod vault_keys;
pub mod vaults;
mod wiring;
