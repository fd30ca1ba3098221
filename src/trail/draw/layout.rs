//! Where everything of a picture goes: groups are columns, rows are layers, so areas never overlap.

use super::{Kind, Picture, Spot, Style};
use std::collections::BTreeMap;

/// Height of a box.
pub const BOX: f64 = 46.0;
const GAP_X: f64 = 34.0;
const GAP_Y: f64 = 64.0;
/// Between rows of one layer of one group.
const GAP_WRAP: f64 = 18.0;
const PAD: f64 = 24.0;
const TITLE: f64 = 30.0;
const BETWEEN: f64 = 34.0;
/// Boxes side by side in one group.
const PER_ROW: usize = 8;

/// A rectangle.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Rect {
    /// Left.
    pub x: f64,
    /// Top.
    pub y: f64,
    /// Width.
    pub w: f64,
    /// Height.
    pub h: f64,
}

impl Rect {
    /// Middle from left to right.
    pub fn middle(&self) -> f64 {
        self.x + self.w / 2.0
    }

    /// Lower edge.
    pub fn bottom(&self) -> f64 {
        self.y + self.h
    }
}

/// A picture laid out.
#[derive(Debug, Clone, PartialEq)]
pub struct Layout {
    /// By spot.
    pub boxes: Vec<Rect>,
    /// By group.
    pub areas: Vec<Rect>,
    /// Size of it all.
    pub size: (f64, f64),
}

/// The width of a box by its writing.
pub fn width(spot: &Spot) -> f64 {
    #[allow(clippy::cast_precision_loss)] // some dozen characters
    let letters = |text: &str| text.chars().count() as f64;
    let name = letters(&super::label::short(&spot.label)) * 7.6;
    let signs = if spot.kind == Kind::Trusted || spot.clock {
        62.0
    } else {
        34.0
    };
    let detail = letters(&super::label::detail(spot)) * 5.9 + 30.0;
    (name + signs).max(detail).max(92.0)
}

/// Lays the picture out with its upper left corner at the given height.
pub fn layout(picture: &Picture, top: f64) -> Layout {
    let columns = columns(picture);
    let rows_of = |column: usize, layer: u32| -> Vec<usize> {
        let of = |spot: &Spot| spot.group.unwrap_or(picture.groups.len()) == column && spot.layer == layer;
        (0..picture.spots.len())
            .filter(|&at| of(&picture.spots[at]))
            .collect()
    };
    let mut layers: Vec<u32> = picture.spots.iter().map(|spot| spot.layer).collect();
    layers.sort_unstable();
    layers.dedup();
    // Cells in the order drawn: by layer, by column.
    let mut cells: BTreeMap<(usize, usize), Vec<usize>> = BTreeMap::new();
    for (row, &layer) in layers.iter().enumerate() {
        for (place, &column) in columns.iter().enumerate() {
            let spots = rows_of(column, layer);
            if !spots.is_empty() {
                cells.insert((row, place), spots);
            }
        }
    }
    let widths = column_widths(picture, &columns, &cells);
    let heights: Vec<f64> = (0..layers.len())
        .map(|row| row_height(&cells, row, columns.len()))
        .collect();
    let mut boxes = vec![Rect::default(); picture.spots.len()];
    let mut y = top + TITLE + PAD / 2.0;
    for (row, height) in heights.iter().enumerate() {
        let mut x = PAD;
        for (place, width) in widths.iter().enumerate() {
            if let Some(spots) = cells.get(&(row, place)) {
                let ordered = by_upstream(picture, spots, &boxes);
                set(picture, &ordered, &mut boxes, x, *width, y);
            }
            x += width + BETWEEN;
        }
        y += height + GAP_Y;
    }
    let areas = areas(picture, &columns, &widths, &boxes);
    let total: f64 = widths.iter().map(|width| width + BETWEEN).sum::<f64>() - BETWEEN + 2.0 * PAD;
    Layout {
        boxes,
        areas,
        size: (total.max(420.0), y - GAP_Y + PAD),
    }
}

