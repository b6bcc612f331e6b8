//! Templates over an event.

use crate::json;
use crate::mapping::expression::{Expression, Reader};
use crate::mapping::path::Scope;
use crate::yaml::{Node, Place, Problems};

const EVENT: &str = r#"{"type":"track","event":"Order Done","properties":{"s":"Hello World","e":"","z":0,"f":false,
"t":true,"n":null,"num":12.5,"arr":[1,2,3],"obj":{"b":1,"a":{"c":"x"}},"products":[{"id":1},{"id":2}],"html":"<b>&</b>",
"date":"2026-01-02T03:04:05.600Z","big":9223372036854775807}}"#;

fn read(template: &str) -> (Option<Expression>, Problems) {
    let mapping = serde_json::json!({ "$liquid": template });
    let mut problems = Problems::new("f", "");
    let node = Node::from_json(&mapping, &Place { line: 1, column: 1, ..Place::default() });
    let mut reader = Reader::new(&mut problems, "x", crate::mapping::trigger::KindSet::ALL);
    (Expression::parse(&node, &mut reader), problems)
}

/// What a template comes to; `-` when it fails.
#[track_caller]
fn check(template: &str, expected: &str) {
    let (expression, problems) = read(template);
    let expression = expression.unwrap_or_else(|| panic!("{template}: {problems}"));
    let event = json::parse(EVENT.as_bytes()).unwrap();
    let scope = Scope::new(&event);
    let found = expression.resolve(&scope);
    let found = found.as_deref().map_or("-", |json| json.as_str().unwrap());
    assert_eq!(found, expected, "{template}: {:?}", scope.take_notes());
    assert_eq!(found == "-", read(template).0.unwrap().resolve(&scope).is_none());
    assert_eq!(found == "-", !scope.take_notes().is_empty(), "{template}");
}

#[track_caller]
fn refused(template: &str, message: &str) {
    let (expression, problems) = read(template);
    assert!(expression.is_none(), "{template} is read");
    assert!(problems.to_string().contains(message), "{template}: {problems}");
}

