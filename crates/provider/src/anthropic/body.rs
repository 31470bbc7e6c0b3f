//! The body of a Messages request. It is written by hand in one fixed order, with the raw blocks
//! copied in, so that the body of a later request of the same conversation begins with the same
//! bytes (but for cache marks, which the cache does not count).

use crate::limits;
use crate::request::{Message, ModelRequest, Speed, Thinking, ToolDefinition};

use super::cache_marks::{self, PromptCache};
use super::capabilities::{ModelCapabilities, ThinkingSupport};
use crate::raw_object::raw;

pub(super) fn build(
    request: &ModelRequest,
    capabilities: &ModelCapabilities,
    cache: PromptCache,
) -> Vec<u8> {
    let blocks = request.messages.iter().flat_map(|message| &message.content);
    let size: usize = blocks.map(|block| block.get().len() + 1).sum();
    let mut body = Body {
        out: Vec::with_capacity(size + 16 * 1024),
        cache: cache.field(),
    };
    body.head(request, capabilities);
    body.system(&request.system);
    body.tools(&request.tools);
    let used = usize::from(!request.system.is_empty()) + usize::from(!request.tools.is_empty());
    body.messages(&request.messages, limits::CACHE_MARKS_MAX - used);
    body.text("}");
    body.out
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

    fn messages(&mut self, messages: &[Message], marks_max: usize) {
        let field = self.cache;
        let marked = match field {
            Some(_) => cache_marks::places_in_messages(messages, marks_max.min(2)),
            None => Vec::new(),
        };
        self.text(",\"messages\":[");
        for (number, message) in messages.iter().enumerate() {
            self.comma_after(number);
            self.text("{\"role\":\"");
            self.text(message.role.as_str());
            self.text("\",\"content\":[");
            for (place, block) in message.content.iter().enumerate() {
                self.comma_after(place);
                match field {
                    Some(field) if marked.contains(&(number, place)) => {
                        cache_marks::splice(block.get(), field, &mut self.out);
                    }
                    Some(_) | None => self.text(block.get()),
                }
            }
            self.text("]}");
        }
        self.text("]");
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
