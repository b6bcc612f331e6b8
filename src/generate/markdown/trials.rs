//! The part of the docs about the tests of a destination file.

use serde_json::Value;

use super::file::keys;
use crate::generate::schema;

const BEFORE: &str = "
## Tests

Under `tests` stand events, and what must become of them. `interline test mappings/` runs them with no Intercom and no clock,
so a file that is changed shows at once what else changed. A test names every mapping that matches its event.

";

const EXAMPLE: &str = "
```yaml
tests:
  - name: an order in exact cents
    event: { type: track, userId: u1, event: Order Completed, properties: { revenue: 19.99 } }
    expect:
      - mapping: Orders
        payload: { metadata: { price: { amount: 1999, currency: USD } } }   # a part is enough
        requests: [ { post: /events, body: { user_id: u1 } } ]              # what is sent
  - name: page views are nobody's
    event: { type: page, userId: u1, name: Pricing }
    expect: []
```
";

/// Appends it.
pub(super) fn write(page: &mut String) {
    page.push_str(BEFORE);
    let test = &schema::destination_value()["properties"]["tests"]["items"];
    keys(page, test, &names(test, &["name", "event", "expect"]));
    page.push_str("\nOf each item of `expect`:\n\n");
    let expected = &test["properties"]["expect"]["items"];
    keys(page, expected, &names(expected, &["mapping", "payload", "requests"]));
    page.push_str(EXAMPLE);
}

/// All keys of a schema, these first.
fn names<'s>(schema: &'s Value, first: &[&'s str]) -> Vec<&'s str> {
    let all = schema["properties"].as_object().into_iter().flatten().map(|(name, _)| name.as_str());
    first.iter().copied().chain(all.filter(|name| !first.contains(name))).collect()
}
