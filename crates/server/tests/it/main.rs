//! Tests of the process around the server, each through a front door: the configuration loader, the
//! lifecycle, the data folder, and the binary itself.

#![expect(
    clippy::unwrap_used,
    reason = "set-up that fails must fail the test, where it stands"
)]
#![expect(
    clippy::expect_used,
    reason = "set-up that fails must fail the test, where it stands"
)]

mod banner;
mod cli;
mod config_errors;
mod config_example;
mod config_models;
mod config_sources;
mod configuration;
mod data_folder;
mod doctor;
mod lifecycle;
mod listener;
mod logging;
mod power;
mod sessions;
