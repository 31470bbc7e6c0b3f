//! Which commands install the packages of an environment.

use std::collections::BTreeMap;

use hostler_protocol::environment::Packages as Lists;
use hostler_sandbox::{PACKAGE_SOURCES_DIRECTORY, PACKAGES_DIRECTORY, Root, SEARCH_PATH};

/// One manager and all that it installs.
pub(super) struct Step {
    pub(super) manager: &'static str,
    pub(super) packages: Vec<String>,
    pub(super) command: String,
}

/// In the order in which they are run.
pub(super) fn managers(lists: &Lists) -> [(&'static str, &Vec<String>); 6] {
    [
        ("apt", &lists.apt),
        ("cargo", &lists.cargo),
        ("gem", &lists.gem),
        ("go", &lists.go),
        ("npm", &lists.npm),
        ("pip", &lists.pip),
    ]
}

/// One step for each manager that has something to do, or why that cannot work.
pub(super) fn steps(lists: &Lists, root: &Root) -> Result<Vec<Step>, String> {
    let wanted = managers(lists)
        .into_iter()
        .filter(|(_, packages)| !packages.is_empty());
    let steps = wanted.map(|(manager, packages)| {
        let words = words(packages);
        let command = match root {
            Root::Host => on_the_host(manager, &words)?,
            Root::Layers(_) => in_a_root(manager, &words),
        };
        Ok(Step {
            manager,
            packages: packages.clone(),
            command,
        })
    });
    steps.collect()
}

/// Each package as one word of a command. That none is an option was checked when the environment
/// was made.
fn words(packages: &[String]) -> String {
    let quoted = packages
        .iter()
        .map(|package| format!("'{}'", package.replace('\'', r"'\''")));
    quoted.collect::<Vec<_>>().join(" ")
}

/// Below a directory that sessions see at the same place.
fn on_the_host(manager: &str, packages: &str) -> Result<String, String> {
    let place = PACKAGES_DIRECTORY;
    let command = match manager {
        "apt" => {
            return Err(
                "apt packages need a root file system of the sandbox's own, since the \
                        host's is read-only: set sandbox.root, or hostler.root in the \
                        environment's metadata"
                    .to_owned(),
            );
        }
        "cargo" => format!("cargo install --root {place} {packages}"),
        "gem" => format!(
            "GEM_HOME={place}/gem gem install --no-document --bindir {place}/bin {packages}"
        ),
        "go" => go_install(&format!("{place}/bin"), packages),
        "npm" => format!("npm install --global --prefix {place} --no-audit --no-fund {packages}"),
        _ => format!("{PIP} --target {place}/python {packages}"),
    };
    Ok(command)
}

/// Where the root's own distribution would put them.
fn in_a_root(manager: &str, packages: &str) -> String {
    match manager {
        // A root with a single user has nobody else to download as.
        "apt" => format!(
            "export DEBIAN_FRONTEND=noninteractive; \
             apt-get -o APT::Sandbox::User=root update && \
             apt-get -o APT::Sandbox::User=root install --yes --no-install-recommends {packages} && \
             apt-get clean && rm -rf /var/lib/apt/lists/*"
        ),
        "cargo" => format!("cargo install --root /usr/local {packages}"),
        "gem" => format!("gem install --no-document {packages}"),
        "go" => go_install("/usr/local/bin", packages),
        "npm" => format!("npm install --global --no-audit --no-fund {packages}"),
        // The root is the sandbox's own: there is no distribution to protect from it.
        _ => format!("PIP_BREAK_SYSTEM_PACKAGES=1 {PIP} {packages}"),
    }
}

const PIP: &str = "PIP_ROOT_USER_ACTION=ignore python3 -m pip install --no-input \
    --disable-pip-version-check --no-cache-dir --no-warn-script-location --progress-bar off";

/// Packages of several modules cannot be named in one command.
fn go_install(place: &str, packages: &str) -> String {
    format!(
        "export GOBIN={place} GOPATH=/workspace/go GOFLAGS=-modcacherw; \
         for package in {packages}; do go install \"$package\" || exit; done"
    )
}

/// What whoever installs has besides the root's own: nothing big goes to memory.
pub(super) fn build_environment(
    of_root: &BTreeMap<String, String>,
    has_sources: bool,
) -> BTreeMap<String, String> {
    let mut environment = of_root.clone();
    environment.insert("TMPDIR".to_owned(), "/workspace".to_owned());
    if has_sources {
        let place = PACKAGE_SOURCES_DIRECTORY.to_owned();
        environment.insert("PIP_FIND_LINKS".to_owned(), place);
    }
    environment
}

/// Lets the programs and libraries that were installed beside the host's be found.
pub(super) fn session_environment(of_root: &BTreeMap<String, String>) -> BTreeMap<String, String> {
    let place = PACKAGES_DIRECTORY;
    let mut environment = of_root.clone();
    for (name, value) in [
        (
            "PATH",
            format!("{place}/bin:{place}/python/bin:{SEARCH_PATH}"),
        ),
        ("PYTHONPATH", format!("{place}/python")),
        ("NODE_PATH", format!("{place}/lib/node_modules")),
        ("GEM_PATH", format!("{place}/gem:")),
    ] {
        environment.insert(name.to_owned(), value);
    }
    environment
}
