//! What a page is, by what its server says and, where that is nothing, by its first bytes.

/// How a page becomes text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Media {
    Html,
    Pdf,
    /// It is text as it is.
    Text,
}

/// The media type of a page, and the character set that its server names.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct ContentType {
    pub(crate) essence: String,
    pub(crate) charset: Option<String>,
}

impl ContentType {
    pub(crate) fn parse(header: &str) -> Self {
        let mut parts = header.split(';').map(str::trim);
        let essence = parts.next().unwrap_or_default().to_ascii_lowercase();
        let charset = parts.find_map(|part| {
            let (name, value) = part.split_once('=')?;
            let is_charset = name.trim().eq_ignore_ascii_case("charset");
            is_charset.then(|| value.trim().trim_matches(['"', '\'']).to_owned())
        });
        Self { essence, charset }
    }

    /// `None`: nobody can read it as text.
    pub(crate) fn media(&self, beginning: &[u8]) -> Option<Media> {
        match self.essence.as_str() {
            "text/html" | "application/xhtml+xml" => Some(Media::Html),
            "application/pdf" | "application/x-pdf" => Some(Media::Pdf),
            "" | "application/octet-stream" | "binary/octet-stream" => sniffed(beginning),
            essence if is_text(essence) => Some(Media::Text),
            _ => None,
        }
    }
}

fn is_text(essence: &str) -> bool {
    const TEXTS: [&str; 9] = [
        "application/json",
        "application/xml",
        "application/javascript",
        "application/x-javascript",
        "application/ecmascript",
        "application/yaml",
        "application/x-yaml",
        "application/toml",
        "application/x-ndjson",
    ];
    essence.starts_with("text/")
        || TEXTS.contains(&essence)
        || essence.ends_with("+json")
        || essence.ends_with("+xml")
        || essence.ends_with("+yaml")
}

fn sniffed(beginning: &[u8]) -> Option<Media> {
    let head = &beginning[..beginning.len().min(1024)];
    if head.starts_with(b"%PDF-") {
        return Some(Media::Pdf);
    }
    let lower = String::from_utf8_lossy(head)
        .trim_start()
        .to_ascii_lowercase();
    if lower.starts_with("<!doctype html") || lower.starts_with("<html") {
        return Some(Media::Html);
    }
    (!head.is_empty() && !head.contains(&0)).then_some(Media::Text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn media(header: &str, beginning: &[u8]) -> Option<Media> {
        ContentType::parse(header).media(beginning)
    }

    #[test]
    fn a_page_is_what_its_server_says() {
        for (header, expected) in [
            ("text/html; charset=utf-8", Some(Media::Html)),
            ("Application/PDF", Some(Media::Pdf)),
            ("text/markdown", Some(Media::Text)),
            ("application/ld+json", Some(Media::Text)),
            ("image/png", None),
            ("application/zip", None),
        ] {
            assert_eq!(media(header, b"%PDF-"), expected, "{header}");
        }
        let charset = ContentType::parse("text/html; x=y; Charset=\"Shift_JIS\"").charset;
        assert_eq!(charset.as_deref(), Some("Shift_JIS"));
    }

    #[test]
    fn without_a_type_the_first_bytes_say_it() {
        assert_eq!(media("", b"%PDF-1.7"), Some(Media::Pdf));
        assert_eq!(media("", b"\n<!DOCTYPE html>"), Some(Media::Html));
        assert_eq!(media("", b"plain"), Some(Media::Text));
        assert_eq!(media("application/octet-stream", b"\0\x01"), None);
        assert_eq!(media("", b""), None);
    }
}
