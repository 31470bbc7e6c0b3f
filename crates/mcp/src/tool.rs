//! The tools that a server offers, in what a model needs of them.

use serde_json::{Map, Value};

use crate::limits::{TOOLS_BYTES_MAX, TOOLS_MAX};

/// One tool by the server's own name of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Tool {
    pub name: String,
    pub description: String,
    /// A JSON Schema of type `object`, as the server gave it.
    pub input_schema: Map<String, Value>,
}

/// What a server offers, within the limits.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Tools {
    /// In the order of the server, each name once.
    pub tools: Vec<Tool>,
    /// How many were left out: over the limits, or with a name that was there already.
    pub left_out: usize,
}

impl Tools {
    /// Takes one page of a list. False when there is no room for another one.
    pub(crate) fn take(&mut self, page: Vec<rmcp::model::Tool>) -> bool {
        let mut bytes: usize = self.tools.iter().map(size).sum();
        for tool in page {
            let tool = Tool {
                name: tool.name.into_owned(),
                description: tool.description.map(Into::into).unwrap_or_default(),
                input_schema: tool.input_schema.as_ref().clone(),
            };
            bytes += size(&tool);
            let is_there = self.tools.iter().any(|known| known.name == tool.name);
            if is_there || self.tools.len() >= TOOLS_MAX || bytes > TOOLS_BYTES_MAX {
                self.left_out += 1;
            } else {
                self.tools.push(tool);
            }
        }
        self.tools.len() < TOOLS_MAX && bytes <= TOOLS_BYTES_MAX
    }
}

fn size(tool: &Tool) -> usize {
    let schema = serde_json::to_vec(&tool.input_schema).map_or(0, |text| text.len());
    tool.name.len() + tool.description.len() + schema
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    fn named(name: String) -> rmcp::model::Tool {
        rmcp::model::Tool::new(name, "d", Arc::new(Map::new()))
    }

    #[test]
    fn a_name_that_comes_twice_counts_once() {
        let mut tools = Tools::default();
        assert!(tools.take(vec![
            named("a".into()),
            named("b".into()),
            named("a".into())
        ]));
        let names: Vec<_> = tools.tools.iter().map(|tool| tool.name.as_str()).collect();
        assert_eq!((names, tools.left_out), (vec!["a", "b"], 1));
    }

    #[test]
    fn a_server_with_too_many_tools_is_cut_off() {
        let mut tools = Tools::default();
        let page = (0..=TOOLS_MAX).map(|number| named(number.to_string()));
        assert!(!tools.take(page.collect()));
        assert_eq!((tools.tools.len(), tools.left_out), (TOOLS_MAX, 1));
    }
}
