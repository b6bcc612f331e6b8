//! A bar that shows how far something long has come, where somebody watches.

use std::io::{IsTerminal, Write};

use super::terminal::Look;

const WIDTH: usize = 30;

/// A bar on stderr; nothing at all where that is no terminal.
pub(super) struct Bar {
    total: u64,
    what: &'static str,
    is_watched: bool,
}

impl Bar {
    /// A bar for so many of `what`.
    pub(super) fn new(total: u64, what: &'static str) -> Bar {
        Bar { total, what, is_watched: std::io::stderr().is_terminal() }
    }

    /// Shows that so many are done.
    pub(super) fn show(&self, done: u64) {
        if self.is_watched {
            eprint!("\r{}", line(done, self.total, self.what, Look::of_stderr().unicode));
            let _ = std::io::stderr().flush();
        }
    }

    /// Takes the bar away, so that what follows stands on a line of its own.
    pub(super) fn finish(self) {
        if self.is_watched {
            eprint!("\r\u{1b}[K");
            let _ = std::io::stderr().flush();
        }
    }
}

fn line(done: u64, total: u64, what: &str, unicode: bool) -> String {
    let (full, empty) = if unicode { ("█", "░") } else { ("#", ".") };
    let part = if total == 0 { 1.0 } else { (done as f64 / total as f64).min(1.0) };
    let filled = (part * WIDTH as f64) as usize;
    format!("{}{} {done} of {total} {what}", full.repeat(filled), empty.repeat(WIDTH - filled))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_fills_up() {
        assert_eq!(line(1, 3, "x", false), format!("{}{} 1 of 3 x", "#".repeat(10), ".".repeat(20)));
        assert_eq!(line(0, 0, "x", true), format!("{} 0 of 0 x", "█".repeat(30)));
        assert!(line(9, 3, "x", false).starts_with(&"#".repeat(30)), "more than there was a moment ago");
    }
}
