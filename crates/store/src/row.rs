//! Reading columns by position. A column that doesn't hold what the code wrote is corruption,
//! reported with its position and never guessed around.

use hostler_protocol::Timestamp;

use crate::StoreError;

/// One row of a result.
pub(crate) struct Row<'r>(pub(crate) &'r rusqlite::Row<'r>);

impl Row<'_> {
    pub(crate) fn text(&self, column: usize) -> Result<String, StoreError> {
        Ok(self.0.get(column)?)
    }

    pub(crate) fn integer(&self, column: usize) -> Result<i64, StoreError> {
        Ok(self.0.get(column)?)
    }

    pub(crate) fn flag(&self, column: usize) -> Result<bool, StoreError> {
        Ok(self.integer(column)? != 0)
    }

    pub(crate) fn optional_text(&self, column: usize) -> Result<Option<String>, StoreError> {
        Ok(self.0.get(column)?)
    }

    pub(crate) fn optional_integer(&self, column: usize) -> Result<Option<i64>, StoreError> {
        Ok(self.0.get(column)?)
    }

    pub(crate) fn timestamp(&self, column: usize) -> Result<Timestamp, StoreError> {
        Ok(Timestamp::from_micros(self.integer(column)?))
    }

    pub(crate) fn optional_timestamp(
        &self,
        column: usize,
    ) -> Result<Option<Timestamp>, StoreError> {
        Ok(self.optional_integer(column)?.map(Timestamp::from_micros))
    }

    pub(crate) fn id<T: std::str::FromStr>(&self, column: usize) -> Result<T, StoreError>
    where
        T::Err: std::fmt::Display,
    {
        let text: String = self.0.get(column)?;
        text.parse()
            .map_err(|error: T::Err| self.corrupt(column, &error))
    }

    pub(crate) fn optional_id<T: std::str::FromStr>(
        &self,
        column: usize,
    ) -> Result<Option<T>, StoreError>
    where
        T::Err: std::fmt::Display,
    {
        match self.optional_text(column)? {
            None => Ok(None),
            Some(_) => self.id(column).map(Some),
        }
    }

    pub(crate) fn json<T: serde::de::DeserializeOwned>(
        &self,
        column: usize,
    ) -> Result<T, StoreError> {
        let text: String = self.0.get(column)?;
        serde_json::from_str(&text).map_err(|error| self.corrupt(column, &error))
    }

    fn corrupt(&self, column: usize, error: &dyn std::fmt::Display) -> StoreError {
        let name = self.0.as_ref().column_name(column).unwrap_or("?");
        StoreError::Corrupt {
            what: format!("column {name}: {error}"),
        }
    }
}
