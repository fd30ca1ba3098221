//! SVG that stands by itself: no script, no font, no Graphviz.

use super::colour::Tone;
use super::label::escaped;
use super::layout::{BOX, Layout, Rect, layout};
use super::mark::{FAINT, INK, RED, clock, diamond, host};
use super::route::{level, port, routed};
use super::{Arrow, Picture, Style, Trouble};
use crate::vocabulary::counted;
use std::fmt::Write;

const LINE: &str = "#7a8494";
/// Room for the heading.
const HEAD: f64 = 64.0;
/// Room for the legend.
const FOOT: f64 = 58.0;

/// Draws the picture.
pub fn svg(picture: &Picture) -> String {
    let at = layout(picture, HEAD);
    let (width, height) = (at.size.0.max(760.0), at.size.1 + FOOT);
    let shift = (width - at.size.0) / 2.0;
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width:.0} {height:.0}\" width=\"{width:.0}\" height=\"{height:.0}\" \
         font-family=\"system-ui, -apple-system, 'Segoe UI', Roboto, Helvetica, Arial, sans-serif\" role=\"img\">\n\
         <title>Certificate trails</title>\n<rect width=\"100%\" height=\"100%\" fill=\"#ffffff\"/>\n"
    );
    defs(&mut out);
    heading(&mut out, picture);
    // Writing to a String cannot fail.
    let _ = writeln!(out, "<g transform=\"translate({shift:.1} 0)\">");
    let tones: Vec<Tone> = picture
        .groups
        .iter()
        .enumerate()
        .map(|(number, area)| Tone::of(&area.name, number))
        .collect();
    let mut labels = String::new();
    for ((rect, area), tone) in at.areas.iter().zip(&picture.groups).zip(&tones) {
        let Rect { x, y, w, h } = rect;
        let _ = writeln!(
            out,
            "<rect x=\"{x:.1}\" y=\"{y:.1}\" width=\"{w:.1}\" height=\"{h:.1}\" rx=\"16\" fill=\"{}\" stroke=\"{}\"/>",
            tone.area, tone.line,
        );
        // Over the lines, on a ground of its own.
        let _ = writeln!(
            labels,
            "<text x=\"{:.1}\" y=\"{:.1}\" font-size=\"15\" font-weight=\"600\" fill=\"{}\" stroke=\"{}\" stroke-width=\"5\" \
             stroke-linejoin=\"round\" paint-order=\"stroke\">{}<tspan dx=\"8\" font-size=\"11\" font-weight=\"400\" fill=\"{FAINT}\">{}</tspan></text>",
            x + 16.0,
            y + 24.0,
            tone.ink,
            tone.area,
            escaped(&area.name),
            escaped(&area.scheme),
        );
    }
    for arrow in &picture.arrows {
        line(&mut out, &mut labels, picture, &at, arrow);
    }
    for (spot, rect) in picture.spots.iter().zip(&at.boxes) {
        let grey = Tone::grey();
        host(
            &mut out,
            spot,
            rect,
            spot.group.map_or(&grey, |group| &tones[group]),
        );
    }
    out.push_str(&labels);
    out.push_str("</g>\n");
    legend(&mut out, picture, height - 26.0);
    out.push_str("</svg>\n");
    out
}

fn defs(out: &mut String) {
    out.push_str("<defs>\n");
    for (name, colour) in [("a", LINE), ("r", RED)] {
        let _ = writeln!(
            out,
            "<marker id=\"{name}\" viewBox=\"0 0 10 10\" refX=\"8.5\" refY=\"5\" markerWidth=\"7\" markerHeight=\"7\" orient=\"auto-start-reverse\">\
             <path d=\"M0 1 L9 5 L0 9 z\" fill=\"{colour}\"/></marker>"
        );
    }
    out.push_str("</defs>\n");
}

fn heading(out: &mut String, picture: &Picture) {
    let count = |kind: Trouble| {
        picture
            .spots
            .iter()
            .filter(|spot| spot.trouble == kind)
            .map(|spot| spot.hosts)
            .sum::<u64>()
    };
    let without = count(Trouble::NoTrail);
    let mut words = format!(
        "{}, {}",
        counted(picture.hosts, "host"),
        counted(picture.groups.len(), "group")
    );
    if picture.spots.iter().map(|spot| spot.hosts).sum::<u64>() > picture.spots.len() as u64 {
        let _ = write!(words, ", in {} boxes", picture.spots.len());
    }
    let verdict = if without > 0 {
        format!("<tspan fill=\"{RED}\" font-weight=\"600\" dx=\"10\">{without} without a trail</tspan>")
    } else {
        String::new()
    };
    let _ = writeln!(
        out,
        "<text x=\"24\" y=\"32\" font-size=\"18\" font-weight=\"600\" fill=\"{INK}\">Certificate trails</text>\n\
         <text x=\"24\" y=\"51\" font-size=\"12\" fill=\"{FAINT}\">{words}{verdict}</text>"
    );
}

