//! What a part of a trigger says of an event: its truth, or its value.

use std::cmp::Ordering;
use std::collections::HashMap;
use std::ops::Deref;

use crate::json::{Json, Number, Object};

use super::tree::{Comparison, Expr, Node, Operator};

/// The value of a part: one that stands in the event or the trigger, or one that was made.
pub(super) enum Value<'v> {
    Seen(&'v Json<'v>),
    Made(Json<'v>),
}

impl<'v> Deref for Value<'v> {
    type Target = Json<'v>;

    fn deref(&self) -> &Json<'v> {
        match self {
            Value::Seen(json) => json,
            Value::Made(json) => json,
        }
    }
}

/// What a path that leads nowhere is read as.
static MISSING: Json<'static> = Json::Null;

impl Node {
    /// Whether this part, taken as a condition, is fulfilled: only `true` is.
    pub(super) fn holds(&self, event: &Json<'_>) -> bool {
        match &self.expr {
            Expr::And(parts) => parts.iter().all(|part| part.holds(event)),
            Expr::Or(parts) => parts.iter().any(|part| part.holds(event)),
            Expr::Not(part) => !part.holds(event),
            Expr::Compare(comparison) => comparison.holds(event),
            Expr::Path(_) | Expr::Call(_) | Expr::Literal(_) => matches!(*self.value(event), Json::Bool(true)),
            Expr::List(_) => false,
        }
    }

    /// The value of this part where nothing needs to be made for it.
    fn seen<'v>(&'v self, event: &'v Json<'v>) -> Option<&'v Json<'v>> {
        match &self.expr {
            Expr::Path(path) => Some(path.read(event).unwrap_or(&MISSING)),
            Expr::Literal(literal) => Some(literal),
            _ => None,
        }
    }

    /// The value of this part; a condition's is its truth.
    pub(super) fn value<'v>(&'v self, event: &'v Json<'v>) -> Value<'v> {
        match &self.expr {
            Expr::Path(_) | Expr::Literal(_) => Value::Seen(self.seen(event).unwrap_or(&MISSING)),
            Expr::Call(call) => Value::Made(call.value(event)),
            Expr::List(items) => Value::Made(Json::List(items.iter().map(|item| item.value(event).take()).collect())),
            Expr::And(_) | Expr::Or(_) | Expr::Not(_) | Expr::Compare(_) => Value::Made(Json::Bool(self.holds(event))),
        }
    }
}

impl<'v> Value<'v> {
    fn take(self) -> Json<'v> {
        match self {
            Value::Seen(json) => json.clone(),
            Value::Made(json) => json,
        }
    }
}

impl Comparison {
    fn holds(&self, event: &Json<'_>) -> bool {
        if let (Some(left), Some(right)) = (self.left.seen(event), self.right.seen(event)) {
            return compare(left, self.operator, right);
        }
        compare(&self.left.value(event), self.operator, &self.right.value(event))
    }
}

/// Whether the comparison of two values is true.
fn compare(left: &Json<'_>, operator: Operator, right: &Json<'_>) -> bool {
    let ordered = |fits: fn(Ordering) -> bool| match (left, right) {
        (Json::Number(left), Json::Number(right)) => fits(order(left, right)),
        _ => false,
    };
    match operator {
        Operator::Equal => equal(left, right),
        Operator::NotEqual => !equal(left, right),
        Operator::Less => ordered(Ordering::is_lt),
        Operator::AtMost => ordered(Ordering::is_le),
        Operator::Greater => ordered(Ordering::is_gt),
        Operator::AtLeast => ordered(Ordering::is_ge),
        Operator::In => right.as_list().is_some_and(|items| items.iter().any(|item| equal(left, item))),
    }
}

