//! Why an image cannot be had.

use std::io;

#[derive(Debug, thiserror::Error)]
pub enum ImageError {
    /// What was asked for is not a source, or not in the store.
    #[error("{0}")]
    Invalid(String),
    /// The image, or what it came in, is damaged, too large or not to be trusted.
    #[error("the image cannot be used: {0}")]
    Refused(String),
    #[error("the registry {registry}: {reason}")]
    Registry { registry: String, reason: String },
    #[error("while {doing}: {source}")]
    Io { doing: String, source: io::Error },
}

impl ImageError {
    pub(crate) fn refused(reason: impl Into<String>) -> Self {
        Self::Refused(reason.into())
    }
}

pub(crate) trait While<T> {
    /// Says what was being done.
    fn doing(self, doing: impl FnOnce() -> String) -> Result<T, ImageError>;
}

impl<T, E: Into<io::Error>> While<T> for Result<T, E> {
    fn doing(self, doing: impl FnOnce() -> String) -> Result<T, ImageError> {
        self.map_err(|error| ImageError::Io {
            doing: doing(),
            source: error.into(),
        })
    }
}
