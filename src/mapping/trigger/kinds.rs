//! Which of the six calls can fulfil a trigger: what a router asks before it looks at an event.

use crate::event::Kind;
use crate::json::{Json, Object};

use super::tree::{Expr, Node};

/// Some of the six calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct KindSet(u8);

impl KindSet {
    /// All six.
    pub const ALL: KindSet = KindSet(0b11_1111);

    /// None.
    pub const NONE: KindSet = KindSet(0);

    /// Whether `kind` is among them.
    pub fn contains(self, kind: Kind) -> bool {
        self.0 & bit(kind) != 0
    }

    /// Whether there is none.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Those that are in both.
    pub fn and(self, other: KindSet) -> KindSet {
        KindSet(self.0 & other.0)
    }

    /// Whether one of them has the member `root` (reference: [`Kind::has`]).
    pub fn have(self, root: &str) -> bool {
        self.iter().any(|kind| kind.has(root))
    }

    /// Those that are in this, in the order of [`Kind::ALL`].
    pub fn iter(self) -> impl Iterator<Item = Kind> {
        Kind::ALL.into_iter().filter(move |kind| self.contains(*kind))
    }
}

/// As a sentence names them: `track and page`.
impl std::fmt::Display for KindSet {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let names: Vec<&str> = self.iter().map(Kind::name).collect();
        match names.split_last() {
            Some((last, [])) => f.write_str(last),
            Some((last, others)) => write!(f, "{} and {last}", others.join(", ")),
            None => f.write_str("no"),
        }
    }
}

impl FromIterator<Kind> for KindSet {
    fn from_iter<I: IntoIterator<Item = Kind>>(kinds: I) -> Self {
        KindSet(kinds.into_iter().fold(0, |set, kind| set | bit(kind)))
    }
}

const fn bit(kind: Kind) -> u8 {
    1 << kind as u8
}

/// The calls for which the condition is not false already because of their `type`.
pub(super) fn possible(root: &Node) -> KindSet {
    let can_hold = |kind: &Kind| {
        let mut known = Object::new();
        known.push_new("type", kind.name().into());
        decided(root, &Json::Object(known)) != Some(false)
    };
    Kind::ALL.into_iter().filter(can_hold).collect()
}

/// The truth of a part as far as `type`, the only member of `known`, decides it.
fn decided(node: &Node, known: &Json<'_>) -> Option<bool> {
    match &node.expr {
        Expr::And(parts) => joined(parts, known, false),
        Expr::Or(parts) => joined(parts, known, true),
        Expr::Not(part) => decided(part, known).map(|holds| !holds),
        _ => reads_only_type(node).then(|| node.holds(known)),
    }
}

/// One part that is `strongest` decides; without one, all must be decided.
fn joined(parts: &[Node], known: &Json<'_>, strongest: bool) -> Option<bool> {
    let parts: Vec<Option<bool>> = parts.iter().map(|part| decided(part, known)).collect();
    if parts.contains(&Some(strongest)) {
        return Some(strongest);
    }
    if parts.contains(&None) { None } else { Some(!strongest) }
}

fn reads_only_type(node: &Node) -> bool {
    let mut only_type = true;
    node.visit(&mut |part| only_type &= part.as_path().is_none_or(|path| path.is("type")));
    only_type
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mapping::trigger::Trigger;

    #[track_caller]
    fn check(trigger: &str, expected: &[Kind]) {
        let kinds = Trigger::parse(trigger).unwrap().trigger.kinds();
        assert_eq!(kinds.iter().collect::<Vec<_>>(), expected, "{trigger}");
    }

    #[test]
    fn names_the_calls_that_can_fulfil_it() {
        use Kind::*;
        check("type = \"track\"", &[Track]);
        check("type = \"track\" and event = \"A\"", &[Track]);
        check("type = \"track\" and event = \"A\" or type = \"page\"", &[Track, Page]);
        check("event = \"A\" or type = \"page\"", &Kind::ALL);
        check("event = \"A\"", &Kind::ALL);
        check("!(type = \"track\" or type = \"page\" and event = \"A\")", &[Identify, Page, Screen, Group, Alias]);
        check("type != \"alias\"", &[Identify, Track, Page, Screen, Group]);
        check("type in [\"group\", \"identify\"]", &[Identify, Group]);
        check("match(type, \"*a*\")", &[Track, Page, Alias]);
        check("uppercase(type) = \"SCREEN\"", &[Screen]);
        check("type = event", &Kind::ALL);
        check("true", &Kind::ALL);
        check("false", &[]);
        check("type = \"Track\"", &[]);
        check("type = \"track\" and type = \"page\"", &[]);
    }

    #[test]
    fn a_set_holds_what_was_put_in() {
        assert_eq!(Kind::ALL.into_iter().collect::<KindSet>(), KindSet::ALL);
        assert!(KindSet::NONE.is_empty() && !KindSet::ALL.is_empty());
    }
}
