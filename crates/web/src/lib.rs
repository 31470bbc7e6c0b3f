//! The web as a server reaches it for an agent: pages as text, and what search services find.
//!
//! [`Fetcher`] goes to one address, by the gateway's rules about what may be connected to, at each hop anew. What a
//! page holds is hostile: it is turned into text by [`reader_main`], in a process of its own that can open nothing
//! and is ended when it takes too much. [`Searcher`] asks the one service that the operator has chosen.
//!
//! It knows addresses, pages and queries. Whether an agent may ask for an address is decided elsewhere. It logs
//! neither addresses nor content.

mod error;
mod fetch;
mod limits;
mod media;
mod reader;
mod reading;
mod room;
mod search;
mod trust;

pub use error::{FetchError, SearchError};
pub use fetch::{FetchOptions, Fetched, Fetcher};
pub use reader::ReaderLimits;
pub use reading::reader_main;
pub use reqwest::Url;
pub use search::{Hit, Query, SearchOptions, SearchService, Searcher};

/// What a process is told as its first argument to be a reader.
pub const READER_COMMAND: &str = "web-reader";
