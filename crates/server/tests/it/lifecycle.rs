//! The ways in which the process ends: softly, in a hurry, late, by a task's end, by a panic.
//!
//! The clock is paused: no socket and no file is in these tests.

use std::time::Duration;

use anyhow::anyhow;
use futures::stream::BoxStream;
use futures::{StreamExt, stream};
use hostler_server::lifecycle::{self, Ending, Lifecycle, OnEnd};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;

const GRACE: Duration = Duration::from_secs(10);

fn no_signal() -> BoxStream<'static, &'static str> {
    stream::pending().boxed()
}

fn signal() -> BoxStream<'static, &'static str> {
    stream::iter(["SIGTERM"]).boxed()
}

fn failed(sentence: &str) -> Ending {
    Ending {
        failures: vec![sentence.to_owned()],
        unfinished: Vec::new(),
    }
}

#[tokio::test(start_paused = true)]
async fn a_signal_lets_tasks_end_by_themselves() {
    let mut lifecycle = Lifecycle::new(GRACE);
    let (soft, hard) = (lifecycle.soft(), lifecycle.hard());
    lifecycle.spawn("http", OnEnd::Shutdown, async move {
        soft.cancelled().await;
        assert!(!hard.is_cancelled());
        Ok(())
    });
    assert_eq!(lifecycle.run(signal()).await, Ending::default());
}

#[tokio::test(start_paused = true)]
async fn a_second_signal_hurries() {
    let mut lifecycle = Lifecycle::new(Duration::from_secs(3600));
    let (soft, hard) = (lifecycle.soft(), lifecycle.hard());
    let (send, signals) = mpsc::channel(2);
    send.send("SIGTERM").await.unwrap();
    lifecycle.spawn("engine", OnEnd::Shutdown, async move {
        soft.cancelled().await;
        send.send("SIGTERM").await?;
        hard.cancelled().await;
        Ok(())
    });
    let before = tokio::time::Instant::now();
    assert_eq!(
        lifecycle.run(ReceiverStream::new(signals)).await,
        Ending::default()
    );
    assert_eq!(
        before.elapsed(),
        Duration::ZERO,
        "nobody waited for the grace time"
    );
}

#[tokio::test(start_paused = true)]
async fn after_the_grace_time_the_stop_is_hard() {
    let mut lifecycle = Lifecycle::new(GRACE);
    let hard = lifecycle.hard();
    lifecycle.spawn("engine", OnEnd::Shutdown, async move {
        hard.cancelled().await;
        Ok(())
    });
    let before = tokio::time::Instant::now();
    assert_eq!(lifecycle.run(signal()).await, Ending::default());
    assert_eq!(before.elapsed(), GRACE);
}

#[tokio::test(start_paused = true)]
async fn who_ignores_the_hard_stop_is_dropped_and_named() {
    let mut lifecycle = Lifecycle::new(GRACE);
    lifecycle.spawn("deaf", OnEnd::Shutdown, std::future::pending());
    let expected = Ending {
        failures: Vec::new(),
        unfinished: vec!["deaf"],
    };
    assert_eq!(lifecycle.run(signal()).await, expected);
}

#[tokio::test(start_paused = true)]
async fn the_end_of_a_needed_task_ends_all() {
    let mut lifecycle = Lifecycle::new(GRACE);
    let soft = lifecycle.soft();
    lifecycle.spawn("http", OnEnd::Shutdown, async { Ok(()) });
    lifecycle.spawn("engine", OnEnd::Shutdown, async move {
        soft.cancelled().await;
        Ok(())
    });
    assert_eq!(
        lifecycle.run(no_signal()).await,
        failed("the task `http` ended by itself")
    );
}

#[tokio::test(start_paused = true)]
async fn the_error_of_a_needed_task_is_told() {
    let mut lifecycle = Lifecycle::new(GRACE);
    lifecycle.spawn("http", OnEnd::Shutdown, async {
        Err(anyhow!("address in use").context("while listening"))
    });
    let expected = failed("the task `http`: while listening: address in use");
    assert_eq!(lifecycle.run(no_signal()).await, expected);
}

#[tokio::test(start_paused = true)]
async fn a_panic_ends_all_even_where_the_end_does_not_matter() {
    let mut lifecycle = Lifecycle::new(GRACE);
    lifecycle.spawn("sweep", OnEnd::Ignore, async { panic!("a bug") });
    assert_eq!(
        lifecycle.run(no_signal()).await,
        failed("the task `sweep` panicked")
    );
}

#[tokio::test(start_paused = true)]
async fn a_panic_while_stopping_is_a_failure_too() {
    let mut lifecycle = Lifecycle::new(GRACE);
    let soft = lifecycle.soft();
    lifecycle.spawn("http", OnEnd::Shutdown, async move {
        soft.cancelled().await;
        panic!("a bug")
    });
    assert_eq!(
        lifecycle.run(signal()).await,
        failed("the task `http` panicked")
    );
}

#[tokio::test(start_paused = true)]
async fn tasks_with_an_end_of_their_own_may_end() {
    let mut lifecycle = Lifecycle::new(GRACE);
    let soft = lifecycle.soft();
    lifecycle.spawn("once", OnEnd::Ignore, async { Ok(()) });
    lifecycle.spawn("once more", OnEnd::Ignore, async {
        Err(anyhow!("not today"))
    });
    lifecycle.spawn("later", OnEnd::Ignore, async move {
        tokio::time::sleep(GRACE).await;
        soft.cancel();
        Ok(())
    });
    let before = tokio::time::Instant::now();
    assert_eq!(lifecycle.run(no_signal()).await, Ending::default());
    assert_eq!(
        before.elapsed(),
        GRACE,
        "it went on until it was asked to stop"
    );
}

#[test]
fn work_that_blocks_for_ever_does_not_hold_the_process() {
    let (_never, wait) = std::sync::mpsc::channel::<()>();
    let ended = lifecycle::run(async move {
        let (begun, begins) = tokio::sync::oneshot::channel();
        let blocked = tokio::task::spawn_blocking(move || {
            let _ = begun.send(());
            wait.recv()
        });
        begins.await.unwrap();
        drop(blocked);
        "ended"
    });
    assert_eq!(ended.unwrap(), "ended");
}
