//! The words with which a conversation is summarised when it nears the model's limit.

/// The system prompt of the request that makes the summary.
pub const SYSTEM: &str = "You summarise the work of an agent so that it can go on without the \
    conversation that led here.";

/// The last user text of that request.
pub const INSTRUCTION: &str = "Your context is nearly full, so the conversation above will be \
    replaced by a summary that you write now. Do not call tools and do not continue the task. \
    Write down, in this order: (1) every request and constraint of the user, word for word where \
    the wording matters, the latest in full; (2) what has been done, with the paths of files that \
    were made or changed; (3) facts, decisions and results that later work depends on, exact \
    values included; (4) errors that occurred and what they taught; (5) what remains to be done, \
    and the next step. Leave out greetings and what can be read again from the files.";

/// What a block of a tool's result becomes when the conversation is too long even to summarise.
pub const OMITTED: &str = "[omitted: too long to be summarised]";

/// Results longer than this many bytes are left out in that case.
pub const OMITTED_ABOVE_BYTES: usize = 2_000;
