//! Addresses in what people, tools and pages write.
//!
//! A text may be as long as its author likes and be written to cost time: each place in it is looked at once, as far
//! as an address can reach.

use std::borrow::Cow;

use super::address::ADDRESS_CHARS_MAX;
use super::sources::AddressSource;

/// Bytes that may be one address, with a mark of Markdown before each.
const READING_BYTES_MAX: usize = 2 * ADDRESS_CHARS_MAX;

/// Every way to read an address out of a text. Prose does not say where one ends: a full stop behind it is
/// mostly not a part of it, and sometimes is.
pub(super) fn readings<'a>(
    text: &'a str,
    source: &AddressSource,
) -> impl Iterator<Item = Cow<'a, str>> + use<'a> {
    let is_user = *source == AddressSource::User;
    // Markdown has marks before some characters that mean something to it.
    let is_markdown = *source == AddressSource::WebFetch;
    pieces(text).flat_map(move |piece| {
        let bare = is_user.then(|| bare_site(piece)).flatten();
        starts(piece)
            .flat_map(move |start| beginning(&piece[start..], is_markdown))
            .chain(bare.map(Cow::Owned))
    })
}

/// Every way to read the address that begins a text.
fn beginning(text: &str, is_markdown: bool) -> Vec<Cow<'_, str>> {
    let mut found = Vec::new();
    for whole in wholes(text) {
        found.extend(endings(whole).map(Cow::Borrowed));
        if is_markdown && whole.contains('\\') {
            let plain = whole.replace('\\', "");
            found.extend(endings(&plain).map(|ending| Cow::Owned(ending.to_owned())));
        }
    }
    found
}

/// What an address that begins a text may be: all of it, and what is before a bracket, since `[words](address)` may
/// have more behind it.
fn wholes(text: &str) -> impl Iterator<Item = &str> {
    let mut ends = (0..=text.len().min(READING_BYTES_MAX)).rev();
    let near = ends.find_map(|end| text.get(..end)).unwrap_or_default();
    let all = (near.len() == text.len()).then_some(text);
    let inner = near.split_once(')').map(|(inner, _)| inner);
    all.into_iter().chain(inner)
}

/// A text as it is, and without what a sentence puts behind an address.
fn endings(text: &str) -> impl Iterator<Item = &str> {
    let short = trimmed(text);
    let short = (short.len() < text.len()).then_some(short);
    std::iter::once(text).chain(short)
}

/// What stands between white space and marks that no address has.
fn pieces(text: &str) -> impl Iterator<Item = &str> {
    let ends = |c: char| {
        c.is_whitespace()
            || c.is_control()
            || "<>\"`“”‘’«»„，。、；：！？（）【】「」『』".contains(c)
    };
    text.split(ends).filter(|piece| !piece.is_empty())
}

/// Where in a piece `http://` or `https://` begins.
fn starts(piece: &str) -> impl Iterator<Item = usize> {
    let colons = piece.match_indices("://");
    colons.filter_map(|(end, _)| scheme_start(piece, end))
}

/// Where `http` or `https` begins that ends before `end`.
fn scheme_start(piece: &str, end: usize) -> Option<usize> {
    ["https", "http"].into_iter().find_map(|scheme| {
        let start = end.checked_sub(scheme.len())?;
        let found = piece.get(start..end)?;
        found.eq_ignore_ascii_case(scheme).then_some(start)
    })
}

/// Without the marks that a sentence puts behind an address, and the brackets that it stands in.
fn trimmed(text: &str) -> &str {
    let mut alone = [('(', ')'), ('[', ']'), ('{', '}')].map(|(open, close)| {
        let closed = text.matches(close).count();
        (close, closed.saturating_sub(text.matches(open).count()))
    });
    let is_behind = |last: char| {
        let bracket = alone.iter_mut().find(|(close, _)| *close == last);
        match bracket {
            Some((_, 0)) => false,
            Some((_, left)) => {
                *left -= 1;
                true
            }
            None => ".,;:!?'*_~|".contains(last),
        }
    };
    text.trim_end_matches(is_behind)
}

/// `example.com/docs`: what people write for an address.
fn bare_site(piece: &str) -> Option<String> {
    if piece.len() > ADDRESS_CHARS_MAX || starts(piece).next().is_some() {
        return None;
    }
    let text = trimmed(piece.trim_start_matches(['(', '[', '\'', '*', '_']));
    let host = text.split(['/', '?', '#', ':']).next().unwrap_or_default();
    let top = host.rsplit('.').next().unwrap_or_default();
    let is_site = host.contains('.')
        && !host.contains('@')
        && host.split('.').all(|label| !label.is_empty())
        && top.chars().count() >= 2
        && top.chars().all(char::is_alphabetic);
    is_site.then(|| format!("https://{text}"))
}
