//! Cloning and checking out, each in a sandbox that exists for that only.
//!
//! A repository and its server are strangers, and `git` has had its holes: it runs where it can hurt
//! nobody. The sandbox that clones reaches one host, through the gateway, which dials no address that
//! it has not checked; the one that checks out reaches nothing. What they leave is moved by the
//! kernel's own steps and read by nobody on the way.

use std::collections::BTreeMap;
use std::time::Duration;

use hostler_egress::{AllowedHosts, Attachment, Listeners, Policy, Secrets};
use hostler_protocol::session_repository::{Checkout, RepositoryUrl};
use hostler_sandbox::{
    Call, InnerPath, NetworkAccess, Opened, Sandbox, SandboxError, SandboxName, Spec, Tool,
};
use hostler_store::{RepositorySkill, SessionRepository};

use super::access::{Access, for_one_fetch};
use super::failure::{Ending, Failure, SignIn, ending};
use super::found_skills;
use super::mirrors::{self, Mirror};
use super::scripts::{self, MIRROR, TREE};
use super::working_boxes::{AtWork, checkout_name, clone_name};
use crate::limits::REPOSITORY_STEP_TIME_MAX;
use crate::options::Parts;
use crate::secrets::now;

/// A working tree that waits in the workspace of a sandbox which has ended its work.
pub(super) struct MadeTree {
    at_work: AtWork,
    place: InnerPath,
    pub(super) skills: Vec<RepositorySkill>,
}

impl MadeTree {
    pub(super) fn name(&self) -> &SandboxName {
        self.at_work.name()
    }

    pub(super) fn place(&self) -> &InnerPath {
        &self.place
    }
}

/// What became of the wish to bring a mirror up to date.
pub(super) enum Fetched {
    Replaced,
    Unchanged,
}

/// A commit that is there already needs nobody to be asked, unless it takes a token to see it: then its server
/// says each time whether that is still good.
pub(super) async fn working_tree(
    parts: &Parts,
    repository: &SessionRepository,
) -> Result<MadeTree, Failure> {
    let SessionRepository { url, checkout, .. } = repository;
    let access = Access::of(parts, repository)?;
    if let (Some(Checkout::Commit { .. }), None) = (checkout, &access) {
        let mirror = mirrors::as_it_is(parts, url).await?;
        if let Some(made) = check_out(parts, repository, mirror).await? {
            return Ok(made);
        }
    }
    let mirror = mirrors::fresh(parts, url, checkout.as_ref(), access.as_ref()).await?;
    let made = check_out(parts, repository, mirror).await?;
    made.ok_or_else(|| Failure::checkout("it has no such commit, or its server does not give it"))
}

/// `None`: the mirror has no such commit, or there is no mirror.
async fn check_out(
    parts: &Parts,
    repository: &SessionRepository,
    mirror: Mirror,
) -> Result<Option<MadeTree>, Failure> {
    let at_work = parts
        .repositories
        .boxes
        .enter(checkout_name(repository.id)?);
    let name = at_work.name();
    let _place = parts.repositories.places.acquire().await;
    let place = inner(MIRROR)?;
    let begun = parts
        .sandboxes
        .begin_with_tree(name, &mirror.key, &place)
        .await?;
    // The copy is the sandbox's own: the mirror may change again.
    drop(mirror);
    if !begun {
        return Ok(None);
    }
    let options = &parts.options.repositories;
    let checkout = repository.checkout.as_ref();
    let variables = scripts::variables(options, &repository.url, checkout, "file");
    let script = scripts::checkout();
    let ran = run(parts, name, variables, script, Reach::Nothing).await;
    let failure = match ran {
        Ok(ran) => match ran.ending {
            Ending::Done | Ending::Unchanged => {
                return Ok(Some(MadeTree {
                    place: inner(TREE)?,
                    skills: found_skills::read(&ran.output),
                    at_work,
                }));
            }
            Ending::NoCommit => None,
            Ending::Failed(failure) => Some(failure),
        },
        Err(failure) => Some(failure),
    };
    parts.sandboxes.throw_away(name).await?;
    failure.map_or(Ok(None), Err)
}

