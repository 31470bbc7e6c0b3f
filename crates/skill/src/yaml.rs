//! The YAML of a front matter: the plain part of the language that the reference reader of skills
//! takes. Every scalar is text. Tags, anchors, aliases, flow style, keys that come twice and a second document are
//! refused, so nothing in it means more than it shows. Where any field may be, its value may be in flow style.

use saphyr_parser::{Event, Parser, ScalarStyle, Span};

use crate::Refused;
use crate::front_matter::Fields;
use crate::limits::FRONT_MATTER_DEPTH_MAX;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Value {
    Text(String),
    List,
    Map(Vec<(String, Value)>),
}

/// The one document that the text is.
pub(crate) fn read(text: &str, fields: Fields) -> Result<Value, Refused> {
    let mut reader = Reader {
        fields,
        chars: text.chars().collect(),
        events: Parser::new_from_str(text),
        read: 0,
    };
    let mut value = None;
    loop {
        let (event, span) = reader.next()?;
        match event {
            Event::StreamStart | Event::DocumentEnd | Event::Nothing => {}
            // What separates two is the line of dashes that ends the front matter.
            Event::DocumentStart(_) if value.is_some() => {
                return Err(broken(&span, "it is two documents"));
            }
            Event::DocumentStart(_) => {
                let first = reader.next()?;
                value = Some(reader.value(first, 0)?);
            }
            Event::StreamEnd => return Ok(value.unwrap_or(Value::Text(String::new()))),
            Event::Alias(_)
            | Event::Scalar(..)
            | Event::SequenceStart(..)
            | Event::SequenceEnd
            | Event::MappingStart(..)
            | Event::MappingEnd => return Err(broken(&span, "it is not one value")),
        }
    }
}

struct Reader<'a> {
    fields: Fields,
    chars: Vec<char>,
    events: Parser<'a, saphyr_parser::StrInput<'a>>,
    /// Characters up to the end of the last event.
    read: usize,
}

fn broken(span: &Span, what: &str) -> Refused {
    let line = span.start.line();
    Refused::new(format!("the front matter of SKILL.md, line {line}: {what}"))
}

impl<'a> Reader<'a> {
    fn next(&mut self) -> Result<(Event<'a>, Span), Refused> {
        match self.events.next() {
            Some(Ok(next)) => {
                self.refuse_tabs(&next)?;
                Ok(next)
            }
            Some(Err(error)) => Err(Refused::new(format!(
                "the front matter of SKILL.md: {error}"
            ))),
            None => Err(Refused::new("the front matter of SKILL.md ends too soon")),
        }
    }

    fn value(&mut self, (event, span): (Event<'a>, Span), depth: usize) -> Result<Value, Refused> {
        if depth > FRONT_MATTER_DEPTH_MAX {
            return Err(broken(&span, "its values lie too deep"));
        }
        let plain = |anchor: usize, is_tagged: bool| match (anchor, is_tagged) {
            (0, false) => Ok(()),
            (_, true) => Err(broken(&span, "tags are not taken")),
            (_, false) => Err(broken(&span, "anchors are not taken")),
        };
        match event {
            Event::Scalar(text, _, anchor, tag) => {
                plain(anchor, tag.is_some())?;
                Ok(Value::Text(text.into_owned()))
            }
            Event::SequenceStart(anchor, tag) => {
                plain(anchor, tag.is_some())?;
                self.refuse_flow(&span)?;
                self.list(depth)
            }
            Event::MappingStart(anchor, tag) => {
                plain(anchor, tag.is_some())?;
                self.refuse_flow(&span)?;
                self.map(depth)
            }
            Event::Alias(_) => Err(broken(&span, "aliases are not taken")),
            Event::Nothing
            | Event::StreamStart
            | Event::StreamEnd
            | Event::DocumentStart(_)
            | Event::DocumentEnd
            | Event::SequenceEnd
            | Event::MappingEnd => Err(broken(&span, "there is no value where one should be")),
        }
    }

    /// The reference reader takes none but in quotes, in blocks and in comments.
    fn refuse_tabs(&mut self, (event, span): &(Event<'a>, Span)) -> Result<(), Refused> {
        let end = if let Event::Scalar(_, ScalarStyle::Plain, ..) = event {
            span.end.index()
        } else {
            span.start.index()
        };
        let seen = self.chars.get(self.read..end).unwrap_or_default();
        self.read = self.read.max(span.end.index());
        for line in seen.split(|character| *character == '\n') {
            let is_comment = |at: &usize| {
                line[*at] == '#' && at.checked_sub(1).is_none_or(|before| line[before] == ' ')
            };
            let end = (0..line.len()).find(is_comment).unwrap_or(line.len());
            if line[..end].contains(&'\t') {
                return Err(broken(span, "tabs are taken only in quotes"));
            }
        }
        Ok(())
    }

    fn refuse_flow(&self, span: &Span) -> Result<(), Refused> {
        match self.chars.get(span.start.index()) {
            Some('{' | '[') if self.fields == Fields::OnlyKnown => {
                let message = "lists and maps in brackets are not taken: put text in quotes";
                Err(broken(span, message))
            }
            Some(_) | None => Ok(()),
        }
    }

    fn list(&mut self, depth: usize) -> Result<Value, Refused> {
        loop {
            let next = self.next()?;
            if next.0 == Event::SequenceEnd {
                return Ok(Value::List);
            }
            self.value(next, depth + 1)?;
        }
    }

    fn map(&mut self, depth: usize) -> Result<Value, Refused> {
        let mut pairs: Vec<(String, Value)> = Vec::new();
        let mut column = None;
        loop {
            let next = self.next()?;
            if next.0 == Event::MappingEnd {
                return Ok(Value::Map(pairs));
            }
            let span = next.1;
            let Value::Text(key) = self.value(next, depth + 1)? else {
                return Err(broken(&span, "a key should be text"));
            };
            if pairs.iter().any(|(known, _)| *known == key) {
                return Err(broken(&span, &format!("{key:?} is there twice")));
            }
            let next = self.next()?;
            if matches!(next.0, Event::MappingStart(..)) {
                let own = next.1.start.col();
                if *column.get_or_insert(own) != own {
                    return Err(broken(&next.1, "its maps should be indented alike"));
                }
            }
            let value = self.value(next, depth + 1)?;
            pairs.push((key, value));
        }
    }
}
