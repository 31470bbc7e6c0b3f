//! A disk whose power goes: what was synced is there; of what was not, anything may be, in any order
//! and in pieces of a sector. Names are kept in the order of their folder's changes, as every file
//! system with a journal does, and only a sync of the folder makes sure of them.

use std::collections::BTreeMap;
use std::path::Path;

use super::random::Random;
use super::trace::{Act, Call};

const SECTOR: usize = 512;

enum Change<'c> {
    Write(usize, &'c [u8]),
    Truncate(usize),
}

#[derive(Default)]
struct File<'c> {
    synced: Vec<u8>,
    /// With the moments of their ends.
    unsynced: Vec<(usize, Change<'c>)>,
}

enum Naming {
    Bind(String, usize),
    Unbind(String),
}

#[derive(Default)]
pub(super) struct Disk<'c> {
    files: Vec<File<'c>>,
    /// As a running system sees it.
    names: BTreeMap<String, usize>,
    synced_names: BTreeMap<String, usize>,
    unsynced_names: Vec<(usize, Naming)>,
}

/// What is left of what was not synced.
#[derive(Debug, Clone, Copy)]
pub(super) enum Loss {
    Everything,
    Nothing,
    /// Each write by itself.
    SomeWrites,
    /// Each sector by itself.
    SomeSectors,
    /// What was written last, and half of the write before.
    TheEnd,
}

impl Loss {
    pub(super) const ALL: [Self; 5] = [
        Self::Everything,
        Self::Nothing,
        Self::SomeWrites,
        Self::SomeSectors,
        Self::TheEnd,
    ];
}

/// Whether a power cut lies between this and what the clients were told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Syncs {
    Work,
    /// A disk that only says so.
    Lie,
}

impl<'c> Disk<'c> {
    /// What has happened before this line of the trace, and may have happened at it.
    pub(super) fn at(calls: &'c [Call], moment: usize, syncs: Syncs) -> Self {
        let mut disk = Self::default();
        for call in calls.iter().filter(|call| call.begun < moment) {
            let is_sync = matches!(call.act, Act::Sync { .. });
            if !is_sync || (call.ended < moment && syncs == Syncs::Work) {
                disk.take(call);
            }
        }
        disk
    }

    fn take(&mut self, call: &'c Call) {
        match &call.act {
            Act::Make { path } => {
                if is_kept(path) && !self.names.contains_key(path) {
                    self.files.push(File::default());
                    self.bind(call.ended, path, self.files.len() - 1);
                }
            }
            Act::Write { path, offset, data } => {
                self.change(call.ended, path, Change::Write(*offset, data));
            }
            Act::Truncate { path, length } => {
                self.change(call.ended, path, Change::Truncate(*length));
            }
            Act::Sync { path } => self.sync(path, call.begun),
            Act::Rename { from, to } => {
                if let Some(file) = self.names.remove(from) {
                    self.unsynced_names
                        .push((call.ended, Naming::Unbind(from.clone())));
                    self.bind(call.ended, to, file);
                }
            }
            Act::Link { from, to } => {
                if let Some(file) = self.names.get(from).copied() {
                    self.bind(call.ended, to, file);
                }
            }
            Act::Remove { path } => {
                if self.names.remove(path).is_some() {
                    self.unsynced_names
                        .push((call.ended, Naming::Unbind(path.clone())));
                }
            }
            Act::Send { .. } => {}
        }
    }

    fn bind(&mut self, moment: usize, path: &str, file: usize) {
        self.names.insert(path.to_owned(), file);
        self.unsynced_names
            .push((moment, Naming::Bind(path.to_owned(), file)));
    }

    fn change(&mut self, moment: usize, path: &str, change: Change<'c>) {
        if let Some(file) = self.names.get(path) {
            self.files[*file].unsynced.push((moment, change));
        }
    }

