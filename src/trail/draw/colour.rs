//! Colours of groups.

/// The colours of one group, as `#rrggbb`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tone {
    /// The area.
    pub area: String,
    /// Outlines.
    pub line: String,
    /// Filled boxes.
    pub strong: String,
    /// Writing.
    pub ink: String,
}

impl Tone {
    /// The colours of the group at this place in the list. A group named after a colour gets it.
    pub fn of(name: &str, at: usize) -> Self {
        let lower = name.to_ascii_lowercase();
        // Further hues step by the golden angle, which keeps neighbours apart, and begin off red, which means
        // trouble.
        let step = f64::from(u32::try_from(at).unwrap_or(0));
        let hue = NAMED
            .iter()
            .find(|(word, _)| lower == *word)
            .map_or_else(|| 20.0 + (step * 137.508 + 180.0) % 300.0, |(_, hue)| *hue);
        Self {
            area: hex(hue, 0.65, 0.965),
            line: hex(hue, 0.40, 0.72),
            strong: hex(hue, 0.50, 0.42),
            ink: hex(hue, 0.55, 0.26),
        }
    }

    /// Of hosts outside groups.
    pub fn grey() -> Self {
        Self {
            area: "#f6f7f9".into(),
            line: "#b4bac4".into(),
            strong: "#5b6472".into(),
            ink: "#3b424d".into(),
        }
    }
}

const NAMED: [(&str, f64); 11] = [
    ("red", 350.0),
    ("orange", 28.0),
    ("amber", 40.0),
    ("yellow", 50.0),
    ("green", 140.0),
    ("teal", 175.0),
    ("cyan", 190.0),
    ("blue", 215.0),
    ("violet", 262.0),
    ("purple", 280.0),
    ("magenta", 310.0),
];

/// Hue in degrees, saturation and lightness from 0 to 1.
fn hex(hue: f64, saturation: f64, lightness: f64) -> String {
    let chroma = (1.0 - (2.0 * lightness - 1.0).abs()) * saturation;
    let channel = |shift: f64| {
        let k = (shift + hue / 30.0) % 12.0;
        let value = lightness - chroma / 2.0 * (k - 3.0).min(9.0 - k).clamp(-1.0, 1.0);
        // Within 0 to 255 by construction.
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        let byte = (value * 255.0).round().clamp(0.0, 255.0) as u8;
        byte
    };
    format!("#{:02x}{:02x}{:02x}", channel(0.0), channel(8.0), channel(4.0))
}