fn line(out: &mut String, labels: &mut String, picture: &Picture, at: &Layout, arrow: &Arrow) {
    let (client, server) = (&at.boxes[arrow.from], &at.boxes[arrow.to]);
    let bad = arrow.cyclic || arrow.style == Style::Dead;
    let (path, label) = if arrow.from == arrow.to {
        let (x, y) = (client.x + client.w, client.y + BOX / 2.0);
        (
            format!("M{x:.1} {:.1} c26 -18 26 34 2 18", y - 9.0),
            (x + 22.0, y),
        )
    } else if (client.y - server.y).abs() < 1.0 {
        level(client, server)
    } else {
        let (from_x, to_x) = (
            port(picture, at, arrow, arrow.from, arrow.to),
            port(picture, at, arrow, arrow.to, arrow.from),
        );
        let (from_y, to_y) = if server.y < client.y {
            // Below the sheets that stand for several hosts.
            let sheets = if picture.spots[arrow.to].hosts > 1 {
                7.0
            } else {
                0.0
            };
            (client.y, server.bottom() + sheets)
        } else {
            (client.bottom(), server.y)
        };
        routed(at, (from_x, from_y), (to_x, to_y))
    };
    let (dash, thick) = match arrow.style {
        Style::Trail => ("", 1.6),
        Style::Backup | Style::Dead => (" stroke-dasharray=\"7 5\"", 1.4),
        Style::Keyed => (" stroke-dasharray=\"2 4\" stroke-linecap=\"round\"", 1.8),
        Style::Plain => (" stroke-dasharray=\"1 5\" stroke-linecap=\"round\"", 1.4),
    };
    let (colour, marker) = if bad { (RED, "r") } else { (LINE, "a") };
    let thick = if bad { 2.2 } else { thick };
    let start = if arrow.both_ways {
        format!(" marker-start=\"url(#{marker})\"")
    } else {
        String::new()
    };
    let _ = writeln!(
        out,
        "<path d=\"{path}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"{thick}\"{dash} marker-end=\"url(#{marker})\"{start}/>"
    );
    // Too many labels are worse than none.
    if !arrow.text.is_empty() && picture.arrows.len() <= 120 {
        let _ = writeln!(
            labels,
            "<text x=\"{:.1}\" y=\"{:.1}\" font-size=\"10\" text-anchor=\"middle\" fill=\"{}\" stroke=\"#ffffff\" stroke-width=\"3\" paint-order=\"stroke\">{}</text>",
            label.0,
            label.1 + 3.0,
            if bad { RED } else { FAINT },
            escaped(&arrow.text)
        );
    }
}

fn legend(out: &mut String, picture: &Picture, y: f64) {
    let mut x = 24.0;
    let _ = writeln!(out, "<g font-size=\"11\" fill=\"{FAINT}\">");
    let mut word = |out: &mut String, mark: String, text: &str| {
        let _ = writeln!(
            out,
            "{mark}<text x=\"{:.1}\" y=\"{:.1}\">{text}</text>",
            x + 28.0,
            y + 4.0
        );
        #[allow(clippy::cast_precision_loss)] // some dozen characters
        let letters = text.chars().count() as f64;
        x += 48.0 + letters * 6.0;
        x
    };
    let stroke = |x: f64, dash: &str, colour: &str| {
        format!("<path d=\"M{x:.1} {y:.1} h22\" stroke=\"{colour}\" stroke-width=\"1.8\"{dash}/>")
    };
    let mut marks = String::new();
    diamond(&mut marks, 34.0, y, FAINT);
    let mut next = word(out, marks, "trusted host");
    if picture.spots.iter().any(|spot| spot.clock) {
        let mut mark = String::new();
        clock(&mut mark, next + 12.0, y, FAINT);
        next = word(out, mark, "reference clock");
    }
    let has = |style: Style| {
        picture
            .arrows
            .iter()
            .any(|arrow| arrow.style == style && !arrow.cyclic)
    };
    for (style, dash, text) in [
        (Style::Trail, "", "trail"),
        (Style::Backup, " stroke-dasharray=\"7 5\"", "backup"),
        (
            Style::Keyed,
            " stroke-dasharray=\"2 4\" stroke-linecap=\"round\"",
            "symmetric key",
        ),
        (
            Style::Plain,
            " stroke-dasharray=\"1 5\" stroke-linecap=\"round\"",
            "no authentication",
        ),
    ] {
        if has(style) {
            next = word(out, stroke(next, dash, LINE), text);
        }
    }
    if has(Style::Dead) {
        next = word(out, stroke(next, " stroke-dasharray=\"7 5\"", RED), "cannot work");
    }
    if picture.arrows.iter().any(|arrow| arrow.cyclic) {
        next = word(out, stroke(next, "", RED), "cycle");
    }
    if picture
        .spots
        .iter()
        .any(|spot| matches!(spot.trouble, Trouble::SinglePoint(_)))
    {
        let mark = format!(
            "<rect x=\"{:.1}\" y=\"{:.1}\" width=\"20\" height=\"15\" rx=\"7.5\" fill=\"{RED}\"/>",
            next + 2.0,
            y - 7.5
        );
        word(out, mark, "hosts that depend on it alone");
    }
    out.push_str("</g>\n");
}
