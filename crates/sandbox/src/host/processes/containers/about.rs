//! What an engine is like, as far as containers are made otherwise for it.

use std::io;

use serde_json::Value;

use super::api::Api;
use super::succeeded;

pub(super) struct About {
    /// Uid and gid inside. The files of a sandbox are the server's, so what runs inside must be
    /// the same user to the kernel.
    pub(super) user: String,
    /// Podman takes fewer options of a file system in memory, and sets limits of its own where
    /// none are given: some that not even root may set everywhere.
    pub(super) is_podman: bool,
}

impl About {
    pub(super) async fn ask(api: &Api) -> io::Result<Self> {
        let info = succeeded(api.get("/info").await?, "tell about itself")?.json()?;
        let version = succeeded(api.get("/version").await?, "tell its version")?.json()?;
        Ok(Self {
            user: user_inside(&info)?,
            is_podman: is_podman(&version),
        })
    }
}

fn is_podman(version: &Value) -> bool {
    let components = version["Components"].as_array().into_iter().flatten();
    components
        .filter_map(|component| component["Name"].as_str())
        .any(|name| name.contains("Podman"))
}

/// An engine without root maps its root to the user that it runs as.
fn user_inside(info: &Value) -> io::Result<String> {
    let options = info["SecurityOptions"].as_array().into_iter().flatten();
    let options: Vec<&str> = options.filter_map(Value::as_str).collect();
    let has = |name: &str| options.iter().any(|option| option.contains(name));
    if has("name=userns") {
        return Err(io::Error::other(
            "the container engine maps users (userns-remap), so that containers cannot reach \
             the files of their sandboxes; use an engine without it",
        ));
    }
    if has("name=rootless") {
        return Ok("0:0".to_owned());
    }
    let (uid, gid) = (rustix::process::geteuid(), rustix::process::getegid());
    Ok(format!("{}:{}", uid.as_raw(), gid.as_raw()))
}
