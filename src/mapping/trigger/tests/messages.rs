//! What authors are told.

use super::*;

/// The text with the place of a problem marked, what is wrong, and what to write instead.
fn told(text: &str, problem: &Problem) -> (String, String, String) {
    let Range { start, end } = problem.span;
    let marked = format!("{}⟨{}⟩{}", &text[..start], &text[start..end], &text[end..]);
    (marked, problem.message.clone(), problem.help.clone().unwrap_or_default())
}

#[track_caller]
fn refused(marked: &str, message: &str, help: &str) {
    let text = marked.replace(['⟨', '⟩'], "");
    let problem = Trigger::parse(&text).expect_err(&text);
    assert_eq!(told(&text, &problem), (marked.to_owned(), message.to_owned(), help.to_owned()));
}

/// The marked warning and no other.
#[track_caller]
fn warned(marked: &str, message: &str, help: &str) {
    let text = marked.replace(['⟨', '⟩'], "");
    let warnings = Trigger::parse(&text).unwrap_or_else(|problem| panic!("{text}: {problem:?}")).warnings;
    let told: Vec<_> = warnings.iter().map(|warning| told(&text, warning)).collect();
    assert_eq!(told, [(marked.to_owned(), message.to_owned(), help.to_owned())]);
}

/// Among the warnings there is one at the mark that says Segment reads it so.
#[track_caller]
fn misread(marked: &str, reading: &str) {
    let text = marked.replace(['⟨', '⟩'], "");
    let warnings = Trigger::parse(&text).unwrap_or_else(|problem| panic!("{text}: {problem:?}")).warnings;
    let told: Vec<_> = warnings.iter().map(|warning| told(&text, warning)).collect();
    let is_told = told.iter().any(|(place, message, _)| {
        place == marked && message.strip_prefix("Segment reads this as ").is_some_and(|told| told.contains(reading))
    });
    assert!(is_told, "{told:#?}");
}

#[track_caller]
fn quiet(text: &str) {
    assert_eq!(Trigger::parse(text).expect(text).warnings, [], "{text}");
}

#[test]
fn wrong_operators() {
    refused("type ⟨==⟩ \"track\"", "`==` is not an operator", "write `=`");
    refused("type ⟨= =⟩ \"track\"", "`= =` is not an operator", "write `=`");
    refused("type ⟨<>⟩ \"track\"", "`<>` is not an operator", "write `!=`");
    refused("properties.n ⟨=>⟩ 5", "`=>` is not an operator", "write `>=`");
    refused("properties.n ⟨> =⟩ 5", "`> =` is not an operator", "write `>=` without a space");
    refused("properties.n ⟨>>⟩ 5", "`>>` is not an operator", "the operators are = != < <= > >= in");
    refused("properties.n ⟨≥⟩ 5", "`≥` is not an operator", "write `>=`");
    refused("type = \"track\" ⟨&&⟩ event = \"x\"", "`&&` is not an operator", "write `and`");
    refused("type = \"track\" ⟨||⟩ event = \"x\"", "`||` is not an operator", "write `or`");
    refused("type = \"track\" ⟨AND⟩ event = \"x\"", "`AND` is written in small letters", "write `and`");
    refused("type = \"track\" ⟨Or⟩ event = \"x\"", "`Or` is written in small letters", "write `or`");
    let not = "write `!` before the condition, for example `!(type in [\"page\", \"screen\"])`";
    refused("⟨not⟩ type = \"track\"", "`not` is not a word of triggers", not);
    refused("type ⟨not⟩ in [\"a\"]", "`not` is not a word of triggers", not);
    refused("type ⟨is⟩ \"track\"", "unknown operator `is`", "write `=`");
    refused("event ⟨contains⟩ \"x\"", "unknown operator `contains`", "write `contains(path, \"part\")`");
    refused("event ⟨starts⟩ with \"x\"", "unknown operator `starts`", "write `match(path, \"start*\")`");
    refused("properties.a = 1 ⟨=⟩ 1", "comparisons do not chain", "join two with `and`, or put one in parentheses");
}

