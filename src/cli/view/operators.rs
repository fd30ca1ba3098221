//! Who can open a vault, as text.

use crate::report::time_format;
use crate::vault::Operator;

/// A line for each: recipient, name and since when.
pub fn text(operators: &[Operator]) -> String {
    let line = |operator: &Operator| {
        format!(
            "{}  {}, since {}",
            operator.recipient,
            operator.name,
            time_format::day(operator.added)
        )
    };
    operators.iter().map(line).collect::<Vec<_>>().join("\n")
}
