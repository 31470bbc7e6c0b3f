//! The body of a Messages request. It is written by hand in one fixed order, with the raw blocks
//! copied in, so that the body of a later request of the same conversation begins with the same
//! bytes (but for cache marks, which the cache does not count).

use crate::error::ModelError;
use crate::request::{Earlier, Message, ModelRequest, Speed, Thinking, ToolDefinition};

use super::cache_marks::{self, PromptCache};
use super::capabilities::{ModelCapabilities, ThinkingSupport};
use crate::raw_object::raw;

/// What a message has around its blocks, and a usual beginning: the buffer should not grow.
const MESSAGE_FRAME_BYTES: usize = 40;
const HEAD_BYTES: usize = 32 * 1024;

pub(super) fn build(
    request: &ModelRequest,
    capabilities: &ModelCapabilities,
    cache: PromptCache,
) -> Result<Vec<u8>, ModelError> {
    let mut body = Body {
        out: Vec::with_capacity(expected_size(request)),
        cache: cache.field(),
    };
    body.head(request, capabilities);
    body.system(&request.system);
    body.tools(&request.tools);
    body.messages(&request.earlier, &request.messages)?;
    body.text("}");
    Ok(body.out)
}

fn expected_size(request: &ModelRequest) -> usize {
    let of_message = |message: &Message| {
        let blocks = message.content.iter().map(|block| block.get().len() + 1);
        blocks.sum::<usize>() + MESSAGE_FRAME_BYTES
    };
    let earlier = request.earlier.iter().map(|earlier| match earlier {
        Earlier::Sealed(sealed) => sealed.json.len() + 1,
        Earlier::Message(message) => of_message(message),
    });
    let newest = request.messages.iter().map(of_message);
    earlier.chain(newest).sum::<usize>() + HEAD_BYTES
}

struct Body {
    out: Vec<u8>,
    cache: Option<&'static str>,
}

impl Body {
    fn head(&mut self, request: &ModelRequest, capabilities: &ModelCapabilities) {
        self.text("{\"model\":");
        self.json_string(&request.model);
        self.text(&format!(
            ",\"max_tokens\":{},\"stream\":true",
            request.max_tokens
        ));
        if request.thinking == Thinking::Adaptive
            && capabilities.thinking == ThinkingSupport::Adaptive
        {
            self.text(",\"thinking\":{\"type\":\"adaptive\"}");
        }
        if let Some(effort) = request
            .effort
            .and_then(|wanted| capabilities.effort(wanted))
        {
            self.text(&format!(
                ",\"output_config\":{{\"effort\":\"{}\"}}",
                effort.as_str()
            ));
        }
        if capabilities.speed(request.speed) == Speed::Fast {
            self.text(",\"speed\":\"fast\"");
        }
    }

    fn system(&mut self, sections: &[String]) {
        let sections: Vec<_> = sections
            .iter()
            .filter(|text| !text.trim().is_empty())
            .collect();
        let Some(last) = sections.len().checked_sub(1) else {
            return;
        };
        self.text(",\"system\":[");
        for (number, section) in sections.iter().enumerate() {
            self.comma_after(number);
            self.text("{\"type\":\"text\",\"text\":");
            self.json_string(section);
            self.end_object(number == last);
        }
        self.text("]");
    }

    fn tools(&mut self, tools: &[ToolDefinition]) {
        let Some(last) = tools.len().checked_sub(1) else {
            return;
        };
        self.text(",\"tools\":[");
        for (number, tool) in tools.iter().enumerate() {
            self.comma_after(number);
            self.text("{\"name\":");
            self.json_string(&tool.name);
            if !tool.description.is_empty() {
                self.text(",\"description\":");
                self.json_string(&tool.description);
            }
            self.text(",\"input_schema\":");
            self.text(tool.input_schema.get());
            self.end_object(number == last);
        }
        self.text("]");
    }

    fn messages(&mut self, earlier: &[Earlier], messages: &[Message]) -> Result<(), ModelError> {
        let marked = match self.cache {
            Some(_) => cache_marks::places_in_messages(messages),
            None => Vec::new(),
        };
        self.text(",\"messages\":[");
        let mut written = 0;
        for earlier in earlier {
            match earlier {
                Earlier::Sealed(sealed) if sealed.has_unsigned_thoughts => {
                    for message in sealed.messages()? {
                        written += self.message(written, &message, &|_| false);
                    }
                }
                Earlier::Sealed(sealed) => {
                    self.comma_after(written);
                    self.text(&sealed.json);
                    written += sealed.count;
                }
                Earlier::Message(message) => {
                    written += self.message(written, message, &|_| false);
                }
            }
        }
        for (number, message) in messages.iter().enumerate() {
            let is_marked = |place| marked.contains(&(number, place));
            written += self.message(written, message, &is_marked);
        }
        self.text("]");
        Ok(())
    }

    /// Answers whether it was written, as a number: the provider takes no message without content.
    fn message(
        &mut self,
        written: usize,
        message: &Message,
        is_marked: &dyn Fn(usize) -> bool,
    ) -> usize {
        let mut blocks = sendable_blocks(message).peekable();
        if blocks.peek().is_none() {
            return 0;
        }
        self.comma_after(written);
        self.text("{\"role\":\"");
        self.text(message.role.as_str());
        self.text("\",\"content\":[");
        for (count, (place, block)) in blocks.enumerate() {
            self.comma_after(count);
            match self.cache {
                Some(field) if is_marked(place) => {
                    cache_marks::splice(block, field, &mut self.out);
                }
                Some(_) | None => self.text(block),
            }
        }
        self.text("]}");
        1
    }

    fn end_object(&mut self, is_last: bool) {
        if let (true, Some(field)) = (is_last, self.cache) {
            self.text(",");
            self.text(field);
        }
        self.text("}");
    }

    fn comma_after(&mut self, number: usize) {
        if number > 0 {
            self.text(",");
        }
    }

    fn json_string(&mut self, text: &str) {
        let text = raw(text);
        self.text(text.get());
    }

    fn text(&mut self, text: &str) {
        self.out.extend_from_slice(text.as_bytes());
    }
}

/// The blocks of a message and their places. Thinking without a signature comes from a provider of
/// another dialect; here it is an error that would end the conversation.
fn sendable_blocks(message: &Message) -> impl Iterator<Item = (usize, &str)> {
    let blocks = message.content.iter().map(|block| block.get()).enumerate();
    blocks.filter(|(_, block)| {
        let unsigned_thinking =
            block.starts_with("{\"type\":\"thinking\"") && block.ends_with(",\"signature\":\"\"}");
        !unsigned_thinking
    })
}
