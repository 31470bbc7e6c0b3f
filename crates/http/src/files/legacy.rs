//! The list of files as it was before the files API left beta: pages by the id of a file.

use hostler_protocol::file::FileMetadata;
use hostler_protocol::id::{FileId, WorkspaceId};
use hostler_protocol::page::IdPage;
use hostler_store::PageRange;

use super::{FILES, shown};
use crate::page_range::by_age;
use crate::query::Query;
use crate::{Api, ApiError};

/// Newest first, after the file `after_id` or before the file `before_id`.
pub(super) async fn list(
    api: &Api,
    workspace: WorkspaceId,
    query: &Query,
) -> Result<IdPage<FileMetadata>, ApiError> {
    let request = FILES.request(query)?;
    let after: Option<FileId> = query.parsed("after_id")?;
    let before: Option<FileId> = query.parsed("before_id")?;
    let (key, id) = match (after, before) {
        (Some(_), Some(_)) => {
            let message = "before_id: Input should not be given together with after_id";
            return Err(ApiError::invalid(message));
        }
        (Some(id), None) => ("after_id", Some(id)),
        (None, id) => ("before_id", id),
    };
    let edge = match id {
        None => None,
        Some(id) => {
            let file = api.store.file(workspace, id, api.env.now()).await?;
            let unknown = || ApiError::invalid(format!("{key}: no file has this id"));
            let file = file.ok_or_else(unknown)?;
            let position = by_age(file.created_at, file.id);
            Some((position.rank, position.id))
        }
    };
    let range = PageRange {
        after: edge,
        limit: request.limit + 1,
    };
    let now = api.env.now();
    let mut files = match before {
        None => api.store.files(workspace, None, now, range).await?,
        Some(_) => api.store.files_above(workspace, now, range).await?,
    };
    let has_more = files.len() > request.limit;
    files.truncate(request.limit);
    if before.is_some() {
        files.reverse();
    }
    let data: Vec<FileMetadata> = files.into_iter().map(|file| shown(api, file)).collect();
    Ok(IdPage {
        has_more,
        first_id: data.first().map(|file| file.id.to_string()),
        last_id: data.last().map(|file| file.id.to_string()),
        data,
    })
}
