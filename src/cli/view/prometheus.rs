//! `status` in the text format of Prometheus, for node_exporter's textfile collector.

use crate::ops::status::{HostStatus, Status};
use std::fmt::Write as _;

pub fn text(status: &Status) -> String {
    let mut text = String::new();
    let rows = &status.hosts;
    gauge(
        &mut text,
        "keytrail_host_info",
        "A host with its role and group; always 1.",
        rows,
        |row| {
            let group = row.group.as_deref().unwrap_or_default();
            Some((
                format!(",role=\"{}\",group=\"{}\"", label(row.role), label(group)),
                1,
            ))
        },
    );
    gauge(
        &mut text,
        "keytrail_host_generation",
        "The generation of the vault a host was last brought to.",
        rows,
        |row| Some((String::new(), row.generation?.into())),
    );
    gauge(
        &mut text,
        "keytrail_certificate_end_timestamp_seconds",
        "When a host's certificate ends.",
        rows,
        |row| Some((String::new(), row.certificate_ends?)),
    );
    gauge(
        &mut text,
        "keytrail_host_reachable",
        "Whether a host could be looked at.",
        rows,
        |row| Some((String::new(), row.reached?.into())),
    );
    gauge(
        &mut text,
        "keytrail_host_drift",
        "Whether files, links, modes or configuration of a host are not as they should be.",
        rows,
        |row| Some((String::new(), (!row.drift.as_ref()?.is_empty()).into())),
    );
    gauge(
        &mut text,
        "keytrail_host_verified",
        "Whether a host's daemon was as promised when it was last asked; of hosts with nothing promised only if it was not.",
        rows,
        |row| {
            let good = row.verified.as_ref()?.good;
            (row.promised || !good).then(|| (String::new(), good.into()))
        },
    );
    gauge(
        &mut text,
        "keytrail_host_verified_timestamp_seconds",
        "When a host's daemon was last asked.",
        rows,
        |row| Some((String::new(), row.verified.as_ref()?.at)),
    );
    gauge(
        &mut text,
        "keytrail_host_verified_current",
        "Whether a host's daemon was asked since the host was last changed.",
        rows,
        |row| Some((String::new(), row.asked().into())),
    );
    gauge(
        &mut text,
        "keytrail_host_trouble",
        "Whether anything is wrong with a host.",
        rows,
        |row| Some((String::new(), (!row.trouble.is_empty()).into())),
    );
    head(
        &mut text,
        "keytrail_rotation_pending_hosts",
        "Hosts that a rotation has not reached yet.",
    );
    for pending in &status.pending {
        let _ = writeln!(
            text,
            "keytrail_rotation_pending_hosts{{subject=\"{}\"}} {}",
            label(&pending.subject),
            pending.hosts.len()
        );
    }
    head(
        &mut text,
        "keytrail_generation",
        "The latest generation of the vault.",
    );
    let _ = writeln!(text, "keytrail_generation {}", status.generation);
    head(
        &mut text,
        "keytrail_status_timestamp_seconds",
        "When all this was found.",
    );
    let _ = writeln!(text, "keytrail_status_timestamp_seconds {}", status.at);
    text
}

fn head(text: &mut String, name: &str, help: &str) {
    let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} gauge");
}

/// One value a host, with further labels; none where nothing is known.
fn gauge(
    text: &mut String,
    name: &str,
    help: &str,
    rows: &[HostStatus],
    value: impl Fn(&HostStatus) -> Option<(String, i64)>,
) {
    head(text, name, help);
    for row in rows {
        if let Some((labels, value)) = value(row) {
            let _ = writeln!(text, "{name}{{host=\"{}\"{labels}}} {value}", label(&row.host));
        }
    }
}

/// What a label's value may hold.
fn label(text: &str) -> String {
    // A line break has its own escape; every other hidden character is spelled out.
    let plain: Vec<_> = text.split('\n').map(crate::foreign::line).collect();
    plain
        .join("\n")
        .replace('\\', "\\\\")
        .replace('"', "\\\"")
        .replace('\n', "\\n")
}
