//! The installed tree of a Unix host: its files where they belong, below a directory that stands for `/`.

use super::{Contents, Entry, Error, What};
use crate::plan::DesiredHost;

/// What an otherwise untouched host holds after an apply, by path.
///
/// # Errors
/// All contents that are not to be had and all paths that lead out of the tree.
pub fn tree(made: &DesiredHost, contents: Contents<'_>) -> Result<Vec<Entry>, Vec<Error>> {
    let desired = &made.desired;
    let host = &desired.host;
    let mut entries = Vec::new();
    let mut errors = Vec::new();
    for (path, spec) in desired.media.iter().chain(&desired.conf) {
        let content = match made.contents.get(path) {
            Some(content) => Ok(content.clone()),
            None => contents(&spec.digest).map_err(|why| Error::Content {
                host: host.clone(),
                why: format!("{path}: {why}"),
            }),
        };
        match relative(host, path).and_then(|path| Ok((path, content?))) {
            Ok((path, content)) => entries.push(Entry {
                path,
                what: What::File {
                    mode: spec.mode,
                    content,
                },
            }),
            Err(error) => errors.push(error),
        }
    }
    for (path, target) in &desired.links {
        match relative(host, path) {
            Ok(path) => entries.push(Entry {
                path,
                what: What::Link {
                    target: target.clone(),
                },
            }),
            Err(error) => errors.push(error),
        }
    }
    entries.sort_by(|a, b| a.path.cmp(&b.path));
    if errors.is_empty() {
        Ok(entries)
    } else {
        Err(errors)
    }
}

/// An absolute path as one below the tree.
fn relative(host: &str, path: &str) -> Result<String, Error> {
    let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
    let why = if !path.starts_with('/') {
        "it is no absolute path"
    } else if parts.iter().any(|part| [".", ".."].contains(part)) {
        "'.' and '..' have no place in it"
    } else {
        return Ok(parts.join("/"));
    };
    Err(Error::Name {
        host: host.to_owned(),
        name: path.escape_debug().to_string(),
        why,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_leads_out_of_the_tree() {
        assert_eq!(relative("h", "/etc//ntp.conf").as_deref(), Ok("etc/ntp.conf"));
        for bad in ["etc/ntp.conf", "/etc/../../x", "/./x", "C:x", ""] {
            assert!(relative("h", bad).is_err(), "{bad}");
        }
    }
}
