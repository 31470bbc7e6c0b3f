//! Installing packages in a sandbox that exists for that only.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use hostler_sandbox::{Call, Packages, Sandbox, SandboxError, SandboxName, Spec, Tool};

use super::plan::{Step, build_environment, steps};
use super::way_out;
use super::{PackageOptions, Wanted};
use crate::limits::{PACKAGE_LOG_CHARS, PACKAGE_NAMES_CHARS, PACKAGE_STEP_TIME_MAX};
use crate::options::Parts;

/// What the sandbox that makes a layer is called, before the layer's key.
const PREFIX: &str = "build_";

/// The key of the layer that a sandbox of this name makes.
pub(crate) fn key_of(name: &SandboxName) -> Option<SandboxName> {
    name.as_str().strip_prefix(PREFIX)?.parse().ok()
}

/// A sentence for the one who configured the environment says why it failed.
pub(super) async fn build(
    parts: &Parts,
    key: &SandboxName,
    wanted: Wanted<'_>,
    spec: &Spec,
) -> Result<PathBuf, String> {
    let steps = steps(wanted.lists, &spec.root)?;
    let failed = |error: SandboxError| format!("the packages cannot be installed: {error}");
    let name: SandboxName = format!("{PREFIX}{key}")
        .parse()
        .map_err(|error| format!("{error}"))?;
    // What an earlier one left half-made.
    parts.sandboxes.destroy(&name).await.map_err(failed)?;
    let PackageOptions {
        sources,
        environment,
        ..
    } = &parts.options.packages;
    let sources = sources.clone();
    let mut variables = build_environment(&spec.environment, sources.is_some());
    variables.extend(environment.clone());
    let spec = Spec {
        environment: variables,
        packages: Packages::Building { sources },
        network: parts.networks.access(),
        ..spec.clone()
    };
    let deadline = Instant::now() + parts.options.packages.build_time_max;
    let opened = parts.sandboxes.open(&name, &spec).await.map_err(failed)?;
    let way_out = way_out::attach(parts, &opened.sandbox, wanted.networking).await;
    let way_out = way_out.map_err(failed)?;
    let mut done = Ok(());
    for step in &steps {
        let packages = named(&step.packages);
        tracing::info!(%key, manager = step.manager, packages, "installing packages");
        let begun = Instant::now();
        done = run(&opened.sandbox, step, deadline).await;
        let (seconds, is_done) = (begun.elapsed().as_secs_f32(), done.is_ok());
        tracing::info!(%key, manager = step.manager, seconds, is_done, "packages were worked on");
        if done.is_err() {
            break;
        }
    }
    drop((opened, way_out));
    if let Err(reason) = done {
        if let Err(error) = parts.sandboxes.destroy(&name).await {
            tracing::error!(%name, %error, "the sandbox of a failed installation is left");
        }
        return Err(reason);
    }
    parts.sandboxes.keep_layer(&name, key).await.map_err(failed)
}

async fn run(sandbox: &Sandbox, step: &Step, deadline: Instant) -> Result<(), String> {
    let Step {
        manager,
        packages,
        command,
    } = step;
    let packages = named(packages);
    let left = deadline.saturating_duration_since(Instant::now());
    if left < Duration::from_secs(1) {
        return Err(format!(
            "no time is left to install the {manager} packages {packages}; the operator may raise \
             sandbox.package_install_time, and the next call tries again"
        ));
    }
    let timeout = left.min(PACKAGE_STEP_TIME_MAX);
    let tool = Tool::Bash {
        command: format!("({command})"),
        timeout_ms: u64::try_from(timeout.as_millis()).ok(),
    };
    let call = Call {
        id: format!("install_{manager}"),
        tool,
    };
    match sandbox.run(call).await {
        Ok(output) if output.is_error => Err(format!(
            "the {manager} packages of the environment cannot be installed: {packages}. The next \
             call tries again; a new session may have an environment with other packages. The end \
             of what {manager} said: {}",
            tail(&output.joined_text())
        )),
        Ok(_) => Ok(()),
        Err(error) => Err(format!(
            "the sandbox was lost while the {manager} packages {packages} were installed, and the \
             next call tries again: {error}"
        )),
    }
}

/// The packages of one manager, or the first of many.
fn named(packages: &[String]) -> String {
    let mut text = packages.join(" ");
    if text.chars().count() > PACKAGE_NAMES_CHARS {
        text = text.chars().take(PACKAGE_NAMES_CHARS).collect();
        text.push('…');
    }
    text
}

/// The last characters, where the reason is.
fn tail(text: &str) -> &str {
    let text = text.trim();
    let start = text.char_indices().rev().nth(PACKAGE_LOG_CHARS - 1);
    start.map_or(text, |(start, _)| &text[start..])
}
