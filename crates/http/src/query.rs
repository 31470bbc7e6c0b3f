//! Query strings: repeated keys with or without brackets, `created_at[gte]`, booleans, integers.
//!
//! Keys that nobody asks for are ignored, since old clients add `beta=true`. A value that can't
//! be read is refused with the name of its key.

use std::ops::RangeInclusive;
use std::str::FromStr;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use hostler_protocol::Timestamp;
use hostler_store::TimeRange;

use crate::ApiError;
use crate::limits::{QUERY_BYTES_MAX, QUERY_PAIRS_MAX};

/// The pairs of a request's query string, decoded, in their order.
#[derive(Debug, Clone, Default)]
pub(crate) struct Query {
    pairs: Vec<(String, String)>,
}

fn refused(key: &str, message: &str) -> ApiError {
    ApiError::invalid(format!("{key}: {message}"))
}

impl Query {
    /// # Errors
    /// When the text is longer than any request needs.
    pub(crate) fn parse(text: &str) -> Result<Self, ApiError> {
        if text.len() > QUERY_BYTES_MAX {
            let message = format!("the query string is longer than {QUERY_BYTES_MAX} bytes");
            return Err(ApiError::invalid(message));
        }
        let pairs: Vec<(String, String)> = form_urlencoded::parse(text.as_bytes())
            .map(|(key, value)| (key.into_owned(), value.into_owned()))
            .take(QUERY_PAIRS_MAX + 1)
            .collect();
        if pairs.len() > QUERY_PAIRS_MAX {
            let message = format!("the query string has more than {QUERY_PAIRS_MAX} values");
            return Err(ApiError::invalid(message));
        }
        Ok(Self { pairs })
    }

    /// The value of a key that is given at most once.
    pub(crate) fn text(&self, key: &str) -> Result<Option<&str>, ApiError> {
        let mut values = self.pairs.iter().filter(|(name, _)| name == key);
        let first = values.next();
        if values.next().is_some() {
            return Err(refused(key, "Input should be given once"));
        }
        first.map(|(_, value)| checked(key, value)).transpose()
    }

    pub(crate) fn boolean(&self, key: &str) -> Result<Option<bool>, ApiError> {
        match self.text(key)? {
            None => Ok(None),
            Some("true") => Ok(Some(true)),
            Some("false") => Ok(Some(false)),
            Some(_) => Err(refused(key, "Input should be 'true' or 'false'")),
        }
    }

    pub(crate) fn integer(
        &self,
        key: &str,
        range: RangeInclusive<i64>,
    ) -> Result<Option<i64>, ApiError> {
        let Some(text) = self.text(key)? else {
            return Ok(None);
        };
        let number: i64 = text
            .parse()
            .map_err(|_| refused(key, "Input should be a valid integer"))?;
        if !range.contains(&number) {
            let (low, high) = range.into_inner();
            let message = format!("Input should be between {low} and {high}");
            return Err(refused(key, &message));
        }
        Ok(Some(number))
    }

    /// An id, a moment, or whatever else is read from text.
    pub(crate) fn parsed<T: FromStr>(&self, key: &str) -> Result<Option<T>, ApiError>
    where
        T::Err: std::fmt::Display,
    {
        self.text(key)?
            .map(|text| text.parse())
            .transpose()
            .map_err(|error: T::Err| refused(key, &error.to_string()))
    }

    /// One of a closed set of words.
    pub(crate) fn word<T: Copy>(
        &self,
        key: &str,
        words: &[(&str, T)],
    ) -> Result<Option<T>, ApiError> {
        self.text(key)?
            .map(|text| meaning(key, text, words))
            .transpose()
    }

    /// `key[]=a&key[]=b`, and the same without brackets.
    pub(crate) fn list(&self, key: &str, length_max: usize) -> Result<Vec<&str>, ApiError> {
        let values = self
            .pairs
            .iter()
            .filter(|(name, _)| name.strip_suffix("[]").unwrap_or(name) == key)
            .map(|(_, value)| checked(key, value))
            .collect::<Result<Vec<&str>, ApiError>>()?;
        if values.len() > length_max {
            let message = format!("List should have at most {length_max} items");
            return Err(refused(key, &message));
        }
        Ok(values)
    }

