//! The files that belong to a session and go with it: its copies of what is mounted, and what it
//! made.

use hostler_protocol::id::{FileId, SessionId, WorkspaceId};

use crate::StoreError;
use crate::db::Tx;
use crate::files::delete_row;
use crate::session_outputs::delete_outputs;

const FILES_OF_SESSION: &str = "select id from files where scope_id = $1";

/// Deletes their rows, and answers whose blobs are to be deleted after the commit.
pub(crate) fn delete_files_of_session(
    tx: &Tx<'_>,
    workspace: WorkspaceId,
    session: SessionId,
) -> Result<Vec<FileId>, StoreError> {
    let files: Vec<FileId> = tx.all(FILES_OF_SESSION, &[&session.to_string()], |row| row.id(0))?;
    for file in &files {
        delete_row(tx, workspace, *file)?;
    }
    delete_outputs(tx, session)?;
    Ok(files)
}
