//! The names by which a model knows the tools of MCP servers.
//!
//! A server may call its tools what it likes, and two servers may use one name. Models take letters, digits, `_` and
//! `-`, up to 64 of them. The name that a model sees follows from the server's name and the tool's alone, so that
//! it is the same in each request and for each runner.

/// What the strictest provider takes.
const NAME_CHARS_MAX: usize = 64;

/// Digits of the mark that keeps names apart that would be the same otherwise.
const MARK_CHARS: usize = 8;

/// `mcp__server__tool`, or a shortened form of it with a mark.
pub(super) fn shown(server: &str, tool: &str) -> String {
    let is_good = |character: char| character.is_ascii_alphanumeric() || "_-".contains(character);
    let plain = format!("mcp__{server}__{tool}");
    let is_clear = !server.contains("__") && plain.chars().all(is_good);
    if is_clear && plain.len() <= NAME_CHARS_MAX {
        return plain;
    }
    let kept = plain.chars().map(|c| if is_good(c) { c } else { '_' });
    let kept: String = kept.take(NAME_CHARS_MAX - MARK_CHARS - 1).collect();
    format!("{kept}_{:08x}", mark(server, tool))
}

/// FNV-1a over both names, with what no name of a header or tool has in between.
fn mark(server: &str, tool: &str) -> u32 {
    let bytes = server.bytes().chain([0]).chain(tool.bytes());
    bytes.fold(0x811c_9dc5, |hash, byte| {
        (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_models_take_is_left_as_it_is() {
        assert_eq!(shown("github", "list-issues"), "mcp__github__list-issues");
    }

    #[test]
    fn other_names_are_cut_and_stay_apart() {
        let long = "x".repeat(100);
        let names = [
            shown("a b", "c"),
            shown("a_b", "c"),
            shown("a", "b__c"),
            shown("a__b", "c"),
            shown("s", &long),
            shown("s", &format!("{long}y")),
            shown("größe", "müll"),
        ];
        for (position, name) in names.iter().enumerate() {
            assert!(name.len() <= NAME_CHARS_MAX && name.is_ascii(), "{name}");
            assert!(!names[..position].contains(name), "{name}");
        }
    }
}
