//! The ways of lines between boxes.

use super::layout::{BOX, Layout, Rect};
use super::{Arrow, Picture};
use std::fmt::Write;

/// Where a line meets its boxes, spread over their width by where the other ends are.
pub(super) fn port(picture: &Picture, at: &Layout, arrow: &Arrow, spot: usize, other: usize) -> f64 {
    let rect = &at.boxes[spot];
    let up = at.boxes[other].y < rect.y;
    let mut ends: Vec<(f64, usize, usize)> = picture
        .arrows
        .iter()
        .filter(|line| line.from != line.to && (line.from == spot || line.to == spot))
        .map(|line| (line, if line.from == spot { line.to } else { line.from }))
        .filter(|(_, end)| (at.boxes[*end].y < rect.y) == up && (at.boxes[*end].y - rect.y).abs() > 1.0)
        .map(|(line, end)| (approach(at, rect, &at.boxes[end]), line.from, line.to))
        .collect();
    ends.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)).then(a.2.cmp(&b.2)));
    let place = ends
        .iter()
        .position(|end| (end.1, end.2) == (arrow.from, arrow.to))
        .unwrap_or(0);
    #[allow(clippy::cast_precision_loss)] // lines of one box
    let share = (place as f64 + 1.0) / (ends.len() as f64 + 1.0);
    rect.x + rect.w * (0.18 + 0.64 * share)
}

/// Where a line from one box to another leaves its neighbourhood: at the other box, or where it passes the next row.
fn approach(at: &Layout, near: &Rect, far: &Rect) -> f64 {
    let between = at.boxes.iter().map(|rect| rect.y).filter(|y| {
        let (high, low) = if near.y < far.y {
            (near.y, far.y)
        } else {
            (far.y, near.y)
        };
        high + 1.0 < *y && *y < low - 1.0
    });
    let next = between.min_by(|a, b| (a - near.y).abs().total_cmp(&(b - near.y).abs()));
    match next {
        Some(row) => {
            let share = (row - near.y) / (far.y - near.y);
            free(at, row, near.middle() + (far.middle() - near.middle()) * share)
        }
        None => far.middle(),
    }
}

/// A line between two boxes of one row: an arc above them.
pub(super) fn level(client: &Rect, server: &Rect) -> (String, (f64, f64)) {
    let (a, b) = (client.middle(), server.middle());
    // A neighbour is reached straight from side to side.
    let (left, right) = if a < b { (client, server) } else { (server, client) };
    let gap = right.x - (left.x + left.w);
    if gap > 0.0 && gap < 60.0 {
        let y = client.y + BOX / 2.0;
        let (from, to) = if a < b {
            (client.x + client.w, server.x)
        } else {
            (client.x, server.x + server.w)
        };
        return (
            format!("M{from:.1} {y:.1} L{to:.1} {y:.1}"),
            (f64::midpoint(from, to), y - 9.0),
        );
    }
    let rise = 26.0 + (a - b).abs() * 0.06;
    let y = client.y;
    (
        format!(
            "M{a:.1} {y:.1} C{a:.1} {:.1} {b:.1} {:.1} {b:.1} {y:.1}",
            y - rise,
            y - rise
        ),
        (f64::midpoint(a, b), y - rise * 0.75),
    )
}

/// A line across rows: smooth, and around the boxes of the rows between.
pub(super) fn routed(at: &Layout, from: (f64, f64), to: (f64, f64)) -> (String, (f64, f64)) {
    let (high, low) = if from.1 < to.1 {
        (from.1, to.1)
    } else {
        (to.1, from.1)
    };
    let mut rows: Vec<f64> = at
        .boxes
        .iter()
        .map(|rect| rect.y)
        .filter(|y| *y > high + 1.0 && y + BOX < low - 1.0)
        .collect();
    rows.sort_by(f64::total_cmp);
    rows.dedup_by(|a, b| (*a - *b).abs() < 1.0);
    if from.1 > to.1 {
        rows.reverse();
    }
    let mut points = vec![from];
    for row in rows {
        let centre = row + BOX / 2.0;
        let straight = from.0 + (to.0 - from.0) * (centre - from.1) / (to.1 - from.1);
        let x = free(at, row, straight);
        // In at one edge of the row and out at the other, upright.
        let (enter, leave) = if from.1 < to.1 {
            (row, row + BOX)
        } else {
            (row + BOX, row)
        };
        points.push((x, enter));
        points.push((x, leave));
    }
    points.push(to);
    let mut path = format!("M{:.1} {:.1}", from.0, from.1);
    for pair in points.windows(2) {
        let ((ax, ay), (bx, by)) = (pair[0], pair[1]);
        let half = f64::midpoint(ay, by);
        let _ = write!(path, " C{ax:.1} {half:.1} {bx:.1} {half:.1} {bx:.1} {by:.1}");
    }
    // A third of the way up the first piece, where lines to one server are still apart, or further where the
    // title of a group stands.
    let along = |t: f64| {
        let ((ax, ay), (bx, by)) = (points[0], points[1]);
        let (half, u) = (f64::midpoint(ay, by), 1.0 - t);
        let y = ay * u * u * u + 3.0 * half * u * t + by * t * t * t;
        (ax + (bx - ax) * t * t * (3.0 - 2.0 * t), y)
    };
    let on_title = |(x, y): (f64, f64)| {
        at.areas
            .iter()
            .any(|area| (area.x..area.x + 130.0).contains(&x) && (area.y - 4.0..area.y + 36.0).contains(&y))
    };
    let label = [0.36, 0.62, 0.78, 0.2]
        .map(along)
        .into_iter()
        .find(|point| !on_title(*point));
    (path, label.unwrap_or_else(|| along(0.36)))
}

/// The place nearest to `x` in a row that no box covers.
fn free(at: &Layout, row: f64, x: f64) -> f64 {
    const ROOM: f64 = 13.0;
    let mut spans: Vec<(f64, f64)> = at
        .boxes
        .iter()
        .filter(|rect| (rect.y - row).abs() < 1.0)
        .map(|rect| (rect.x - ROOM, rect.x + rect.w + ROOM))
        .collect();
    spans.sort_by(|a, b| a.0.total_cmp(&b.0));
    // Boxes too near to each other to pass between are one.
    let mut joined: Vec<(f64, f64)> = Vec::new();
    for span in spans {
        match joined.last_mut() {
            Some(last) if span.0 < last.1 - ROOM => last.1 = last.1.max(span.1),
            _ => joined.push(span),
        }
    }
    match joined.iter().find(|span| span.0 < x && x < span.1) {
        Some(span) if x - span.0 < span.1 - x => span.0,
        Some(span) => span.1,
        None => x,
    }
}
