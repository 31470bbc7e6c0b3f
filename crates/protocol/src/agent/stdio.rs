//! MCP servers that run in the session's sandbox and speak over standard input and output.
//!
//! It is an extension. The type stays `url`, the only one that typed clients know, and what is to be run is in an address
//! of the scheme `stdio`, which they pass on as it is:
//! `stdio:mcp-server-filesystem?arg=%2Fworkspace&env=LOG_LEVEL%3Ddebug`.

/// What starts one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StdioServer {
    /// A path, or a name that is looked for as a shell would.
    pub program: String,
    pub arguments: Vec<String>,
    /// Names and values, beside those that each program of the sandbox has.
    pub variables: Vec<(String, String)>,
}

const SCHEME: &str = "stdio:";

/// What follows the scheme, if it is that one.
pub(super) fn rest(url: &str) -> Option<&str> {
    let scheme = url.get(..SCHEME.len())?;
    let rest = url.get(SCHEME.len()..)?;
    scheme.eq_ignore_ascii_case(SCHEME).then_some(rest)
}

impl StdioServer {
    /// `None`: the address is of a server somewhere else.
    pub(super) fn of_url(url: &str) -> Option<Result<Self, String>> {
        rest(url).map(Self::parse)
    }

    fn parse(rest: &str) -> Result<Self, String> {
        if rest.contains('#') {
            return Err("URL should have no fragment; write # as %23".to_owned());
        }
        let (program, query) = rest.split_once('?').unwrap_or((rest, ""));
        if program.starts_with("//") {
            return Err("A program should follow 'stdio:' at once, without //".to_owned());
        }
        let program = decoded(program);
        if program.is_empty() || program.contains('\0') {
            return Err("A program should follow 'stdio:'".to_owned());
        }
        let mut server = Self {
            program,
            arguments: Vec::new(),
            variables: Vec::new(),
        };
        for (key, value) in form_urlencoded::parse(query.as_bytes()) {
            if value.contains('\0') {
                return Err("URL should hold no NUL".to_owned());
            }
            match key.as_ref() {
                "arg" => server.arguments.push(value.into_owned()),
                "env" => server.variables.push(variable(&value)?),
                other => {
                    let other: String = other.chars().take(50).collect();
                    return Err(format!(
                        "'{other}' is not known in the query of a stdio URL; it takes 'arg' and 'env', each any number of times"
                    ));
                }
            }
        }
        Ok(server)
    }
}

/// A program's name may hold what separates pairs, and a plus sign is a space in a query only.
fn decoded(text: &str) -> String {
    let text = text
        .replace('&', "%26")
        .replace('=', "%3D")
        .replace('+', "%2B");
    form_urlencoded::parse(text.as_bytes())
        .next()
        .map_or_else(String::new, |(name, _)| name.into_owned())
}

fn variable(text: &str) -> Result<(String, String), String> {
    let shape = || "env should be NAME=value, the name of letters, digits and _".to_owned();
    let (name, value) = text.split_once('=').ok_or_else(shape)?;
    let is_plain = |c: char| c.is_ascii_alphanumeric() || c == '_';
    if name.is_empty()
        || name.starts_with(|c: char| c.is_ascii_digit())
        || !name.chars().all(is_plain)
    {
        return Err(shape());
    }
    Ok((name.to_owned(), value.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(url: &str) -> StdioServer {
        StdioServer::of_url(url).unwrap().unwrap()
    }

    fn refused(url: &str) -> String {
        StdioServer::of_url(url).unwrap().unwrap_err()
    }

    #[test]
    fn a_command_line_comes_out_as_it_was_encoded() {
        let server =
            parsed("stdio:npx?arg=-y&arg=%40scope%2Fserver&arg=a+b%26c&env=A=1&env=B%3D%3D2&arg=");
        assert_eq!(server.program, "npx");
        assert_eq!(server.arguments, ["-y", "@scope/server", "a b&c", ""]);
        let variables = [("A", "1"), ("B", "=2")].map(|(name, value)| (name.into(), value.into()));
        assert_eq!(server.variables, variables);
    }

    #[test]
    fn a_program_may_be_a_path_with_signs() {
        assert_eq!(
            parsed("STDIO:/opt/my%20tools/g++=&1").program,
            "/opt/my tools/g++=&1"
        );
    }

    #[test]
    fn what_starts_nothing_is_refused_by_name() {
        for (url, said) in [
            ("stdio:", "A program should follow"),
            ("stdio:?arg=a", "A program should follow"),
            ("stdio:%00", "A program should follow"),
            ("stdio://npx", "without //"),
            ("stdio:npx#a", "fragment"),
            ("stdio:npx?args=-y", "'args' is not known"),
            ("stdio:npx?arg=%00", "NUL"),
            ("stdio:npx?env=A", "NAME=value"),
            ("stdio:npx?env=1A=b", "NAME=value"),
            ("stdio:npx?env==b", "NAME=value"),
        ] {
            assert!(refused(url).contains(said), "{url}: {}", refused(url));
        }
        assert!(StdioServer::of_url("https://stdio:1/").is_none());
        assert!(StdioServer::of_url("sträng").is_none());
    }
}
