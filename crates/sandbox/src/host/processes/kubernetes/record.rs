//! That a sandbox has a pod, on disk beside its files. Whether it runs is the cluster's to say.

use std::fs;
use std::io::{self, Read};
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::super::super::backend::KubernetesApi;
use crate::limits::{PROTOCOL_VERSION, RECORD_BYTES_MAX};

const FILE_NAME: &str = "pod.json";
/// In the state directory: what tells its pods from those of other servers.
const INSTALLATION_FILE: &str = "installation";

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PodRecord {
    pub(super) protocol: u32,
    pub(super) name: String,
    pub(super) namespace: String,
    /// Whether the newest files are in the directory here: nothing has run in it yet, or they were
    /// fetched since.
    pub(super) has_files_at_home: bool,
    /// Where the cluster is asked. The files that it names hold the secrets, and this does not.
    pub(super) api: KubernetesApi,
}

impl PodRecord {
    pub(super) fn new(name: &str, namespace: &str, api: &KubernetesApi) -> Self {
        Self {
            protocol: PROTOCOL_VERSION,
            name: name.to_owned(),
            namespace: namespace.to_owned(),
            has_files_at_home: true,
            api: api.clone(),
        }
    }

    pub(super) fn save(&self, directory: &Path) -> io::Result<()> {
        let draft = directory.join("pod.json.new");
        fs::write(&draft, serde_json::to_vec(self)?)?;
        fs::rename(draft, directory.join(FILE_NAME))
    }

    /// `Ok(None)` when there is no record; an error when there is one that says nothing.
    pub(super) fn load(directory: &Path) -> io::Result<Option<Self>> {
        match read(&directory.join(FILE_NAME))? {
            Some(text) => Ok(Some(serde_json::from_slice(&text)?)),
            None => Ok(None),
        }
    }
}

/// Made once. A path would not do: servers of other machines have the same.
pub(super) fn installation(state_dir: &Path) -> io::Result<String> {
    let file = state_dir.join(INSTALLATION_FILE);
    if let Some(known) = read(&file)? {
        let known = String::from_utf8_lossy(&known).trim().to_owned();
        let is_good = known.len() == 32 && known.bytes().all(|byte| byte.is_ascii_hexdigit());
        if is_good {
            return Ok(known);
        }
    }
    let made = fs::read_to_string("/proc/sys/kernel/random/uuid")?;
    let made = made.trim().replace('-', "");
    let draft = state_dir.join("installation.new");
    fs::write(&draft, &made)?;
    fs::File::open(&draft)?.sync_all()?;
    fs::rename(draft, file)?;
    Ok(made)
}

fn read(path: &Path) -> io::Result<Option<Vec<u8>>> {
    let file = match fs::File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let mut text = Vec::new();
    file.take(RECORD_BYTES_MAX).read_to_end(&mut text)?;
    Ok(Some(text))
}