/// Groups from left to right: each near those it has lines with. The last column is of hosts outside groups.
fn columns(picture: &Picture) -> Vec<usize> {
    let outside = picture.groups.len();
    let column = |spot: usize| picture.spots[spot].group.unwrap_or(outside);
    let mut pulls: BTreeMap<(usize, usize), f64> = BTreeMap::new();
    for arrow in &picture.arrows {
        let (from, to) = (column(arrow.from), column(arrow.to));
        if from != to {
            // Trails pull together more than backups do.
            let pull = if arrow.style == Style::Trail { 1.0 } else { 0.4 };
            *pulls.entry((from.min(to), from.max(to))).or_default() += pull;
        }
    }
    let mut order: Vec<usize> = (0..=outside).collect();
    order.retain(|&group| {
        picture
            .spots
            .iter()
            .any(|spot| spot.group.unwrap_or(outside) == group)
    });
    // Moves single columns as long as that shortens the lines; with many groups a few rounds must do.
    let mut place = vec![0usize; outside + 1];
    let mut length = |order: &[usize]| -> f64 {
        for (at, &group) in order.iter().enumerate() {
            place[group] = at;
        }
        #[allow(clippy::cast_precision_loss)] // as many as there are groups
        pulls
            .iter()
            .map(|(&(a, b), pull)| pull * place[a].abs_diff(place[b]) as f64)
            .sum()
    };
    let mut best = length(&order);
    let rounds = if order.len() <= 24 { 6 } else { 0 };
    for _ in 0..rounds {
        let before = best;
        for from in 0..order.len() {
            for to in 0..order.len() {
                let mut moved = order.clone();
                let group = moved.remove(from);
                moved.insert(to, group);
                let now = length(&moved);
                if now + 1e-9 < best {
                    (best, order) = (now, moved);
                }
            }
        }
        if before - best < 1e-9 {
            break;
        }
    }
    order
}

fn row_width(picture: &Picture, spots: &[usize]) -> f64 {
    spots
        .iter()
        .map(|&spot| width(&picture.spots[spot]) + GAP_X)
        .sum::<f64>()
        - GAP_X
}

fn column_widths(
    picture: &Picture,
    columns: &[usize],
    cells: &BTreeMap<(usize, usize), Vec<usize>>,
) -> Vec<f64> {
    let mut widths = vec![0.0f64; columns.len()];
    for (&(_, place), spots) in cells {
        for row in spots.chunks(PER_ROW) {
            widths[place] = widths[place].max(row_width(picture, row) + 2.0 * PAD);
        }
    }
    for (place, &column) in columns.iter().enumerate() {
        if let Some(area) = picture.groups.get(column) {
            #[allow(clippy::cast_precision_loss)] // some dozen characters
            let letters = (area.name.chars().count() + area.scheme.len()) as f64;
            widths[place] = widths[place].max(letters * 8.6 + 60.0);
        }
    }
    widths
}

#[allow(clippy::cast_precision_loss)] // some rows
fn row_height(cells: &BTreeMap<(usize, usize), Vec<usize>>, row: usize, columns: usize) -> f64 {
    let rows = (0..columns)
        .filter_map(|place| cells.get(&(row, place)))
        .map(|spots| spots.len().div_ceil(PER_ROW))
        .max()
        .unwrap_or(1);
    rows as f64 * (BOX + GAP_WRAP) - GAP_WRAP
}

/// Boxes of one cell ordered by where their servers are, so that lines cross less.
fn by_upstream(picture: &Picture, spots: &[usize], boxes: &[Rect]) -> Vec<usize> {
    let pull = |spot: usize| {
        let servers: Vec<f64> = picture
            .arrows
            .iter()
            .filter(|arrow| arrow.from == spot && boxes[arrow.to].w > 0.0)
            .map(|arrow| boxes[arrow.to].middle())
            .collect();
        #[allow(clippy::cast_precision_loss)] // a handful of servers
        let count = servers.len() as f64;
        if servers.is_empty() {
            f64::MAX
        } else {
            servers.iter().sum::<f64>() / count
        }
    };
    let mut pulls: Vec<(f64, usize)> = spots.iter().map(|&spot| (pull(spot), spot)).collect();
    pulls.sort_by(|a, b| a.0.total_cmp(&b.0));
    pulls.into_iter().map(|(_, spot)| spot).collect()
}

/// Places the boxes of one cell in centred rows.
fn set(picture: &Picture, spots: &[usize], boxes: &mut [Rect], left: f64, width_of_column: f64, top: f64) {
    let mut y = top;
    for row in spots.chunks(PER_ROW) {
        let mut x = left + (width_of_column - row_width(picture, row)) / 2.0;
        for &spot in row {
            let w = width(&picture.spots[spot]);
            boxes[spot] = Rect { x, y, w, h: BOX };
            x += w + GAP_X;
        }
        y += BOX + GAP_WRAP;
    }
}

fn areas(picture: &Picture, columns: &[usize], widths: &[f64], boxes: &[Rect]) -> Vec<Rect> {
    let mut areas = vec![Rect::default(); picture.groups.len()];
    let mut x = PAD;
    for (&column, &w) in columns.iter().zip(widths) {
        if column < picture.groups.len() {
            let of = || {
                boxes
                    .iter()
                    .zip(&picture.spots)
                    .filter(|(_, spot)| spot.group == Some(column))
            };
            let top = of().map(|(rect, _)| rect.y).fold(f64::MAX, f64::min) - TITLE - PAD / 2.0;
            let bottom = of().map(|(rect, _)| rect.bottom()).fold(0.0, f64::max) + PAD;
            areas[column] = Rect {
                x,
                y: top,
                w,
                h: bottom - top,
            };
        }
        x += w + BETWEEN;
    }
    areas
}
