//! Values the inventory takes from outside: passwords, symmetric keys, client parameters of other people's groups.

use crate::finding::Severity;
use crate::inventory::{GroupId, Implementation, Inventory};
use crate::media::inspect;
use crate::media::{GroupScheme, MediaKind, ReadFile};
use crate::mint::Given;
use crate::ops::error::{Error, Result};
use crate::ops::now;
use crate::ops::secret_source::Sources;
use crate::secret::Secret;
use crate::trail::Analysis;
use std::ffi::OsString;
use std::path::Path;

/// Reads everything the inventory names; all problems are reported together.
pub(crate) fn read(
    inventory: &Inventory,
    analysis: &Analysis,
    variable: fn(&str) -> Option<OsString>,
) -> Result<Given> {
    let mut given = Given::default();
    let mut problems = Vec::new();
    let mut sources = Sources::new(variable, inventory.secret_variables());
    for host in inventory.host_ids() {
        let Some(source) = &inventory.entry(host).settings.password else {
            continue;
        };
        if !analysis.needs(host).autokey {
            continue;
        }
        match sources.read(source) {
            Ok(password) => {
                given.passwords.insert(host, password);
            }
            Err(why) => problems.push(format!("password of {}: {why}", inventory.host(host).name)),
        }
    }
    for (index, key) in inventory.keys.iter().enumerate() {
        let Some(source) = &key.value else { continue };
        match sources.read(source) {
            Ok(value) => {
                given.keys.insert(index, value);
            }
            Err(why) => problems.push(format!("symmetric key {}: {why}", key.id)),
        }
    }
    for (number, group) in (0..).zip(&inventory.groups) {
        for path in group.external.iter().flat_map(|external| &external.parameters) {
            match parameters(path) {
                Ok((scheme, content)) => {
                    given.parameters.insert((GroupId(number), scheme), content);
                }
                Err(why) => problems.push(format!(
                    "client parameters of {}: {}: {why}",
                    group.name,
                    path.display()
                )),
            }
        }
    }
    problems.dedup();
    if problems.is_empty() {
        return Ok(given);
    }
    let failed = Error::new("values that the inventory takes from outside cannot be had").whys(problems);
    Err(failed.help("set the variable, or mend the file or command; nothing was minted or changed"))
}

/// A file of client parameters as its operator handed it over, and which scheme it is of.
fn parameters(path: &Path) -> Result<(GroupScheme, Secret), String> {
    let content = std::fs::read(path).map_err(|error| error.to_string())?;
    let file_name = path.file_name().and_then(|name| name.to_str());
    let options = inspect::Options {
        file_name,
        password: None,
        daemon: Implementation::NtpOrg,
        now: now(),
        show_private: false,
    };
    // What its operator's generator wrote may be of no use to any daemon: better said here than by error 114 there.
    let report = inspect::inspect(&content, &options)
        .map_err(|error| error.to_string())?
        .report;
    if let Some(remark) = report
        .remarks
        .iter()
        .find(|remark| remark.severity == Severity::Error)
    {
        let help = remark
            .help
            .as_deref()
            .map(|help| format!(" ({help})"))
            .unwrap_or_default();
        return Err(format!("{}{help}", remark.what));
    }
    let name = ReadFile::parse(&content)
        .and_then(|file| file.name())
        .map_err(|error| error.to_string())?;
    match name.kind {
        MediaKind::ClientParameters(scheme) => Ok((scheme, Secret::new(content))),
        _ => Err(format!(
            "this is {name}, not client parameters (ntpkey_iffpar_…, gqpar or mvpar)"
        )),
    }
}
