//! `/etc` of a sandbox: a few files of our own, and of the host's only what programs of
//! `/usr` cannot do without. Nothing that names the host, its users or its keys.

use std::fs;
use std::io::Write;
use std::path::Path;

use rustix::fs::CWD;

use super::mounts::{bind, make_directory};
use super::network::NAME_SERVER_LINE;
use crate::launcher::order::{At, Refused};
use crate::spec::NetworkAccess;
use crate::sys::mounts::{Depth, NO_DEVICES, NO_SUID, READ_ONLY};

const OWN: &[(&str, &str)] = &[
    (
        "passwd",
        "root:x:0:0:root:/root:/bin/bash\nnobody:x:65534:65534:nobody:/nonexistent:/bin/false\n",
    ),
    ("group", "root:x:0:\ntty:x:5:\nnogroup:x:65534:\n"),
    ("hostname", "sandbox\n"),
    ("hosts", "127.0.0.1 localhost sandbox\n::1 localhost\n"),
    (
        "nsswitch.conf",
        "passwd: files\ngroup: files\nhosts: files dns\n",
    ),
    ("shells", "/bin/sh\n/bin/bash\n"),
];

/// Certificates without private keys, the linker's cache, and links between programs.
const FROM_HOST: &[&str] = &[
    "ld.so.cache",
    "ld.so.conf",
    "ld.so.conf.d",
    "alternatives",
    "ssl/certs",
    "ssl/openssl.cnf",
    "pki/tls/certs",
    "pki/ca-trust/extracted",
    "ca-certificates.conf",
    "crypto-policies",
    "mime.types",
    "fonts",
];

/// What names the host or the network, so that a root of its own cannot know it.
const ALWAYS_OWN: &[&str] = &["hostname", "hosts", "resolv.conf"];

fn own(network: NetworkAccess) -> impl Iterator<Item = (&'static str, &'static str)> {
    let name_server = match network {
        NetworkAccess::None => "# This sandbox has no network.\n",
        NetworkAccess::Gateway => NAME_SERVER_LINE,
    };
    OWN.iter().copied().chain([("resolv.conf", name_server)])
}

/// For a root that has an `/etc`: what must be ours, and what is missing. Names of the root may be
/// anything, so a file is made anew and never written through.
pub(super) fn complete(network: NetworkAccess) -> Result<(), Refused> {
    make_directory("etc")?;
    for (name, text) in own(network) {
        let place = Path::new("etc").join(name);
        let step = format!("write /etc/{name}");
        if fs::symlink_metadata(&place).is_ok() {
            if !ALWAYS_OWN.contains(&name) {
                continue;
            }
            fs::remove_file(&place).at(&step)?;
        }
        let mut file = fs::File::create_new(&place).at(&step)?;
        file.write_all(text.as_bytes()).at(&step)?;
    }
    Ok(())
}

pub(super) fn write(network: NetworkAccess) -> Result<(), Refused> {
    for (name, text) in own(network) {
        fs::write(Path::new("etc").join(name), text).at(&format!("write /etc/{name}"))?;
    }
    for name in FROM_HOST {
        let source = Path::new("/etc").join(name);
        let place = format!("etc/{name}");
        // A link is not followed: what it leads to may be anything of the host.
        let Ok(found) = fs::symlink_metadata(&source) else {
            continue;
        };
        if found.is_dir() {
            make_directory(&place)?;
        } else if found.is_file() {
            if let Some((parent, _)) = place.rsplit_once('/') {
                make_directory(parent)?;
            }
            fs::write(&place, "").at(&format!("make /{place}"))?;
        } else {
            continue;
        }
        bind(
            CWD,
            &source,
            &place,
            READ_ONLY | NO_SUID | NO_DEVICES,
            Depth::WholeTree,
        )?;
    }
    Ok(())
}