#[test]
fn values_become_text() {
    check("Hi {{ properties.s }}!", "Hi Hello World!");
    check("{{event.properties.s}}/{{ event }}/{{ event.event }}", "Hello World/Order Done/Order Done");
    check("{{ nope }}{{ properties.nope.deep }}{{ properties.n }}{{ properties.s.deep }}", "");
    check("{{ properties.num }} {{ properties.z }} {{ properties.f }}", "12.5 0 false");
    check("{{ properties.arr }}", "123");
    check("{{ properties.obj }}", r#"{"b":1,"a":{"c":"x"}}"#);
    check("{{ properties.products[1].id }}{{ properties.products.first.id }}{{ properties.arr.size }}", "213");
    check("{{ properties['s'] }}", "Hello World");
    check("a\n{{- properties.e -}}\n b", "ab");
    check("{% raw %}{{ x }}{% endraw %}{% comment %}{% for %}{{ | }}{% endcomment %}", "{{ x }}");
}

#[test]
fn tags_choose_and_remember() {
    check("{% if properties.num > 10 and properties.t %}yes{% else %}no{% endif %}", "yes");
    check("{% if nope %}yes{% elsif properties.s contains 'World' %}maybe{% endif %}", "maybe");
    check("{% unless properties.f %}off{% endunless %}", "off");
    check("{% if properties.e == empty %}empty{% endif %}{% if properties.e == blank %}blank{% endif %}", "emptyblank");
    check("{% assign x = properties.num | plus: 1 %}{{ x }}", "13.5");
    check("{% assign o = properties.products | last %}{{ o.id }}{{ o }}", r#"2{"id":2}"#);
    check("{% capture x %}<{{ type }}>{% endcapture %}{{ x }}{{ x }}", "<track><track>");
    check("{% increment n %}{% increment n %}{% decrement m %}", "01-1");
}

#[test]
fn filters_over_texts() {
    check("{{ properties.s | upcase | replace: 'L', '_' }}", "HE__O WOR_D");
    check("{{ properties.s | remove: 'l' | append: '!' | prepend: '<' }}", "<Heo Word!");
    check("{{ 'a-b-b' | replace_first: 'b', 'x' }} {{ 'a-b-b' | replace_last: 'b' }}", "a-x-b a-b-");
    check("{{ properties.s | slice: 0, 4 }}{{ properties.s | slice: -1 }}", "Helld");
    check("{{ properties.s | split: ' ' | join: '+' }} {{ properties.arr | push: 4 | join }}", "Hello+World 1 2 3 4");
    check("{{ properties.s | truncate: 8 }} {{ properties.s | truncatewords: 1, '~' }}", "Hello... Hello~");
    check(
        "{{ properties.html | escape }} {{ '&lt;' | escape_once }} {{ properties.html | strip_html }}",
        "&lt;b&gt;&amp;&lt;/b&gt; &lt; &",
    );
    check("{{ 'a b&=' | url_encode }} {{ 'a+b%26=' | url_decode }}", "a+b%26%3D a b&=");
    check("{{ 'a b&é/' | uri_escape }} {{ 'x' | raw }}", "a%20b&%C3%A9/ x");
    check("{{ 'hi' | base64_encode }} {{ 'aGk=' | base64_decode }} {{ 'Éa b' | slugify }}", "aGk= hi éa-b");
    check("{{ nope | default: 'x' }}{{ properties.z | default: 'x' }}{{ ' x ' | strip }}", "x0x");
    check("{{ properties.f | default: 'x' }} {{ properties.f | default: 'x', allow_false: true }}", "x false");
    check("{{ properties.obj | json: 1 }}", "{\n \"b\": 1,\n \"a\": {\n  \"c\": \"x\"\n }\n}");
    check("{{ properties.products | where: 'id', 2 | json }}", r#"[{"id":2}]"#);
    check("{{ properties.products | where: 'nope' | size }}{{ properties.products | where: 'id' | size }}", "02");
    check("{{ properties.obj | json }} {{ properties.products | first | json }}", r#"{"b":1,"a":{"c":"x"}} {"id":1}"#);
}

#[test]
fn filters_over_numbers_and_dates() {
    check("{{ properties.num | times: 2 }} {{ 7 | divided_by: 2 }} {{ 7 | modulo: 4 }}", "25 3.5 3");
    check(
        "{{ 19.99 | times: 100 | round }} {{ -2.5 | round }} {{ 1.25 | round: 1 }} {{ 1.2 | ceil }}",
        "1999 -2 1.3 2",
    );
    check("{{ '12' | plus: '3' }} {{ nope | plus: 1 }} {{ properties.arr | sum }}", "15 1 6");
    check("{{ properties.big | plus: 1 }}", "9223372036854775808");
    check("{{ 'x' | times: 2 }}", "-");
    check("{{ 1 | divided_by: 0 }}", "-");
    check(
        "{{ properties.date | date: '%Y/%m/%d %H:%M' }} {{ properties.date | date: '%s' }}",
        "2026/01/02 03:04 1767323046",
    );
    check("{{ properties.date | date_to_xmlschema }}{{ nope | date: '%Y' }}", "2026-01-02T03:04:05+00:00");
    check("{{ properties.date | date: '%H:%M', 360 }} {{ properties.date | date: '%H', 'UTC' }}", "21:04 03");
    check("{{ properties.date | date: '%H', 'Europe/Paris' }}", "-");
    check("{{ 7 | divided_by: 2, true }} {{ -7 | divided_by: 2, true }} {{ 7 | divided_by: 2, false }}", "3 -4 3.5");
    check("{{ properties.products | sum: 'id' }} {{ properties.products | sum: 'nope' }}", "3 0");
    check("{% assign x = 'now' %}{{ x | date: '%Y' }}", "-");
    check("{{ properties.s | date: '%Y' }}", "-");
}

#[test]
fn what_is_not_supported_is_refused_with_what_to_do() {
    refused("{% case type %}{% when 'x' %}{% endcase %}", "the tag `case` is not supported");
    refused("{% for x in properties.arr %}{{ x }}{% endfor %}", "`$map` goes over a list");
    refused("{% tablerow x in y %}{% endtablerow %}", "the tag `tablerow` is not supported");
    refused("{% include 'x' %}", "a template stands alone");
    refused("{% asign x = 1 %}", "did you mean `assign`?");
    refused("{{ properties.products | map: 'id' }}", "the filter `map` is not supported");
    refused("{{ properties.s | upcas }}", "did you mean `upcase`?");
    refused("{{ properties.s | replace }}", "takes 1 to 2 arguments, found 0");
    refused("{{ properties.s | default: 'x', allow: true }}", "has no argument `allow`");
    refused("{{ properties.s ", "this output is not closed");
    refused("{% if type %}x", "not a Liquid template");
    refused("{{ 'now' | date: '%Y' }}", "a mapping has no clock");
    refused(&"{% if type %}".repeat(20), "blocks in each other");
    refused(&"x".repeat(5_000), "4000 characters at most, this has 5000");
}

#[test]
fn no_template_takes_much_memory_or_time() {
    let doubled = "{% capture x %}{{ x }}{{ x }}{% endcapture %}".repeat(60);
    check(&format!("{{% assign x = properties.s %}}{doubled}{{{{ x }}}}"), "-");
    let grown = " | replace: '', '0123456789'".repeat(60);
    check(&format!("{{{{ properties.s{grown} }}}}"), "-");
    let added = "{% assign x = x | append: x %}".repeat(60);
    check(&format!("{{% assign x = 'ab' %}}{added}{{{{ x }}}}"), "-");
}

#[test]
fn markup_is_taken_away_in_one_walk() {
    for (text, expected) in [
        ("a<b>c</b>d", "acd"),
        ("a<script>x<y></script>b", "ab"),
        ("a<script>b<i>c", "abc"),
        ("a<!-- > -->b", "ab"),
        ("a<!-- >b", "ab"),
        ("a<style>x</style>b</style>", "ab"),
        ("a<b", "a<b"),
        ("a<b<c>d", "ad"),
        ("<script></script><script>x", "x"),
        ("1 < 2", "1 < 2"),
    ] {
        let event = serde_json::json!({ "h": text }).to_string();
        let event = json::parse(event.as_bytes()).unwrap();
        let expression = read("{{ h | strip_html }}").0.unwrap();
        let found = expression.resolve(&Scope::new(&event)).unwrap();
        assert_eq!(found.as_str(), Some(expected), "{text}");
    }
}
