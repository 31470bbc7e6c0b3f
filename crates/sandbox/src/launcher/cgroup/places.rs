//! Where in the trees of control groups this server is, and where its sandboxes go.

use std::fs;
use std::path::{Path, PathBuf};

/// Below the server's delegated cgroup: itself, and all sandboxes. A v2 cgroup that hands
/// controllers down may not hold processes itself.
pub(super) const SERVER: &str = "hostler-server";
pub(super) const SANDBOXES: &str = "hostler-sandboxes";

/// The directories in which cgroups of sandboxes are made, in each hierarchy that there is.
pub(super) struct Places {
    pub(super) v2: Option<PathBuf>,
    pub(super) v1_memory: Option<PathBuf>,
    pub(super) v1_pids: Option<PathBuf>,
    pub(super) v1_cpu: Option<PathBuf>,
}

impl Places {
    pub(super) fn find() -> Self {
        let trees = Trees::read();
        Self {
            v2: trees.own("cgroup2", "").map(|own| {
                let delegated = base(&own).join(SANDBOXES);
                if delegated.is_dir() { delegated } else { own }
            }),
            v1_memory: trees.own("cgroup", "memory"),
            v1_pids: trees.own("cgroup", "pids"),
            v1_cpu: trees.own("cgroup", "cpu"),
        }
    }

    pub(super) fn all(self) -> impl Iterator<Item = PathBuf> {
        let all = [self.v2, self.v1_memory, self.v1_pids, self.v1_cpu];
        all.into_iter().flatten()
    }
}

/// The v2 cgroup of this process.
pub(super) fn own_v2() -> Option<PathBuf> {
    Trees::read().own("cgroup2", "")
}

/// The cgroup that was given to the server, whether it is in it or in its own leaf below.
pub(super) fn base(own: &Path) -> &Path {
    match own.parent() {
        Some(parent) if own.file_name().is_some_and(|name| name == SERVER) => parent,
        _ => own,
    }
}

struct Trees {
    mounts: String,
    own: String,
}

impl Trees {
    fn read() -> Self {
        Self {
            mounts: fs::read_to_string("/proc/self/mountinfo").unwrap_or_default(),
            own: fs::read_to_string("/proc/self/cgroup").unwrap_or_default(),
        }
    }

    /// Joins the mount point of a hierarchy with our place in it.
    fn own(&self, kind: &str, controller: &str) -> Option<PathBuf> {
        let place = self.own.lines().find_map(|line| {
            let mut fields = line.splitn(3, ':').skip(1);
            let controllers = fields.next()?;
            let named = controllers.split(',').any(|name| name == controller);
            fields.next().filter(|_| named)
        })?;
        let (mount_root, mount_point) = self.mounts.lines().find_map(|line| {
            let (before, after) = line.split_once(" - ")?;
            let mut after = after.split(' ');
            let same_kind = after.next() == Some(kind);
            let options = after.nth(1)?;
            let named = controller.is_empty() || options.split(',').any(|name| name == controller);
            let mut before = before.split(' ').skip(3);
            let root_and_point = before.next().zip(before.next());
            root_and_point.filter(|_| same_kind && named)
        })?;
        // In a container the hierarchy may be mounted from our own place on.
        let below = place
            .strip_prefix(mount_root.trim_end_matches('/'))
            .unwrap_or(place);
        Some(Path::new(mount_point).join(below.trim_start_matches('/')))
    }
}
