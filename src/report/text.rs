//! Findings the way a compiler shows them.

use super::arrange::{Located, arrange};
use super::checked::printable;
use crate::finding::{Finding, Severity};
use crate::inventory::{Source, Spot};
use crate::vocabulary::counted;
use annotate_snippets::renderer::DecorStyle;
use annotate_snippets::{Annotation, AnnotationKind, Group, Level, Renderer, Snippet};
use serde::Serialize;
use std::borrow::Cow;
use std::fmt::{self, Write};

/// How to draw.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TextStyle {
    /// With ANSI colours.
    pub color: bool,
    /// With line-drawing characters rather than ASCII.
    pub unicode: bool,
    /// Columns of the terminal.
    pub width: usize,
    /// At most so many findings in full; the rest is counted.
    pub limit: usize,
}

impl Default for TextStyle {
    fn default() -> Self {
        Self {
            color: false,
            unicode: true,
            width: 140,
            limit: usize::MAX,
        }
    }
}

/// How many findings of each severity.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// Errors.
    pub errors: usize,
    /// Warnings.
    pub warnings: usize,
    /// Notes.
    pub notes: usize,
}

impl Counts {
    /// Of these findings.
    pub fn of<'f>(findings: impl IntoIterator<Item = &'f Finding>) -> Self {
        let mut counts = Self::default();
        for finding in findings {
            match finding.severity {
                Severity::Error => counts.errors += 1,
                Severity::Warning => counts.warnings += 1,
                Severity::Note => counts.notes += 1,
            }
        }
        counts
    }
}

/// `2 errors, 1 warning`; `no findings` when there are none.
impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let counts = [
            (self.errors, "error"),
            (self.warnings, "warning"),
            (self.notes, "note"),
        ];
        let mut separator = "";
        for (count, name) in counts.into_iter().filter(|(count, _)| *count > 0) {
            write!(f, "{separator}{}", counted(count, name))?;
            separator = ", ";
        }
        if separator.is_empty() {
            f.write_str("no findings")?;
        }
        Ok(())
    }
}

/// Renders findings on the lines they are about, sorted by place, with a summary line at the end.
pub fn text(sources: &[Source], findings: &[Finding], style: TextStyle) -> String {
    let renderer = if style.color {
        Renderer::styled()
    } else {
        Renderer::plain()
    };
    let renderer = renderer.term_width(style.width).decor_style(if style.unicode {
        DecorStyle::Unicode
    } else {
        DecorStyle::Ascii
    });
    let files: Vec<Lines<'_>> = sources.iter().map(Lines::of).collect();
    let located = arrange(sources, findings);
    let mut text = String::new();
    for located in located.iter().take(style.limit) {
        text.push_str(&renderer.render(&[group(&files, located)]));
        text.push_str("\n\n");
    }
    if let Some(more) = located.len().checked_sub(style.limit).filter(|&more| more > 0) {
        // Writing into a String cannot fail.
        let _ = writeln!(text, "… and {more} more; --format json shows all of them\n");
    }
    let _ = writeln!(
        text,
        "{}",
        Counts::of(located.iter().map(|located| located.finding))
    );
    text
}

/// A file cut into lines.
struct Lines<'s> {
    path: Cow<'s, str>,
    lines: Vec<&'s str>,
}

impl<'s> Lines<'s> {
    fn of(source: &'s Source) -> Self {
        Self {
            path: source.path.to_string_lossy(),
            lines: source.text.lines().collect(),
        }
    }

    fn line(&self, number: u32) -> &'s str {
        self.lines.get(number as usize - 1).copied().unwrap_or_default()
    }
}

/// A finding with its label texts, as annotate-snippets wants it.
fn group<'r>(files: &'r [Lines<'r>], located: &'r Located<'r>) -> Group<'r> {
    let finding = located.finding;
    let level = match finding.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
        Severity::Note => Level::NOTE,
    };
    let mut group = Group::with_title(level.primary_title(printable(&finding.message)).id(finding.code));
    for cluster in clusters(&located.spots) {
        if let Some(file) = files.get(usize::from(located.spots[cluster[0]].source.0)) {
            group = group.element(snippet(file, located, &cluster));
        }
    }
    for help in &finding.help {
        group = group.element(Level::HELP.message(printable(help)));
    }
    group
}

