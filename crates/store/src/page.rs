//! Where a page of a list starts and how long it is.

/// Items behind a key, in the order of the list. The key is the pair of columns that the list is
/// ordered by; paging is never by offset.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PageRange {
    /// A moment in microseconds or a version, and the id that tells equal ones apart.
    pub after: Option<(i64, String)>,
    /// Rows to read: callers ask for one more than they show.
    pub limit: usize,
}

impl PageRange {
    /// The key from which a list that goes down starts.
    pub(crate) fn below(&self) -> (i64, String) {
        self.after.clone().unwrap_or((i64::MAX, String::new()))
    }

    /// The key from which a list that goes up starts.
    pub(crate) fn above(&self) -> (i64, String) {
        self.after.clone().unwrap_or((i64::MIN, String::new()))
    }

    pub(crate) fn rows(&self) -> i64 {
        i64::try_from(self.limit).unwrap_or(i64::MAX)
    }
}

/// Which rows of a list are shown besides the live ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Archived {
    Included,
    LeftOut,
}

impl Archived {
    pub(crate) fn flag(self) -> i64 {
        match self {
            Self::Included => 1,
            Self::LeftOut => 0,
        }
    }
}
