//! Whatever a client, an agent or a person is told has gone wrong stands in a table of the documents, with its cause and
//! cure: the words of the wire, and the sentences by which the agent's hands refuse what is well formed.

use std::collections::BTreeSet;

use crate::tree::{FILES, assert_none, rust_files};

/// Closed sets of the wire, by the file and the type that list them.
const ENUMS: [(&str, &str); 4] = [
    ("crates/protocol/src/error.rs", "ErrorKind"),
    (
        "crates/protocol/src/event/session_error.rs",
        "SessionErrorKind",
    ),
    (
        "crates/protocol/src/credential/validation.rs",
        "ValidationStatus",
    ),
    (
        "crates/protocol/src/credential/validation.rs",
        "RefreshStatus",
    ),
];

/// Calls that take such a word first.
const CALLS: [&str; 2] = ["with_code(", "WebError::new("];

/// Where words are given for the variants of a type, by `fn code`.
const CODES: [&str; 2] = [
    "crates/web/src/error.rs",
    "crates/domain/src/web/address.rs",
];

/// No faults, or words of the set that this version never says.
const NOT_TOLD: [&str; 3] = ["valid", "succeeded", "timeout_error"];

/// What the contract has for permissions, custom tools, MCP, vaults, credentials, repositories, skills and the web.
/// Each is said by the code, or a document says that it is not.
const CONTRACT: [&str; 34] = [
    "agent_model_required",
    "api_error",
    "authentication_error",
    "billing_error",
    "conflict_error",
    "connect_error",
    "credential_host_unreachable_error",
    "environment_archived",
    "environment_not_found",
    "failed",
    "feature_not_supported",
    "invalid",
    "invalid_request_error",
    "invalid_tool_input",
    "mcp_authentication_failed_error",
    "mcp_connection_failed_error",
    "mcp_egress_blocked",
    "no_refresh_token",
    "not_found_error",
    "overloaded_error",
    "permission_error",
    "query_too_long",
    "rate_limit_error",
    "repository_authentication_error",
    "repository_checkout_error",
    "repository_clone_error",
    "repository_forbidden_error",
    "repository_not_found_error",
    "request_too_large",
    "too_many_requests",
    "unknown",
    "unsupported_content_type",
    "url_not_accessible",
    "url_too_long",
];

/// Files whose sentences refuse what is well formed, because of what there is.
const REFUSING: [&str; 16] = [
    "crates/domain/src/session/accept.rs",
    "crates/domain/src/session/closing.rs",
    "crates/engine/src/mcp/opening.rs",
    "crates/engine/src/mcp/servers.rs",
    "crates/engine/src/mcp/tokens.rs",
    "crates/engine/src/out_of_reach.rs",
    "crates/http/src/sessions/create.rs",
    "crates/http/src/sessions/events.rs",
    "crates/http/src/sessions/resources.rs",
    "crates/http/src/sessions/web_domains.rs",
    "crates/http/src/skills/mod.rs",
    "crates/http/src/skills/versions.rs",
    "crates/http/src/vaults/credentials.rs",
    "crates/http/src/vaults/mod.rs",
    "crates/protocol/src/credential/update.rs",
    "crates/protocol/src/sent_event.rs",
];

/// What sentences say that explain themselves, behind the path of a field.
const FORMS: [&str; 3] = [
    " should ",
    "Extra inputs are not permitted",
    "Field required",
];

/// Words besides what is filled in. Shorter ones are names.
const SENTENCE_WORDS_MIN: usize = 3;

/// Nobody is told these: they are for a fault of ours.
const NOT_SENTENCES: [&str; 3] = [
    "nothing here tries out credentials",
    "the stored secrets are of another kind",
    "version {version} of {}",
];

