//! One line of the table: what was measured, what was reached, what was to be reached.

use std::fmt;

/// What a benchmark found.
pub struct Figure {
    /// What was measured.
    pub what: &'static str,
    /// What was reached.
    pub reached: Amount,
    /// What was to be reached; `None`: it is only told.
    pub target: Option<Target>,
    /// The figures behind it.
    pub behind: String,
}

/// A figure with its unit.
#[derive(Clone, Copy)]
pub enum Amount {
    /// How many times another figure of the same run.
    Times(f64),
    /// Mebibytes.
    Mebibytes(f64),
    /// Share of one processor, in percent.
    Percent(f64),
    /// So many for each event.
    Each(f64),
    /// Seconds.
    Seconds(f64),
    /// So many in a second.
    PerSecond(f64),
}

/// A bound.
#[derive(Clone, Copy)]
pub enum Target {
    /// Not more.
    AtMost(f64),
    /// Not less.
    AtLeast(f64),
}

impl Figure {
    fn verdict(&self) -> &'static str {
        let reached = self.reached.number();
        match self.target {
            None => "",
            Some(Target::AtMost(most)) if reached <= most => "met",
            Some(Target::AtLeast(least)) if reached >= least => "met",
            Some(_) => "MISSED",
        }
    }
}

impl Amount {
    fn number(self) -> f64 {
        match self {
            Amount::Times(number)
            | Amount::Mebibytes(number)
            | Amount::Percent(number)
            | Amount::Each(number)
            | Amount::Seconds(number)
            | Amount::PerSecond(number) => number,
        }
    }

    fn with(self, number: f64) -> String {
        match self {
            Amount::Times(_) => format!("{number:.2} ×"),
            Amount::Mebibytes(_) => format!("{number:.1} MiB"),
            Amount::Percent(_) => format!("{number:.1} %"),
            Amount::Each(_) => format!("{number:.3}"),
            Amount::Seconds(_) => format!("{number:.2} s"),
            Amount::PerSecond(_) => format!("{number:.0}/s"),
        }
    }
}

impl fmt::Display for Figure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let reached = self.reached.with(self.reached.number());
        let target = match self.target {
            None => String::new(),
            Some(Target::AtMost(most)) => format!("≤ {}", self.reached.with(most)),
            Some(Target::AtLeast(least)) => format!("≥ {}", self.reached.with(least)),
        };
        write!(f, "{:<52} {reached:>9} {target:>11}  {:<7} {}", self.what, self.verdict(), self.behind)
    }
}

/// The heading of the table.
pub fn heading() -> String {
    format!("{:<52} {:>9} {:>11}  {:<7} {}", "what", "reached", "target", "verdict", "figures")
}

/// The middle one.
pub fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
