//! All rows of a database as a file of lines, and back into an empty database of either engine.
//!
//! The file begins with the schema version, then has for each table its name, its rows as JSON
//! arrays, and their number and SHA-256. **Invariant:** an import is one transaction, which is
//! committed after every table has been read back and has the number and the sum that the file
//! says; whatever is wrong leaves the target as it was.

pub(crate) mod tables;

use std::io::{BufRead, Write};
use std::ops::ControlFlow;

use aws_lc_rs::digest;
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use crate::blobs::hexadecimal;
use crate::db::{Scope, Tx};
use crate::limits::TRANSFER_LINE_BYTES;
use crate::parameter::{Parameter, Value};
use crate::{Schema, Store, StoreError};
use tables::{TABLES, Table};

/// What was moved of one table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TableSum {
    pub table: String,
    pub rows: u64,
    /// Of its lines, in lower-case hexadecimal.
    pub sha256: String,
}

/// Why a file was not taken.
#[derive(Debug, thiserror::Error)]
pub enum TransferError {
    #[error("the database is not empty: it has rows in {table}")]
    NotEmpty { table: &'static str },
    #[error("line {line}: {what}")]
    Malformed { line: u64, what: String },
    #[error("the file is of schema version {found} and this database of version {known}")]
    OtherVersion { found: i64, known: i64 },
    #[error("{table}: {found:?} was written and {expected:?} was meant")]
    Differs {
        table: &'static str,
        expected: Box<TableSum>,
        found: Box<TableSum>,
    },
    #[error(transparent)]
    Io(#[from] std::io::Error),
    #[error(transparent)]
    Store(#[from] StoreError),
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Head {
    hostler_export: u32,
    schema: i64,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Begin {
    begin: String,
}

const FORMAT: u32 = 1;

impl Store {
    /// Writes every row to `out`, as of one moment.
    ///
    /// # Errors
    /// See [`TransferError`].
    pub async fn export(
        &self,
        out: impl Write + Send + 'static,
    ) -> Result<Vec<TableSum>, TransferError> {
        let (sums, ()) = self.export_and(out, |_| Ok(())).await?;
        Ok(sums)
    }

    /// As [`Store::export`], with what `job` finds in the same moment.
    pub(crate) async fn export_and<T: Send + 'static>(
        &self,
        mut out: impl Write + Send + 'static,
        job: fn(&Tx<'_>) -> Result<T, StoreError>,
    ) -> Result<(Vec<TableSum>, T), TransferError> {
        self.db
            .read(move |tx| {
                let head = Head {
                    hostler_export: FORMAT,
                    schema: Schema::known_version(),
                };
                write_line(&mut out, &head)?;
                let mut sums = Vec::new();
                for table in &TABLES {
                    let begin = table.name.to_owned();
                    write_line(&mut out, &Begin { begin })?;
                    let sum = sum_of(tx, table, |line| writeln!(out, "{line}"))?;
                    write_line(&mut out, &sum)?;
                    sums.push(sum);
                }
                out.flush()?;
                Ok((sums, job(tx)?))
            })
            .await
    }

    /// A table that is not empty.
    pub(crate) async fn first_table_with_rows(&self) -> Result<Option<&'static str>, StoreError> {
        self.db.read(first_with_rows).await
    }

    /// Fills an empty database with what [`Store::export`] has written: all of it or nothing.
    ///
    /// # Errors
    /// See [`TransferError`].
    pub async fn import(
        &self,
        from: impl BufRead + Send + 'static,
    ) -> Result<Vec<TableSum>, TransferError> {
        let is_numbered = self.db.is_shared();
        let fill = move |tx: &Tx<'_>| {
            if let Some(table) = first_with_rows(tx)? {
                return Err(TransferError::NotEmpty { table });
            }
            let mut lines = Lines { from, number: 0 };
            lines.head()?;
            let mut sums = Vec::new();
            for table in &TABLES {
                let expected = lines.table(tx, table)?;
                let found = sum_of(tx, table, |_| Ok(()))?;
                if found != expected {
                    let table = table.name;
                    return Err(TransferError::Differs {
                        table,
                        expected: Box::new(expected),
                        found: Box::new(found),
                    });
                }
                if let Some(number) = table.number.filter(|_| is_numbered) {
                    tx.one(number, &[], |_| Ok(()))?;
                }
                sums.push(found);
            }
            lines.end()?;
            Ok(sums)
        };
        self.db.write_in(Scope::FreshDatabase, fill, |_| {}).await
    }
}

fn first_with_rows(tx: &Tx<'_>) -> Result<Option<&'static str>, StoreError> {
    for table in &TABLES {
        if tx.one(table.any, &[], |_| Ok(()))?.is_some() {
            return Ok(Some(table.name));
        }
    }
    Ok(None)
}

/// Reads a table, line by line.
fn sum_of(
    tx: &Tx<'_>,
    table: &Table,
    mut each: impl FnMut(&str) -> std::io::Result<()>,
) -> Result<TableSum, TransferError> {
    let (mut rows, mut digest) = (0, digest::Context::new(&digest::SHA256));
    let mut failure = None;
    tx.each(table.read, &[], |row| {
        let cells: Result<Vec<Json>, StoreError> = (0..table.columns)
            .map(|column| row.json_value(column))
            .collect();
        let line = Json::Array(cells?).to_string();
        digest.update(line.as_bytes());
        digest.update(b"\n");
        rows += 1;
        Ok(match each(&line) {
            Ok(()) => ControlFlow::Continue(()),
            Err(error) => {
                failure = Some(error);
                ControlFlow::Break(())
            }
        })
    })?;
    match failure {
        Some(error) => Err(error.into()),
        None => Ok(TableSum {
            table: table.name.to_owned(),
            rows,
            sha256: hexadecimal(digest.finish().as_ref()),
        }),
    }
}

struct Lines<R> {
    from: R,
    number: u64,
}

impl<R: BufRead> Lines<R> {
    fn head(&mut self) -> Result<(), TransferError> {
        let line = self.next()?;
        let head: Head = self.parse(&line)?;
        if head.hostler_export != FORMAT {
            let what = format!("format {} is not known", head.hostler_export);
            return Err(self.malformed(what));
        }
        let known = Schema::known_version();
        match head.schema == known {
            true => Ok(()),
            false => Err(TransferError::OtherVersion {
                found: head.schema,
                known,
            }),
        }
    }

    /// Writes the rows of a table; answers what the file says about them.
    fn table(&mut self, tx: &Tx<'_>, table: &Table) -> Result<TableSum, TransferError> {
        let line = self.next()?;
        let begin: Begin = self.parse(&line)?;
        if begin.begin != table.name {
            let what = format!("{} is here and {} was expected", begin.begin, table.name);
            return Err(self.malformed(what));
        }
        loop {
            let line = self.next()?;
            if !line.starts_with('[') {
                return self.parse(&line);
            }
            let cells: Vec<Json> = self.parse(&line)?;
            let cells = cells.iter().map(Cell::of).collect::<Option<Vec<_>>>();
            let cells = cells.filter(|cells| cells.len() == table.columns);
            let cells = cells.ok_or_else(|| self.malformed("no row of this table".to_owned()))?;
            let parameters: Vec<&dyn Parameter> =
                cells.iter().map(|cell| cell as &dyn Parameter).collect();
            tx.execute(table.write, &parameters)?;
        }
    }

    fn end(&mut self) -> Result<(), TransferError> {
        let mut rest = Vec::new();
        std::io::Read::read_to_end(&mut std::io::Read::take(&mut self.from, 1), &mut rest)?;
        match rest.is_empty() {
            true => Ok(()),
            false => Err(self.malformed("something follows the last table".to_owned())),
        }
    }

    fn next(&mut self) -> Result<String, TransferError> {
        self.number += 1;
        let mut line = String::new();
        let mut limited = std::io::Read::take(&mut self.from, TRANSFER_LINE_BYTES);
        limited.read_line(&mut line)?;
        match line.strip_suffix('\n') {
            Some(line) => Ok(line.to_owned()),
            None => Err(self.malformed("the file breaks off".to_owned())),
        }
    }

    fn parse<T: serde::de::DeserializeOwned>(&self, line: &str) -> Result<T, TransferError> {
        serde_json::from_str(line).map_err(|error| self.malformed(error.to_string()))
    }

    fn malformed(&self, what: String) -> TransferError {
        TransferError::Malformed {
            line: self.number,
            what,
        }
    }
}

/// A value of a row.
struct Cell<'j>(Value<'j>);

impl<'j> Cell<'j> {
    fn of(json: &'j Json) -> Option<Self> {
        Some(Self(match json {
            Json::Null => Value::Null,
            Json::Number(number) => Value::Integer(number.as_i64()?),
            Json::String(text) => Value::Text(text),
            Json::Bool(_) | Json::Array(_) | Json::Object(_) => return None,
        }))
    }
}

impl Parameter for Cell<'_> {
    fn value(&self) -> Value<'_> {
        self.0
    }
}

fn write_line(out: &mut impl Write, value: &impl Serialize) -> Result<(), TransferError> {
    serde_json::to_writer(&mut *out, value).map_err(std::io::Error::from)?;
    Ok(out.write_all(b"\n")?)
}
