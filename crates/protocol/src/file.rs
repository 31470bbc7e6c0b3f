//! Files: what is known about stored bytes. The bytes themselves never pass through here.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::Timestamp;
use crate::decode::Invalid;
use crate::id::{FileId, SessionId};
use crate::limits::FILE_NAME_CHARS;

/// Field of the upload's form that names the file; also the path in its errors.
const FILE_PART: &str = "file";
const REFUSED_IN_NAMES: &str = "<>:\"|?*";

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct FileMetadata {
    pub id: FileId,
    #[serde(rename = "type")]
    pub kind: FileType,
    pub filename: String,
    pub mime_type: String,
    pub size_bytes: u64,
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    /// Uploads aren't, unless the operator says so.
    pub downloadable: bool,
    #[schema(value_type = Option<String>, format = DateTime)]
    pub expires_at: Option<Timestamp>,
    /// The session that made the file; null for uploads.
    pub scope: Option<FileScope>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum FileType {
    #[default]
    File,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum FileScope {
    Session { id: SessionId },
}

/// What is left of a deleted file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DeletedFile {
    pub id: FileId,
    #[serde(rename = "type")]
    pub kind: DeletedFileType,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum DeletedFileType {
    #[default]
    FileDeleted,
}

/// The name under which an upload is kept: the last component of what the client called it, or
/// `unnamed` with the extension of its MIME type.
pub fn filename(given: Option<&str>, mime_type: &str) -> Result<String, Invalid> {
    let last = given.unwrap_or_default().rsplit(['/', '\\']).next();
    let name = match last {
        None | Some("") => {
            let extension = extension_of(mime_type).unwrap_or_default();
            return Ok(format!("unnamed{extension}"));
        }
        Some(name) => name,
    };
    let is_refused =
        |character: char| character.is_control() || REFUSED_IN_NAMES.contains(character);
    if name.contains(is_refused) {
        let message = "filename should not contain < > : \" | ? * \\ / or control characters";
        return Err(Invalid::new(FILE_PART, message));
    }
    if name == "." || name == ".." {
        return Err(Invalid::new(FILE_PART, "filename should name a file"));
    }
    if !FILE_NAME_CHARS.contains(&name.chars().count()) {
        let message = format!(
            "filename should have {} to {} characters",
            FILE_NAME_CHARS.start(),
            FILE_NAME_CHARS.end()
        );
        return Err(Invalid::new(FILE_PART, message));
    }
    Ok(name.to_owned())
}

/// The name of a file that a session made at `path`: the last part, with what no name may hold
/// replaced. Its directories are not part of it.
pub fn made_filename(path: &str) -> String {
    let last = path.rsplit('/').next().unwrap_or_default();
    let fit = |character: char| match character {
        '\\' => '_',
        character if character.is_control() || REFUSED_IN_NAMES.contains(character) => '_',
        character => character,
    };
    let name: String = last.chars().take(*FILE_NAME_CHARS.end()).map(fit).collect();
    match name.as_str() {
        "" | "." | ".." => "unnamed".to_owned(),
        _ => name,
    }
}

/// What a file is by what it is called.
const MIME_TYPES: [(&str, &str); 40] = [
    (".txt", "text/plain"),
    (".md", "text/markdown"),
    (".csv", "text/csv"),
    (".tsv", "text/tab-separated-values"),
    (".html", "text/html"),
    (".htm", "text/html"),
    (".css", "text/css"),
    (".js", "text/javascript"),
    (".xml", "application/xml"),
    (".json", "application/json"),
    (".jsonl", "application/jsonl"),
    (".yaml", "application/yaml"),
    (".yml", "application/yaml"),
    (".toml", "application/toml"),
    (".pdf", "application/pdf"),
    (".png", "image/png"),
    (".jpg", "image/jpeg"),
    (".jpeg", "image/jpeg"),
    (".gif", "image/gif"),
    (".webp", "image/webp"),
    (".svg", "image/svg+xml"),
    (".bmp", "image/bmp"),
    (".tiff", "image/tiff"),
    (".mp3", "audio/mpeg"),
    (".wav", "audio/wav"),
    (".mp4", "video/mp4"),
    (".zip", "application/zip"),
    (".gz", "application/gzip"),
    (".tar", "application/x-tar"),
    (".py", "text/x-python"),
    (".rs", "text/x-rust"),
    (".sh", "application/x-sh"),
    (".sql", "application/sql"),
    (".rtf", "application/rtf"),
    (".parquet", "application/vnd.apache.parquet"),
    (".ipynb", "application/x-ipynb+json"),
    (".epub", "application/epub+zip"),
    (
        ".docx",
        "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    ),
    (
        ".xlsx",
        "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    ),
    (
        ".pptx",
        "application/vnd.openxmlformats-officedocument.presentationml.presentation",
    ),
];

/// What nothing is known about.
const UNKNOWN_MIME_TYPE: &str = "application/octet-stream";

/// The MIME type of an upload: what the client said, unless it said nothing of use, else what
/// the name's extension says.
pub fn mime_type(given: Option<&str>, filename: Option<&str>) -> Result<String, Invalid> {
    let given = given.map(str::trim).filter(|given| !given.is_empty());
    if let Some(given) = given
        && given != UNKNOWN_MIME_TYPE
    {
        return check_mime_type(given).map(str::to_owned);
    }
    let lower = filename.unwrap_or_default().to_ascii_lowercase();
    let known = MIME_TYPES
        .iter()
        .find(|(extension, _)| lower.ends_with(extension))
        .map(|(_, mime_type)| *mime_type);
    Ok(known.unwrap_or(UNKNOWN_MIME_TYPE).to_owned())
}

fn extension_of(mime_type: &str) -> Option<&'static str> {
    let essence = mime_type.split(';').next().unwrap_or_default().trim();
    MIME_TYPES
        .iter()
        .find(|(_, known)| *known == essence)
        .map(|(extension, _)| *extension)
}

/// It is sent back as a header, so it has to be one that can't break out of its line.
fn check_mime_type(text: &str) -> Result<&str, Invalid> {
    let essence = text.split(';').next().unwrap_or_default();
    let is_token = |part: &str| {
        let in_alphabet = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$&-^_.+".contains(&byte);
        !part.is_empty() && part.bytes().all(in_alphabet)
    };
    let well_formed = essence
        .split_once('/')
        .is_some_and(|(kind, subtype)| is_token(kind) && is_token(subtype.trim_end()));
    let printable = text.bytes().all(|byte| (b' '..=b'~').contains(&byte));
    if !well_formed || !printable || !FILE_NAME_CHARS.contains(&text.len()) {
        return Err(Invalid::new(
            FILE_PART,
            "content type should be a MIME type",
        ));
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_strangers_are_made_fit() {
        for (path, name) in [
            ("a/b/report.txt", "report.txt"),
            ("a\nb<c>.txt", "a_b_c_.txt"),
            ("back\\slash", "back_slash"),
            ("", "unnamed"),
        ] {
            assert_eq!(made_filename(path), name);
        }
    }

    #[test]
    fn names_are_the_last_component() {
        for (given, mime_type, expected) in [
            (Some("a.txt"), "text/plain", "a.txt"),
            (Some("/etc/passwd"), "text/plain", "passwd"),
            (Some("../../x y.csv"), "text/csv", "x y.csv"),
            (None, "application/pdf", "unnamed.pdf"),
            (Some(""), "text/plain; charset=utf-8", "unnamed.txt"),
            (Some("dir/"), "application/x-odd", "unnamed"),
            (Some("C:\\dir\\win.txt"), "text/plain", "win.txt"),
            (Some("äöü.md"), "text/markdown", "äöü.md"),
        ] {
            assert_eq!(filename(given, mime_type).as_deref(), Ok(expected));
        }
        let long = "n".repeat(256);
        for bad in [
            "a<b", "a:b", "a\"b", "a|b", "a?b", "a*b", "a\nb", "a\0b", "x/..", &long,
        ] {
            assert!(filename(Some(bad), "text/plain").is_err(), "{bad:?}");
        }
    }

    #[test]
    fn the_type_comes_from_the_part_or_from_the_name() {
        for (given, name, expected) in [
            (Some("text/csv"), Some("a.txt"), "text/csv"),
            (
                Some("text/plain; charset=utf-8"),
                None,
                "text/plain; charset=utf-8",
            ),
            (
                Some("application/octet-stream"),
                Some("a.PDF"),
                "application/pdf",
            ),
            (None, Some("a.csv"), "text/csv"),
            (Some(" "), Some("a"), UNKNOWN_MIME_TYPE),
            (None, None, UNKNOWN_MIME_TYPE),
        ] {
            assert_eq!(mime_type(given, name).as_deref(), Ok(expected));
        }
        for bad in [
            "text",
            "text/",
            "/plain",
            "text/pl ain",
            "text/plain\r\nx: y",
            "täxt/plain",
        ] {
            assert!(mime_type(Some(bad), None).is_err(), "{bad:?}");
        }
    }
}
