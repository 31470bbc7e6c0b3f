//! The hosts of the public package registries, for a policy that permits package managers.
//!
//! This is data of the product: what a `pip install` or an `apt-get update` of an unchanged
//! distribution connects to. A private mirror belongs in a policy's own list.

/// Host names and `*.suffix` entries, in the form of an allowed host.
const HOSTS: &[&str] = &[
    // apt, on Debian and Ubuntu.
    "deb.debian.org",
    "security.debian.org",
    "ftp.debian.org",
    "cdn-fastly.deb.debian.org",
    "archive.ubuntu.com",
    "security.ubuntu.com",
    "ports.ubuntu.com",
    "*.archive.ubuntu.com",
    // cargo.
    "crates.io",
    "index.crates.io",
    "static.crates.io",
    // gem.
    "rubygems.org",
    "index.rubygems.org",
    "*.rubygems.org",
    // go.
    "proxy.golang.org",
    "sum.golang.org",
    // npm and yarn.
    "registry.npmjs.org",
    "registry.yarnpkg.com",
    // pip.
    "pypi.org",
    "files.pythonhosted.org",
];

/// What `allow_package_managers` adds to a list of allowed hosts.
pub fn package_manager_hosts() -> &'static [&'static str] {
    HOSTS
}