#[test]
fn wrong_values() {
    let quote = "write \"track\" for the text, `\\track` for a member of the event";
    refused("type = ⟨track⟩", "`track` has no quotes", quote);
    refused("type in [\"page\", ⟨track⟩]", "`track` has no quotes", quote);
    refused("contains(event, ⟨track⟩)", "`track` has no quotes", quote);
    refused("userId = ⟨undefined⟩", "`undefined` has no quotes", "write `null`");
    refused("properties.a = ⟨TRUE⟩", "`TRUE` is written in small letters", "write `true`");
    refused("properties.v > ⟨1.2.3⟩", "number `1.2.3` has more than one dot", "write \"1.2.3\" if it is a text");
    refused("properties.v > ⟨5.⟩", "number `5.` ends with a dot", "write `5`");
    refused("properties.v > ⟨.⟩5", "unexpected `.`", "write a zero before the dot");
    refused("properties.v > ⟨1e999⟩", "number `1e999` is too large", "1.7e308 is about the largest");
    refused("sentAt > ⟨2024-01-01⟩", "`2024-01-01` is not a number", "write \"2024-01-01\" if it is a text");
    refused("type = ⟨\"track⟩", "text is not closed", "close it with \"");
    refused(
        "event = ⟨\"C:\\\"⟩",
        "text is not closed",
        "a backslash before \" keeps the text open; write `\\\\` for the backslash itself",
    );
    refused("type = ⟨“⟩track”", "“ is a typographic quote", "write `\"`");
    refused("type = ⟨‘⟩track’", "unexpected `‘`", "write texts in plain quotes, `\"` or `'`");
    refused("type = ⟨`⟩track`", "a backtick is not a quote", "write `\"`");
    refused(
        "type =⟨\u{200b}⟩ \"track\"",
        "unexpected invisible character U+200B",
        "in a text it stands in quotes, in a path behind a backslash",
    );
    refused("type in ⟨(⟩\"a\", \"b\")", "`in` is followed by a list in square brackets", "write `[\"a\", \"b\"]`");
    refused("type in ⟨\"a\"⟩", "`in` needs a list on its right", "write `[\"a\"]`, or the path of a list");
    refused(
        "properties.a = ⟨!⟩properties.b",
        "`!` cannot stand before a value",
        "write it before the whole condition, or put the value in parentheses: `(!…)`",
    );
    let match_help = "write `match(path, \"pattern\")`";
    refused("event ⟨=~⟩ /x/", "`=~` is not an operator, and regular expressions are not read", match_help);
    refused(
        "event = ⟨/⟩^Order/",
        "unexpected `/`",
        "regular expressions are not read; write `match(path, \"pattern*\")`",
    );
}

#[test]
fn wrong_paths() {
    let dollar = "write a path without `$.`, for example `properties.plan`; in a name it needs a backslash";
    refused("⟨$⟩.properties.a = 1", "unexpected `$`", dollar);
    refused("properties.⟨.⟩a = 1", "two dots in a row in a path", "remove one; a dot in a name is `\\.`");
    refused("properties⟨.⟩ = 1", "path ends with a dot", "name a member after the dot, or remove it");
    refused("properties⟨.⟩", "path ends with a dot", "name a member after the dot, or remove it");
    refused("properties.⟨@⟩id = 1", "`@` in a path needs a backslash", "write `\\@`");
    let items = "name one item, as in `items[0]`, or use `\"x\" in properties.items`";
    refused("properties.items.⟨$⟩.id = 1", "`$` is not part of a path in a trigger", items);
    let index = "brackets after a path hold the number of an item";
    refused("properties.items⟨[*]⟩.id = 1", index, "write `[0]` for the first item");
    refused("properties.items⟨[-1]⟩ = 1", index, "write `[0]` for the first item");
    refused("properties⟨['a b']⟩ = 1", "names in brackets are not read", "write `.a\\ b`");
    refused("properties.items⟨[⟩0 = 1", "`[` is not closed", "close it with `]`");
    refused("properties.a⟨\\⟩", "a backslash at the end escapes nothing", "remove it");
}

