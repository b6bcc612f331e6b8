//! Tables on a terminal: aligned, and no wider than it is.

use std::io::IsTerminal;

use serde_json::Value;

use crate::instant;

/// Narrowest a column becomes.
const COLUMN_MIN: usize = 8;

/// Rows under heads.
pub(super) struct Table {
    rows: Vec<Vec<String>>,
}

impl Table {
    /// A table with a line of heads.
    pub(super) fn new(heads: Vec<String>, rows: Vec<Vec<String>>) -> Table {
        Table { rows: std::iter::once(heads).chain(rows).collect() }
    }

    /// A table without one.
    pub(super) fn without_head(rows: Vec<Vec<String>>) -> Table {
        Table { rows }
    }

    /// The lines. With a width, the widest columns are cut until all fit, the cut text ending in `…`.
    pub(super) fn lines(&self, width: Option<usize>) -> Vec<String> {
        let columns = self.rows.iter().map(Vec::len).max().unwrap_or(0);
        let longest =
            |column| self.rows.iter().filter_map(|row| row.get(column)).map(|cell: &String| count(cell)).max();
        let mut widths: Vec<usize> = (0..columns).map(|column| longest(column).unwrap_or(0)).collect();
        if let Some(width) = width {
            fit(&mut widths, width);
        }
        self.rows.iter().map(|row| line(row, &widths)).collect()
    }
}

/// A value as a cell shows it.
pub(super) fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => "-".to_owned(),
        other => other.to_string(),
    }
}

/// A moment as a cell shows it, to the millisecond: all are of one width.
pub(super) fn time(value: &Value) -> String {
    value.as_str().and_then(instant::parse).map_or_else(|| plain(value), instant::to_text)
}

/// The width of the terminal; `None` when the output goes elsewhere.
pub(super) fn width() -> Option<usize> {
    if !std::io::stdout().is_terminal() {
        return None;
    }
    let told = std::env::var("COLUMNS").ok().and_then(|text| text.parse().ok());
    told.or_else(|| terminal_size::terminal_size().map(|(width, _)| usize::from(width.0)))
}

fn fit(widths: &mut [usize], width: usize) {
    let gaps = 2 * widths.len().saturating_sub(1);
    while widths.iter().sum::<usize>() + gaps > width {
        let Some(widest) = widths.iter_mut().max() else { return };
        if *widest <= COLUMN_MIN {
            return;
        }
        *widest -= 1;
    }
}

fn line(row: &[String], widths: &[usize]) -> String {
    let cells = row.iter().zip(widths).map(|(cell, width)| {
        let cut = cut(cell, *width);
        let pad = width - count(&cut);
        format!("{cut}{}", " ".repeat(pad))
    });
    cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
}

/// The text on one line, in so many characters.
fn cut(text: &str, width: usize) -> String {
    // What comes from elsewhere must not move the cursor.
    let clean: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    if count(&clean) <= width {
        return clean;
    }
    clean.chars().take(width.saturating_sub(1)).chain(['…']).collect()
}

fn count(text: &str) -> usize {
    text.chars().count()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> Table {
        let row = |cells: [&str; 3]| cells.map(str::to_owned).to_vec();
        Table::new(
            row(["id", "name", "note"]),
            vec![row(["1", "Ann", "x".repeat(30).as_str()]), row(["22", "", "é\u{7}"])],
        )
    }

    #[test]
    fn columns_are_aligned_and_cut_to_the_width() {
        assert_eq!(
            table().lines(None),
            ["id  name  note".to_owned(), format!("1   Ann   {}", "x".repeat(30)), "22        é".to_owned(),]
        );
        let narrow = table().lines(Some(24));
        assert_eq!(narrow[1], format!("1   Ann   {}…", "x".repeat(13)));
        assert!(narrow.iter().all(|line| line.chars().count() <= 24));
        assert!(table().lines(Some(1))[1].contains('…'), "never narrower than what can be read");
    }
}
