//! Which root file system the sandbox of a session has: what its environment asks for, if the
//! operator permits it, or else the operator's default.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use hostler_image::{Image, ImageError, ImageStore, Source};
use hostler_protocol::decode::Metadata;
use hostler_sandbox::{Root, SandboxError};

/// The key of an environment's metadata that asks for a root.
pub const ROOT_METADATA_KEY: &str = "hostler.root";

/// One root file system, in the words of the configuration.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum RootChoice {
    /// The programs of the host.
    #[default]
    Host,
    Image(Source),
}

/// What an operator decides about root file systems.
#[derive(Debug, Clone, Default)]
pub struct RootOptions {
    /// Without it there is only the host's.
    pub images: Option<ImageStore>,
    pub default: RootChoice,
    /// What environments may ask for besides the default.
    pub allowed: Vec<RootChoice>,
}

/// A root that is there.
#[derive(Debug)]
pub(crate) struct ChosenRoot {
    pub(crate) root: Root,
    /// What its image wants programs to have in their environment.
    pub(crate) environment: BTreeMap<String, String>,
    /// The same for two roots with the same content.
    pub(crate) identity: String,
}

impl RootOptions {
    /// Whether an environment with this metadata may have a sandbox here, or why not.
    pub fn choose(&self, metadata: &Metadata) -> Result<RootChoice, String> {
        let Some(wanted) = metadata.get(ROOT_METADATA_KEY) else {
            return Ok(self.default.clone());
        };
        let choice: RootChoice = wanted
            .parse()
            .map_err(|error: ImageError| error.to_string())?;
        if choice == self.default || self.allowed.contains(&choice) {
            return Ok(choice);
        }
        Err(format!(
            "the root file system {choice} is not permitted on this server; the operator lists \
             those that are in sandbox.allowed_roots"
        ))
    }

    /// Makes the root ready. An image that was never pulled is pulled now.
    pub(crate) async fn prepare(&self, metadata: &Metadata) -> Result<ChosenRoot, SandboxError> {
        let unavailable = |reason| SandboxError::Unavailable { reason };
        let source = match self.choose(metadata).map_err(unavailable)? {
            RootChoice::Host => return Ok(host()),
            RootChoice::Image(source) => source,
        };
        let Some(images) = &self.images else {
            return Err(unavailable(format!(
                "there is no image store to take {source} from"
            )));
        };
        let image = images.get(&source, Arc::new(|_| {})).await;
        let image = image.map_err(|error| unavailable(format!("{source}: {error}")))?;
        Ok(of(image))
    }

    /// The default, if nothing has to be pulled for it.
    pub(crate) fn at_hand(&self) -> Result<Option<ChosenRoot>, SandboxError> {
        let (source, images) = match (&self.default, &self.images) {
            (RootChoice::Host, _) => return Ok(Some(host())),
            (RootChoice::Image(_), None) => return Ok(None),
            (RootChoice::Image(source), Some(images)) => (source, images),
        };
        let found = images.find(source);
        let found = found.map_err(|error| SandboxError::Unavailable {
            reason: format!("{source}: {error}"),
        });
        Ok(found?.map(of))
    }
}

fn of(image: Image) -> ChosenRoot {
    ChosenRoot {
        root: Root::Layers(vec![image.root]),
        environment: image.environment,
        identity: image.digest.to_string(),
    }
}

/// Packages that were built for one release of the host need not work on the next.
fn host() -> ChosenRoot {
    let release = std::fs::read_to_string("/etc/os-release").unwrap_or_default();
    ChosenRoot {
        root: Root::Host,
        environment: BTreeMap::new(),
        identity: format!("host\n{release}"),
    }
}

impl FromStr for RootChoice {
    type Err = ImageError;

    fn from_str(text: &str) -> Result<Self, ImageError> {
        if text == "host" {
            return Ok(Self::Host);
        }
        text.parse().map(Self::Image)
    }
}

impl fmt::Display for RootChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Host => f.write_str("host"),
            Self::Image(source) => source.fmt(f),
        }
    }
}
