//! `hostler images`: fetches, lists and removes root file systems, beside a server that runs.

use std::fmt::Write;
use std::io::IsTerminal;
use std::sync::Arc;

use anyhow::Context;
use hostler_image::{ImageStore, Progress, Report, Source};
use hostler_sandbox::layers_in_use;

use crate::config::Config;
use crate::data_folder::create_private;
use crate::terminal::say;
use crate::wiring::images_folder;

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ImagesCommand {
    Pull { source: String },
    List,
    Remove { image: String },
}

/// Digits of a digest that are shown: enough to name it by.
const SHOWN_DIGITS: usize = 12;

pub async fn run(command: ImagesCommand, config: &Config) -> anyhow::Result<()> {
    let folder = config.server.data_dir.as_path();
    create_private(folder)
        .with_context(|| format!("the data folder {} cannot be made", folder.display()))?;
    let images = ImageStore::open(&images_folder(config))?;
    match command {
        ImagesCommand::Pull { source } => pull(&images, &source).await,
        ImagesCommand::List => {
            say(&table(&images)?);
            Ok(())
        }
        ImagesCommand::Remove { image } => {
            let in_use = layers_in_use(&config.sandbox.state_dir)
                .context("what sandboxes are made of cannot be read")?;
            let removed = images.remove(&image, &in_use)?;
            say(&format!("{} is removed.\n", removed.digest));
            Ok(())
        }
    }
}

async fn pull(images: &ImageStore, source: &str) -> anyhow::Result<()> {
    let source: Source = source.parse()?;
    let image = images.pull(&source, report()).await?;
    say(&format!(
        "{source} is {}\nUse it with HOSTLER__SANDBOX__ROOT='{source}', or root = \"{source}\" in \
         [sandbox].\n",
        image.digest
    ));
    Ok(())
}

/// To stderr, and only what somebody watches: a log needs no hundred lines.
fn report() -> Report {
    let is_watched = std::io::stderr().is_terminal();
    Arc::new(move |progress| match progress {
        Progress::Downloading { bytes, of } if is_watched => {
            eprint!("\rdownloading: {} of {} MiB", bytes >> 20, of >> 20);
            if bytes == of {
                eprintln!();
            }
        }
        Progress::Downloading { .. } => {}
        Progress::Unpacking { layer, of } => eprintln!("unpacking layer {layer} of {of}"),
    })
}

fn table(images: &ImageStore) -> anyhow::Result<String> {
    let stored = images.list()?;
    if stored.is_empty() {
        return Ok("There are no images. `hostler images pull` gets one.\n".to_owned());
    }
    let mut text = format!("{:<14}{:>10}  SOURCE\n", "IMAGE", "SIZE");
    for image in stored {
        let sources = match image.sources.as_slice() {
            [] => "(none: its source has another image by now)".to_owned(),
            sources => sources.join(", "),
        };
        let digits = &image.digest.hex()[..SHOWN_DIGITS];
        let size = format!("{} MiB", image.bytes >> 20);
        writeln!(text, "{digits:<14}{size:>10}  {sources}")?;
    }
    Ok(text)
}
