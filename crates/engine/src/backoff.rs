//! How long to wait before a model is called again.

use std::time::Duration;

/// Doubling pauses with up to a quarter of jitter taken off. What the provider asks for wins if
/// it is longer.
///
/// `failures` counts from 1; `jitter` is from 0 to 1.
pub(crate) fn pause(
    base: Duration,
    max: Duration,
    failures: u32,
    jitter: f64,
    retry_after: Option<Duration>,
) -> Duration {
    let doublings = failures.saturating_sub(1).min(20);
    let grown = base.saturating_mul(1 << doublings).min(max);
    let pause = grown.mul_f64(1.0 - jitter.clamp(0.0, 1.0) / 4.0);
    pause.max(retry_after.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_a_limit_and_obey_the_provider() {
        let second = Duration::from_secs(1);
        let pauses = |failures| pause(second, 5 * second, failures, 0.0, None);
        assert_eq!(
            [1, 2, 3, 4, 40].map(pauses),
            [1, 2, 4, 5, 5].map(Duration::from_secs)
        );
        assert_eq!(
            pause(second, second, 1, 1.0, None),
            Duration::from_millis(750)
        );
        assert_eq!(pause(second, second, 1, 0.0, Some(9 * second)), 9 * second);
    }
}