#[test]
fn wrong_functions() {
    refused("⟨contain⟩(event, \"x\")", "unknown function `contain`", "did you mean `contains`?");
    refused("⟨lower_case⟩(event) = \"x\"", "unknown function `lower_case`", "did you mean `lowercase`?");
    refused("⟨startsWith⟩(event, \"x\")", "unknown function `startsWith`", "write `match(path, \"start*\")`");
    let versions = "versions are not compared; use `match(path, \"2.*\")`";
    refused("⟨semver⟩(context.app.version, \">\", \"2\")", "unknown function `semver`", versions);
    refused("⟨contains(event)⟩", "`contains` takes 2 arguments, 1 given", "write `contains(text, part)`");
    refused("⟨length()⟩ > 0", "`length` takes 1 argument, 0 given", "write `length(value)`");
    refused(
        "⟨length(userId)⟩",
        "a number alone is neither true nor false",
        "compare it, for example `length(userId) > 0`",
    );
    let unclosed = "close it with `]`, or write `\\[` for the character itself";
    refused("match(event, \"a⟨[b⟩\")", "`[` in a pattern is not closed", unclosed);
    refused("match(event, \"[⟨z-a⟩]\")", "range in a pattern runs backwards", "put the smaller character first");
    refused(
        "match(event, ⟨\"\\*a\\\\\"⟩)",
        "pattern ends with a backslash",
        "write `\\\\\\\\` for the character itself",
    );
}

#[test]
fn wrong_shapes() {
    refused("⟨⟩", "trigger is empty", "write `true` to take every event");
    refused("⟨ \n ⟩", "trigger is empty", "write `true` to take every event");
    refused("⟨all⟩", "`all` is not a condition", "write `true` to take every event");
    refused("⟨\"track\"⟩", "a text alone is neither true nor false", "compare it, for example `event = \"track\"`");
    refused("⟨(⟩type = \"track\"", "`(` is not closed", "add a `)`");
    refused("type in ⟨[⟩\"track\"", "`[` is not closed", "add a `]`");
    refused("type = \"track\"⟨)⟩", "`)` closes nothing", "remove it, or open with `(` before");
    refused("type = \"track\" and⟨⟩", "nothing stands after `and`", "remove it, or write a condition after it");
    refused("type =⟨⟩ ", "nothing stands after `=`", "write a value, for example `\"a\"`, `5` or `null`");
    refused("⟨=⟩ \"track\"", "nothing stands before `=`", "write what to compare, for example `type = …`");
    refused("⟨and⟩ type = \"track\"", "nothing stands before `and`", "remove it, or write a condition before it");
    let between = "write what is missing, or remove one of the two";
    refused("type = \"a\" and ⟨or⟩ type = \"b\"", "nothing stands between `and` and `or`", between);
    refused("⟨()⟩", "nothing stands in the parentheses", "remove them, or write a condition in them");
    let join = "join conditions with `and` or `or`; a quote inside a text is written `\\\"`";
    refused("type = \"track\" ⟨event⟩ = \"x\"", "unexpected `event`", join);
    refused("event = \"say \"⟨hi⟩\"\"", "unexpected `hi`", join);
    let split = "split it into several mappings";
    let deep = "(".repeat(DEPTH_MAX);
    refused(&format!("{deep}⟨(⟩true"), "nested deeper than 64 levels", split);
    let long = format!("⟨{}⟩", " ".repeat(LENGTH_MAX + 1));
    refused(&long, "trigger is 10001 bytes long, 10000 are allowed", split);
}

