//! The service from outside: requests into the router, a real store behind it.

mod admission;
mod harness;
mod operations;
mod operators;
