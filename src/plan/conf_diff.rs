//! Diffs of configuration files that never show a secret: lines are compared by their bytes and shown by what is known of them.

use super::{DiffLine, DiffOp};
use crate::ntpconf::Line;
use similar::{Algorithm, DiffOp as Op, capture_diff_slices, group_diff_ops};

/// Unchanged lines shown around a change.
const CONTEXT: usize = 1;

/// The changed lines between two versions of a file. A line of which only the secret changed is shown as gone and added, redacted twice.
pub fn diff(old: &[Line], new: &[Line]) -> Vec<DiffLine> {
    fn bytes(lines: &[Line]) -> Vec<&[u8]> {
        lines.iter().map(|line| line.bytes.expose()).collect()
    }
    let (old_bytes, new_bytes) = (bytes(old), bytes(new));
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

fn skip(lines: &mut Vec<DiffLine>, count: usize) {
    if count > 0 {
        let text = format!("{count} line{} unchanged", if count == 1 { "" } else { "s" });
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
