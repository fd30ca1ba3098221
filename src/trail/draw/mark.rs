//! The marks of the SVG: boxes of hosts and what is in them.

use super::colour::Tone;
use super::label::{detail, escaped, short};
use super::layout::{BOX, Rect};
use super::{Kind, Spot, Trouble};
use std::fmt::Write;

/// What is wrong.
pub const RED: &str = "#d1242f";
/// Writing.
pub const INK: &str = "#24292f";
/// Small writing.
pub const FAINT: &str = "#6b7280";

pub(super) fn host(out: &mut String, spot: &Spot, rect: &Rect, tone: &Tone) {
    let Rect { x, y, w, h } = *rect;
    let trusted = spot.kind == Kind::Trusted;
    let (fill, ink, sub) = if trusted {
        (&*tone.strong, "#ffffff", "#ffffffd0")
    } else {
        ("#ffffff", INK, FAINT)
    };
    let (stroke, thick) = match spot.trouble {
        Trouble::None => (if trusted { &*tone.ink } else { &*tone.strong }, 1.2),
        _ => (RED, 2.4),
    };
    let round = if spot.kind == Kind::Client { h / 2.0 } else { 9.0 };
    let dash = if spot.kind == Kind::External {
        " stroke-dasharray=\"5 4\""
    } else {
        ""
    };
    // Several hosts look like several sheets.
    for sheet in (1..=if spot.hosts > 1 { 2 } else { 0 }).rev() {
        let off = f64::from(sheet) * 3.5;
        let _ = writeln!(
            out,
            "<rect x=\"{:.1}\" y=\"{:.1}\" width=\"{w:.1}\" height=\"{h:.1}\" rx=\"{round:.1}\" fill=\"{fill}\" stroke=\"{}\" stroke-width=\"1\"/>",
            x + off,
            y + off,
            tone.line
        );
    }
    let _ = writeln!(
        out,
        "<rect x=\"{x:.1}\" y=\"{y:.1}\" width=\"{w:.1}\" height=\"{h:.1}\" rx=\"{round:.1}\" fill=\"{fill}\" stroke=\"{stroke}\" stroke-width=\"{thick}\"{dash}/>"
    );
    let middle = rect.middle();
    let detail = detail(spot);
    let name_y = if detail.is_empty() {
        y + BOX / 2.0 + 5.0
    } else {
        y + BOX / 2.0 - 2.0
    };
    let _ = writeln!(
        out,
        "<text x=\"{middle:.1}\" y=\"{name_y:.1}\" font-size=\"13\" font-weight=\"500\" text-anchor=\"middle\" fill=\"{ink}\">{}</text>",
        escaped(&short(&spot.label))
    );
    if !detail.is_empty() {
        let _ = writeln!(
            out,
            "<text x=\"{middle:.1}\" y=\"{:.1}\" font-size=\"10.5\" text-anchor=\"middle\" fill=\"{sub}\">{detail}</text>",
            y + BOX / 2.0 + 14.0
        );
    }
    if trusted {
        diamond(out, x + 15.0, y + 14.0, "#ffffff");
    }
    if spot.clock {
        clock(
            out,
            x + w - 15.0,
            y + 14.0,
            if trusted { "#ffffff" } else { FAINT },
        );
    }
    if let Trouble::SinglePoint(hosts) = spot.trouble {
        badge(out, x + w - 4.0, y + h - 2.0, hosts);
    }
}

pub(super) fn diamond(out: &mut String, x: f64, y: f64, colour: &str) {
    let _ = writeln!(
        out,
        "<path d=\"M{x:.1} {:.1} l4.5 5 l-4.5 5 l-4.5 -5 z\" fill=\"{colour}\"/>",
        y - 5.0
    );
}

pub(super) fn clock(out: &mut String, x: f64, y: f64, colour: &str) {
    let _ = writeln!(
        out,
        "<g fill=\"none\" stroke=\"{colour}\" stroke-width=\"1.3\" stroke-linecap=\"round\"><circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"5\"/>\
         <path d=\"M{x:.1} {:.1} V{y:.1} L{:.1} {:.1}\"/></g>",
        y - 3.0,
        x + 2.2,
        y + 1.6
    );
}

fn badge(out: &mut String, x: f64, y: f64, hosts: u64) {
    let text = hosts.to_string();
    #[allow(clippy::cast_precision_loss)] // some digits
    let w = text.len() as f64 * 6.6 + 11.0;
    let _ = writeln!(
        out,
        "<rect x=\"{:.1}\" y=\"{:.1}\" width=\"{w:.1}\" height=\"17\" rx=\"8.5\" fill=\"{RED}\"/>\
         <text x=\"{x:.1}\" y=\"{:.1}\" font-size=\"10.5\" font-weight=\"600\" text-anchor=\"middle\" fill=\"#ffffff\">{text}</text>",
        x - w / 2.0,
        y - 8.5,
        y + 3.8
    );
}
