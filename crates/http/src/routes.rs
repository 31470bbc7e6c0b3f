//! The route table. It reads like the index of the API: one line for each operation.

use crate::operation::Operations;
use crate::refused::REFUSED;

/// Every operation of the protocol, served or refused.
pub(crate) fn all() -> Operations {
    let served = Operations::default();
    REFUSED.iter().fold(served, |table, (feature, lines)| {
        table.refuse(feature, lines)
    })
}
