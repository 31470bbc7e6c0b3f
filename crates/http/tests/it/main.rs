//! The service from outside: requests into the router, a real store behind it.

mod admission;
mod bodies;
mod events;
mod harness;
mod operations;
mod operators;
mod sessions;
mod streams;
mod world;