    /// A list of words of a closed set.
    pub(crate) fn words<T: Copy>(
        &self,
        key: &str,
        length_max: usize,
        words: &[(&str, T)],
    ) -> Result<Vec<T>, ApiError> {
        self.list(key, length_max)?
            .into_iter()
            .map(|text| meaning(key, text, words))
            .collect()
    }

    /// Bounds on a moment, as in `created_at[gte]=…`.
    pub(crate) fn time_range(&self, key: &str) -> Result<TimeRange, ApiError> {
        Ok(TimeRange {
            gt: self.moment(&format!("{key}[gt]"))?,
            gte: self.moment(&format!("{key}[gte]"))?,
            lt: self.moment(&format!("{key}[lt]"))?,
            lte: self.moment(&format!("{key}[lte]"))?,
        })
    }

    fn moment(&self, key: &str) -> Result<Option<Timestamp>, ApiError> {
        // A bare `+` of an offset arrives as a space, and no moment has another one there.
        self.text(key)?
            .map(|text| text.replace(' ', "+").parse())
            .transpose()
            .map_err(|error: <Timestamp as FromStr>::Err| refused(key, &error.to_string()))
    }
}

/// Text that may go on to the store. Bytes that are no UTF-8 were decoded to U+FFFD.
fn checked<'q>(key: &str, value: &'q str) -> Result<&'q str, ApiError> {
    if value.contains(['\0', char::REPLACEMENT_CHARACTER]) {
        let message = "Input should be valid UTF-8 without NUL characters";
        return Err(refused(key, message));
    }
    Ok(value)
}

fn meaning<T: Copy>(key: &str, text: &str, words: &[(&str, T)]) -> Result<T, ApiError> {
    words
        .iter()
        .find(|(word, _)| *word == text)
        .map(|(_, meaning)| *meaning)
        .ok_or_else(|| {
            let list: Vec<String> = words.iter().map(|(word, _)| format!("'{word}'")).collect();
            refused(key, &format!("Input should be {}", list.join(", ")))
        })
}

impl<S: Sync> FromRequestParts<S> for Query {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, ApiError> {
        Self::parse(parts.uri.query().unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn query(text: &str) -> Query {
        Query::parse(text).unwrap()
    }

    #[test]
    fn arrays_come_in_three_forms() {
        let given = query("types[]=a&types%5B%5D=b&types=c&type=d");
        assert_eq!(given.list("types", 3).unwrap(), ["a", "b", "c"]);
        let error = given.list("types", 2).unwrap_err();
        assert_eq!(error.message(), "types: List should have at most 2 items");
    }

    #[test]
    fn values_that_cannot_be_read_name_their_key() {
        let given = query("limit=ten&flag=1&order=up&page=a&page=b&created_at%5Bgte%5D=now");
        let refusals = [
            given.integer("limit", 1..=100).unwrap_err(),
            given.boolean("flag").unwrap_err(),
            given.word("order", &[("asc", 1), ("desc", 2)]).unwrap_err(),
            given.text("page").unwrap_err(),
            given.time_range("created_at").unwrap_err(),
        ];
        let messages: Vec<&str> = refusals.iter().map(ApiError::message).collect();
        assert_eq!(
            messages,
            [
                "limit: Input should be a valid integer",
                "flag: Input should be 'true' or 'false'",
                "order: Input should be 'asc', 'desc'",
                "page: Input should be given once",
                "created_at[gte]: not an RFC 3339 date and time",
            ]
        );
    }

    #[test]
    fn moments_are_read_with_their_offset() {
        let given = query("created_at%5Bgte%5D=2026-01-01T01%3A00%3A00%2B01%3A00&beta=true");
        let range = given.time_range("created_at").unwrap();
        let midnight = "2026-01-01T00:00:00Z".parse().unwrap();
        assert_eq!(range.gte, Some(midnight));
    }

    #[test]
    fn bytes_that_are_no_text_are_refused() {
        for bad in ["%FF", "a%00b"] {
            let given = query(&format!("page={bad}&types[]={bad}"));
            let message = "Input should be valid UTF-8 without NUL characters";
            let page = given.text("page").unwrap_err();
            assert_eq!(page.message(), format!("page: {message}"));
            assert!(given.list("types", 9).is_err());
        }
    }

    #[test]
    fn long_queries_are_refused() {
        assert!(Query::parse(&"a".repeat(QUERY_BYTES_MAX + 1)).is_err());
        assert!(Query::parse(&"a&".repeat(QUERY_PAIRS_MAX + 1)).is_err());
    }
}