/// Whether two values are of one type and the same; the order of an object's members does not count.
fn equal(left: &Json<'_>, right: &Json<'_>) -> bool {
    match (left, right) {
        (Json::Null, Json::Null) => true,
        (Json::Bool(left), Json::Bool(right)) => left == right,
        (Json::String(left), Json::String(right)) => left == right,
        (Json::Number(left), Json::Number(right)) => order(left, right).is_eq(),
        (Json::List(left), Json::List(right)) => {
            left.len() == right.len() && left.iter().zip(right).all(|(left, right)| equal(left, right))
        }
        (Json::Object(left), Json::Object(right)) => left.len() == right.len() && same_members(left, right),
        _ => false,
    }
}

fn same_members(left: &Object<'_>, right: &Object<'_>) -> bool {
    if left.iter().zip(right.iter()).all(|((left, _), (right, _))| left == right) {
        return left.iter().zip(right.iter()).all(|((_, left), (_, right))| equal(left, right));
    }
    let right: HashMap<&str, &Json<'_>> = right.iter().collect();
    left.iter().all(|(key, left)| right.get(key).is_some_and(|right| equal(left, right)))
}

/// Which of two numbers is larger, by their exact values.
fn order(left: &Number, right: &Number) -> Ordering {
    match (left.as_i128(), right.as_i128()) {
        (Some(left), Some(right)) => left.cmp(&right),
        (Some(left), None) => order_mixed(left, double(right)),
        (None, Some(right)) => order_mixed(right, double(left)).reverse(),
        (None, None) => double(left).partial_cmp(&double(right)).expect("no number of JSON is NaN"),
    }
}

/// An integer of 64 bits against a double. The whole part of a double in this range fits an `i128`; any other is larger
/// than all integers of 64 bits, and clamping keeps it so.
fn order_mixed(integer: i128, double: f64) -> Ordering {
    let whole = double.trunc();
    let fraction = double - whole;
    integer.cmp(&(whole as i128)).then(0.0_f64.partial_cmp(&fraction).expect("a JSON number is finite"))
}

fn double(number: &Number) -> f64 {
    number.as_f64().expect("without arbitrary precision every number is a double")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(left: &str, right: &str, expected: Ordering) {
        let (left, right): (Number, Number) = (left.parse().unwrap(), right.parse().unwrap());
        assert_eq!(order(&left, &right), expected, "{left} against {right}");
        assert_eq!(order(&right, &left), expected.reverse(), "{right} against {left}");
    }

    #[test]
    fn numbers_compare_by_exact_value() {
        check("5", "5.0", Ordering::Equal);
        check("0", "-0.0", Ordering::Equal);
        check("5", "5.5", Ordering::Less);
        check("-5", "-5.5", Ordering::Greater);
        check("-5.5", "-6", Ordering::Greater);
        check("9007199254740993", "9007199254740992", Ordering::Greater);
        check("9007199254740993", "9007199254740992.0", Ordering::Greater);
        check("18446744073709551615", "18446744073709551616", Ordering::Less);
        check("18446744073709551615", "-1", Ordering::Greater);
        check("-9223372036854775808", "-9223372036854775808.0", Ordering::Equal);
        check("18446744073709551615", "1e300", Ordering::Less);
        check("-9223372036854775808", "-1e300", Ordering::Greater);
    }

    #[test]
    fn values_are_equal_within_one_type() {
        let same = |left: &str, right: &str| {
            equal(&crate::json::parse(left.as_bytes()).unwrap(), &crate::json::parse(right.as_bytes()).unwrap())
        };
        assert!(same(r#"{"a":1,"b":[2.0]}"#, r#"{"b":[2],"a":1.0}"#));
        assert!(!same(r#"{"a":1}"#, r#"{"b":1}"#));
        assert!(!same(r#"{"a":1,"b":2}"#, r#"{"b":1,"a":2}"#));
        assert!(!same(r#"{"a":1}"#, r#"{"a":1,"b":1}"#));
        assert!(!same("[1,2]", "[2,1]"));
        assert!(!same("1", "true"));
        assert!(!same("null", "false"));
    }
}
