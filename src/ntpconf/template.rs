//! The templates: one per NTP implementation, embedded, and replaceable file by file from a directory.
//!
//! Strict: a name that does not exist is an error before anything is rendered, also inside a branch that no
//! host takes, and the error points into the template.

use super::context::Context;
use super::error::TemplateError;
use super::rendered::Rendered;
use super::tags::{self, Name};
use crate::inventory::Implementation;
use crate::secret::Secret;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use tera::{ErrorKind, Tera};

const EMBEDDED: [(&str, &str); 4] = [
    ("ntp.org.tera", include_str!("../../templates/ntp.org.tera")),
    ("ntpsec.tera", include_str!("../../templates/ntpsec.tera")),
    ("chrony.tera", include_str!("../../templates/chrony.tera")),
    ("openvms.tera", include_str!("../../templates/openvms.tera")),
];

/// The template file of an implementation.
pub fn file_name(implementation: Implementation) -> &'static str {
    match implementation {
        Implementation::NtpOrg => "ntp.org.tera",
        Implementation::Ntpsec => "ntpsec.tera",
        Implementation::Chrony => "chrony.tera",
        Implementation::Openvms => "openvms.tera",
    }
}

/// The templates in use.
#[derive(Debug)]
pub struct Templates {
    engine: Tera,
    /// Template name → where it came from and its text.
    sources: BTreeMap<String, (String, String)>,
}

impl Templates {
    /// The built-in ones.
    ///
    /// # Panics
    /// Never in a tested build: the embedded templates are checked by a test.
    pub fn embedded() -> Self {
        Self::new([]).expect("the embedded templates are valid (tested)")
    }

    /// The built-in ones, with every `*.tera` file of `dir` in the place of the one of the same name. Files of other
    /// names can be included by them.
    pub fn load(dir: &Path) -> Result<Self, Box<TemplateError>> {
        let unreadable = |path: &Path, error: &dyn std::fmt::Display| {
            TemplateError::of_file(
                path.display().to_string(),
                format!("cannot read the templates: {error}"),
                "give --templates a readable directory",
            )
        };
        let mut found = Vec::new();
        for entry in std::fs::read_dir(dir).map_err(|error| unreadable(dir, &error))? {
            let path = entry.map_err(|error| unreadable(dir, &error))?.path();
            let Some(name) = path.file_name().and_then(|name| name.to_str()) else {
                continue;
            };
            if path.extension().is_some_and(|ext| ext == "tera") {
                let text = std::fs::read_to_string(&path).map_err(|error| unreadable(&path, &error))?;
                found.push((name.to_owned(), path.display().to_string(), text));
            }
        }
        if !EMBEDDED
            .iter()
            .any(|(name, _)| found.iter().any(|(file, ..)| file == name))
        {
            let names: Vec<_> = EMBEDDED.iter().map(|(name, _)| *name).collect();
            let mut error = unreadable(dir, &"none of its files is one of keytrail's templates");
            error.help = format!("name a file there {}", names.join(", "));
            return Err(error);
        }
        Self::new(found)
    }

    /// The built-in ones, some replaced: `(name, where it came from, text)`.
    pub fn new(
        replaced: impl IntoIterator<Item = (String, String, String)>,
    ) -> Result<Self, Box<TemplateError>> {
        let mut sources: BTreeMap<String, (String, String)> = EMBEDDED
            .iter()
            .map(|(name, text)| {
                (
                    (*name).to_owned(),
                    (format!("templates/{name}"), (*text).to_owned()),
                )
            })
            .collect();
        for (name, path, text) in replaced {
            sources.insert(name, (path, text));
        }
        let mut engine = Tera::new();
        // Not HTML: nothing is escaped whatever a template is called.
        engine.autoescape_on(Vec::<&str>::new());
        let mut templates = Self {
            engine: Tera::new(),
            sources,
        };
        engine
            .add_raw_templates(templates.sources.iter().map(|(name, (_, text))| (name, text)))
            .map_err(|error| templates.explain(&error, None))?;
        templates.engine = engine;
        templates.check_names()?;
        Ok(templates)
    }

    /// Renders the lines of one host. `secrets` are what the stand-ins in `context` stand for.
    pub fn render(
        &self,
        implementation: Implementation,
        context: &Context,
        secrets: &[Secret],
    ) -> Result<Rendered, Box<TemplateError>> {
        let name = file_name(implementation);
        let failed = |error: &tera::Error| self.explain(error, Some(&context.host));
        let values = tera::Context::from_serialize(context).map_err(|error| failed(&error))?;
        let text = self
            .engine
            .render(name, &values)
            .map_err(|error| failed(&error))?;
        let whole = |message: &str, help: &str| {
            TemplateError::of_file(self.sources[name].0.as_str(), message, help).at_host(Some(&context.host))
        };
        if super::block::is_like_marker(text.as_bytes()) {
            return Err(whole(
                "the template writes keytrail's own markers",
                "leave them out: keytrail puts them around the lines",
            ));
        }
        if text.chars().any(|c| c.is_control() && c != '\n' && c != '\t') {
            return Err(whole(
                "the template writes control characters",
                "end lines with LF alone and use no other control characters; CR LF is added where the host's file has it",
            ));
        }
        Rendered::from_template(&tidy(&text), secrets).map_err(|()| {
            whole(
                "the template changes the password or puts it where it is not looked for",
                "write it once, without filters, as `pw {{ crypto.password }}`",
            )
        })
    }

