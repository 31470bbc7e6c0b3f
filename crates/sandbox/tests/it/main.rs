//! The sandbox through its front door: a real host, real namespaces, real commands.
//!
//! Where namespaces are not available these tests fail; there is nothing to skip to.
#![expect(
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "a test that cannot go on fails"
)]

mod world;

mod abuse;
mod bash;
mod burst;
mod cgroups;
mod checkpoint;
mod checkpoint_bounds;
mod checkpoint_lies;
mod conformance;
mod containers;
mod disk;
mod disk_kills;
mod files;
mod from_the_pool;
mod kubernetes;
mod life;
mod network;
mod network_sockets;
mod ordinary_user;
mod outputs;
mod packages;
mod parsing;
mod pool;
mod pool_kills;
mod resume;
mod root_tree;
mod roots;
mod search;
mod security;
mod serving;
mod shell_state;
mod stop;
mod tier;
mod trees;
mod unsafe_process;
mod uploads;
mod with_images;
mod zygote;
