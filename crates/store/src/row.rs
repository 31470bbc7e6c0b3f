//! Reading columns by position. A column that doesn't hold what the code wrote is corruption,
//! reported with its name and never guessed around.

use hostler_protocol::Timestamp;
use rusqlite::types::ValueRef;
use tokio_postgres::types::Type;

use crate::StoreError;

/// One row of a result.
pub(crate) struct Row<'r>(Source<'r>);

enum Source<'r> {
    Sqlite(&'r rusqlite::Row<'r>),
    Postgres(&'r tokio_postgres::Row),
}

impl<'r> Row<'r> {
    pub(crate) fn sqlite(row: &'r rusqlite::Row<'r>) -> Self {
        Self(Source::Sqlite(row))
    }

    pub(crate) fn postgres(row: &'r tokio_postgres::Row) -> Self {
        Self(Source::Postgres(row))
    }

    pub(crate) fn text(&self, column: usize) -> Result<String, StoreError> {
        match &self.0 {
            Source::Sqlite(row) => Ok(row.get(column)?),
            Source::Postgres(row) => Ok(row.try_get(column)?),
        }
    }

    pub(crate) fn integer(&self, column: usize) -> Result<i64, StoreError> {
        let integer = self.optional_integer(column)?;
        integer.ok_or_else(|| self.corrupt(column, &"it is null"))
    }

    pub(crate) fn flag(&self, column: usize) -> Result<bool, StoreError> {
        Ok(self.integer(column)? != 0)
    }

    pub(crate) fn optional_text(&self, column: usize) -> Result<Option<String>, StoreError> {
        match &self.0 {
            Source::Sqlite(row) => Ok(row.get(column)?),
            Source::Postgres(row) => Ok(row.try_get(column)?),
        }
    }

    /// PostgreSQL has more than one type for what is an integer of SQLite.
    pub(crate) fn optional_integer(&self, column: usize) -> Result<Option<i64>, StoreError> {
        let row = match &self.0 {
            Source::Sqlite(row) => return Ok(row.get(column)?),
            Source::Postgres(row) => row,
        };
        let kind = row.columns().get(column).map(|column| column.type_());
        Ok(match kind {
            Some(&Type::INT4) => row.try_get::<_, Option<i32>>(column)?.map(i64::from),
            Some(&Type::BOOL) => row.try_get::<_, Option<bool>>(column)?.map(i64::from),
            Some(_) | None => row.try_get(column)?,
        })
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
        let text = self.text(column)?;
        text.parse()
            .map_err(|error: T::Err| self.corrupt(column, &error))
    }

    pub(crate) fn json<T: serde::de::DeserializeOwned>(
        &self,
        column: usize,
    ) -> Result<T, StoreError> {
        let text = self.text(column)?;
        serde_json::from_str(&text).map_err(|error| self.corrupt(column, &error))
    }

    /// Whatever it holds.
    pub(crate) fn json_value(&self, column: usize) -> Result<serde_json::Value, StoreError> {
        let is_text = match &self.0 {
            Source::Sqlite(row) => matches!(row.get_ref(column)?, ValueRef::Text(_)),
            Source::Postgres(row) => {
                let kind = row.columns().get(column).map(|column| column.type_());
                kind == Some(&Type::TEXT)
            }
        };
        Ok(match is_text {
            true => self.optional_text(column)?.into(),
            false => self.optional_integer(column)?.into(),
        })
    }

    fn corrupt(&self, column: usize, error: &dyn std::fmt::Display) -> StoreError {
        let name = match &self.0 {
            Source::Sqlite(row) => row.as_ref().column_name(column).ok(),
            Source::Postgres(row) => row.columns().get(column).map(|column| column.name()),
        };
        StoreError::Corrupt {
            what: format!("column {}: {error}", name.unwrap_or("?")),
        }
    }
}
