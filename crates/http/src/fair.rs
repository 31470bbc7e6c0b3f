//! A bound that workspaces share: so many requests, streams or bytes, of which each may have three times what is
//! left. Whoever is alone gets three quarters of it, so that there is always room for another.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use hostler_protocol::id::WorkspaceId;

use crate::limits::SHARE_OF_FREE;

/// All of it, and who has how much.
#[derive(Debug)]
pub(crate) struct Shared {
    all: usize,
    taken: Mutex<Taken>,
}

#[derive(Debug, Default)]
struct Taken {
    count: usize,
    by_workspace: HashMap<WorkspaceId, usize>,
}

/// A part that is in use. Dropping it gives it back.
#[derive(Debug)]
pub(crate) struct Part {
    of: Arc<Shared>,
    workspace: WorkspaceId,
    count: usize,
}

impl Shared {
    pub(crate) fn new(all: usize) -> Arc<Self> {
        Arc::new(Self {
            all,
            taken: Mutex::default(),
        })
    }

    /// `None`: there is not so much left, or the workspace has its share.
    pub(crate) fn take(self: &Arc<Self>, workspace: WorkspaceId, count: usize) -> Option<Part> {
        let mut part = Part {
            of: Arc::clone(self),
            workspace,
            count: 0,
        };
        part.grow(count).then_some(part)
    }

    /// Whether so little is taken that everybody may, or the workspace has less than half of its share
    /// of what is.
    pub(crate) fn is_modest(&self, workspace: WorkspaceId, always: usize) -> bool {
        let taken = self.taken();
        let own = taken.by_workspace.get(&workspace).copied().unwrap_or(0);
        let others = taken.by_workspace.len() - usize::from(own > 0);
        taken.count < always || (others > 0 && 2 * own * (others + 1) < taken.count)
    }

    fn taken(&self) -> MutexGuard<'_, Taken> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Part {
    pub(crate) fn count(&self) -> usize {
        self.count
    }

    /// Whether there was room for so much more.
    pub(crate) fn grow(&mut self, more: usize) -> bool {
        let mut taken = self.of.taken();
        let own = taken.by_workspace.get(&self.workspace).copied();
        let own = own.unwrap_or(0).saturating_add(more);
        let count = taken.count.saturating_add(more);
        let free = self.of.all.saturating_sub(count);
        // One that is larger than a share gets in while nobody else is there.
        let is_alone = taken.count == 0 && count <= self.of.all;
        if !is_alone && own > free.saturating_mul(SHARE_OF_FREE) {
            return false;
        }
        taken.count = count;
        taken.by_workspace.insert(self.workspace, own);
        self.count += more;
        true
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        let mut taken = self.of.taken();
        taken.count -= self.count;
        if let Some(own) = taken.by_workspace.get_mut(&self.workspace) {
            *own -= self.count;
            if *own == 0 {
                taken.by_workspace.remove(&self.workspace);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hostler_domain::Env;

    fn fill(shared: &Arc<Shared>, workspace: WorkspaceId) -> Vec<Part> {
        std::iter::from_fn(|| shared.take(workspace, 1)).collect()
    }

    #[test]
    fn who_takes_all_leaves_room_for_others() {
        let (shared, env) = (Shared::new(100), Env::fixed(1));
        let (greedy, modest) = (env.id(), env.id());
        let taken = fill(&shared, greedy);
        assert_eq!(taken.len(), 75);
        assert!(!fill(&shared, modest).is_empty());
        drop(taken);
        assert!(shared.taken().by_workspace.is_empty() && shared.taken().count == 0);
    }

    #[test]
    fn who_has_little_is_modest_beside_others() {
        let (shared, env) = (Shared::new(100), Env::fixed(1));
        let (greedy, modest) = (env.id(), env.id());
        let _greedy = shared.take(greedy, 40).unwrap();
        assert!(!shared.is_modest(greedy, 8) && shared.is_modest(greedy, 41));
        let _modest = shared.take(modest, 10).unwrap();
        assert!(shared.is_modest(modest, 8) && !shared.is_modest(greedy, 8));
        let _more = shared.take(modest, 10).unwrap();
        assert!(!shared.is_modest(modest, 8));
    }

    #[test]
    fn one_thing_may_be_as_large_as_all() {
        let (shared, workspace) = (Shared::new(100), Env::fixed(1).id());
        assert!(shared.take(workspace, 101).is_none());
        let all = shared.take(workspace, 100).unwrap();
        assert!(shared.take(workspace, 1).is_none());
        drop(all);
        assert!(shared.take(workspace, 1).is_some());
    }
}