#[test]
fn each_word_is_in_a_table() {
    let documented = documented();
    let missing: Vec<String> = words()
        .into_iter()
        .filter(|word| !NOT_TOLD.contains(&word.as_str()))
        .filter(|word| !documented.iter().any(|span| span == word))
        .collect();
    let advice = "what the code says has gone wrong is in no table of docs/ in the form | `word` | cause and cure |:";
    assert_none(&missing, advice);
}

#[test]
fn each_word_of_the_contract_is_said() {
    let said = words();
    let missing: Vec<String> = CONTRACT
        .iter()
        .filter(|word| !said.contains(**word))
        .map(|word| (*word).to_owned())
        .collect();
    assert_none(
        &missing,
        "the contract has these, and nothing says them any more:",
    );
}

#[test]
fn each_sentence_that_refuses_is_in_a_table() {
    let documented = documented();
    let mut missing = Vec::new();
    for path in REFUSING {
        for sentence in sentences(&text_of(path)) {
            if !documented.iter().any(|span| quotes(span, &sentence)) {
                missing.push(format!("{path}: {sentence}"));
            }
        }
    }
    let advice = "a refusal is in no table of docs/; quote some words of it, with … for the rest, beside its cause and cure:";
    assert_none(&missing, advice);
}

/// What stands in backquotes in the first cells of tables whose rows have a second one.
fn documented() -> Vec<String> {
    let mut spans = Vec::new();
    let pages = FILES
        .iter()
        .filter(|file| file.path.starts_with("docs/") && file.path.ends_with(".md"));
    for line in pages.flat_map(|file| file.text.lines()) {
        let Some(row) = line.strip_prefix("| ") else {
            continue;
        };
        let Some((first, rest)) = row.split_once(" | ") else {
            continue;
        };
        if rest.trim_end_matches('|').trim().is_empty() {
            continue;
        }
        let quoted = first.split('`').skip(1).step_by(2);
        spans.extend(quoted.flat_map(|span| span.split(", ")).map(str::to_owned));
        spans.extend(first.split('`').skip(1).step_by(2).map(str::to_owned));
    }
    spans
}

/// The words of the wire that the code can say.
fn words() -> BTreeSet<String> {
    let mut words = BTreeSet::new();
    for (path, name) in ENUMS {
        words.extend(variants(&text_of(path), name));
    }
    for path in CODES {
        let text = text_of(path);
        for (_, arm) in text.lines().filter_map(|line| line.split_once(" => \"")) {
            words.extend(arm.split_once('"').map(|(word, _)| word.to_owned()));
        }
    }
    for file in rust_files().filter(|file| file.path.contains("/src/")) {
        let code = production(&file.text);
        for call in CALLS {
            for behind in code.split(call).skip(1) {
                let behind = behind.trim_start();
                let word = behind
                    .strip_prefix('"')
                    .and_then(|rest| rest.split_once('"'));
                words.extend(word.map(|(word, _)| word.to_owned()));
            }
        }
    }
    words
}

/// The variants of an enum without data, as they are on the wire.
fn variants(text: &str, name: &str) -> Vec<String> {
    let start = format!("pub enum {name} {{");
    let body = text
        .split_once(&start)
        .map(|(_, rest)| rest)
        .unwrap_or_default();
    let body = body
        .split_once("\n}")
        .map(|(body, _)| body)
        .unwrap_or_default();
    let names = body
        .lines()
        .filter_map(|line| line.trim().strip_suffix(','));
    let names: Vec<String> = names.map(snake_case).collect();
    assert!(!names.is_empty(), "{name} is not where it was");
    names
}

fn snake_case(name: &str) -> String {
    let mut snake = String::new();
    for (position, letter) in name.chars().enumerate() {
        if letter.is_uppercase() && position > 0 {
            snake.push('_');
        }
        snake.extend(letter.to_lowercase());
    }
    snake
}

