//! What was found, for people: the verdict first, then what it rests on, aligned.

use crate::media::MediaName;
use crate::media::certificate::Role;
use crate::media::inspect::{Holds, Report};
use crate::media::pkcs8::{Container, Encryption};
use crate::ops::inspection::{Gathered, Item, Pair, Verdict};
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// Where the values begin.
const INDENT: usize = 12;

/// Everything.
pub fn files(gathered: &Gathered, color: bool) -> String {
    let mut text = String::new();
    for item in &gathered.items {
        file(&mut text, item, color);
    }
    for pair in &gathered.pairs {
        together(&mut text, pair, color);
    }
    for dangling in &gathered.dangling {
        verdict(&mut text, "bad", Verdict::Bad, color);
        let _ = writeln!(text, "{}", dangling.link.display());
        row(
            &mut text,
            "leads to",
            &format!("{}, which is not there", dangling.target.display()),
        );
        text.push('\n');
    }
    summary(&mut text, gathered);
    text
}

fn verdict(text: &mut String, word: &str, verdict: Verdict, color: bool) {
    let paint = match verdict {
        Verdict::Good => "32",
        Verdict::Sealed | Verdict::Doubtful => "33",
        Verdict::Bad | Verdict::Unreadable => "1;31",
    };
    if color {
        let _ = write!(text, "\u{1b}[{paint}m{word:<INDENT$}\u{1b}[0m");
    } else {
        let _ = write!(text, "{word:<INDENT$}");
    }
}

fn row(text: &mut String, name: &str, value: &str) {
    let _ = writeln!(text, "  {name:<width$}{value}", width = INDENT - 2);
}

fn file(text: &mut String, item: &Item, color: bool) {
    verdict(text, item.verdict().word(), item.verdict(), color);
    let _ = writeln!(text, "{}", item.path.display());
    match &item.found {
        Ok(found) => {
            remarks(text, &found.report);
            report(text, &found.report);
        }
        Err(unreadable) => {
            row(text, "error", &unreadable.what);
            unreadable.help.iter().for_each(|help| row(text, "help", help));
        }
    }
    if !item.links.is_empty() {
        row(text, "linked as", &item.links.join(", "));
    }
    text.push('\n');
}

fn remarks(text: &mut String, report: &Report) {
    for remark in &report.remarks {
        row(text, remark.severity.word(), &remark.what);
        remark.help.iter().for_each(|help| row(text, "help", help));
    }
    for problem in &report.problems {
        row(text, "line", &format!("{}: {}", problem.line, problem.what));
    }
}

fn report(text: &mut String, report: &Report) {
    let holds = report
        .holds
        .map_or_else(|| "cannot be told".into(), |holds| holds.to_string());
    let owner = report
        .title
        .parse::<MediaName>()
        .map(|name| format!(" of {}", name.owner))
        .unwrap_or_default();
    row(text, "holds", &format!("{holds}{owner}"));
    if let (Some(stamp), Some(date)) = (report.stamp, &report.stamp_date) {
        row(text, "filestamp", &format!("{stamp}, {date}"));
    }
    if let Some(made) = &report.made {
        row(text, "made", made);
    }
    if let Some(proof) = &report.proof {
        row(
            text,
            if proof.holds { "proven" } else { "disproven" },
            proof.equations,
        );
    }
    kept(text, report);
    if let Some(fields) = &report.certificate {
        row(text, "name", fields.subject.as_deref().unwrap_or("none"));
        let role = match fields.role {
            Role::Plain => "neither trusted nor private",
            Role::Trusted => "trusted",
            Role::Private => "private",
        };
        row(text, "role", role);
        let left = match fields.days_left {
            days @ 0.. => format!("{days} days left"),
            days => format!("ended {} days ago", -days),
        };
        row(
            text,
            "valid",
            &format!("{} to {}, {left}", fields.not_before, fields.not_after),
        );
        let scheme = fields
            .scheme
            .map_or_else(|| fields.signature_oid.clone(), |scheme| scheme.to_string());
        row(
            text,
            "signed",
            &format!(
                "{scheme}, {} key of {} bits",
                fields.key_algorithm, fields.key_bits
            ),
        );
        if let Some(bits) = fields.gq_public_bits {
            row(text, "GQ value", &format!("{bits} bits"));
        }
        row(text, "serial", &fields.serial);
    }
    numbers(text, report);
    for key in &report.keys {
        let restrict = if key.restrict.is_empty() {
            String::new()
        } else {
            format!(", from {}", key.restrict.join(" "))
        };
        let hex = key.hex.as_ref().map(|hex| format!("  {hex}")).unwrap_or_default();
        row(
            text,
            "key",
            &format!(
                "{:>5}  {:<12} {:>2} bytes{restrict}{hex}",
                key.id,
                key.kind.as_str(),
                key.bytes
            ),
        );
    }
}

