//! The trails as a tree for the terminal, one line a box, with its stratum in front.

use super::{Arrow, Kind, Picture, Spot, Style, Trouble};
use std::fmt::Write;

/// Draws the tree. Each box hangs below its nearest server; further servers are named behind it.
pub fn text(picture: &Picture) -> String {
    let parents: Vec<Option<usize>> = (0..picture.spots.len())
        .map(|spot| parent(picture, spot))
        .collect();
    let mut children: Vec<Vec<usize>> = vec![Vec::new(); picture.spots.len()];
    let mut roots = Vec::new();
    for (spot, parent) in parents.iter().enumerate() {
        match parent {
            Some(above) => children[*above].push(spot),
            None => roots.push(spot),
        }
    }
    let mut out = String::new();
    // Last first, as they come off a stack: nothing here recurses.
    let mut stack: Vec<(usize, String, &str)> = roots
        .into_iter()
        .rev()
        .map(|root| (root, String::new(), ""))
        .collect();
    while let Some((spot, indent, branch)) = stack.pop() {
        let it = &picture.spots[spot];
        let stratum = it
            .stratum
            .map_or_else(|| " ?".to_owned(), |stratum| format!("{stratum:>2}"));
        let _ = writeln!(
            out,
            "{stratum}  {indent}{branch}{}{}",
            describe(picture, it),
            others(picture, spot, parents[spot])
        );
        let below = match branch {
            "├─ " => format!("{indent}│  "),
            "└─ " => format!("{indent}   "),
            _ => indent,
        };
        let last = children[spot].len().saturating_sub(1);
        for (at, &child) in children[spot].iter().enumerate().rev() {
            stack.push((child, below.clone(), if at == last { "└─ " } else { "├─ " }));
        }
    }
    out
}

/// The nearest server; none for those a walk would not come back from.
fn parent(picture: &Picture, spot: usize) -> Option<usize> {
    let it = &picture.spots[spot];
    lines(picture, spot)
        .filter(|arrow| arrow.style != Style::Backup && !arrow.cyclic)
        .map(|arrow| (picture.spots[arrow.to].layer, arrow.to))
        .filter(|&(layer, _)| layer < it.layer)
        .min()
        .map(|(_, server)| server)
}

fn lines(picture: &Picture, spot: usize) -> impl Iterator<Item = &Arrow> {
    picture
        .arrows
        .iter()
        .filter(move |arrow| arrow.from == spot || arrow.both_ways && arrow.to == spot)
}

fn describe(picture: &Picture, spot: &Spot) -> String {
    let mut text = match spot.kind {
        Kind::Trusted => format!("◆ {}", spot.label),
        Kind::External => format!("◇ {}", spot.label),
        Kind::Server | Kind::Client => spot.label.clone(),
    };
    if spot.hosts > 1 {
        let _ = write!(text, " ×{}", spot.hosts);
    }
    if let Some(group) = spot.group {
        let area = &picture.groups[group];
        let _ = write!(text, "  @{} {}", area.name, area.scheme);
    }
    if spot.clock {
        text.push_str("  clock");
    }
    match spot.trouble {
        Trouble::None => {}
        Trouble::SinglePoint(hosts) => {
            let _ = write!(text, "  !{hosts} depend on it alone");
        }
        Trouble::NoTrail => text.push_str("  !no trail"),
    }
    text
}

/// Servers beside the one it hangs below.
fn others(picture: &Picture, spot: usize, parent: Option<usize>) -> String {
    let mut words = Vec::new();
    for arrow in lines(picture, spot) {
        let other = if arrow.from == spot { arrow.to } else { arrow.from };
        if Some(other) == parent {
            continue;
        }
        let name = &picture.spots[other].label;
        words.push(match arrow.style {
            _ if arrow.cyclic => format!("→ {name} (cycle)"),
            Style::Trail => format!("→ {name}"),
            Style::Backup if arrow.both_ways => format!("⇄ {name} (backup)"),
            Style::Backup => format!("→ {name} (backup)"),
            Style::Keyed => format!("→ {name} ({})", arrow.text),
            Style::Plain => format!("→ {name} (no authentication)"),
            Style::Dead => format!("⇸ {name} (cannot work)"),
        });
    }
    if words.is_empty() {
        String::new()
    } else {
        format!("  {}", words.join(", "))
    }
}
