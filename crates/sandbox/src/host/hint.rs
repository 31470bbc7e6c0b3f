//! What an operator can do when no sandbox can be made.

use std::fs;
use std::path::Path;

/// The likely cause on this host, as advice.
pub(super) fn hint() -> String {
    let setting = |path: &str| {
        fs::read_to_string(path)
            .map(|text| text.trim().to_owned())
            .ok()
    };
    let is = |path: &str, value: &str| setting(path).as_deref() == Some(value);
    let advice = if is("/proc/sys/user/max_user_namespaces", "0") {
        "set the sysctl user.max_user_namespaces above 0"
    } else if is("/proc/sys/kernel/unprivileged_userns_clone", "0") {
        "set the sysctl kernel.unprivileged_userns_clone to 1"
    } else if is(
        "/proc/sys/kernel/apparmor_restrict_unprivileged_userns",
        "1",
    ) {
        "allow user namespaces for this program with an AppArmor profile, or set the sysctl \
         kernel.apparmor_restrict_unprivileged_userns to 0"
    } else if is_container() {
        "start the container with `--security-opt seccomp=unconfined --security-opt \
         systempaths=unconfined`, or run the server outside a container"
    } else {
        "Linux 5.14 or newer with user namespaces is needed, and /bin/bash on the host"
    };
    format!(
        "{advice}. Where all agents are trusted with everything this server may do, \
         unsafe-process mode runs their commands without isolation"
    )
}

fn is_container() -> bool {
    ["/.dockerenv", "/run/.containerenv"]
        .iter()
        .any(|path| Path::new(path).exists())
}
