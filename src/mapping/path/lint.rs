//! What a JSONPath may not hold, and what it had better not.

use jsonpath_rust::parser::model::{
    Comparable, Filter, FilterAtom, FnArg, JpQuery, Segment, Selector, Test, TestFunction,
};

/// The functions in a query's filters that matter here.
#[derive(Default)]
pub(super) struct Functions {
    /// One that is not in RFC 9535.
    pub foreign: Option<String>,
    /// Whether a pattern is compiled for every element.
    pub patterns: bool,
}

/// Finds them.
pub(super) fn functions(query: &JpQuery) -> Functions {
    let mut found = Functions::default();
    found.segments(&query.segments);
    found
}

impl Functions {
    fn segments(&mut self, segments: &[Segment]) {
        for segment in segments {
            match segment {
                Segment::Descendant(inner) => self.segments(std::slice::from_ref(inner)),
                Segment::Selector(selector) => self.selector(selector),
                Segment::Selectors(selectors) => selectors.iter().for_each(|selector| self.selector(selector)),
            }
        }
    }

    fn selector(&mut self, selector: &Selector) {
        if let Selector::Filter(filter) = selector {
            self.filter(filter);
        }
    }

    fn filter(&mut self, filter: &Filter) {
        match filter {
            Filter::Or(parts) | Filter::And(parts) => parts.iter().for_each(|part| self.filter(part)),
            Filter::Atom(FilterAtom::Filter { expr, .. }) => self.filter(expr),
            Filter::Atom(FilterAtom::Test { expr, .. }) => self.test(expr),
            Filter::Atom(FilterAtom::Comparison(comparison)) => {
                let (left, right) = comparison.vals();
                for side in [left, right] {
                    if let Comparable::Function(function) = side {
                        self.function(function);
                    }
                }
            }
        }
    }

    fn test(&mut self, test: &Test) {
        match test {
            Test::RelQuery(segments) => self.segments(segments),
            Test::AbsQuery(query) => self.segments(&query.segments),
            Test::Function(function) => self.function(function),
        }
    }

    fn function(&mut self, function: &TestFunction) {
        match function {
            TestFunction::Custom(name, arguments) => {
                self.foreign.get_or_insert_with(|| name.clone());
                arguments.iter().for_each(|argument| self.argument(argument));
            }
            TestFunction::Length(argument) => self.argument(argument),
            TestFunction::Value(argument) | TestFunction::Count(argument) => self.argument(argument),
            TestFunction::Search(text, pattern) | TestFunction::Match(text, pattern) => {
                self.patterns = true;
                self.argument(text);
                self.argument(pattern);
            }
        }
    }

    fn argument(&mut self, argument: &FnArg) {
        match argument {
            FnArg::Literal(_) => {}
            FnArg::Test(test) => self.test(test),
            FnArg::Filter(filter) => self.filter(filter),
        }
    }
}
