//! What a sandbox costs: making it, and running a command in it, beside what the host takes
//! for a plain `bash -c`. All in one run, so that the ratios mean something on any machine.
//!
//! `cargo run --release -p hostler-sandbox --example sandbox_bench -- 50`
//!
//! A second argument is a pause before each round, in milliseconds. With one, what a launch finds is
//! what a server finds that does one now and then: nothing of the kernel's is warm from the one before.
#![expect(clippy::print_stdout, reason = "printing is what it is for")]

use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use hostler_sandbox::{
    Call, DiskChoice, HostOptions, Sandbox, SandboxHost, SandboxName, Spec, Tool,
};

type Failure = Box<dyn std::error::Error>;

const COUNT_DEFAULT: usize = 20;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    // It is its own launcher.
    if arguments
        .first()
        .is_some_and(|argument| argument == "sandbox-init")
    {
        return hostler_sandbox::init_main();
    }
    let count = arguments
        .first()
        .map_or(Ok(COUNT_DEFAULT), |text| text.parse());
    let pause = arguments.get(1).map_or(Ok(0), |text| text.parse());
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build();
    let result: Result<(), Failure> = match (count, pause, runtime) {
        (Ok(count), Ok(pause), Ok(runtime)) => {
            runtime.block_on(bench(count.max(1), Duration::from_millis(pause)))
        }
        (Err(error), _, _) | (_, Err(error), _) => Err(error.into()),
        (_, _, Err(error)) => Err(error.into()),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("sandbox_bench: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Without and with a bound on the disk of a whole sandbox, where this host gives one.
async fn bench(count: usize, pause: Duration) -> Result<(), Failure> {
    for disk in [DiskChoice::PerFile, DiskChoice::Auto] {
        let state = tempfile::tempdir()?;
        let mut options = HostOptions::new(state.path());
        options.limits.disk_bytes = Some(10 << 30);
        options.disk = disk;
        let host = SandboxHost::start(options).await?;
        println!("{:?}", host.isolation());
        bench_host(&host, count, pause).await?;
    }
    Ok(())
}

async fn bench_host(host: &SandboxHost, count: usize, pause: Duration) -> Result<(), Failure> {
    let (mut opened, mut cold) = (vec![], vec![]);
    let (mut warm, mut spawned, mut destroyed) = (vec![], vec![], vec![]);
    for number in 0..count {
        let name: SandboxName = format!("bench_{number}").parse()?;
        tokio::time::sleep(pause).await;
        let begun = Instant::now();
        let sandbox = host.open(&name, &Spec::default()).await?.sandbox;
        opened.push(begun.elapsed());
        run(&sandbox, "echo hi").await?;
        cold.push(begun.elapsed());

        let begun = Instant::now();
        run(&sandbox, "/usr/bin/true").await?;
        warm.push(begun.elapsed());

        let begun = Instant::now();
        let plain = Command::new("/bin/bash")
            .args(["--noprofile", "--norc", "-c", "/usr/bin/true; :"])
            .stdin(Stdio::null())
            .status()?;
        spawned.push(begun.elapsed());
        if !plain.success() {
            return Err("bash does not work on this host".into());
        }

        let begun = Instant::now();
        host.destroy(&name).await?;
        destroyed.push(begun.elapsed());
    }
    report("create", opened);
    let cold = report("create + first command", cold);
    let warm = report("command in a running sandbox", warm);
    let spawned = report("plain bash -c on the host", spawned);
    report("destroy", destroyed);
    let ratio = |time: Duration| time.as_secs_f64() / spawned.as_secs_f64();
    println!(
        "p50 against plain bash: create {:.2}x, command {:.2}x",
        ratio(cold),
        ratio(warm)
    );
    Ok(())
}

async fn run(sandbox: &Sandbox, command: &str) -> Result<(), Failure> {
    let tool = Tool::Bash {
        command: command.to_owned(),
        timeout_ms: None,
    };
    let output = sandbox
        .run(Call {
            id: "bench".to_owned(),
            tool,
        })
        .await?;
    if output.is_error {
        Err(output.joined_text().into())
    } else {
        Ok(())
    }
}

/// Prints percentiles and returns the median.
fn report(what: &str, mut times: Vec<Duration>) -> Duration {
    times.sort();
    let at = |percent: usize| times[(times.len() * percent / 100).min(times.len() - 1)];
    let milliseconds = |time: Duration| time.as_secs_f64() * 1e3;
    println!(
        "{what:30} n={} p50={:.2} ms p99={:.2} ms",
        times.len(),
        milliseconds(at(50)),
        milliseconds(at(99))
    );
    at(50)
}
