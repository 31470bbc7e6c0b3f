//! The store's promises, through its public door and on a real file.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::wildcard_enum_match_arm,
    reason = "a test that meets the unexpected should stop"
)]

mod agents;
mod backup;
mod blobs;
mod buckets;
mod damage;
mod environments;
mod events_list;
mod files;
mod follow;
mod lease;
mod log;
mod previews_elsewhere;
mod session_environments;
mod session_folder;
mod session_outputs;
mod session_resources;
mod sessions;
mod shared;
mod shared_tail;
mod skills;
mod snapshots;
mod statements;
mod store_folder;
mod transfer;
