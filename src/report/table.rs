//! Tables for people: columns without lines between them. Where the terminal is too narrow for one, cells go on below
//! themselves, at words, so that a column stays a column.

use comfy_table::{ColumnConstraint, ContentArrangement, Row, Table, Width, presets};

/// What tables are shown on.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Screen {
    /// With ANSI colours.
    pub color: bool,
    /// Columns of the terminal; `None`: it is none, and lines are as long as they are.
    pub width: Option<u16>,
}

/// A table with this heading, of which colours are shown where the screen takes them.
pub fn table(heading: impl Into<Row>, screen: Screen) -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).force_no_tty();
    let heading = heading.into();
    if heading.cell_count() > 0 {
        table.set_header(heading);
    }
    if screen.color {
        table.enforce_styling();
    }
    table
}

/// The lines of a table, no blanks at their ends, no newline after the last.
pub fn table_text(mut table: Table, screen: Screen) -> String {
    if let Some(width) = screen.width {
        fit(&mut table, width);
    }
    table.trim_fmt()
}

/// Gives columns less than they would like, where not all of them can have it. Words stay whole as long as that is
/// possible, the first column's (names of hosts) always; a table that cannot be had so is left to the terminal.
fn fit(table: &mut Table, width: u16) {
    let wanted = table.column_max_content_widths();
    // What is left for cells, with so many blanks at each. Nobody sees that behind the last one.
    let room = |blanks: u16| {
        let all = usize::from(width) + usize::from(blanks) - 1;
        all.saturating_sub(wanted.len() * usize::from(blanks))
    };
    if wanted.iter().copied().map(usize::from).sum::<usize>() <= room(2) {
        return;
    }
    let words = longest_words(table, wanted.len());
    for (most, blanks) in [40, 24, 16, 12, 8]
        .into_iter()
        .flat_map(|most| [(most, 2), (most, 1)])
    {
        let least: Vec<u16> = words
            .iter()
            .enumerate()
            .map(|(column, &word)| if column == 0 { word } else { word.min(most) })
            .collect();
        let Some(widths) = widths(&least, &wanted, room(blanks)) else {
            continue;
        };
        table
            .set_content_arrangement(ContentArrangement::Dynamic)
            .set_width(width + blanks - 1);
        for (column, width) in table.column_iter_mut().zip(widths) {
            column
                .set_padding((1, blanks - 1))
                .set_constraint(ColumnConstraint::Absolute(Width::Fixed(width + blanks)));
        }
        return;
    }
}

/// The longest word of each column.
fn longest_words(table: &Table, columns: usize) -> Vec<u16> {
    let mut longest = vec![1; columns];
    for row in table.header().into_iter().chain(table.row_iter()) {
        for (longest, cell) in longest.iter_mut().zip(row.cell_iter()) {
            for word in cell.content().split_whitespace() {
                let long = u16::try_from(word.chars().count()).unwrap_or(u16::MAX);
                *longest = (*longest).max(long);
            }
        }
    }
    longest
}

/// At least the least for each, at most what it wants; what is left is shared evenly among those that want more. `None`: there
/// is not room for the least.
fn widths(least: &[u16], wanted: &[u16], room: usize) -> Option<Vec<u16>> {
    let needed: usize = least.iter().copied().map(usize::from).sum();
    let mut left = room.checked_sub(needed)?;
    let mut widths = least.to_vec();
    let more = |column: usize| wanted[column].saturating_sub(least[column]);
    let mut columns: Vec<usize> = (0..least.len()).collect();
    columns.sort_by_key(|&column| more(column));
    for (done, &column) in columns.iter().enumerate() {
        let share = left / (columns.len() - done);
        let more = more(column).min(u16::try_from(share).unwrap_or(u16::MAX));
        widths[column] += more;
        left -= usize::from(more);
    }
    Some(widths)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(width: Option<u16>) -> String {
        let screen = Screen { color: false, width };
        let mut table = table(["HOST", "LAST VERIFIED", "TROUBLE"], screen);
        table.add_row([
            "leaf1",
            "2 h ago, well",
            "the certificate ends in 3 days; renew it",
        ]);
        table.add_row(["leaf2", "never", ""]);
        table_text(table, screen)
    }

    #[test]
    fn what_is_wide_enough_is_left_alone() {
        let whole = shown(None);
        assert_eq!(whole.lines().count(), 3, "{whole}");
        let widest = whole.lines().map(str::len).max().expect("lines");
        assert_eq!(shown(u16::try_from(widest).ok()), whole);
    }

    #[test]
    fn cells_go_on_below_themselves_at_words() {
        assert_eq!(
            shown(Some(44)),
            " HOST   LAST VERIFIED  TROUBLE
 leaf1  2 h ago, well  the certificate ends
                       in 3 days; renew it
 leaf2  never"
        );
        // Before a word is cut, the blanks between columns are.
        assert_eq!(
            shown(Some(27)),
            " HOST  LAST     TROUBLE
       VERIFIED
 leaf1 2 h ago, the
       well     certificate
                ends in 3
                days; renew
                it
 leaf2 never"
        );
    }

    #[test]
    fn no_line_is_longer_than_the_terminal_unless_words_are() {
        for width in 25..80 {
            let text = shown(Some(width));
            assert!(
                text.lines().all(|line| line.len() <= width.into()),
                "{width}:\n{text}"
            );
        }
        let raw = shown(Some(12));
        assert_eq!(raw, shown(None));
    }

    #[test]
    fn who_wants_little_gets_it_and_the_others_share() {
        assert_eq!(widths(&[5, 8, 4], &[5, 10, 40], 30), Some(vec![5, 10, 15]));
        assert_eq!(widths(&[5, 8, 4], &[5, 10, 40], 17), Some(vec![5, 8, 4]));
        assert_eq!(widths(&[5, 8, 4], &[5, 10, 40], 16), None);
    }

    #[test]
    fn colours_are_the_screens() {
        let red = |color| {
            let screen = Screen { color, width: None };
            let mut table = table(["A"], screen);
            table.add_row([comfy_table::Cell::new("b").fg(comfy_table::Color::Red)]);
            table_text(table, screen).contains('\u{1b}')
        };
        assert!(red(true) && !red(false));
    }
}