    /// Every name in every template must be one that [`Context`] has or the template itself sets.
    fn check_names(&self) -> Result<(), Box<TemplateError>> {
        let sample = serde_json::to_value(Context::sample()).expect("plain values serialize");
        let mut roots = BTreeSet::new();
        let mut fields = BTreeSet::new();
        collect(&sample, true, &mut roots, &mut fields);
        // An included template sees the loops of the one that includes it.
        let bound: BTreeSet<&str> = self
            .sources
            .values()
            .flat_map(|(_, text)| tags::bound(&tags::names(text)))
            .collect();
        for (name, (path, text)) in &self.sources {
            let wanted = self
                .engine
                .get_template_variables(name)
                .map_err(|error| self.explain(&error, None))?;
            for Name {
                text: word,
                at,
                field,
            } in tags::names(text)
            {
                let (known, there) = if field {
                    (
                        fields.contains(word) || tags::LOOP_FIELDS.contains(&word),
                        &fields,
                    )
                } else {
                    (
                        roots.contains(word) || bound.contains(word) || !wanted.contains(word),
                        &roots,
                    )
                };
                if known {
                    continue;
                }
                let what = if field { "field" } else { "name" };
                let list: Vec<_> = there.iter().map(String::as_str).collect();
                let near = list
                    .iter()
                    .map(|have| (strsim::damerau_levenshtein(have, word), *have))
                    .filter(|(distance, _)| *distance <= 2)
                    .min();
                let hint = near.map_or_else(String::new, |(_, have)| format!("did you mean '{have}'? "));
                let help = format!("{hint}{what}s there are: {}", list.join(", "));
                return Err(located(
                    path,
                    text,
                    at,
                    word.chars().count(),
                    format!("unknown {what} '{word}'"),
                    help,
                ));
            }
        }
        Ok(())
    }

    fn explain(&self, error: &tera::Error, host: Option<&str>) -> Box<TemplateError> {
        let (ErrorKind::SyntaxError(report) | ErrorKind::RenderingError(report)) = error.kind() else {
            return TemplateError::of_file(
                "templates",
                format!("the templates cannot be used: {}", error.kind()),
                "see docs/templates.md",
            )
            .at_host(host);
        };
        let (path, text) = self
            .sources
            .get(report.filename())
            .map_or((report.filename(), ""), |(path, text)| {
                (path.as_str(), text.as_str())
            });
        let span = report.span();
        let width = if span.end_line == span.start_line {
            span.end_col.saturating_sub(span.start_col)
        } else {
            1
        };
        Box::new(TemplateError {
            file: path.to_owned(),
            place: Some((span.start_line, span.start_col + 1)),
            line: text
                .lines()
                .nth(span.start_line.saturating_sub(1))
                .unwrap_or_default()
                .to_owned(),
            width,
            message: report.message().to_owned(),
            help: match error.kind() {
                ErrorKind::RenderingError(_) => {
                    "what a host does not have is empty: put the line between {% if … %} and {% endif %}; docs/templates.md lists every name"
                }
                _ => "the syntax is that of Tera 2; docs/templates.md has examples",
            }
            .into(),
            host: host.map(str::to_owned),
        })
    }
}

fn located(
    path: &str,
    text: &str,
    at: usize,
    width: usize,
    message: String,
    help: String,
) -> Box<TemplateError> {
    let before = &text[..at];
    let start = before.rfind('\n').map_or(0, |newline| newline + 1);
    Box::new(TemplateError {
        file: path.to_owned(),
        place: Some((
            before.matches('\n').count() + 1,
            before[start..].chars().count() + 1,
        )),
        line: text[start..].lines().next().unwrap_or_default().to_owned(),
        width,
        message,
        help,
        host: None,
    })
}

/// Keys of a value: those of the outermost map, and those further in.
fn collect(
    value: &serde_json::Value,
    top: bool,
    roots: &mut BTreeSet<String>,
    fields: &mut BTreeSet<String>,
) {
    match value {
        serde_json::Value::Object(map) => {
            for (key, inner) in map {
                if top { &mut *roots } else { &mut *fields }.insert(key.clone());
                collect(inner, false, roots, fields);
            }
        }
        serde_json::Value::Array(items) => {
            for item in items {
                collect(item, false, roots, fields);
            }
        }
        _ => {}
    }
}

/// Without trailing blanks and empty lines, which template tags leave behind.
fn tidy(text: &str) -> String {
    let mut tidied = String::with_capacity(text.len());
    for line in text.lines().map(str::trim_end).filter(|line| !line.is_empty()) {
        tidied.push_str(line);
        tidied.push('\n');
    }
    tidied
}
