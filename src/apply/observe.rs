//! Looking at a host.

use super::payload::Prelude;
use super::phase::{failure, garbled};
use super::reply::{Reply, moment, number};
use super::{PhaseError, Site, payload};
use crate::digest::Digest;
use crate::plan::{Observed, ObservedFile, SwitchRecord};
use crate::remote::{Facts, Output, Remote, Script};
use crate::secret::Secret;
use std::collections::BTreeMap;
use std::time::Duration;

const TEXT: &str = concat!(
    include_str!("../remote/scripts/guard.sh"),
    include_str!("scripts/common.sh"),
    include_str!("scripts/observe.sh")
);

/// Longest file that is read from a host: a key file of 65 535 keys has 3 MB.
const MOST_BYTES: usize = 8 << 20;
/// Most lines of a list: media of a host and links to them, the files of several generations among them.
const MOST_FILES: usize = 20_000;

/// What to look at on a host: all `ntpkey_*` of the keys directory, and these files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Look {
    /// Where.
    pub site: Site,
    /// Files whose content is wanted too: what keytrail's lines are put into.
    pub show: Vec<String>,
}

pub(super) async fn observe(
    host: &impl Remote,
    look: &Look,
    limit: Duration,
) -> Result<Observed, PhaseError> {
    let script = Script {
        text: TEXT,
        facts: facts(look)?,
        input: Secret::new(Vec::new()),
        limit,
    };
    let output = host.run(script).await?;
    if output.status != 0 {
        return Err(failure(&output));
    }
    read(&output, look).map_err(|why| garbled(&why))
}

fn facts(look: &Look) -> Result<Facts, PhaseError> {
    let mut facts = Prelude::default().facts(&look.site)?;
    facts.set("shows", &look.show.len().to_string());
    for (number, path) in (1..).zip(&look.show) {
        facts.set(format_args!("show{number}"), payload::path(path)?);
    }
    facts.set("longest", &MOST_BYTES.to_string());
    let numeric = is_number(look.site.owner.as_ref()) || is_number(look.site.group.as_ref());
    facts.set("numeric", if numeric { "yes" } else { "" });
    Ok(facts)
}

fn is_number(name: Option<&String>) -> bool {
    name.is_some_and(|name| name.bytes().all(|byte| byte.is_ascii_digit()))
}

/// A line of `ls -ld`.
struct Listed<'a> {
    kind: u8,
    mode: u32,
    owner: &'a str,
    group: &'a str,
    path: &'a str,
}

fn read(output: &Output, look: &Look) -> Result<Observed, String> {
    let mut reply = Reply::open(output.stdout.expose())?;
    let mut observed = Observed::default();
    // Files asked for by one name that turned out to be at another: path on the host → path asked for.
    let mut asked: Vec<(&str, &str)> = Vec::new();
    let mut owners: BTreeMap<String, (String, String)> = BTreeMap::new();
    let mut last = "";
    // The keys directory as it is on the host, without links on the way to it.
    let mut keys = look.site.keysdir.as_str();
    let own = |keys: &str, path: &str| -> String {
        match path.strip_prefix(keys).filter(|rest| rest.starts_with('/')) {
            Some(rest) => format!("{}{rest}", look.site.keysdir.trim_end_matches('/')),
            None => path.to_owned(),
        }
    };
    let names = |asked: &[(&str, &str)], keys: &str, path: &str| -> Vec<String> {
        let aliases = asked
            .iter()
            .filter(|(is, _)| *is == path)
            .map(|(_, asked)| (*asked).to_owned());
        let mut names: Vec<String> = aliases.collect();
        if names.is_empty() {
            names.push(own(keys, path));
        }
        names
    };
    let mut section = "";
    loop {
        let line = reply.line()?;
        if line == "end" {
            break;
        }
        let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
        match (word, section) {
            ("asked", _) => last = rest,
            // No more answers than questions: every listed file is looked up among them.
            ("is", _) if asked.len() < look.show.len() => asked.push((rest, last)),
            ("content", _) => {
                let content = content(&mut reply, last, rest)?;
                observed.conf.insert(last.to_owned(), content);
            }
            ("keys", _) => keys = rest,
            ("clock", _) => observed.clock = moment(rest)?,
            ("pending", _) => observed.restart_pending = true,
            ("lock", _) => observed.lock = Some(rest.to_owned()),
            ("vault", _) => observed.vault = Some(rest.to_owned()),
            ("kept", _) => {
                observed.kept.insert(rest.to_owned());
            }
            // As many as the script shows.
            ("record", _) if observed.records.len() < 16 => observed.records.push(record(rest)?),
            ("list" | "numbers" | "digests", _) if rest.is_empty() => section = word,
            (_, "list") if observed.files.len() + observed.links.len() >= MOST_FILES => {
                return Err(format!(
                    "there are more than {MOST_FILES} files in its keys directory"
                ));
            }
            (_, "list") => {
                let listed = listed(line)?;
                match listed.kind {
                    b'l' => {
                        let (path, target) =
                            listed.path.split_once(" -> ").ok_or("a link without a target")?;
                        observed.links.insert(own(keys, path), target.to_owned());
                    }
                    b'-' => {
                        for name in names(&asked, keys, listed.path) {
                            let file = ObservedFile {
                                // Replaced by the digest's own line.
                                digest: Digest([0; 32]),
                                mode: listed.mode,
                                owner: listed.owner.to_owned(),
                                group: listed.group.to_owned(),
                            };
                            observed.files.insert(name, file);
                        }
                    }
                    _ => {}
                }
            }
            (_, "numbers") => {
                let listed = listed(line)?;
                owners.insert(
                    listed.path.to_owned(),
                    (listed.owner.to_owned(), listed.group.to_owned()),
                );
            }
            (hex, "digests") => {
                // "HEX  NAME", "HEX *NAME" or "HEX NAME", as the tool likes.
                let path = rest.strip_prefix([' ', '*']).unwrap_or(rest);
                for name in names(&asked, keys, path) {
                    let file = observed
                        .files
                        .get_mut(&name)
                        .ok_or("a digest of a file not listed")?;
                    file.digest = hex.parse()?;
                    if let Some(owners) = owners.get(path) {
                        by_number(file, &look.site, owners);
                    }
                }
            }
            _ => return Err(format!("'{}' was not expected", line.escape_debug())),
        }
    }
    observed.generation = observed.records.first().and_then(|record| record.after);
    check(&observed)?;
    Ok(observed)
}

