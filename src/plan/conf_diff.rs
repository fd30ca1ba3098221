//! Diffs of configuration files that never show a secret: lines are compared by their bytes and shown by what is known of them.

use super::{DiffLine, DiffOp};
use crate::ntpconf::Line;
use crate::vocabulary::counted;
use similar::{Algorithm, DiffOp as Op, capture_diff_slices, group_diff_ops};

/// Unchanged lines shown around a change.
const CONTEXT: usize = 1;

/// The changed lines between two versions of a file. A line of which only the secret changed is shown as gone and added, redacted twice.
pub fn diff(old: &[Line], new: &[Line]) -> Vec<DiffLine> {
    fn bytes(lines: &[Line]) -> Vec<&[u8]> {
        lines.iter().map(|line| line.bytes.expose()).collect()
    }
    let (old_bytes, new_bytes) = (bytes(old), bytes(new));
    if let Some(lines) = too_far_apart(&old_bytes, &new_bytes) {
        return lines;
    }
    let ops = capture_diff_slices(Algorithm::Myers, &old_bytes, &new_bytes);
    let mut lines = Vec::new();
    let mut shown_to = 0;
    for group in group_diff_ops(ops, CONTEXT) {
        let first = group.first().map_or(0, |op| op.old_range().start);
        skip(&mut lines, first - shown_to);
        for op in &group {
            shown_to = op.old_range().end;
            push(&mut lines, op, old, new);
        }
    }
    if !lines.is_empty() {
        skip(&mut lines, old.len() - shown_to);
    }
    lines
}

/// In place of a diff that would take a time that grows with the square of what a host holds: how many lines differ.
fn too_far_apart(old: &[&[u8]], new: &[&[u8]]) -> Option<Vec<DiffLine>> {
    const MOST: usize = 4000;
    let same = old.iter().zip(new).take_while(|(old, new)| old == new).count();
    let (old_rest, new_rest) = (&old[same..], &new[same..]);
    let tail = old_rest
        .iter()
        .rev()
        .zip(new_rest.iter().rev())
        .take_while(|(old, new)| old == new)
        .count();
    let (gone, added) = (old_rest.len() - tail, new_rest.len() - tail);
    (gone + added > MOST).then(|| {
        let mut lines = Vec::new();
        skip(&mut lines, same);
        lines.push(DiffLine {
            op: DiffOp::Skip,
            text: format!("{gone} lines replaced by {added}"),
        });
        skip(&mut lines, tail);
        lines
    })
}

fn skip(lines: &mut Vec<DiffLine>, count: usize) {
    if count > 0 {
        let text = format!("{} unchanged", counted(count, "line"));
        lines.push(DiffLine {
            op: DiffOp::Skip,
            text,
        });
    }
}

fn push(lines: &mut Vec<DiffLine>, op: &Op, old: &[Line], new: &[Line]) {
    let (tag, old_range, new_range) = op.as_tag_tuple();
    let mut add = |op, from: &[Line]| {
        lines.extend(from.iter().map(|line| DiffLine {
            op,
            text: line.shown.clone(),
        }));
    };
    match tag {
        similar::DiffTag::Equal => add(DiffOp::Keep, &new[new_range]),
        similar::DiffTag::Delete => add(DiffOp::Remove, &old[old_range]),
        similar::DiffTag::Insert => add(DiffOp::Add, &new[new_range]),
        similar::DiffTag::Replace => {
            add(DiffOp::Remove, &old[old_range]);
            add(DiffOp::Add, &new[new_range]);
        }
    }
}
