//! The conversation as a model is shown it: a list of messages that only ever grows at its end,
//! so that each request's prefix is that of the request before, byte for byte. All but its newest
//! messages are text already (`sealed.rs`).

use std::borrow::Cow;
use std::sync::Arc;

use hostler_protocol::content::ContentBlock;
use hostler_protocol::event::AgentToolResult;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::calls::ToolCall;
use super::sealed::{Earlier, seal};

/// Messages that are not sealed, and their text: beyond that all but the newest are. What is kept
/// holds the messages that can still change, which is the last, and those that get cache marks.
const OPEN_MESSAGES_MAX: usize = 64;
const OPEN_BYTES_MAX: usize = 128 * 1024;
const KEPT_OPEN: usize = 8;

/// What stands for content without a word.
const NOTHING: &str = "(empty)";
/// What stands for an image or a document with which a request was refused.
const LEFT_OUT: &str = "[An image or a document that was attached here is left out: the model \
     refused a request that held it.]";

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    User,
    Assistant,
    /// What the operator adds to the instructions in the middle of a conversation.
    System,
}

impl Role {
    /// The word of the Messages form.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Assistant => "assistant",
            Self::System => "system",
        }
    }
}

/// One block of a message, in the canonical Messages form.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum Block {
    Json(Arc<RawValue>),
    /// Its bytes are in the file store: the caller puts them in before the request is sent.
    WithFile {
        file_id: String,
        block: Arc<ContentBlock>,
    },
    /// The result of a call of which some blocks have their bytes in the file store.
    Result(Arc<ResultWithFiles>),
}

/// What a [`Block::Result`] is made of.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ResultWithFiles {
    provider_id: String,
    content: Vec<ContentBlock>,
    is_error: bool,
}

impl Block {
    fn bytes(&self) -> usize {
        match self {
            Self::Json(json) => json.get().len(),
            Self::WithFile { file_id, .. } => file_id.len(),
            Self::Result(result) => {
                let text = |block: &ContentBlock| match block {
                    ContentBlock::Text { text } => text.len(),
                    ContentBlock::Image { .. }
                    | ContentBlock::Document { .. }
                    | ContentBlock::SearchResult { .. } => 0,
                };
                result.content.iter().map(text).sum()
            }
        }
    }

    /// The blocks whose bytes are in the file store, with the ids of their files.
    pub fn files(&self) -> impl Iterator<Item = (&str, &ContentBlock)> {
        let blocks: &[ContentBlock] = match self {
            Self::Json(_) => &[],
            Self::WithFile { block, .. } => std::slice::from_ref(block.as_ref()),
            Self::Result(result) => &result.content,
        };
        blocks
            .iter()
            .filter_map(|block| Some((block.file_id()?, block)))
    }

    /// About how many tokens it costs, for deciding when to compact: four bytes each, and a flat
    /// figure for what is not text.
    pub(super) fn estimated_tokens(&self) -> u64 {
        const TOKENS_PER_MEDIA: u64 = 1_600;
        match self {
            Self::Json(json) if is_media(json.get()) => TOKENS_PER_MEDIA,
            Self::Json(json) => u64::try_from(json.get().len() / 4).unwrap_or(u64::MAX),
            Self::WithFile { .. } => TOKENS_PER_MEDIA,
            Self::Result(result) => result
                .content
                .iter()
                .fold(0, |sum: u64, _| sum.saturating_add(TOKENS_PER_MEDIA)),
        }
    }
}