/// How the blocks are kept, each way once.
fn kept(text: &mut String, report: &Report) {
    let mut ways: Vec<(String, usize)> = Vec::new();
    for block in report
        .blocks
        .iter()
        .filter(|_| report.holds != Some(Holds::Certificate))
    {
        let container = match block.container {
            Some(Container::Pkcs8) => "PKCS#8",
            Some(Container::Traditional) => "traditional",
            None => block.label.as_str(),
        };
        let encryption = match block.encryption {
            None => "not encrypted".into(),
            Some(Encryption::Pbes2 {
                cipher,
                prf,
                iterations,
            }) => {
                let prf = format!("{prf:?}").to_uppercase();
                format!("{cipher} by PBKDF2, HMAC-{prf}, {iterations} rounds")
            }
            Some(Encryption::Traditional { cipher }) => format!("{cipher} by one round of MD5"),
        };
        let way = format!("{container}, {encryption}");
        match ways.last_mut().filter(|(last, _)| *last == way) {
            Some((_, count)) => *count += 1,
            None => ways.push((way, 1)),
        }
    }
    for (way, count) in ways {
        let times = if count > 1 {
            format!(", {count} blocks")
        } else {
            String::new()
        };
        row(text, "kept", &format!("{way}{times}"));
    }
}

/// Sizes; the numbers themselves where they are asked for.
fn numbers(text: &mut String, report: &Report) {
    let shown = report
        .numbers
        .iter()
        .any(|number| number.private && number.hex.is_some());
    if shown {
        for number in &report.numbers {
            let hex = number.hex.as_deref().unwrap_or_default();
            row(
                text,
                &number.name,
                &format!("{hex}{}", if number.private { "  (private)" } else { "" }),
            );
        }
        return;
    }
    for private in [false, true] {
        let sizes: Vec<String> = report
            .numbers
            .iter()
            .filter(|number| number.private == private)
            .map(|number| format!("{} {}", number.name, number.bits))
            .collect();
        if !sizes.is_empty() {
            let name = if private { "private" } else { "public" };
            row(text, name, &format!("{} (bits)", sizes.join(", ")));
        }
    }
}

fn together(text: &mut String, pair: &Pair, color: bool) {
    let (word, shown) = if pair.report.belong {
        ("together", Verdict::Good)
    } else {
        ("apart", Verdict::Bad)
    };
    verdict(text, word, shown, color);
    let [one, other] = &pair.files;
    let _ = writeln!(
        text,
        "{} and {}: {}",
        one.display(),
        other.display(),
        pair.report.relation
    );
    for check in &pair.report.checks {
        row(text, if check.holds { "holds" } else { "fails" }, &check.what);
    }
    text.push('\n');
}

fn summary(text: &mut String, gathered: &Gathered) {
    if gathered.items.len() < 2 {
        // One file has said it all.
        text.truncate(text.trim_end().len());
        text.push('\n');
        return;
    }
    let mut counts: BTreeMap<Verdict, usize> = BTreeMap::new();
    for item in &gathered.items {
        *counts.entry(item.verdict()).or_default() += 1;
    }
    let mut parts: Vec<String> = counts
        .iter()
        .map(|(verdict, count)| format!("{count} {}", verdict.word()))
        .collect();
    let apart = gathered.pairs.iter().filter(|pair| !pair.report.belong).count();
    if !gathered.pairs.is_empty() {
        parts.push(format!("{} together", gathered.pairs.len() - apart));
    }
    if apart > 0 {
        parts.push(format!("{apart} apart"));
    }
    if !gathered.dangling.is_empty() {
        parts.push(format!("{} links to nothing", gathered.dangling.len()));
    }
    let _ = writeln!(text, "{} files: {}", gathered.items.len(), parts.join(", "));
}
