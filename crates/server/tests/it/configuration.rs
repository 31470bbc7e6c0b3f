//! Set-up of the configuration tests: a folder with a configuration file, variables, flags.

use std::path::PathBuf;

use hostler_server::config::{ConfigError, Environment, Loaded, Overrides, load};

/// A configuration file in a folder of its own.
pub(crate) struct ConfigFile {
    pub(crate) folder: tempfile::TempDir,
}

impl ConfigFile {
    pub(crate) fn new(text: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("hostler.toml"), text).unwrap();
        Self { folder }
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.folder.path().join("hostler.toml")
    }

    pub(crate) fn overrides(&self) -> Overrides {
        Overrides {
            config: Some(self.path()),
            ..Overrides::default()
        }
    }

    pub(crate) fn load<const N: usize>(
        &self,
        variables: [(&str, &str); N],
    ) -> Result<Loaded, ConfigError> {
        load(&self.overrides(), &Environment::from_pairs(variables))
    }

    /// The problems, with the folder taken out of their places.
    pub(crate) fn problems<const N: usize>(&self, variables: [(&str, &str); N]) -> Vec<String> {
        let folder = format!("{}/", self.folder.path().display());
        let error = self
            .load(variables)
            .expect_err("the configuration should be refused");
        error
            .problems
            .iter()
            .map(|problem| problem.to_string().replace(&folder, ""))
            .collect()
    }
}

/// The configuration of variables alone. The configuration file is an empty one, so that no file of the
/// developer's folder is found.
pub(crate) fn load_env<const N: usize>(
    variables: [(&str, &str); N],
) -> Result<Loaded, ConfigError> {
    ConfigFile::new("").load(variables)
}