fn is_media(json: &str) -> bool {
    json.starts_with(r#"{"type":"image""#) || json.starts_with(r#"{"type":"document""#)
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Message {
    pub role: Role,
    pub blocks: Vec<Block>,
}

impl Message {
    fn bytes(&self) -> usize {
        self.blocks.iter().map(Block::bytes).sum()
    }
}

/// The messages so far. Neighbours of one role are one message. They are shared with the copies
/// that a model's request is made from, however many they are.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct Conversation {
    pub(super) earlier: Vec<Earlier>,
    /// The newest, never none where there are any.
    pub(super) recent: Vec<Arc<Message>>,
    recent_bytes: usize,
    /// The number of the next sealed text.
    pub(super) next_number: i64,
}

impl Conversation {
    /// Or with what the system has said to the user's last words.
    pub(super) fn ends_with_the_user(&self) -> bool {
        let last = self.recent.last();
        last.is_some_and(|last| last.role != Role::Assistant)
    }

    /// Whether it is more than one message.
    pub(super) fn has_several(&self) -> bool {
        !self.earlier.is_empty() || self.recent.len() > 1
    }

    /// All messages, read back from text as far as they are sealed.
    pub(super) fn messages(&self) -> Vec<Arc<Message>> {
        let mut messages: Vec<_> = self.earlier.iter().flat_map(Earlier::messages).collect();
        messages.extend(self.recent.iter().map(Arc::clone));
        messages
    }

    pub(super) fn push(&mut self, role: Role, blocks: Vec<Block>) {
        if blocks.is_empty() {
            return;
        }
        self.recent_bytes += blocks.iter().map(Block::bytes).sum::<usize>();
        match self.recent.last_mut() {
            Some(last) if last.role == role => Arc::make_mut(last).blocks.extend(blocks),
            _ => {
                self.recent.push(Arc::new(Message { role, blocks }));
                self.seal();
            }
        }
    }

    /// What is sealed follows from the messages alone, so that every fold of a log does the same.
    fn seal(&mut self) {
        if self.recent.len() <= OPEN_MESSAGES_MAX && self.recent_bytes <= OPEN_BYTES_MAX {
            return;
        }
        let count = self.recent.len().saturating_sub(KEPT_OPEN);
        let sealed = seal(self.recent.drain(..count), &mut self.next_number);
        self.earlier.extend(sealed);
        self.count_bytes();
    }

    fn count_bytes(&mut self) {
        self.recent_bytes = self.recent.iter().map(|message| message.bytes()).sum();
    }

    /// Puts a sentence in the place of each image and document that the model has not answered.
    pub(super) fn leave_out_unanswered_media(&mut self) {
        let unanswered = self.recent.iter_mut().rev();
        let mut unanswered = unanswered.take_while(|message| message.role != Role::Assistant);
        if let Some(last) = unanswered.find(|message| message.role == Role::User) {
            let blocks = &mut Arc::make_mut(last).blocks;
            blocks.iter_mut().for_each(leave_out_media);
            self.count_bytes();
        }
    }

    /// Forgets everything but a summary.
    pub(super) fn replace(&mut self, summary: &str) {
        self.earlier.clear();
        self.recent.clear();
        self.recent_bytes = 0;
        let text = format!(
            "The conversation so far was summarised because it came near the limit of your \
             context. The files in the sandbox are as you left them.\n\n<summary>\n{summary}\n\
             </summary>\n\nGo on from there."
        );
        self.push(
            Role::User,
            vec![json_block(&json!({"type": "text", "text": text}))],
        );
    }
}

/// A block that is one, and those inside the result of a tool.
fn leave_out_media(block: &mut Block) {
    let sentence = || json!({"type": "text", "text": LEFT_OUT});
    let shows = |value: &Value| matches!(value["type"].as_str(), Some("image" | "document"));
    let mut value = match block {
        Block::Json(json) => serde_json::from_str(json.get()).unwrap_or_default(),
        Block::WithFile { .. } => sentence(),
        Block::Result(result) => result.json(&mut |block| serde_json::to_value(block).ok()),
    };
    if shows(&value) {
        value = sentence();
    } else if let Some(content) = value.get_mut("content").and_then(Value::as_array_mut) {
        for inner in content.iter_mut().filter(|inner| shows(inner)) {
            *inner = sentence();
        }
    }
    *block = json_block(&value);
}

pub(super) fn user_blocks(content: &[ContentBlock]) -> Vec<Block> {
    shown(content)
        .iter()
        .map(|block| match block.file_id() {
            Some(file_id) => Block::WithFile {
                file_id: file_id.to_owned(),
                block: Arc::new(block.clone()),
            },
            None => json_block(&serde_json::to_value(block).unwrap_or_default()),
        })
        .collect()
}

/// The result of a call, under the id that the provider gave the call.
pub(super) fn tool_result_block(provider_id: &str, result: &AgentToolResult) -> Block {
    let result = ResultWithFiles {
        provider_id: provider_id.to_owned(),
        content: shown(&result.content).into_owned(),
        is_error: result.is_error,
    };
    if result.content.iter().any(|block| block.file_id().is_some()) {
        return Block::Result(Arc::new(result));
    }
    json_block(&result.json(&mut |block| serde_json::to_value(block).ok()))
}

impl ResultWithFiles {
    /// The block of the Messages form. `shown` says what stands for each block of the content.
    pub fn json(&self, shown: &mut dyn FnMut(&ContentBlock) -> Option<Value>) -> Value {
        let mut block = json!({
            "type": "tool_result",
            "tool_use_id": self.provider_id,
            "content": self.content.iter().filter_map(shown).collect::<Vec<_>>(),
        });
        if self.is_error {
            block["is_error"] = json!(true);
        }
        block
    }
}

/// What a model said, without what the next request could not repeat: text without a word and
/// thoughts that nothing follows, which providers refuse, and calls that are not answered because
/// they were never announced.
pub(super) fn assistant_blocks(blocks: &[Box<RawValue>], calls: &[ToolCall]) -> Vec<Block> {
    #[derive(Deserialize)]
    struct Head {
        #[serde(rename = "type")]
        kind: String,
        text: Option<String>,
        id: Option<String>,
    }
    let repeatable = |block: &&RawValue| {
        let Ok(head) = serde_json::from_str::<Head>(block.get()) else {
            return true;
        };
        match head.kind.as_str() {
            "text" => head.text.is_some_and(|text| !is_blank(&text)),
            "tool_use" => calls
                .iter()
                .any(|call| head.id.as_ref() == Some(&call.provider_id)),
            _ => true,
        }
    };
    let blocks = blocks.iter().map(Box::as_ref);
    let mut kept: Vec<&RawValue> = blocks.filter(repeatable).collect();
    while kept.last().is_some_and(|block| is_thought(block)) {
        kept.pop();
    }
    let json = |block: &RawValue| Block::Json(Arc::from(block.to_owned()));
    kept.into_iter().map(json).collect()
}

fn is_thought(block: &RawValue) -> bool {
    #[derive(Deserialize)]
    struct Head {
        #[serde(rename = "type")]
        kind: String,
    }
    let head = serde_json::from_str::<Head>(block.get());
    head.is_ok_and(|head| matches!(head.kind.as_str(), "thinking" | "redacted_thinking"))
}

/// Content as a model can be shown it: no text without a word, and never nothing, since one such
/// block would make every later request of the session fail.
fn shown(content: &[ContentBlock]) -> Cow<'_, [ContentBlock]> {
    let blank =
        |block: &ContentBlock| matches!(block, ContentBlock::Text { text } if is_blank(text));
    if !content.is_empty() && !content.iter().any(blank) {
        return Cow::Borrowed(content);
    }
    let mut kept: Vec<ContentBlock> = content.iter().filter(|b| !blank(b)).cloned().collect();
    if kept.is_empty() {
        kept.push(ContentBlock::text(NOTHING));
    }
    Cow::Owned(kept)
}

fn is_blank(text: &str) -> bool {
    text.trim().is_empty()
}

pub(super) fn json_block(value: &serde_json::Value) -> Block {
    let json = serde_json::value::to_raw_value(value).unwrap_or_default();
    Block::Json(Arc::from(json))
}
