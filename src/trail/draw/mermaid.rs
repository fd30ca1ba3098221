//! Mermaid, as GitHub and GitLab show it in Markdown.

use super::{Kind, Picture, Spot, Style, Trouble};
use std::fmt::Write;

/// Draws the picture as a Mermaid flow chart: a subgraph for each group.
pub fn mermaid(picture: &Picture) -> String {
    let mut out = String::from("flowchart BT\n");
    for (at, area) in picture.groups.iter().enumerate() {
        // Writing to a String cannot fail.
        let _ = writeln!(
            out,
            "  subgraph g{at}[\"{} ({})\"]",
            escaped(&area.name),
            area.scheme
        );
        for (number, spot) in picture.spots_of(Some(at)) {
            let _ = writeln!(out, "    {}", node(number, spot));
        }
        out.push_str("  end\n");
    }
    for (number, spot) in picture.spots_of(None) {
        let _ = writeln!(out, "  {}", node(number, spot));
    }
    let mut red = Vec::new();
    for (number, arrow) in picture.arrows.iter().enumerate() {
        let (line, head) = match arrow.style {
            Style::Trail => ("--", "-->"),
            Style::Backup | Style::Keyed | Style::Plain => ("-.", ".->"),
            Style::Dead => ("-.", ".-x"),
        };
        let tail = if arrow.both_ways { "<" } else { "" };
        let text = if arrow.text.is_empty() {
            "none"
        } else {
            &arrow.text
        };
        let _ = writeln!(
            out,
            "  n{} {tail}{line} \"{}\" {head} n{}",
            arrow.from,
            escaped(text),
            arrow.to
        );
        if arrow.cyclic || arrow.style == Style::Dead {
            red.push(number.to_string());
        }
    }
    if !red.is_empty() {
        let _ = writeln!(
            out,
            "  linkStyle {} stroke:#d1242f,stroke-width:2px",
            red.join(",")
        );
    }
    let troubled: Vec<String> = picture
        .spots
        .iter()
        .enumerate()
        .filter(|(_, spot)| spot.trouble != Trouble::None)
        .map(|(number, _)| format!("n{number}"))
        .collect();
    if !troubled.is_empty() {
        let _ = writeln!(out, "  classDef trouble stroke:#d1242f,stroke-width:2px");
        let _ = writeln!(out, "  class {} trouble", troubled.join(","));
    }
    out
}

fn node(number: usize, spot: &Spot) -> String {
    let mut label = escaped(&spot.label);
    if spot.hosts > 1 {
        let _ = write!(label, "<br/>{} hosts", spot.hosts);
    }
    match spot.kind {
        Kind::Trusted => format!("n{number}{{{{\"{label}\"}}}}"),
        Kind::Client => format!("n{number}([\"{label}\"])"),
        Kind::Server | Kind::External => format!("n{number}[\"{label}\"]"),
    }
}

/// Text between double quotes.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('"', "&quot;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}
