//! The part of the docs about expressions: paths, directives, and what differs from Segment.

use std::fmt::Write;

use super::table;
use crate::mapping::directive::{self, Example, liquid};
use crate::mapping::segment::{COERCION, Deviation, MAPPING};

/// Appends it.
pub(super) fn write(page: &mut String) {
    page.push_str(EXPRESSIONS);
    page.push_str(PATHS);
    page.push_str(DIRECTIVES);
    table(
        page,
        &["directive", "what it gives", "example"],
        directive::ALL
            .iter()
            .map(|one| vec![format!("`${}`", one.name), one.docs.to_owned(), format!("`{}`", one.examples[0].mapping)]),
    );
    page.push_str("\n### Examples\n\n");
    table(page, &["expression", "event", "gives"], directive::ALL.iter().flat_map(|one| one.examples).map(example));
    liquid_words(page);
    page.push_str(DIFFERENCES);
    deviations(page, MAPPING);
    page.push_str("\nFitting a value to a field:\n\n");
    deviations(page, COERCION);
}

const EXPRESSIONS: &str = "
## Expressions

A field is filled by an expression. Text that starts with `$.` or `$[`, or is `$`, is a path; text with `{{ … }}` in it is a
template; a map whose only key is a directive is computed; anything else is itself, and `$literal` makes it so. In a map of
expressions a member that comes to nothing is left out and `null` is kept; in a list it is `null`.

What a field cannot use is fitted or left out, and said in a warning with the field, what it was and what it became:
`value_converted`, `field_dropped`, and `value_lost` where a directive could make nothing of a value. `on_invalid: reject`
on a mapping makes a dead letter of what does not fit. The same event always gives the same result.
";

const PATHS: &str = "
## Paths

Paths are JSONPath (RFC 9535), read when the file is. One of names and indexes gives the value there or nothing; one with
wildcards, slices, filters or `..` gives the list of what it finds, in the order of the event. A name with other characters
than letters, digits and `_` stands in brackets and quotes: `$.properties['foo-bar']`. Segment's `$.a.0.b` and `$.sp ace` are
read as `$.a[0].b` and `$['sp ace']`, with a warning. Inside `{{ … }}` and `@path` the `$.` may be missing and names may hold
any character. The functions are `length`, `count`, `value`, `match` and `search`; the pattern of the latter two is checked
when the file is read. Of patterns that are taken from the event ten are compiled at most, which is said in a warning. `in`,
`nin` and the other operators of other dialects are refused. A mapping may look at 250,000 values of an event, or as much
text as takes that long; a field that would need more comes to nothing as a whole, with a warning.
";

const DIRECTIVES: &str = "
## Directives

A map whose only key is one of these is computed. Segment's `\"@name\"` form works too, and gives the same but where it is said.
There is no `$now`: results must not depend on when an event is delivered.

";

const DIFFERENCES: &str = "
## What differs from Segment

Everything else gives what its engine gives, as far as that was recorded; a directive written `@name` or `$name` alike.

";

fn example(one: &Example) -> Vec<String> {
    let gives = if one.gives.is_empty() { "nothing".to_owned() } else { format!("`{}`", one.gives) };
    vec![format!("`{}`", one.mapping), format!("`{}`", one.event), gives]
}

fn liquid_words(page: &mut String) {
    let words =
        |words: &mut dyn Iterator<Item = &str>| words.map(|word| format!("`{word}`")).collect::<Vec<_>>().join(" ");
    let tags = words(&mut liquid::TAGS.into_iter());
    let filters = words(&mut liquid::filter_names());
    let tags_refused = words(&mut liquid::TAGS_REFUSED.iter().map(|(tag, _)| *tag));
    let filters_refused = words(&mut liquid::FILTERS_REFUSED.into_iter());
    let _ = write!(
        page,
        "\n## Liquid\n\nTags: {tags}, with `elsif` and `else`.\n\nFilters: {filters}.\n\nRefused when the file is read, as at \
         Segment, or because a template here stands alone: the tags {tags_refused}; the filters {filters_refused}.\n"
    );
}

fn deviations(page: &mut String, deviations: &[Deviation]) {
    table(
        page,
        &["", "at Segment", "here"],
        deviations.iter().map(|one| vec![one.name.replace('_', " "), one.segment.to_owned(), one.here.to_owned()]),
    );
}
