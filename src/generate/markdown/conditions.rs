//! The part of the docs about triggers and filters: the language of conditions.

use super::table;
use crate::mapping::trigger;

const BEFORE: &str = "
## Triggers

A condition on an event, in the language Segment documents for its triggers (FQL). `filter`, for the whole file, is written in
it as well. `!` binds most tightly, then comparisons, then `and`, then `or`; brackets say otherwise. Texts stand in double or
single quotes. A member that is missing is `null`: nothing is less or greater than it, and `!=` anything but `null` holds.

";

const AFTER: &str = "
A comparison of values of different types is false, with `!=` true; nothing is converted behind your back. What Segment
silently reads otherwise is warned about by `interline check`, for triggers that are brought along.

### Trigger functions

";

/// A condition, an event, and whether it holds for it.
const EXAMPLES: [(&str, &str, bool); 13] = [
    (r#"type = "identify""#, r#"{"type":"identify"}"#, true),
    (r#"type = "track" and event = "Order Completed""#, r#"{"type":"track","event":"Order Completed"}"#, true),
    (r#"event in ["Order Completed", "Order Refunded"]"#, r#"{"event":"Order Refunded"}"#, true),
    (r#"match(event, "Order *")"#, r#"{"event":"Order Refunded"}"#, true),
    (r#"contains(event, "order")"#, r#"{"event":"Order Refunded"}"#, false),
    ("properties.revenue > 100", r#"{"properties":{"revenue":250}}"#, true),
    ("properties.revenue > 100", r#"{"properties":{"revenue":"250"}}"#, false),
    ("userId != null", r#"{"anonymousId":"a1"}"#, false),
    (r#"context.environment != "staging""#, "{}", true),
    (r#"!(traits.plan = "free" or traits.plan = null)"#, r#"{"traits":{"plan":"pro"}}"#, true),
    (r#"properties.products[0].sku = "a-1""#, r#"{"properties":{"products":[{"sku":"a-1"}]}}"#, true),
    (r#"lowercase(traits.plan) = "pro""#, r#"{"traits":{"plan":"Pro"}}"#, true),
    ("length(properties.products) >= 2", r#"{"properties":{"products":[{}]}}"#, false),
];

/// Appends it.
pub(super) fn write(page: &mut String) {
    page.push_str(BEFORE);
    table(
        page,
        &["condition", "event", "holds"],
        EXAMPLES.iter().map(|(condition, event, holds)| {
            vec![format!("`{condition}`"), format!("`{event}`"), if *holds { "yes" } else { "no" }.to_owned()]
        }),
    );
    page.push_str(AFTER);
    table(
        page,
        &["function", "what it gives"],
        trigger::FUNCTIONS.iter().map(|one| vec![format!("`{}`", one.usage), one.docs.to_owned()]),
    );
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json;
    use crate::mapping::trigger::Trigger;

    #[test]
    fn every_example_holds_as_it_says() {
        for (condition, event, holds) in EXAMPLES {
            let trigger = Trigger::parse(condition).unwrap_or_else(|problem| panic!("{condition}: {problem}")).trigger;
            assert_eq!(trigger.holds(&json::parse(event.as_bytes()).unwrap()), holds, "{condition} {event}");
        }
    }
}