#[test]
fn legal_but_surely_not_meant() {
    #[track_caller]
    fn told_of(marked: &str, message: &str, help: &str) {
        let text = marked.replace(['⟨', '⟩'], "");
        let warnings = Trigger::parse(&text).expect(&text).warnings;
        let all: Vec<_> = warnings.iter().map(|warning| told(&text, warning)).collect();
        assert!(all.contains(&(marked.to_owned(), message.to_owned(), help.to_owned())), "{all:#?}");
    }
    told_of("⟨user_id⟩ != null", "events of the spec have no member `user_id`", "did you mean `userId`?");
    told_of("⟨propertes⟩.a = 1", "events of the spec have no member `propertes`", "did you mean `properties`?");
    let own = "a call's own facts stand in `properties`, a person's in `traits`; a text stands in quotes";
    told_of("⟨plan⟩ = \"pro\"", "events of the spec have no member `plan`", own);
    told_of("type = ⟨\"Track\"⟩", "`type` is never \"Track\"", "did you mean \"track\"?");
    let kinds = "it is one of identify, track, page, screen, group, alias";
    told_of("type in ⟨[\"track\", \"order\"]⟩", "`type` is never \"order\"", kinds);
    let apart = "join the two by `or`, or take one out";
    told_of("type = \"track\" and ⟨type = \"page\"⟩", "no event fulfils both this and `type = \"track\"`", apart);
    told_of(
        "(event = \"A\" and ⟨event = \"B\"⟩) or event = \"C\"",
        "no event fulfils both this and `event = \"A\"`",
        apart,
    );
    let inside = "what one part excludes, another allows";
    told_of("userId != null and !⟨(event = \"A\" or event != \"A\")⟩", "every event fulfils this", inside);
    told_of("userId != null and ⟨event in []⟩", "no event fulfils this", "no value is as it asks for");
    let three = "(event = \"A\" or userId = \"a\") and event = \"B\" and userId = \"b\"";
    told_of(&format!("⟨{three}⟩"), "no event fulfils this", "some parts of it exclude each other");
    let or = "type = \"track\" and ⟨(event != \"A\" or event != \"B\")⟩";
    told_of(or, "every event fulfils this", "did you mean `and`?");
    told_of("⟨event = \"A\" or event != \"A\"⟩", "every event fulfils this", "what one part excludes, another allows");
    let plan = "type = \"track\" and ⟨traits.plan⟩ = \"pro\"";
    told_of(plan, "track calls have no `traits`", "did you mean `context.traits.plan`?");
    let pages = "type in [\"page\", \"screen\"] and ⟨event⟩ = \"Home\"";
    told_of(pages, "page and screen calls have no `event`", "did you mean `name`?");
    let dates = "dates and texts have no order in triggers";
    told_of("sentAt > ⟨\"2024-01-01\"⟩", "`>` compares numbers only, so this is never true", dates);
    let plain = "write `5` without quotes";
    told_of("properties.n >= ⟨\"5\"⟩", "`>=` compares numbers only, so this is never true", plain);
    told_of("contains(event, ⟨5⟩)", "`contains` looks for texts, so this is never true", "write \"5\"");
    let swap = "swap the two";
    told_of("match(⟨\"Order*\", event⟩)", "the text comes first in `match`, then the pattern", swap);
    let globs = "`*` is any characters, `?` is one, `[a-z]` one of these; the whole text has to fit";
    told_of("match(event, ⟨\"^Order.*\"⟩)", "this looks like a regular expression, and `match` reads globs", globs);
    told_of("match(event, ⟨\"[!a]*\"⟩)", "`[!…]` takes `!` as one of the characters", "write `[^…]` for none of these");
    let there = "write `userId != null` to ask whether it is there";
    told_of("!⟨userId⟩", "`userId` is a text, and only `true` fulfils a condition", there);
    let escape = "write `\\\\` for the backslash if that is meant; a line break stands in the quotes as it is";
    told_of("event = ⟨\"a\\nb\"⟩", "`\\n` is a backslash and a letter here", escape);
}