    /// What ended before the sync began.
    fn sync(&mut self, path: &str, begun: usize) {
        if let Some(file) = self.names.get(path) {
            let file = &mut self.files[*file];
            let (done, open) = std::mem::take(&mut file.unsynced)
                .into_iter()
                .partition(|(ended, _)| *ended < begun);
            file.unsynced = open;
            for (_, change) in done {
                apply(&mut file.synced, &change);
            }
            return;
        }
        let (done, open): (Vec<_>, Vec<_>) = std::mem::take(&mut self.unsynced_names)
            .into_iter()
            .partition(|(ended, naming)| *ended < begun && folder_of(naming) == path);
        self.unsynced_names = open;
        for (_, naming) in done {
            rename(&mut self.synced_names, naming);
        }
    }

    /// Writes what a start after the cut finds.
    pub(super) fn cut(mut self, loss: Loss, random: &mut Random, folder: &Path) {
        let named = match loss {
            Loss::Everything => 0,
            Loss::Nothing => self.unsynced_names.len(),
            Loss::SomeWrites | Loss::SomeSectors | Loss::TheEnd => {
                random.below(self.unsynced_names.len() + 1)
            }
        };
        for (_, naming) in self.unsynced_names.drain(..named) {
            rename(&mut self.synced_names, naming);
        }
        for (name, file) in &self.synced_names {
            let file = &self.files[*file];
            let path = folder.join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, file.after(loss, random)).unwrap();
        }
    }
}

impl File<'_> {
    fn after(&self, loss: Loss, random: &mut Random) -> Vec<u8> {
        let mut bytes = self.synced.clone();
        let last = self.unsynced.len().saturating_sub(1);
        for (position, (_, change)) in self.unsynced.iter().enumerate() {
            match loss {
                Loss::Everything => {}
                Loss::Nothing => apply(&mut bytes, change),
                Loss::SomeWrites => {
                    if random.below(2) == 0 {
                        apply(&mut bytes, change);
                    }
                }
                Loss::SomeSectors => tear(&mut bytes, change, |_| random.below(2) == 0),
                Loss::TheEnd if position == last => {}
                Loss::TheEnd if position + 1 == last => {
                    tear(&mut bytes, change, |sector| sector % 2 == 0);
                }
                Loss::TheEnd => apply(&mut bytes, change),
            }
        }
        bytes
    }
}

/// The lock and the sandboxes' folders are no part of what is promised, and the shared memory of the
/// database is made anew by its first user.
fn is_kept(path: &str) -> bool {
    path.starts_with("blobs/") || (path.starts_with("hostler.db") && !path.ends_with("-shm"))
}

fn folder_of(naming: &Naming) -> &str {
    let (Naming::Bind(path, _) | Naming::Unbind(path)) = naming;
    path.rsplit_once('/').map_or("", |(folder, _)| folder)
}

fn rename(names: &mut BTreeMap<String, usize>, naming: Naming) {
    match naming {
        Naming::Bind(path, file) => {
            names.insert(path, file);
        }
        Naming::Unbind(path) => {
            names.remove(&path);
        }
    }
}

fn apply(bytes: &mut Vec<u8>, change: &Change<'_>) {
    match change {
        Change::Write(offset, data) => write(bytes, *offset, data),
        Change::Truncate(length) => bytes.resize(*length, 0),
    }
}

fn tear(bytes: &mut Vec<u8>, change: &Change<'_>, mut is_kept: impl FnMut(usize) -> bool) {
    let Change::Write(offset, data) = change else {
        return apply(bytes, change);
    };
    let mut at = *offset;
    let mut rest: &[u8] = data;
    while !rest.is_empty() {
        let length = (SECTOR - at % SECTOR).min(rest.len());
        let (sector, after) = rest.split_at(length);
        if is_kept(at / SECTOR) {
            write(bytes, at, sector);
        }
        (at, rest) = (at + length, after);
    }
}

fn write(bytes: &mut Vec<u8>, offset: usize, data: &[u8]) {
    let end = offset + data.len();
    if bytes.len() < end {
        bytes.resize(end, 0);
    }
    bytes[offset..end].copy_from_slice(data);
}