/// Labels (by number) that are shown in one excerpt: those of one file with no more than a screenful between
/// them. The excerpt with the first label comes first.
fn clusters(spots: &[Spot]) -> Vec<Vec<usize>> {
    /// Lines between two labels that are folded rather than cut into two excerpts.
    const SCREENFUL: u32 = 100;
    let mut order: Vec<_> = (0..spots.len()).collect();
    order.sort_by_key(|&at| spots[at]);
    let mut clusters: Vec<Vec<usize>> = Vec::new();
    for at in order {
        match clusters.last_mut() {
            Some(cluster)
                if cluster.last().is_some_and(|&last| {
                    spots[last].source == spots[at].source && spots[at].line - spots[last].line <= SCREENFUL
                }) =>
            {
                cluster.push(at);
            }
            _ => clusters.push(vec![at]),
        }
    }
    if let Some(first) = clusters.iter().position(|cluster| cluster.contains(&0)) {
        let first = clusters.remove(first);
        clusters.insert(0, first);
    }
    clusters
}

/// The excerpt of a file with these labels.
fn snippet<'r>(file: &Lines<'r>, located: &'r Located<'r>, cluster: &[usize]) -> Snippet<'r, Annotation<'r>> {
    let spots = cluster.iter().map(|&at| located.spots[at]);
    let from = spots.clone().map(|spot| spot.line).min().unwrap_or(1).max(1);
    let to = spots.map(|spot| spot.line).max().unwrap_or(1);
    let mut source = String::new();
    let mut starts = Vec::new();
    for line in from..=to {
        starts.push(source.len());
        source.push_str(file.line(line));
        source.push('\n');
    }
    let annotations = cluster.iter().map(|&at| {
        let spot = located.spots[at];
        let line = file.line(spot.line);
        let start = starts[(spot.line - from) as usize];
        let byte = |column: u32| {
            line.char_indices()
                .nth(column as usize)
                .map_or(line.len(), |(byte, _)| byte)
        };
        let kind = if at == 0 {
            AnnotationKind::Primary
        } else {
            AnnotationKind::Context
        };
        let span = start + byte(spot.column - 1)..start + byte(spot.column - 1 + spot.len);
        let label = &located.finding.labels[at].text;
        kind.span(span)
            .label((!label.is_empty()).then_some(label.as_str()))
    });
    let annotations: Vec<_> = annotations.collect();
    Snippet::source(source)
        .line_start(from as usize)
        .path(file.path.clone())
        .annotations(annotations)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::{Place, SourceId, Step};

    fn source(text: &str) -> Source {
        Source {
            path: "campus.yaml".into(),
            text: std::sync::Arc::new(text.into()),
        }
    }

    fn place(path: &[&str]) -> Place {
        Place::value(SourceId(0), path.iter().map(|&key| Step::from(key)).collect())
    }

    #[test]
    fn shows_far_labels_in_excerpts_of_their_own() {
        let many = "  x: {}\n".repeat(300);
        let text_of = format!("hosts:\n  a: {{ group: red }}\n{many}  b: {{ group: blue }}\n");
        let finding = Finding::error("trail-cycle", "they\u{1b}[31m differ")
            .at(place(&["hosts", "b", "group"]), "this")
            .at(place(&["hosts", "a", "group"]), "and that")
            .help("decide");
        let shown = text(
            &[source(&text_of)],
            &[finding],
            TextStyle {
                unicode: false,
                ..TextStyle::default()
            },
        );
        assert_eq!(
            shown,
            "\
error[trail-cycle]: they\u{fffd}[31m differ
   --> campus.yaml:303:15
    |
303 |   b: { group: blue }
    |               ^^^^ this
    |
   ::: campus.yaml:2:15
    |
  2 |   a: { group: red }
    |               --- and that
    |
    = help: decide

1 error
"
        );
    }

    #[test]
    fn counts_what_it_does_not_show_and_colours_on_demand() {
        let sources = [source("hosts: {}\n")];
        let findings = [
            Finding::error("b", "two").at(place(&["hosts"]), ""),
            Finding::warning("a", "one").at(place(&["hosts"]), ""),
            Finding::new("c", Severity::Note, "nowhere"),
        ];
        let shown = text(
            &sources,
            &findings,
            TextStyle {
                limit: 1,
                ..TextStyle::default()
            },
        );
        assert!(
            shown.starts_with("warning[a]: one") && !shown.contains("two"),
            "{shown}"
        );
        assert!(
            shown.ends_with("… and 2 more; --format json shows all of them\n\n1 error, 1 warning, 1 note\n"),
            "{shown}"
        );
        let colored = text(
            &sources,
            &findings,
            TextStyle {
                color: true,
                ..TextStyle::default()
            },
        );
        assert!(colored.contains('\u{1b}') && !shown.contains('\u{1b}'));
        assert_eq!(text(&sources, &[], TextStyle::default()), "no findings\n");
    }
}
