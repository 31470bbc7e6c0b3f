//! Whom programs inside trust besides: one authority more, where they look for all others.
//!
//! Those of the root and the new one become one file. Most programs are told of it by a variable; the file
//! lies over the root's own as well, for those that ask for no variable.

use std::collections::BTreeMap;
use std::fs::{self, OpenOptions};
use std::io::{Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use rustix::fs::{CWD, OFlags};

use super::mounts::bind;
use crate::launcher::order::{At, Refused};
use crate::limits::AUTHORITIES_BYTES_MAX;
use crate::spec::Spec;
use crate::sys::mounts::{Depth, NO_DEVICES, NO_EXEC, NO_SUID, READ_ONLY};

/// Where the authorities of a sandbox are that has one more than its root.
const ISOLATED: &str = "/run/hostler";
const NAME: &str = "authorities.pem";

/// Where roots have theirs: Debian and what follows it, Red Hat, SUSE, Alpine.
const OF_ROOTS: &[&str] = &[
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
];

/// By what programs are told of a file that replaces the root's. Node's is for more than its own.
const VARIABLES: &[&str] = &[
    "SSL_CERT_FILE",
    "CURL_CA_BUNDLE",
    "REQUESTS_CA_BUNDLE",
    "PIP_CERT",
    "GIT_SSL_CAINFO",
    "NODE_EXTRA_CA_CERTS",
    "npm_config_cafile",
    "CARGO_HTTP_CAINFO",
    "AWS_CA_BUNDLE",
    "GRPC_DEFAULT_SSL_ROOTS_FILE_PATH",
    "DENO_CERT",
];

/// All variables that shells start with. The root is as it will be, and mounts may still be made.
pub(super) fn trust(spec: &Spec) -> Result<BTreeMap<String, String>, Refused> {
    let Some(file) = write(spec, Path::new(ISOLATED))? else {
        return Ok(spec.all_variables());
    };
    for root in OF_ROOTS {
        if fs::metadata(root).is_ok_and(|found| found.is_file()) {
            let attributes = READ_ONLY | NO_SUID | NO_DEVICES | NO_EXEC;
            bind(CWD, &file, root, attributes, Depth::ThisMount)?;
        }
    }
    Ok(variables(spec, &file))
}

/// The same where nothing can be mounted: in `directory`, which this process can write in.
pub(super) fn trust_in(directory: &Path, spec: &Spec) -> Result<BTreeMap<String, String>, Refused> {
    Ok(match write(spec, directory)? {
        Some(file) => variables(spec, &file),
        None => spec.all_variables(),
    })
}

/// `None`: there is nobody else to trust.
fn write(spec: &Spec, directory: &Path) -> Result<Option<String>, Refused> {
    let Some(authority) = &spec.authority else {
        return Ok(None);
    };
    let own = spec.environment.get("SSL_CERT_FILE").map(String::as_str);
    let mut places = own.into_iter().chain(OF_ROOTS.iter().copied());
    let mut all = places.find_map(read).unwrap_or_default();
    all.push(b'\n');
    all.extend_from_slice(authority.as_bytes());
    let step = "write down whom to trust";
    fs::create_dir_all(directory).at(step)?;
    let file = directory.join(NAME);
    // What an earlier sandbox left there is not written through.
    if fs::symlink_metadata(&file).is_ok() {
        fs::remove_file(&file).at(step)?;
    }
    let mut made = fs::File::create_new(&file).at(step)?;
    made.write_all(&all).at(step)?;
    Ok(Some(file.to_string_lossy().into_owned()))
}

/// What the sandbox may have put there can be of any kind and size.
fn read(path: &str) -> Option<Vec<u8>> {
    let nonblocking = i32::try_from(OFlags::NONBLOCK.bits()).ok()?;
    let file = OpenOptions::new()
        .read(true)
        .custom_flags(nonblocking)
        .open(path)
        .ok()?;
    if !file.metadata().ok()?.is_file() {
        return None;
    }
    let mut text = Vec::new();
    file.take(AUTHORITIES_BYTES_MAX)
        .read_to_end(&mut text)
        .ok()?;
    Some(text)
}

fn variables(spec: &Spec, file: &str) -> BTreeMap<String, String> {
    let mut all = spec.all_variables();
    for name in VARIABLES {
        all.insert((*name).to_owned(), file.to_owned());
    }
    all
}
