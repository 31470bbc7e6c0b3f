//! Memory for pages: a bound on what all those that are being fetched and read take together.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::error::FetchError;
use crate::limits::ROOM_UNIT_BYTES;

/// Of all pages. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Rooms(Arc<Semaphore>);

/// Of one page. It is given back when it is dropped.
#[derive(Debug)]
pub(crate) struct Room {
    rooms: Rooms,
    held: Option<OwnedSemaphorePermit>,
}

impl Rooms {
    pub(crate) fn new(bytes_max: usize) -> Self {
        Self(Arc::new(Semaphore::new(bytes_max / ROOM_UNIT_BYTES)))
    }

    pub(crate) fn room(&self) -> Room {
        Room {
            rooms: self.clone(),
            held: None,
        }
    }
}

impl Room {
    /// Room for so many bytes, if there is any. A page that waited for it would keep what it has from all others.
    pub(crate) fn grow_to(&mut self, bytes: usize) -> Result<(), FetchError> {
        let held = self
            .held
            .as_ref()
            .map_or(0, OwnedSemaphorePermit::num_permits);
        let more = bytes.div_ceil(ROOM_UNIT_BYTES).saturating_sub(held);
        let full = || {
            let message = "this server is reading too many pages just now: try it again later";
            FetchError::Unavailable(message.to_owned())
        };
        let more = u32::try_from(more).map_err(|_| full())?;
        let more = Arc::clone(&self.rooms.0).try_acquire_many_owned(more);
        let more = more.map_err(|_| full())?;
        match &mut self.held {
            Some(held) => held.merge(more),
            None => self.held = Some(more),
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_share_it_and_give_it_back() {
        let rooms = Rooms::new(4 * ROOM_UNIT_BYTES);
        let (mut one, mut other) = (rooms.room(), rooms.room());
        for bytes in [
            1,
            1,
            ROOM_UNIT_BYTES,
            ROOM_UNIT_BYTES + 1,
            3 * ROOM_UNIT_BYTES,
        ] {
            one.grow_to(bytes).unwrap();
        }
        other.grow_to(ROOM_UNIT_BYTES).unwrap();
        let refused = other.grow_to(ROOM_UNIT_BYTES + 1).unwrap_err();
        assert_eq!(refused.code(), "unavailable");
        drop(one);
        other.grow_to(4 * ROOM_UNIT_BYTES).unwrap();
    }
}
