//! The client parameters of a group as a directory for a web page or an archive: the files, an index page that says what
//! to do with them, digests, stamps.

use super::{Entry, What};
use crate::digest::Digest;
use crate::media::{Filestamp, GroupScheme, MediaKind, MediaName};
use crate::secret::Secret;
use std::fmt::Write as _;

/// The page, with places for what differs.
const PAGE: &str = include_str!("parameters/page.html");

/// A file of client parameters.
#[derive(Debug, Clone)]
pub struct Parameters {
    /// Of which scheme.
    pub scheme: GroupScheme,
    /// The stamp in its first line.
    pub stamp: Filestamp,
    /// Its content.
    pub content: Secret,
}

/// The directory for `group`.
///
/// # Errors
/// A group name that no file can carry.
pub fn parameters(group: &str, files: &[Parameters]) -> crate::media::Result<Vec<Entry>> {
    let mut entries = Vec::new();
    let (mut rows, mut links, mut sums, mut stamps) =
        (String::new(), String::new(), String::new(), String::new());
    for file in files {
        let name = MediaName::new(MediaKind::ClientParameters(file.scheme), group, file.stamp)?;
        let (link, name) = (name.link(), name.to_string());
        let digest = Digest::of(file.content.expose());
        let date = date(file.stamp);
        let _ = writeln!(sums, "{digest}  {name}");
        let _ = writeln!(stamps, "{name} {} {date}", file.stamp);
        entries.push(file_entry(&name, &file.content));
        let (name, link) = (escape(&name), escape(&link));
        let _ = writeln!(
            rows,
            "<tr><td><a href=\"{name}\">{name}</a></td><td>{}</td><td>{}</td><td>{date}</td><td><code>{digest}</code></td></tr>",
            file.scheme.upper(),
            file.stamp,
        );
        let _ = writeln!(links, "ln -sf {name} {link}");
    }
    let page = PAGE
        .replace("{{group}}", &escape(group))
        .replace("{{rows}}", rows.trim_end())
        .replace("{{links}}", links.trim_end());
    for (name, content) in [("index.html", page), ("SHA256SUMS", sums), ("STAMPS", stamps)] {
        entries.push(file_entry(name, &Secret::from(content)));
    }
    Ok(entries)
}

fn file_entry(path: &str, content: &Secret) -> Entry {
    Entry {
        path: path.to_owned(),
        what: What::File {
            mode: 0o644,
            content: content.clone(),
        },
    }
}

/// The moment of a stamp, as people and programs read it.
pub(super) fn date(stamp: Filestamp) -> String {
    let format = &time::format_description::well_known::Rfc3339;
    stamp.date().format(format).unwrap_or_else(|_| stamp.to_string())
}

/// Text inside HTML.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            c => escaped.push(c),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_cannot_get_out_of_its_place() {
        let file = Parameters {
            scheme: GroupScheme::Iff,
            stamp: Filestamp(4_004_178_813),
            content: Secret::from("x"),
        };
        let entries = parameters("<b>&\"red'", &[file]).expect("a strange name, but one");
        let What::File { content, .. } = &entries[1].what else {
            panic!("a page");
        };
        let page = content.expose_str().expect("text");
        assert!(
            !page.contains("<b>") && page.contains("&lt;b&gt;&amp;&quot;red&#39;"),
            "{page}"
        );
        assert!(!page.contains("{{"), "{page}");
    }
}