#[test]
fn what_segment_reads_differently() {
    misread("type = ⟨'track'⟩ or event = 'x'", "a text that includes the quotes");
    misread("event = ⟨\"say \\\"hi\\\"\"⟩", "two characters: its texts have no escapes");
    misread("type = \"track⟨\"⟩and event = \"x\"", "the start of another text");
    misread("type = \"track\"⟨\r\n⟩and event = \"x\"", "part of the word before it");
    misread("properties.n⟨<⟩5", "need a space before them");
    misread("properties.n > ⟨1e3⟩", "the digits before the `e` alone");
    misread("properties.n = ⟨9007199254740993⟩", "the nearest double");
    misread("type = \"track\" and event = \"A\" ⟨or⟩ event = \"B\"", "all joined by `or`");
    misread("event = \"A\" or type = \"track\" ⟨and⟩ event = \"B\"", "all joined by `and`");
    misread("type = \"page\" or (event = \"A\" or name = \"B\" ⟨and⟩ name = \"C\")", "all joined by `and`");
    misread("(⟨(⟩type = \"track\"))", "parentheses may not stand in parentheses");
    misread("type = \"track\" and (contains(event, \"x\"⟨)⟩ or event = \"B\")", "the end of the group");
    misread("⟨!⟩(type = \"track\")", "if the `!` were not there");
    misread("⟨!⟩type = \"track\"", "if the `!` were not there");
    misread("⟨! ⟩contains(event, \"x\")", "nothing may stand between");
    misread("⟨groupId⟩ = \"x\" and type = \"group\"", "nothing: in triggers it knows");
    misread("⟨traits⟩ != null", "only at the members of `traits`");
    misread("contains(⟨type⟩, \"x\")", "functions there do not take `type`");
    misread("⟨length(userId)⟩ > 0", "of the functions it knows");
    misread("⟨contains(lowercase(event), \"x\")⟩", "functions there take a path, then a text");
    misread("⟨contains(event, \"a\") = false⟩", "the function alone");
    misread("⟨(event = \"a\") = true⟩", "conditions are not compared");
    misread("⟨type in [\"track\"]⟩", "no lists and no `in`");
    misread("⟨properties.enabled⟩", "a condition there needs an operator");
    misread("⟨\"track\"⟩ = type", "the path comes first");
    misread("properties.a = ⟨properties.b⟩", "the text \"properties.b\"");
    misread("event != ⟨null⟩", "the text \"null\"");
    misread("userId = ⟨1⟩", "the text \"1\"");
    misread("properties.n > ⟨\"5\"⟩", "convert what they compare with");
    misread("properties.n != ⟨5⟩", "false where the member is missing or is no number");
    misread("⟨!contains(event, \"x\")⟩", "false where the member is missing or is no text");
    misread("properties.b != ⟨true⟩", "always true of a boolean");
    misread("match(event, ⟨\"O*e\"⟩)", "one `*` at the end or at the start");
    misread("⟨properties.and⟩ = 1", "a word of the language");
    misread("⟨properties.items[0]⟩ = 1", "items of lists cannot be named");
    misread("⟨properties.1x⟩ = 1", "names there begin with a letter");
    misread("⟨properties.naïve⟩ = 1", "other letters than a to z");
    misread("⟨properties.a\\.b⟩ = 1", "a dot in a name cannot be reached");
    misread("⟨properties.a\\[0\\]⟩ = 1", "an item of a list");
    misread("⟨properties.a.length⟩ = 1", "the length of the text or list");
}

#[test]
fn each_kind_of_difference_is_told_once() {
    warned(
        "type = ⟨'track'⟩ and event = 'x'",
        "Segment reads this as a text that includes the quotes, which never matches",
        "double quotes read the same in both",
    );
}

#[test]
fn nothing_is_said_of_what_both_read_the_same() {
    quiet("type = \"track\"");
    quiet("type=\"track\"");
    quiet("type = \"track\" and event = \"X\"");
    quiet("type = \"track\" and (event = \"A\" or event = \"B\")");
    quiet("(type = \"track\" or type = \"page\") and contains(event, \"x\")");
    quiet("type = \"track\" and (event = \"A\" or contains(event, \"x\"))");
    quiet("match(properties.email, \"*@acme.com\") and match(event, \"Order*\")");
    quiet("userId != null and properties.n > 5 and traits.age <= 65 and properties.b = true and name = null");
    quiet("properties.\\$x = \"1\" and properties.product\\ 1 = \"it's\" and properties.\\日 = \"日本\"");
    quiet("context.device.type = \"ios\" or context.os.name = \"iPhone OS\"");
}
