//! Where results differ from Segment's on purpose, and why. Everything else is to give what its engine gives.

/// A deliberate difference.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Deviation {
    /// What it is about, in a word.
    pub name: &'static str,
    /// What Segment does.
    pub segment: &'static str,
    /// What is done here, and why.
    pub here: &'static str,
}

const fn deviation(name: &'static str, segment: &'static str, here: &'static str) -> Deviation {
    Deviation { name, segment, here }
}

/// The differences of expressions and directives, in both spellings.
pub const MAPPING: &[Deviation] = &[
    deviation(
        "root",
        "`$` is nothing; `$.` is the whole event",
        "`$` is the whole event (RFC 9535), in `$map` and `$arrayPath` the item",
    ),
    deviation(
        "through_empty",
        "a path that meets `null`, `\"\"`, 0 or `false` on its way gives that",
        "nothing: that is the value of another member",
    ),
    deviation("jsonpath", "`[*]`, `[-1]` and filters find nothing, `..` is a dot", "they are JSONPath (RFC 9535)"),
    deviation(
        "javascript",
        "what JavaScript adds can be reached: `.length`, `.constructor`, the letters of a text; a text or list is merged by index",
        "only what the event holds; `$merge` passes over what is not an object, with a warning",
    ),
    deviation("dotted_name", "a name with a dot in it is never found", "`['a.b']` is the member of that name"),
    deviation("quoted_name", "a name with a quote in it is never found", "refused at load; `['…']` reaches every name"),
    deviation(
        "computed_path",
        "a computed path that comes to nothing discards the whole event",
        "it comes to nothing, as any other path",
    ),
    deviation("template_dollar", "`{{$.traits.name}}` is always empty", "the same as `{{traits.name}}`"),
    deviation("falsy_else", "`else` is ignored when it is `false`, 0 or empty text", "`else` is used, whatever it is"),
    deviation(
        "merge_missing",
        "a member that comes to nothing takes away the one it would have replaced",
        "it leaves what is there",
    ),
    deviation(
        "misspelt_word",
        "`LEFT`, `ENCODE` are accepted and do something else",
        "refused at load, with the word that was meant",
    ),
    deviation(
        "liquid_event",
        "`event.properties.x`, as the documentation writes it, is empty",
        "the same as `properties.x`",
    ),
    deviation(
        "liquid_words",
        "the tags `cycle`, `echo` and `liquid`, and the filter `sample` work",
        "refused at load: there are no loops, and results must not depend on chance",
    ),
    deviation(
        "liquid_number",
        "arithmetic with what is no number, or by 0, gives `NaN` or `Infinity`",
        "nothing, with a warning",
    ),
    deviation("liquid_clock", "`\"now\" | date` is the time of delivery", "refused: results must not depend on when"),
    deviation(
        "liquid_zone",
        "the filter `date` takes the name of a place as its time zone",
        "UTC, or a number of minutes behind it: what a place's name stands for changes with the machine",
    ),
    deviation(
        "limits",
        "a template has 1,000 characters, 500 ms and 100 MB",
        "4,000 characters and 256 KB for each value; work is counted, not timed: 250,000 steps for one event and mapping",
    ),
    deviation("object_text", "an object in a text is `[object Object]`", "its JSON"),
];

/// The differences of fitting a value to a field.
pub const COERCION: &[Deviation] = &[
    deviation(
        "number_forms",
        "a number may be hexadecimal, octal or binary text (`0x10`)",
        "decimal text only: `0x10` is more often an identifier",
    ),
    deviation(
        "unix_date",
        "a date stays as it was written, and reaches Intercom so",
        "Unix seconds, which is what Intercom takes",
    ),
    deviation(
        "odd_date",
        "anything JavaScript can make a date of (`12.5`, `2024-02-30`, -1)",
        "RFC 3339, a date, or a Unix time in s, ms or µs; nothing before 1970 as a number",
    ),
    deviation("trimmed", "space around an e-mail address or URL makes it invalid", "it is taken away"),
];