/// Makes the mirror of this key, or fetches what it lacks. Whoever calls it has the mirror alone.
pub(super) async fn fetch(
    parts: &Parts,
    key: &SandboxName,
    url: &RepositoryUrl,
    checkout: Option<&Checkout>,
    access: Option<&Access>,
) -> Result<Fetched, Failure> {
    let at_work = parts.repositories.boxes.enter(clone_name(key)?);
    let name = at_work.name();
    let _place = parts.repositories.places.acquire().await;
    // What an earlier one left half-made.
    parts.sandboxes.throw_away(name).await?;
    let place = inner(MIRROR)?;
    let had_one = parts.sandboxes.begin_with_tree(name, key, &place).await?;
    let protocols = match url.host().is_plain_text() {
        true => "http",
        false => "https",
    };
    let options = &parts.options.repositories;
    let variables = scripts::variables(options, url, checkout, protocols);
    let reach = Reach::Server { url, access };
    let ran = run(parts, name, variables, scripts::fetch(), reach).await;
    match ran.map(|ran| ran.ending) {
        Ok(Ending::Done) => {
            parts.sandboxes.keep_tree(name, &place, key).await?;
            Ok(Fetched::Replaced)
        }
        Ok(Ending::Unchanged) => {
            parts.sandboxes.throw_away(name).await?;
            Ok(Fetched::Unchanged)
        }
        Ok(Ending::NoCommit) => {
            parts.sandboxes.throw_away(name).await?;
            let message = "it has no such commit, or its server does not give it";
            Err(Failure::checkout(message))
        }
        Ok(Ending::Failed(failure)) | Err(failure) => {
            parts.sandboxes.throw_away(name).await?;
            if had_one && failure.may_be_of_a_mirror() {
                parts.sandboxes.throw_away_tree(key).await?;
            }
            Err(failure)
        }
    }
}

/// What a script may reach.
#[derive(Clone, Copy)]
enum Reach<'a> {
    Nothing,
    /// The host of a repository, with its token if there is one.
    Server {
        url: &'a RepositoryUrl,
        access: Option<&'a Access>,
    },
}

/// What a script printed, and what its last line says.
struct Ran {
    output: String,
    ending: Ending,
}

async fn run(
    parts: &Parts,
    name: &SandboxName,
    variables: BTreeMap<String, String>,
    script: String,
    reach: Reach<'_>,
) -> Result<Ran, Failure> {
    let mut spec = Spec {
        environment: variables,
        network: match reach {
            Reach::Server { .. } => parts.networks.access(),
            Reach::Nothing => NetworkAccess::None,
        },
        ..Spec::default()
    };
    let mut secrets = None;
    let mut sign_in = SignIn::None;
    if let Reach::Server { url, access } = reach {
        let (variables, of_fetch) = for_one_fetch(url, access, now(parts))?;
        spec.variables = variables;
        spec.authority = Some(of_fetch.authority.certificate());
        secrets = Some((url, of_fetch));
        if access.is_some() {
            sign_in = SignIn::Token;
        }
    }
    let opened = parts.sandboxes.open(name, &spec).await?;
    let way_out = match secrets {
        Some((url, secrets)) => Some(attach(parts, &opened.sandbox, url, secrets).await?),
        None => None,
    };
    let ran = run_script(parts, &opened, script, sign_in, way_out.as_ref()).await;
    drop((opened, way_out));
    ran
}

async fn run_script(
    parts: &Parts,
    opened: &Opened,
    script: String,
    sign_in: SignIn,
    way_out: Option<&Attachment>,
) -> Result<Ran, Failure> {
    let time = parts.options.repositories.clone_time_max;
    let time: Duration = time.min(REPOSITORY_STEP_TIME_MAX);
    let tool = Tool::Bash {
        command: script,
        timeout_ms: u64::try_from(time.as_millis()).ok(),
    };
    let call = Call {
        id: "repository".to_owned(),
        tool,
    };
    let output = opened.sandbox.run(call).await?.joined_text();
    let denial = way_out.and_then(Attachment::last_denial);
    let ending = ending(&output, time.as_secs(), sign_in, denial.as_deref());
    Ok(Ran { output, ending })
}

/// Puts the gateway behind the sandbox, for as long as the result lives. It opens the host of the
/// repository and no other, so no redirect leads elsewhere.
async fn attach(
    parts: &Parts,
    sandbox: &Sandbox,
    url: &RepositoryUrl,
    secrets: Secrets,
) -> Result<Attachment, Failure> {
    let no_network = || Failure::clone("this server gives sandboxes no network to clone it by");
    let gateway = parts.networks.gateway().ok_or_else(no_network)?;
    let sockets = sandbox.gateway_sockets().await?;
    let sockets = sockets.ok_or_else(no_network)?;
    let listeners = Listeners {
        tcp: sockets.intercepting,
        proxy: sockets.proxy,
        dns: sockets.names,
    };
    let policy = Policy::Limited(AllowedHosts::new([url.host().name()]));
    let label = sandbox.name().to_string();
    let attachment = gateway.attach_with_secrets(label, policy, listeners, secrets);
    attachment.map_err(|error| SandboxError::from(error).into())
}

fn inner(name: &str) -> Result<InnerPath, SandboxError> {
    name.parse().map_err(|error| SandboxError::Refused {
        reason: format!("{error}"),
    })
}
