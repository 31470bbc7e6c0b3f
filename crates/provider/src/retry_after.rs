//! How long a provider asks us to wait. A date is read against the provider's own `date` header,
//! so that neither side's clock matters.

use std::time::Duration;

use jiff::fmt::rfc2822;
use reqwest::header::{DATE, HeaderMap, RETRY_AFTER};

use crate::limits;

pub(crate) fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = |name: &str| headers.get(name)?.to_str().ok().map(str::trim);
    let wait = text("retry-after-ms")
        .and_then(|millis| seconds(millis, 1000.0))
        .or_else(|| seconds(text(RETRY_AFTER.as_str())?, 1.0))
        .or_else(|| until(text(RETRY_AFTER.as_str())?, text(DATE.as_str())?))?;
    Some(wait.min(limits::RETRY_AFTER_MAX))
}

fn seconds(text: &str, per_second: f64) -> Option<Duration> {
    let number: f64 = text.parse().ok().filter(|number: &f64| !number.is_nan())?;
    let bounded = (number / per_second).min(limits::RETRY_AFTER_MAX.as_secs_f64());
    Duration::try_from_secs_f64(bounded).ok()
}

fn until(date: &str, now: &str) -> Option<Duration> {
    let date = rfc2822::parse(date).ok()?.timestamp();
    let now = rfc2822::parse(now).ok()?.timestamp();
    // A date in the past means: at once.
    Some(Duration::try_from(date.duration_since(now)).unwrap_or(Duration::ZERO))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wait(headers: &[(&'static str, &'static str)]) -> Option<Duration> {
        let headers = headers
            .iter()
            .map(|(name, value)| {
                (
                    name.parse().expect("is a name"),
                    value.parse().expect("is a value"),
                )
            })
            .collect();
        retry_after(&headers)
    }

    #[test]
    fn reads_every_form_and_bounds_it() {
        assert_eq!(wait(&[("retry-after", "7")]), Some(Duration::from_secs(7)));
        assert_eq!(
            wait(&[("retry-after", "0.5")]),
            Some(Duration::from_millis(500))
        );
        assert_eq!(
            wait(&[("retry-after", "9"), ("retry-after-ms", "1500")]),
            Some(Duration::from_millis(1500))
        );
        let now = ("date", "Fri, 20 Nov 2026 10:00:00 GMT");
        assert_eq!(
            wait(&[("retry-after", "Fri, 20 Nov 2026 10:01:30 GMT"), now]),
            Some(Duration::from_secs(90))
        );
        assert_eq!(
            wait(&[("retry-after", "Fri, 20 Nov 2026 09:00:00 GMT"), now]),
            Some(Duration::ZERO)
        );
        assert_eq!(
            wait(&[("retry-after", "1e30")]),
            Some(limits::RETRY_AFTER_MAX)
        );
        for nonsense in ["-3", "NaN", "soon", "", "Fri, 20 Nov 2026 10:01:30 GMT"] {
            assert_eq!(wait(&[("retry-after", nonsense)]), None, "{nonsense}");
        }
    }
}
