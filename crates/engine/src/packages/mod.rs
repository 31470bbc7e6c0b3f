//! The packages of an environment: installed once for each list and root, in a sandbox of their
//! own, and shared read-only by all sessions that want the same.
//!
//! A session that needs them waits while they are installed; what fails is told to its model and
//! in an event. Whoever gives up waiting ends the installation if nobody else waits for it: what
//! a sandbox had written by then is thrown away, and the next one starts anew.

mod build;
mod plan;
mod single_flight;
mod way_out;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use hostler_image::Digest;
use hostler_protocol::environment::{EnvironmentConfig, Networking, Packages as Lists};
use hostler_sandbox::{Packages, Root, SandboxError, SandboxName, Spec};

pub(crate) use self::build::key_of;
pub(crate) use self::single_flight::Builds;
use crate::limits::{PACKAGE_BUILD_TIME, PACKAGE_LAYERS_KEPT};
use crate::options::Parts;
use crate::root_choice::ChosenRoot;

/// What an operator decides about packages.
#[derive(Debug, Clone)]
pub struct PackageOptions {
    /// A folder of packages that need no network, shown read-only to whoever installs.
    pub sources: Option<PathBuf>,
    /// What the managers find in their environment besides, such as where their registries are.
    pub environment: BTreeMap<String, String>,
    /// For all packages of one environment together.
    pub build_time_max: Duration,
    /// How long packages that nobody asks for are kept. `None`: for ever.
    pub keep_unused: Option<Duration>,
}

impl Default for PackageOptions {
    fn default() -> Self {
        Self {
            sources: None,
            environment: BTreeMap::new(),
            build_time_max: PACKAGE_BUILD_TIME,
            keep_unused: Some(PACKAGE_LAYERS_KEPT),
        }
    }
}

/// The version of how packages are installed: another one makes all layers anew.
const RECIPE: &str = "1";
/// Of 256 bits of a hash, as digits: enough that no two lists ever meet.
const KEY_DIGITS: usize = 32;

/// What an environment says about its packages.
#[derive(Clone, Copy)]
struct Wanted<'a> {
    lists: &'a Lists,
    networking: &'a Networking,
}

/// What the sandbox of a session that wants no packages is made with.
pub(crate) fn without_any(chosen: ChosenRoot) -> Spec {
    Spec {
        identity: identity(&chosen),
        root: chosen.root,
        environment: chosen.environment,
        ..Spec::default()
    }
}

/// What a session's sandbox is made with, once its packages are there.
pub(crate) async fn prepare(
    parts: &Parts,
    config: &EnvironmentConfig,
    chosen: ChosenRoot,
) -> Result<Spec, SandboxError> {
    let identity_of_root = chosen.identity.clone();
    let mut spec = without_any(chosen);
    let wanted = match config {
        EnvironmentConfig::Cloud {
            packages: lists,
            networking,
        } if !lists.is_empty() => Wanted { lists, networking },
        EnvironmentConfig::Cloud { .. } | EnvironmentConfig::SelfHosted => return Ok(spec),
    };
    let key = key(&identity_of_root, wanted.lists)?;
    let layer = parts.builds.layer(parts, &key, wanted, &spec).await?;
    if let Some(identity) = &mut spec.identity {
        *identity = format!("{identity} {key}");
    }
    Ok(with_layer(spec, layer))
}

fn with_layer(mut spec: Spec, layer: PathBuf) -> Spec {
    match &mut spec.root {
        Root::Host => {
            spec.packages = Packages::Shared(layer);
            let environment = plan::session_environment(&spec.environment);
            spec.environment = environment;
        }
        Root::Layers(layers) => layers.push(layer),
    }
    spec
}

/// What the host's programs are has no part in what a sandbox wrote.
fn identity(chosen: &ChosenRoot) -> Option<String> {
    match &chosen.root {
        Root::Host => None,
        Root::Layers(_) => Some(chosen.identity.clone()),
    }
}

/// The same for all that must have the same layer.
fn key(identity: &str, lists: &Lists) -> Result<SandboxName, SandboxError> {
    let managers: BTreeMap<_, _> = plan::managers(lists).into_iter().collect();
    let text = format!(
        "{RECIPE}\n{identity}\n{managers:?}\n{}",
        std::env::consts::ARCH
    );
    let digest = Digest::of(text.as_bytes());
    let name = digest.hex()[..KEY_DIGITS].parse();
    name.map_err(|error| SandboxError::Refused {
        reason: format!("{error}"),
    })
}
