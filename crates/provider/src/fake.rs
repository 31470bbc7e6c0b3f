//! A model for simulations: whoever makes it answers, as late and as badly as he likes.

use std::fmt;
use std::sync::Arc;

use crate::ChunkStream;
use crate::request::ModelRequest;

type Answer = Arc<dyn Fn(Arc<ModelRequest>) -> ChunkStream + Send + Sync>;

/// A provider that answers every model id by a function.
#[derive(Clone)]
pub struct Fake(Answer);

impl Fake {
    pub fn new(answer: impl Fn(Arc<ModelRequest>) -> ChunkStream + Send + Sync + 'static) -> Self {
        Self(Arc::new(answer))
    }

    pub(crate) fn stream(&self, request: Arc<ModelRequest>) -> ChunkStream {
        (self.0)(request)
    }
}

impl fmt::Debug for Fake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Fake")
    }
}
