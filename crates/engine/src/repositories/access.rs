//! How a repository's token gets to its server: never through a sandbox.
//!
//! `git` is told by variables to send a placeholder as its sign-in, wherever it runs, and the gateway puts the
//! token in its place, in requests to this repository alone.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::SystemTime;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use futures::FutureExt;
use hostler_egress::{
    Authority, Locations, Place, SecretHosts, Secrets, Substitution, Substitutions, Transport,
    new_placeholder,
};
use hostler_protocol::id::ResourceId;
use hostler_protocol::secret::SecretText;
use hostler_protocol::session_repository::RepositoryUrl;
use hostler_sandbox::SandboxError;
use hostler_store::SessionRepository;

use super::failure::Failure;
use crate::options::Parts;

/// The user that a token is sent with: GitHub wants this one, others take any.
const USER: &str = "x-access-token";

/// A token that was opened, for one clone or fetch.
pub(super) struct Access {
    token: SecretText,
    /// Who may see what is fetched with it: whoever has the same token in the same workspace.
    pub(super) audience: String,
}

impl Access {
    /// `None`: the repository has no token.
    pub(super) fn of(
        parts: &Parts,
        repository: &SessionRepository,
    ) -> Result<Option<Self>, Failure> {
        let Some(sealed) = &repository.token else {
            return Ok(None);
        };
        let closed =
            |why: String| Failure::authentication(format!("its token can't be used: {why}"));
        let keyring = parts.options.vault_keys.as_ref();
        let keyring = keyring.ok_or_else(|| closed("this server has no master key".to_owned()))?;
        let token = sealed.open(keyring);
        let token = token.map_err(|error| closed(error.to_string()))?;
        let owner = format!("{}\n{}", sealed.workspace(), token.expose());
        Ok(Some(Self {
            audience: keyring.name_of(owner.as_bytes()),
            token,
        }))
    }
}

/// For the sandbox that fetches: what it is told, and what becomes of that on the way out.
///
/// Its TLS ends at the gateway without a token, too: so the repository's server is believed by what the machine trusts,
/// whatever the root of the sandbox does, and an end of it has a cause that can be told.
pub(super) fn for_one_fetch(
    url: &RepositoryUrl,
    access: Option<&Access>,
    now: SystemTime,
) -> Result<(BTreeMap<String, String>, Secrets), SandboxError> {
    let placeholder = new_placeholder()?;
    let (variables, only) = match access {
        Some(Access { token, .. }) => (
            git_variables([(url, placeholder.as_str())]),
            substitution(url, &placeholder, token),
        ),
        None => (BTreeMap::new(), nothing(url, placeholder)),
    };
    let only: Substitutions = [only].into();
    let authority = Authority::new(now).map_err(|error| SandboxError::Refused {
        reason: error.to_string(),
    })?;
    let source = move || std::future::ready(Ok(Arc::clone(&only))).boxed();
    let source = Arc::new(source);
    Ok((variables, Secrets { authority, source }))
}

/// A placeholder that nobody is told, of nothing: for this host connections are opened all the same.
fn nothing(url: &RepositoryUrl, placeholder: String) -> Arc<Substitution> {
    Arc::new(Substitution {
        placeholder,
        value: String::new().into(),
        hosts: SecretHosts::these([url.host().name()]),
        place: None,
        locations: Locations {
            header: false,
            body: false,
        },
    })
}

/// Under which name a session keeps the placeholder of a repository; no variable can be called so.
pub(crate) fn placeholder_name(repository: ResourceId) -> String {
    format!("repository {repository}")
}

/// Makes `git` sign in with these placeholders, at these addresses.
pub(crate) fn git_variables<'a>(
    repositories: impl IntoIterator<Item = (&'a RepositoryUrl, &'a str)>,
) -> BTreeMap<String, String> {
    let mut variables = BTreeMap::new();
    let mut count = 0;
    for (url, placeholder) in repositories {
        let sign_in = STANDARD.encode(format!("{USER}:{placeholder}"));
        let plain = url.as_str().strip_suffix(".git").unwrap_or(url.as_str());
        for address in [plain.to_owned(), format!("{plain}.git")] {
            let key = format!("http.{address}.extraHeader");
            variables.insert(format!("GIT_CONFIG_KEY_{count}"), key);
            let value = format!("Authorization: Basic {sign_in}");
            variables.insert(format!("GIT_CONFIG_VALUE_{count}"), value);
            count += 1;
        }
    }
    if count > 0 {
        variables.insert("GIT_CONFIG_COUNT".to_owned(), count.to_string());
    }
    variables
}

/// What the gateway puts in place of a repository's placeholder.
pub(crate) fn substitution(
    url: &RepositoryUrl,
    placeholder: &str,
    token: &SecretText,
) -> Arc<Substitution> {
    Arc::new(Substitution {
        placeholder: placeholder.to_owned(),
        value: token.expose().to_owned().into(),
        hosts: SecretHosts::these([url.host().name()]),
        place: Some(Place {
            transport: match url.host().is_plain_text() {
                true => Transport::Clear,
                false => Transport::Tls,
            },
            port: url.host().port(),
            path: url.path().to_owned(),
        }),
        locations: Locations {
            header: true,
            body: false,
        },
    })
}