/// A file's content, of as many bytes as said; never a part of it.
fn content(reply: &mut Reply<'_>, path: &str, size: &str) -> Result<Secret, String> {
    let size: usize = number(size)?;
    if size > MOST_BYTES {
        return Err(format!(
            "{path} has {size} bytes, and at most {MOST_BYTES} are read"
        ));
    }
    Ok(Secret::new(reply.bytes(size)?))
}

/// Where the inventory has numbers of owners, they are compared by number.
fn by_number(file: &mut ObservedFile, site: &Site, (owner, group): &(String, String)) {
    if is_number(site.owner.as_ref()) {
        file.owner.clone_from(owner);
    }
    if is_number(site.group.as_ref()) {
        file.group.clone_from(group);
    }
}

/// `RUN BEFORE AFTER TIME`.
fn record(text: &str) -> Result<SwitchRecord, String> {
    let fields: Vec<&str> = text.split(' ').collect();
    let [run, before, after, at] = fields[..] else {
        return Err(format!("'{}' is no record of a switch", text.escape_debug()));
    };
    let generation = |text: &str| match text {
        "-" => Ok(None),
        text => number(text).map(Some),
    };
    Ok(SwitchRecord {
        run: run.to_owned(),
        before: generation(before)?,
        after: generation(after)?,
        at: moment(at)?,
    })
}

/// What was listed, shown and digested one after the other must be the same files.
fn check(observed: &Observed) -> Result<(), String> {
    let changing = |path: &str| Err(format!("{path} changed while it was read"));
    for (path, file) in &observed.files {
        if file.digest == Digest([0; 32]) {
            return changing(path);
        }
    }
    for (path, content) in &observed.conf {
        if observed.files.get(path).map(|file| file.digest) != Some(Digest::of(content.expose())) {
            return changing(path);
        }
    }
    Ok(())
}

fn listed(line: &str) -> Result<Listed<'_>, String> {
    let wrong = || format!("'{}' is no line of ls", line.escape_debug());
    let mut fields = line.split_ascii_whitespace();
    let mode = fields.next().ok_or_else(wrong)?;
    let (owner, group) = (fields.nth(1), fields.next());
    let (Some(owner), Some(group)) = (owner, group) else {
        return Err(wrong());
    };
    // Nothing before the path has a slash in it: mode, counts, names and the date.
    let path = line.find(" /").map(|at| &line[at + 1..]).ok_or_else(wrong)?;
    Ok(Listed {
        kind: mode.as_bytes()[0],
        mode: permissions(mode).ok_or_else(wrong)?,
        owner,
        group,
        path,
    })
}

/// `rwxr-x---` and its special letters as a number; `+`, `.` or `@` may follow.
fn permissions(text: &str) -> Option<u32> {
    let bits = text.as_bytes().get(1..10)?;
    let mut mode = 0;
    for (index, letter) in bits.iter().enumerate() {
        let bit = 1 << (8 - index);
        let special = [0o4000, 0o2000, 0o1000][index / 3];
        match (index % 3, letter) {
            (_, b'-') => {}
            (0, b'r') | (1, b'w') | (2, b'x') => mode |= bit,
            (2, b's' | b't') => mode |= bit | special,
            (2, b'S' | b'T') => mode |= special,
            _ => return None,
        }
    }
    Some(mode)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_answers_what_it_was_asked() {
        let look = Look {
            site: Site {
                keysdir: "/k".into(),
                ..Site::default()
            },
            show: vec!["/etc/ntp.conf".into()],
        };
        let told = |lines: &str| {
            let output = Output {
                status: 0,
                stdout: Secret::from(format!("keytrail-reply 1\n{lines}end\n")),
                stderr: String::new(),
            };
            read(&output, &look)
        };
        let one = "asked /etc/ntp.conf\nis /etc/ntp.conf\n";
        assert!(told(&format!("{one}clock 5\n")).is_ok());
        assert!(
            told(&one.repeat(2)).is_err(),
            "each listed file would be sought among all of them"
        );
        for lines in [
            "clock -9223372036854775808\n",
            "record 1 - 2 9223372036854775807\n",
            "record 1 - -2 5\n",
            "content 18446744073709551615\n",
        ] {
            assert!(told(lines).is_err(), "{lines}");
        }
    }

    #[test]
    fn ls_lines() {
        let line = "-rw-r-S--T. 1 root  ntp-group  1234 Jan  1 12:00 /etc/ntp dir/ntpkey_cert_a b";
        let listed = listed(line).unwrap();
        assert_eq!((listed.kind, listed.mode), (b'-', 0o3640));
        assert_eq!((listed.owner, listed.group), ("root", "ntp-group"));
        assert_eq!(listed.path, "/etc/ntp dir/ntpkey_cert_a b");
        assert!(super::listed("total 0").is_err());
        assert_eq!(permissions("lrwxrwxrwx"), Some(0o777));
        assert_eq!(permissions("-rwsr-sr-t"), Some(0o7755));
        assert_eq!(permissions("-rw"), None);
    }
}
