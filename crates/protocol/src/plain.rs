//! Text of strangers as models can be given it.

/// Control characters become U+FFFD, but for tabs and the ends of lines, and a new page is a new line: they steer
/// terminals, mean nothing to a model, and a provider may refuse the whole conversation for one.
pub fn plain(text: &str) -> String {
    let shown = |character: char| match character {
        '\n' | '\t' | '\r' => character,
        '\u{c}' => '\n',
        other if other.is_control() => char::REPLACEMENT_CHARACTER,
        other => other,
    };
    text.chars().map(shown).collect()
}
