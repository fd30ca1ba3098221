//! DOT, the language of Graphviz.

use super::{Arrow, Kind, Picture, Spot, Style, Trouble};
use std::fmt::Write;

/// Draws the picture as DOT: a cluster for each group, servers above their clients.
pub fn dot(picture: &Picture) -> String {
    let mut out = String::from(
        "digraph trails {\n  rankdir=BT;\n  node [shape=box, style=\"rounded,filled\", fillcolor=white, fontname=\"Helvetica\"];\n  \
         edge [fontname=\"Helvetica\", fontsize=10];\n",
    );
    for (at, area) in picture.groups.iter().enumerate() {
        // Writing to a String cannot fail.
        let _ = writeln!(
            out,
            "  subgraph cluster_{at} {{\n    label={};",
            quoted(&format!("{} ({})", area.name, area.scheme))
        );
        let colour = super::colour::Tone::of(&area.name, at);
        let _ = writeln!(
            out,
            "    style=\"rounded,filled\"; color=\"{}\"; fillcolor=\"{}\";",
            colour.line, colour.area
        );
        for (number, spot) in picture.spots_of(Some(at)) {
            let _ = writeln!(out, "    {}", node(number, spot));
        }
        out.push_str("  }\n");
    }
    for (number, spot) in picture.spots_of(None) {
        let _ = writeln!(out, "  {}", node(number, spot));
    }
    for arrow in &picture.arrows {
        let _ = writeln!(out, "  n{} -> n{} [{}];", arrow.from, arrow.to, attributes(arrow));
    }
    out.push_str("}\n");
    out
}

fn node(number: usize, spot: &Spot) -> String {
    let mut label = spot.label.clone();
    if spot.hosts > 1 {
        let _ = write!(label, "\n{} hosts", spot.hosts);
    }
    let mut more = String::new();
    if spot.kind == Kind::Trusted {
        more.push_str(", peripheries=2");
    }
    if spot.trouble != Trouble::None {
        more.push_str(", color=\"#d1242f\", penwidth=2");
    }
    format!("n{number} [label={}{more}];", quoted(&label))
}

fn attributes(arrow: &Arrow) -> String {
    let style = match arrow.style {
        Style::Trail => "solid",
        Style::Backup | Style::Dead => "dashed",
        Style::Keyed | Style::Plain => "dotted",
    };
    let red = arrow.cyclic || arrow.style == Style::Dead;
    format!(
        "label={}, style={style}{}{}{}",
        quoted(&arrow.text),
        if red { ", color=\"#d1242f\"" } else { "" },
        if arrow.both_ways { ", dir=both" } else { "" },
        // Backup lines pull no host up or down.
        if arrow.style == Style::Backup {
            ", constraint=false"
        } else {
            ""
        },
    )
}

/// A quoted string of DOT.
fn quoted(text: &str) -> String {
    format!(
        "\"{}\"",
        text.replace('\\', "\\\\")
            .replace('"', "\\\"")
            .replace('\n', "\\n")
    )
}
