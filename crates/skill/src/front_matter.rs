//! What a `SKILL.md` says of its skill, between its two lines of dashes.
//!
//! The rules are those of the Agent Skills specification as its reference validator has them, and
//! besides what the hosted service documents: names of `a-z`, `0-9` and hyphens, no reserved words,
//! no XML tags. Where the two differ, a test says so by name (`tests/sdk/test_skills_ref.py`).

use crate::Refused;
use crate::limits::{
    COMPATIBILITY_CHARS_MAX, DESCRIPTION_CHARS_MAX, FRONT_MATTER_BYTES_MAX, NAME_CHARS_MAX,
};
use crate::yaml::{self, Value};

const FENCE: &str = "---";
const KNOWN: [&str; 6] = [
    "allowed-tools",
    "compatibility",
    "description",
    "license",
    "metadata",
    "name",
];
const RESERVED: [&str; 2] = ["anthropic", "claude"];

/// Whether fields are refused that the specification doesn't have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fields {
    OnlyKnown,
    /// In repositories, whose skills are made for several programs.
    Any,
}

/// What is there of it, the name not looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FrontMatter {
    /// Without one, the folder's is meant.
    pub name: Option<String>,
    pub description: String,
}

impl FrontMatter {
    /// Reads the text of a `SKILL.md`.
    ///
    /// # Errors
    /// For the first thing that is wrong, in a sentence.
    pub fn read(text: &str, fields: Fields) -> Result<Self, Refused> {
        let Value::Map(pairs) = yaml::read(cut_out(text)?, fields)? else {
            return Err(Refused::new("the front matter of SKILL.md should be a map"));
        };
        if fields == Fields::OnlyKnown
            && let Some((key, _)) = pairs.iter().find(|(key, _)| !KNOWN.contains(&key.as_str()))
        {
            let key: String = key.chars().take(64).collect();
            return Err(Refused::new(format!(
                "the front matter of SKILL.md has the field {key:?}; the fields of a skill are {}",
                KNOWN.join(", ")
            )));
        }
        let find = |wanted: &str| pairs.iter().find(|(key, _)| key == wanted);
        let name = match find("name") {
            None => None,
            Some((_, value)) => Some(text_of("name", value)?.trim().to_owned()),
        };
        let (_, description) = find("description").ok_or_else(|| {
            Refused::new("the front matter of SKILL.md: description: Field required")
        })?;
        let description = text_of("description", description)?;
        check_length("description", description, DESCRIPTION_CHARS_MAX)?;
        refuse_tags("description", description)?;
        let is_odd = |character: char| character.is_control() && !matches!(character, '\n' | '\t');
        if description.chars().any(is_odd) {
            return Err(Refused::new(
                "the front matter of SKILL.md: description should have no control characters",
            ));
        }
        if let Some((_, compatibility)) = find("compatibility") {
            let Value::Text(text) = compatibility else {
                return Err(Refused::new("compatibility should be text"));
            };
            check_length("compatibility", text, COMPATIBILITY_CHARS_MAX)?;
        }
        Ok(Self {
            name,
            description: description.trim().to_owned(),
        })
    }

    /// The name and the description of a skill in a repository. It may be made for another program, so any
    /// word may be in its name.
    ///
    /// # Errors
    /// For a name that is none, in a sentence.
    pub fn in_folder(self, folder: &str) -> Result<(String, String), Refused> {
        let name = self.name.unwrap_or_else(|| folder.to_owned());
        check_name(&name)?;
        Ok((name, self.description))
    }

    /// The name and the description, by the rules for skills that are uploaded.
    pub(crate) fn checked(self, folder: Option<&str>) -> Result<(String, String), Refused> {
        let name = self.name.as_deref().or(folder).ok_or_else(|| {
            Refused::new(
                "the front matter of SKILL.md: name: Field required, since there is no folder",
            )
        })?;
        check_name(name)?;
        if let Some(word) = RESERVED.iter().find(|word| name.contains(**word)) {
            let what = format!("should not hold the reserved word {word:?}");
            return Err(bad_name(name, &what));
        }
        Ok((name.to_owned(), self.description))
    }
}

/// The reference reader takes the next three dashes for the end, wherever they are. Where that is in
/// the middle of a line, the two of us could mean different things.
fn cut_out(text: &str) -> Result<&str, Refused> {
    let rest = text
        .strip_prefix(FENCE)
        .ok_or_else(|| Refused::new("SKILL.md should begin with a line of '---'"))?;
    let at = rest.find(FENCE).ok_or_else(|| {
        Refused::new("the front matter of SKILL.md has no line of '---' for an end")
    })?;
    let inner = &rest[..at];
    if !inner.ends_with('\n') {
        let message = "the front matter of SKILL.md has '---' within a line, which readers of skills \
            take for its end";
        return Err(Refused::new(message));
    }
    if inner.len() > FRONT_MATTER_BYTES_MAX {
        return Err(Refused::new("the front matter of SKILL.md is too long"));
    }
    Ok(inner)
}

fn text_of<'a>(field: &str, value: &'a Value) -> Result<&'a str, Refused> {
    match value {
        Value::Text(text) if !text.trim().is_empty() => Ok(text),
        Value::Text(_) | Value::List | Value::Map(_) => Err(Refused::new(format!(
            "the front matter of SKILL.md: {field} should be text, and not empty"
        ))),
    }
}

fn check_length(field: &str, text: &str, chars_max: usize) -> Result<(), Refused> {
    match text.chars().count() {
        count if count <= chars_max => Ok(()),
        count => Err(Refused::new(format!(
            "the front matter of SKILL.md: {field} should have at most {chars_max} characters, and has {count}"
        ))),
    }
}

fn check_name(name: &str) -> Result<(), Refused> {
    let is_plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    if name.is_empty() || name.len() > NAME_CHARS_MAX || !name.bytes().all(is_plain) {
        let what = "should be 1 to 64 of the characters a-z, 0-9 and '-'";
        return Err(bad_name(name, what));
    }
    if name.starts_with('-') || name.ends_with('-') || name.contains("--") {
        let what = "should have hyphens only between other characters, one at a time";
        return Err(bad_name(name, what));
    }
    Ok(())
}

fn bad_name(name: &str, what: &str) -> Refused {
    let shown: String = name.chars().take(2 * NAME_CHARS_MAX).collect();
    Refused::new(format!("the name of the skill, {shown:?}, {what}"))
}

/// What a model could take for markup of the prompt that the text ends up in.
fn refuse_tags(field: &str, text: &str) -> Result<(), Refused> {
    let opens = |at: usize| {
        let rest = text[at + 1..].trim_start_matches(['/', '!', '?']);
        rest.starts_with(|first: char| first.is_alphabetic() || first == '_') && rest.contains('>')
    };
    if text.match_indices('<').any(|(at, _)| opens(at)) {
        let message = format!("the front matter of SKILL.md: {field} should have no XML tags");
        return Err(Refused::new(message));
    }
    Ok(())
}
