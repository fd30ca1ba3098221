//! What stands in the boxes of the SVG.

use super::{Kind, Spot, Trouble};

/// What is said of a spot below its name.
pub(super) fn detail(spot: &Spot) -> String {
    let mut words = Vec::new();
    if spot.hosts > 1 {
        words.push(format!("{} hosts", spot.hosts));
    }
    if let Some(stratum) = spot.stratum {
        words.push(format!("stratum {stratum}"));
    }
    if spot.kind == Kind::External {
        words.push("outside".to_owned());
    }
    if spot.trouble == Trouble::NoTrail {
        words.push("no trail".to_owned());
    }
    words.join(" · ")
}

/// A long name, shortened in the middle.
pub(super) fn short(label: &str) -> String {
    const MOST: usize = 38;
    let letters: Vec<char> = label.chars().collect();
    if letters.len() <= MOST {
        return label.to_owned();
    }
    let (head, tail): (String, String) = (
        letters[..MOST / 2].iter().collect(),
        letters[letters.len() - MOST / 2 + 1..].iter().collect(),
    );
    format!("{head}…{tail}")
}

/// Text of an element.
pub(super) fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}
