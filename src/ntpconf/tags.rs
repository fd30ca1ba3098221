//! The names a template uses, with their places: for errors that point at them.

/// A name inside a template's tags.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Name<'a> {
    /// The identifier.
    pub text: &'a str,
    /// Byte offset in the template.
    pub at: usize,
    /// It follows a dot.
    pub field: bool,
}

/// What Tera knows of a loop.
pub(super) const LOOP_FIELDS: [&str; 5] = ["index", "index0", "first", "last", "length"];

/// Every identifier in `{{ … }}` and `{% … %}`, without text in quotes and the names of filters and tests.
pub(super) fn names(template: &str) -> Vec<Name<'_>> {
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(open) = template[at..].find('{').map(|offset| at + offset) {
        let rest = &template[open..];
        let close = if rest.starts_with("{{") {
            "}}"
        } else if rest.starts_with("{%") {
            "%}"
        } else if rest.starts_with("{#") {
            at = rest.find("#}").map_or(template.len(), |end| open + end + 2);
            continue;
        } else {
            at = open + 1;
            continue;
        };
        at = inside(template, open + 2, close, &mut found);
    }
    found
}

/// Names that a template gives to values itself: of loops and of `set`.
pub(super) fn bound<'a>(names: &[Name<'a>]) -> Vec<&'a str> {
    let mut bound = Vec::new();
    let mut rest = names.iter().filter(|name| !name.field).map(|name| name.text);
    while let Some(word) = rest.next() {
        match word {
            "for" => bound.extend(rest.by_ref().take_while(|name| *name != "in")),
            "set" | "set_global" => bound.extend(rest.next()),
            _ => {}
        }
    }
    bound
}

/// Reads one tag from `at`; where it ends.
fn inside<'a>(template: &'a str, mut at: usize, close: &str, found: &mut Vec<Name<'a>>) -> usize {
    let bytes = template.as_bytes();
    let mut before = b' ';
    while at < bytes.len() {
        if template.is_char_boundary(at) && template[at..].starts_with(close) {
            return at + close.len();
        }
        let byte = bytes[at];
        match byte {
            b'"' | b'\'' | b'`' => {
                let end = bytes[at + 1..].iter().position(|&b| b == byte);
                at = end.map_or(bytes.len(), |end| at + end + 2);
                before = byte;
            }
            b'a'..=b'z' | b'A'..=b'Z' | b'_' => {
                let len = bytes[at..]
                    .iter()
                    .take_while(|b| b.is_ascii_alphanumeric() || **b == b'_')
                    .count();
                let text = &template[at..at + len];
                // After `|` stands a filter.
                if before != b'|' {
                    found.push(Name {
                        text,
                        at,
                        field: before == b'.',
                    });
                }
                at += len;
                before = b'a';
            }
            _ => {
                if !byte.is_ascii_whitespace() {
                    before = byte;
                }
                at += 1;
            }
        }
    }
    at
}

#[cfg(test)]
mod tests {
    use super::{bound, names};

    #[test]
    fn knows_what_a_template_names_itself() {
        let text = "{% for k, v in map -%} {% set a = b %} {% endfor %}";
        assert_eq!(bound(&names(text)), ["k", "v", "a"]);
    }

    #[test]
    fn finds_names_and_fields() {
        let text = "a {{ host | upper }} {# no #} {% if crypto.ident == \"x.y\" -%} { {% endif %}";
        let found: Vec<_> = names(text)
            .iter()
            .map(|name| (name.text, name.field, &text[name.at..=name.at]))
            .collect();
        assert_eq!(
            found,
            [
                ("host", false, "h"),
                ("if", false, "i"),
                ("crypto", false, "c"),
                ("ident", true, "i"),
                ("endif", false, "e")
            ]
        );
    }
}
