//! How text may look where it is printed: colours, marks, and how wide a line is.

use std::io::IsTerminal;

use terminal_size::{Height, Width};

/// A line is this wide where nobody says how wide it is.
const WIDTH: usize = 140;

/// What the place where text is printed can show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Look {
    /// Whether there are colours.
    pub(super) styled: bool,
    /// Whether there are other characters than those of ASCII.
    pub(super) unicode: bool,
    /// How many characters a line has.
    pub(super) width: usize,
}

impl Look {
    /// Of stdout.
    pub(super) fn of_stdout() -> Look {
        let size = terminal_size::terminal_size_of(std::io::stdout());
        Look::of(std::io::stdout().is_terminal(), size, &|name| std::env::var(name).ok())
    }

    /// Of stderr.
    pub(super) fn of_stderr() -> Look {
        let size = terminal_size::terminal_size_of(std::io::stderr());
        Look::of(std::io::stderr().is_terminal(), size, &|name| std::env::var(name).ok())
    }

    fn of(is_terminal: bool, size: Option<(Width, Height)>, variable: &dyn Fn(&str) -> Option<String>) -> Look {
        let given = |name: &str| variable(name).filter(|value| !value.is_empty());
        // The first that is set decides; without any, what is usual now.
        let locale = ["LC_ALL", "LC_CTYPE", "LANG"].into_iter().find_map(given);
        let says_unicode = |locale: String| locale.to_lowercase().replace('-', "").contains("utf8");
        let columns = given("COLUMNS").and_then(|columns| columns.parse().ok());
        let measured = || size.map(|(Width(columns), _)| usize::from(columns));
        let is_dumb = given("TERM").is_some_and(|term| term == "dumb");
        Look {
            styled: is_terminal && !is_dumb && given("NO_COLOR").is_none(),
            unicode: locale.is_none_or(says_unicode),
            width: columns.or_else(measured).unwrap_or(WIDTH).clamp(40, 400),
        }
    }

    /// Text in a style, by its number in the terminal's own language.
    pub(super) fn style(self, code: &str, text: &str) -> String {
        if self.styled { format!("\u{1b}[{code}m{text}\u{1b}[0m") } else { text.to_owned() }
    }

    /// The mark of what is as it should be, or is not.
    pub(super) fn mark(self, is_good: bool) -> String {
        if is_good { self.style("32", "✓") } else { self.style("31", "✗") }
    }

    /// A page without signs that cannot be shown.
    pub(super) fn fit(self, page: String) -> String {
        const PLAIN: [(&str, &str); 6] = [("✓", "+"), ("✗", "x"), ("→", "->"), ("·", "-"), ("–", "-"), ("…", "...")];
        match self.unicode {
            true => page,
            false => PLAIN.iter().fold(page, |page, (sign, plain)| page.replace(sign, plain)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(is_terminal: bool, environment: &[(&str, &str)], expected: (bool, bool, usize)) {
        let variable =
            |name: &str| environment.iter().find(|(key, _)| *key == name).map(|(_, value)| value.to_string());
        let look = Look::of(is_terminal, is_terminal.then_some((Width(90), Height(30))), &variable);
        assert_eq!((look.styled, look.unicode, look.width), expected, "{environment:?}");
    }

    #[test]
    fn signs_have_plain_forms() {
        let look = Look { styled: false, unicode: false, width: 80 };
        let page = |look: Look| look.fit(format!("{} a → b · c… {} –", look.mark(true), look.mark(false)));
        assert_eq!(page(look), "+ a -> b - c... x -");
        assert_eq!(page(Look { unicode: true, ..look }), "✓ a → b · c… ✗ –");
    }

    #[test]
    fn the_environment_says_what_can_be_shown() {
        check(true, &[], (true, true, 90));
        check(false, &[], (false, true, 140));
        check(true, &[("NO_COLOR", "1"), ("LANG", "C.UTF-8")], (false, true, 90));
        check(true, &[("NO_COLOR", ""), ("LANG", "en_US.utf8"), ("COLUMNS", "72")], (true, true, 72));
        check(true, &[("TERM", "dumb"), ("LC_ALL", "C"), ("LANG", "C.UTF-8")], (false, false, 90));
        check(true, &[("LC_ALL", ""), ("LC_CTYPE", "POSIX"), ("COLUMNS", "7")], (true, false, 40));
    }
}
