//! HTML as Markdown: what is shown of a page, with its links in full.

use dom_query::Document;
use reqwest::Url;

use super::title;
use crate::reader::Read;

/// What is not shown, or is not text.
const NOT_SHOWN: &str = "script, style, noscript, template, svg, iframe, frame, object, embed, canvas, audio, video, \
     [hidden], [style*=\"display:none\"], [style*=\"display: none\"], input[type=\"hidden\"]";

pub(super) fn read(page: &str, url: &str) -> Read {
    let document = Document::from(page);
    let title = title(&document.select_single("title").text());
    let base = base(&document, url);
    document.select(NOT_SHOWN).remove();
    document.select("head").remove();
    if let Some(base) = base {
        complete(&document, "a[href]", "href", &base);
        complete(&document, "img[src]", "src", &base);
    }
    // Markdown that becomes HTML again needs that; a model would take it for a part of the address.
    let text = document.md(None).trim().replace("&amp;", "&");
    Read { title, text }
}

/// The address that others in the page are relative to.
fn base(document: &Document, url: &str) -> Option<Url> {
    let url = Url::parse(url).ok()?;
    let named = document.select_single("base[href]").attr("href");
    let named = named.and_then(|href| url.join(&href).ok());
    Some(named.unwrap_or(url))
}

/// Makes addresses absolute; what is no address of a page is left out.
fn complete(document: &Document, selector: &str, attribute: &str, base: &Url) {
    for node in document.select(selector).nodes() {
        let given = node.attr(attribute).unwrap_or_default();
        let whole = base.join(given.trim()).ok();
        match whole.filter(|url| matches!(url.scheme(), "http" | "https" | "mailto")) {
            Some(whole) => node.set_attr(attribute, whole.as_str()),
            None => node.remove_attr(attribute),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn markdown(page: &str) -> String {
        read(page, "https://example.com/docs/page?x=1").text
    }

    #[test]
    fn a_page_becomes_markdown_with_its_links_in_full() {
        let page = "<html><head><title> A\n title </title><style>p{}</style></head><body>
            <h1>Head</h1><p>See <a href=\"../other?a=b#c\">that</a> and <a href='javascript:x()'>this</a>.</p>
            <ul><li>one<li>two</ul><script>alert(1)</script><p hidden>secret order</p>
            <p style=\"display: none\">another</p><img alt=pic src=/i.png></body></html>";
        let read = read(page, "https://example.com/docs/page?x=1");
        assert_eq!(read.title.as_deref(), Some("A title"));
        assert!(read.text.contains("# Head"), "{}", read.text);
        assert!(
            read.text
                .contains("[that](https://example.com/other?a=b#c)"),
            "{}",
            read.text
        );
        assert!(read.text.contains("one") && read.text.contains("two"));
        for absent in ["alert", "secret order", "another", "javascript"] {
            assert!(!read.text.contains(absent), "{absent}: {}", read.text);
        }
    }

    #[test]
    fn a_page_may_say_what_its_links_are_relative_to() {
        let page = "<base href=\"https://cdn.example.org/a/\"><a href=b>x</a>";
        assert!(markdown(page).contains("https://cdn.example.org/a/b"));
    }

    #[test]
    fn what_is_no_html_is_read_all_the_same() {
        assert_eq!(markdown("plain <b>words"), "plain **words**");
        assert_eq!(markdown(""), "");
    }
}