/// The text literals of a file that are sentences for a client. Those about the form of a value say all themselves, and
/// those of the log are for the operator.
fn sentences(text: &str) -> Vec<String> {
    let code = production(text);
    let mut sentences = Vec::new();
    let mut rest = code.as_str();
    while let Some((before, after)) = rest.split_once('"') {
        let so_far = &code[..code.len() - after.len()];
        let statement = so_far.rsplit([';', '{', '}']).next().unwrap_or_default();
        let (literal, behind) = literal(after);
        rest = behind;
        let is_ours = before.ends_with("reason = ") || statement.contains("tracing::");
        let is_form = FORMS.iter().any(|words| literal.contains(words));
        let words: Vec<&str> = literal.split_whitespace().collect();
        let is_long = plain_words(&words) >= SENTENCE_WORDS_MIN;
        if is_long && !is_ours && !is_form && !NOT_SENTENCES.contains(&literal.as_str()) {
            sentences.push(literal);
        }
    }
    sentences
}

/// Up to the closing quote, lines joined, and what is behind it.
fn literal(text: &str) -> (String, &str) {
    let mut literal = String::new();
    let mut letters = text.char_indices().peekable();
    while let Some((at, letter)) = letters.next() {
        match letter {
            '"' => return (literal, &text[at + 1..]),
            '\\' => match letters.next() {
                Some((_, '\n')) => while letters.next_if(|(_, c)| c.is_whitespace()).is_some() {},
                Some((_, other)) => literal.push(other),
                None => {}
            },
            other => literal.push(other),
        }
    }
    (literal, "")
}

/// A file without its tests and comments.
fn production(text: &str) -> String {
    let code = text.split("#[cfg(test)]").next().unwrap_or_default();
    let lines = code
        .lines()
        .filter(|line| !line.trim_start().starts_with("//"));
    lines.flat_map(|line| [line, "\n"]).collect()
}

fn text_of(path: &str) -> String {
    let file = FILES.iter().find(|file| file.path == path);
    file.map(|file| file.text.clone())
        .unwrap_or_else(|| panic!("{path} is not there any more"))
}

/// Whether a span quotes a sentence: its words in their order, `…` for any others, and in the sentence `{}` for one.
fn quotes(span: &str, sentence: &str) -> bool {
    let said: Vec<&str> = sentence.split_whitespace().map(bare).collect();
    let (mut from, mut alike) = (0, 0);
    for part in span.split('…') {
        let part = part.split_whitespace().map(bare);
        let part: Vec<&str> = part.filter(|word| !word.is_empty()).collect();
        if part.is_empty() {
            continue;
        }
        let places = said[from..].windows(part.len()).enumerate();
        let places = places.filter(|(_, words)| {
            let mut both = part.iter().zip(*words);
            both.all(|(word, said)| said.contains('{') || word == said)
        });
        // A hole takes any word, so the first place with the fewest is the one that is meant.
        let best = places.rev().max_by_key(|(_, words)| plain_words(words));
        let Some((place, words)) = best else {
            return false;
        };
        alike += plain_words(words);
        from += place + part.len();
    }
    alike >= SENTENCE_WORDS_MIN
}

fn plain_words(words: &[&str]) -> usize {
    words.iter().filter(|word| !word.contains('{')).count()
}

fn bare(word: &str) -> &str {
    word.trim_matches([',', '.', ':', ';'])
}

#[test]
fn quotations_are_recognised() {
    let sentence = "Cannot {operation} session while it is {status}. Send a user.interrupt first.";
    assert!(quotes("Cannot … session while it is running. …", sentence));
    assert!(quotes("… Send a user.interrupt", sentence));
    for other in [
        "Cannot send …",
        "Cannot … session … running",
        "… while it was {status} …",
    ] {
        assert!(!quotes(other, sentence), "{other}");
    }
    assert_eq!(
        sentences(r#"at("a b c", "d e \"f\"", reason = "x y z"); tracing::warn!(%at, "u v w");"#),
        ["a b c", "d e \"f\""]
    );
}
