//! What it takes to pack a sandbox that wrote 200 MB, and to make one from the archive.
//!
//! What it wrote are files of this machine's `/usr`, as installed packages are: some thousand, small ones mostly,
//! that can be compressed. The archive lies on the same file system.

use std::fs::File;
use std::time::Instant;

use anyhow::bail;
use hostler_sandbox::{Checkpoint, Packed, SandboxHost, SandboxName, Spec};
use rustix::fs::ioctl_ficlone;

use crate::outcome::{AtMost, Outcome};
use crate::rig::Rig;
use crate::samples::Samples;

const MARK: &str = "bench";

pub(super) async fn run(
    rig: &Rig<'_>,
    host: &SandboxHost,
    outcome: &mut Outcome,
) -> anyhow::Result<()> {
    let name: SandboxName = "full".parse()?;
    let restored: SandboxName = "restored".parse()?;
    let megabytes = rig.options.few_or(5, 200);
    let sandbox = host.open(&name, &Spec::default()).await?.sandbox;
    super::run_in(&sandbox, &fill(megabytes)).await?;
    drop(sandbox);
    let (mut packing, mut unpacking, mut usable) =
        (Samples::default(), Samples::default(), Samples::default());
    let mut size = Packed::default();
    for _ in 0..rig.options.few_or(1, 10) {
        let archive = rig.folder().join("archive");
        let begun = Instant::now();
        let checkpoint = host
            .checkpoint(&name, MARK, None, File::create(&archive)?)
            .await?;
        packing.push(begun.elapsed());
        let Checkpoint::Packed { packed, created_at } = checkpoint else {
            bail!("the sandbox was not packed: {checkpoint:?}");
        };
        size = packed;
        let begun = Instant::now();
        let input = File::open(&archive)?;
        host.restore(&restored, MARK, created_at, input).await?;
        unpacking.push(begun.elapsed());
        let sandbox = host.open(&restored, &Spec::default()).await?.sandbox;
        super::run_in(&sandbox, "test -d tree").await?;
        usable.push(begun.elapsed());
        drop(sandbox);
        host.destroy(&restored).await?;
    }
    host.destroy(&name).await?;
    judge(rig, outcome, &packing, &usable)?;
    outcome.note(format!("the sandbox that was packed: {size:?}"));
    outcome.distribution(format!("checkpoint of {megabytes} MB"), packing.summary());
    outcome.distribution("restore of it", unpacking.summary());
    outcome.distribution("restore → first command", usable.summary());
    Ok(())
}

fn judge(
    rig: &Rig<'_>,
    outcome: &mut Outcome,
    packing: &Samples,
    usable: &Samples,
) -> anyhow::Result<()> {
    outcome.judged(
        "checkpoint of what a sandbox wrote, p50",
        packing.summary().p50,
        "ms",
        AtMost(700.0),
    );
    let restored = "restore → first command, p50";
    if clones(rig)? {
        outcome.judged(restored, usable.summary().p50, "ms", AtMost(100.0));
    } else {
        outcome.figure(restored, usable.summary().p50, "ms");
        outcome.note("the file system does not clone files, so a restore has no goal here");
    }
    Ok(())
}

/// Copies files of this machine until there is enough; the same ones each time.
fn fill(megabytes: usize) -> String {
    format!(
        "find /usr/lib /usr/share /usr/bin -xdev -type f -readable -size -4096k \
         -printf '%s %p\\n' | LC_ALL=C sort -k2 \
         | awk '{{ sum += $1; if (sum > {megabytes}000000) exit; print $2 }}' \
         | xargs cp --parents -t \"$(mkdir tree; pwd)/tree\" && sync -f tree"
    )
}

/// Whether files of this file system can share their blocks.
fn clones(rig: &Rig<'_>) -> anyhow::Result<bool> {
    let place = |name: &str| rig.folder().join(name);
    std::fs::write(place("clone-from"), vec![1; 1 << 16])?;
    let from = File::open(place("clone-from"))?;
    let to = File::create(place("clone-to"))?;
    Ok(ioctl_ficlone(to, from).is_ok())
}
