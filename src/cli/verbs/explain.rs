//! `keytrail explain`: what a finding of `check`, or an error number of the daemon, means and what to do.

use crate::cli::args::Format;
use crate::cli::exit::{Answer, Failure};
use crate::cli::ui::Ui;
use crate::finding::Severity;
use crate::inventory::{LOAD_ERRORS, closest};
use crate::ntpq::{self, ErrorCode};
use crate::report::{self, Screen};
use crate::trail::catalogue;
use crate::trail::rules::{RULES, Rule, rule};
use comfy_table::Row;
use serde::Serialize;
use std::fmt::Write as _;

/// `explain`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  keytrail explain                 everything there is
  keytrail explain trail-cycle     a finding, with an inventory that has it and one that has not
  keytrail explain 114             an error of the Autokey daemon, or as in cryptostats: 10e")]
pub struct ExplainArgs {
    /// Code of a finding, or error number; all of them without
    pub code: Option<String>,
    /// Output
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub format: Format,
}

/// Something that can be explained.
#[derive(Serialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
enum Topic {
    Rule {
        code: &'static str,
        severity: Severity,
        title: &'static str,
        why: &'static str,
        source: &'static str,
        fails: &'static str,
        passes: &'static str,
    },
    Mistake {
        code: &'static str,
        why: &'static str,
    },
    Error {
        code: u16,
        title: &'static str,
        #[serde(flatten)]
        explanation: ntpq::Explanation,
    },
}

#[derive(Serialize)]
struct Document {
    version: u32,
    topics: Vec<Topic>,
}

pub fn run(args: &ExplainArgs, out: &mut Ui) -> Result<Answer, Failure> {
    let topics = match &args.code {
        Some(code) => vec![find(code).ok_or_else(|| unknown(code))?],
        None => all(),
    };
    match (args.format, &args.code) {
        (form @ (Format::Json | Format::Yaml), _) => out.value(&Document { version: 1, topics }, form)?,
        (Format::Text, Some(_)) => {
            for topic in &topics {
                out.bytes(full(topic).as_bytes())?;
            }
        }
        (Format::Text, None) => out.bytes(list(&topics, out.screen()).as_bytes())?,
    }
    Ok(Answer::Yes)
}

fn all() -> Vec<Topic> {
    let mistakes = LOAD_ERRORS
        .iter()
        .map(|&(code, why)| Topic::Mistake { code, why });
    let errors = (101..=115).filter_map(error);
    RULES.iter().map(topic).chain(mistakes).chain(errors).collect()
}

/// By code as it stands in a finding, or by error number as the manual or cryptostats write it.
fn find(code: &str) -> Option<Topic> {
    let plain = code.trim().to_ascii_lowercase();
    // Pasted from a finding with its severity.
    let plain = plain
        .rsplit_once('[')
        .map_or(plain.as_str(), |(_, code)| code.trim_end_matches([']', ':']));
    rule(plain)
        .map(topic)
        .or_else(|| {
            let mistake = LOAD_ERRORS.iter().find(|(code, _)| *code == plain);
            mistake.map(|&(code, why)| Topic::Mistake { code, why })
        })
        .or_else(|| error(number(plain)?))
}

/// `114`; or the event of cryptostats, which is hexadecimal: `10e`, `0x10e`.
fn number(text: &str) -> Option<u16> {
    if let Ok(number) = text.parse() {
        return Some(number);
    }
    let event = u16::from_str_radix(text.strip_prefix("0x").unwrap_or(text), 16).ok()?;
    event.checked_sub(0x100)?.checked_add(100)
}

fn topic(rule: &Rule) -> Topic {
    Topic::Rule {
        code: rule.code,
        severity: rule.severity,
        title: rule.title,
        why: rule.why,
        source: rule.source,
        fails: rule.fails,
        passes: rule.passes,
    }
}

fn error(number: u16) -> Option<Topic> {
    Some(Topic::Error {
        code: number,
        title: ErrorCode::new(number)?.name(),
        explanation: ntpq::explain(number)?,
    })
}

fn unknown(code: &str) -> Failure {
    let codes = || {
        let rules = RULES.iter().map(|rule| rule.code);
        rules.chain(LOAD_ERRORS.iter().map(|(code, _)| *code))
    };
    let failure = Failure::new(format!("there is nothing called '{code}' to explain"));
    let failure = match (closest(code, codes()), code.parse::<u32>()) {
        (_, Ok(_)) => failure.help("error numbers of the daemon go from 101 to 115"),
        (Some(near), _) => failure.help(format!("did you mean {near}?")),
        (None, _) => failure,
    };
    failure.help("list everything: keytrail explain")
}

fn full(topic: &Topic) -> String {
    match topic {
        Topic::Rule { code, .. } => rule(code).map(catalogue::explain).unwrap_or_default(),
        Topic::Mistake { code, why } => {
            format!("# {code}\n\n**error**: the inventory cannot be read.\n\n{why}\n")
        }
        Topic::Error {
            code,
            title,
            explanation,
        } => {
            let mut text = format!("# {code}: {title}\n\nIt means: {}.\n", explanation.meaning);
            for (heading, items) in [
                ("What is behind it, likeliest first", &explanation.causes),
                ("What to do", &explanation.remedies),
            ] {
                // Writing into a String cannot fail.
                let _ = writeln!(text, "\n{heading}:\n");
                for item in items {
                    let _ = writeln!(text, "- {item}");
                }
            }
            text
        }
    }
}

fn list(topics: &[Topic], screen: Screen) -> String {
    let mut text = String::new();
    let sections = [
        "Findings of `check`",
        "What keeps an inventory from being read",
        "Errors of the Autokey daemon, in cryptostats and logs",
    ];
    for (number, heading) in sections.into_iter().enumerate() {
        let mut table = report::table(Row::new(), screen);
        for topic in topics.iter().filter(|topic| section(topic) == number) {
            match topic {
                Topic::Rule {
                    code,
                    severity,
                    title,
                    ..
                } => table.add_row([*code, severity.word(), *title]),
                Topic::Mistake { code, why } => {
                    let first = why.split_inclusive(". ").next().unwrap_or(why);
                    table.add_row([*code, Severity::Error.word(), first.trim_end_matches(['.', ' '])])
                }
                Topic::Error { code, title, .. } => table.add_row([code.to_string().as_str(), *title]),
            };
        }
        let _ = writeln!(text, "{heading}:\n");
        let narrower = Screen {
            width: screen.width.map(|width| width.saturating_sub(1)),
            ..screen
        };
        for line in report::table_text(table, narrower).lines() {
            let _ = writeln!(text, " {line}");
        }
        text.push('\n');
    }
    text.push_str("keytrail explain CODE tells all about one of them.\n");
    text
}

/// Which part of the list something belongs to.
fn section(topic: &Topic) -> usize {
    match topic {
        Topic::Rule { .. } => 0,
        Topic::Mistake { .. } => 1,
        Topic::Error { .. } => 2,
    }
}
