//! The sandbox through its front door: a real host, real namespaces, real commands.
//!
//! Where namespaces are not available these tests fail; there is nothing to skip to.

mod world;

mod bash;
mod escape;
mod files;
mod life;
mod ordinary_user;
mod parsing;
mod search;
mod unsafe_process;
