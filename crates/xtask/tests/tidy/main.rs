//! The rules that the compiler cannot see, each a test whose failure says what to do.

mod crates;
mod documents;
mod errors;
mod events;
mod files;
mod limits;
mod sql;
mod tree;
mod words;
