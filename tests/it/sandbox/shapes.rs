//! The shape of every request and reply of the API, as far as the router relies on it.
//!
//! One line for each endpoint: `METHOD /path < members of the request > members of the reply`. A member is a path and a
//! type: `s` text, `i` integer, `n` number, `b` flag, `o` object, `a` list; `?` after it: may be null; `~` before it: may
//! be missing. `[]` is every element of a list.

use serde_json::Value;

const SHAPES: &str = "
GET /me > type:s id:s email:s name:s? email_verified:b? app:o app.type:s app.id_code:s app.name:s app.region:s app.timezone:s app.created_at:i
GET /admins > type:s admins[].id:s admins[].name:s admins[].email:s admins[].team_ids:a
POST /contacts < ~role:s ~external_id:s ~email:s ~name:s? ~phone:s? > CONTACT
GET /contacts > type:s data:a total_count:i pages.type:s pages.page:i pages.per_page:i pages.total_pages:i ~pages.next.starting_after:s
GET /contacts/{} > CONTACT
PUT /contacts/{} < ~name:s? ~phone:s? ~avatar:s? ~signed_up_at:i? ~last_seen_at:i? ~owner_id:s? ~unsubscribed_from_emails:b? ~custom_attributes:o? > CONTACT
DELETE /contacts/{} > type:s id:s external_id:s? deleted:b
GET /contacts/find_by_external_id/{} > CONTACT
POST /contacts/search < query:o ~query.field:s ~query.operator:s ~pagination.per_page:i ~sort.field:s ~sort.order:s > type:s data:a total_count:i pages.type:s pages.page:i
POST /contacts/merge < from:s into:s ~skip_duplicate_validation:b > CONTACT
POST /contacts/{}/archive > type:s id:s external_id:s? archived:b
POST /contacts/{}/unarchive > type:s id:s external_id:s? archived:b
GET /contacts/{}/merge_history > type:s data[].source_contact_id:s data[].source_contact_role:s data[].merged_at:i has_more:b ~next_cursor:s
POST /contacts/{}/companies < id:s > COMPANY
GET /contacts/{}/companies > type:s data:a total_count:i pages.type:s
DELETE /contacts/{}/companies/{} > COMPANY
POST /contacts/{}/tags < id:s > type:s id:s name:s applied_at:i applied_by.type:s applied_by.id:s
GET /contacts/{}/tags > type:s data[].type:s data[].id:s data[].name:s
DELETE /contacts/{}/tags/{} > type:s id:s name:s
POST /companies < ~company_id:s ~name:s ~plan:s ~size:i ~website:s ~industry:s ~monthly_spend:i ~remote_created_at:i ~custom_attributes:o > COMPANY
GET /companies > type:s
GET /companies/{} > COMPANY
PUT /companies/{} < ~name:s > COMPANY
DELETE /companies/{} > id:s object:s deleted:b
GET /companies/{}/contacts > type:s data:a total_count:i pages.type:s pages.per_page:i
POST /companies/list > type:s data:a total_count:i pages.type:s pages.page:i pages.per_page:i pages.total_pages:i
GET /companies/scroll > type:s data:a scroll_param:s
POST /tags < name:s ~id:s ~users[].id:s ~companies:a > type:s id:s name:s ~users[].tagged:b ~companies[].tagged:b
GET /tags > type:s data[].type:s data[].id:s data[].name:s
GET /tags/{} > type:s id:s name:s
DELETE /tags/{} >
POST /events < event_name:s created_at:i ~id:s ~user_id:s ~email:s ~metadata:o >
GET /events > type:s events[].name:s events[].first:s events[].last:s events[].count:i intercom_user_id:s ~email:s ~user_id:s
GET /data_attributes > type:s data[].type:s data[].model:s data[].name:s data[].full_name:s data[].data_type:s data[].custom:b data[].archived:b
POST /data_attributes < name:s model:s data_type:s ~options[].value:s > type:s id:i name:s data_type:s ~options:a
PUT /data_attributes/{} < ~archived:b ~description:s ~messenger_writable:b ~options[].value:s > type:s id:i archived:b
GET /ticket_types > type:s data[].id:s data[].name:s data[].category:s data[].ticket_type_attributes:o data[].ticket_states.data:a
POST /ticket_types < name:s ~description:s ~category:s ~icon:s > type:s id:s name:s
GET /ticket_types/{} > type:s id:s name:s ticket_type_attributes.data[].name:s ticket_states.data[].category:s
POST /ticket_types/{}/attributes < name:s description:s data_type:s ~list_items:s > type:s id:s name:s data_type:s ticket_type_id:i
POST /tickets < ticket_type_id:s contacts:a ~company_id:s ~created_at:i ~ticket_attributes:o ~assignment:o ~skip_notifications:b > TICKET
GET /tickets/{} > TICKET
DELETE /tickets/{} > id:s object:s deleted:b
POST /tickets/search < query:o ~pagination.per_page:i > type:s tickets:a total_count:i pages.type:s pages.page:i pages.per_page:i
POST /tickets/enqueue < ticket_type_id:s contacts:a > type:s id:s status:s resource_type:s resource_id:s?
GET /jobs/status/{} > type:s id:s status:s resource_type:s resource_id:s?
";

const CONTACT: &str = "type:s id:s external_id:s? workspace_id:s role:s ~email:s ~email_domain:s phone:s? name:s? owner_id:s? \
    created_at:i updated_at:i signed_up_at:i? last_seen_at:i? custom_attributes:o unsubscribed_from_emails:b tags.data:a \
    companies.data:a companies.url:s companies.total_count:i companies.has_more:b";
const COMPANY: &str = "type:s id:s ~company_id:s app_id:s created_at:i updated_at:i monthly_spend:i session_count:i user_count:i \
    plan:o tags.type:s tags.tags:a segments.segments:a custom_attributes:o";
const TICKET: &str = "type:s id:s ticket_id:s category:s ticket_attributes:o ticket_state.category:s ticket_type.id:s \
    contacts.contacts[].id:s admin_assignee_id:i created_at:i updated_at:i open:b is_shared:b";

/// A request of the journal: its members are known and of their types.
#[track_caller]
pub fn check_request(line: &Value) {
    let shape = shape(line);
    let (request, _) = shape.split_once('>').expect("a shape has a reply");
    let members: Vec<Member> = members(request.trim_start_matches([' ', '<']));
    let Some(body) = line["body"].as_object() else {
        let needed = members.iter().find(|member| !member.optional);
        return assert!(needed.is_none(), "{line} has no body");
    };
    check(&line["body"], &members, line);
    for name in body.keys() {
        let is_known = members.iter().any(|member| member.path.split(['.', '[']).next() == Some(name));
        let is_loose = line["path"].as_str().is_some_and(|path| path.starts_with("/companies"));
        assert!(is_known || is_loose, "`{name}` is no member of {line}");
    }
}

/// A reply of the journal: an error in its envelope, or the members of the endpoint.
#[track_caller]
pub fn check_reply(line: &Value) {
    if line["response"].as_u64().is_some_and(|status| status >= 300) {
        return check(&line["body"], &members("type:s request_id:s errors[].code:s errors[].message:s"), line);
    }
    let shape = shape(line);
    let (_, reply) = shape.split_once('>').expect("a shape has a reply");
    match reply.trim() {
        "" => assert!(line["body"].is_null(), "{line}"),
        "CONTACT" => check(&line["body"], &members(CONTACT), line),
        "COMPANY" => check(&line["body"], &members(COMPANY), line),
        "TICKET" => check(&line["body"], &members(TICKET), line),
        other => check(&line["body"], &members(other), line),
    }
}

struct Member {
    path: String,
    kind: char,
    nullable: bool,
    optional: bool,
}

fn members(text: &str) -> Vec<Member> {
    let member = |word: &str| {
        let (path, kind) = word.split_once(':').expect("a member has a type");
        Member {
            path: path.trim_start_matches('~').to_owned(),
            kind: kind.chars().next().expect("a type is a letter"),
            nullable: kind.ends_with('?'),
            optional: path.starts_with('~'),
        }
    };
    text.split_whitespace().map(member).collect()
}

/// The line of the endpoint that the line of the journal is about.
fn shape(line: &Value) -> &'static str {
    let path = line["path"].as_str().expect("a path");
    let path = path.split('?').next().expect("a path");
    let fits = |shape: &&str| {
        let mut words = shape.split_whitespace();
        words.next() == line["method"].as_str() && words.next().is_some_and(|pattern| is_path(pattern, path))
    };
    let fitting = SHAPES.lines().filter(|shape| !shape.is_empty()).filter(fits);
    let best = fitting.min_by_key(|shape| shape.matches("{}").count()).unwrap_or_else(|| panic!("no shape for {line}"));
    best.splitn(3, ' ').nth(2).expect("a shape has a rest")
}

fn is_path(pattern: &str, path: &str) -> bool {
    let (pattern, path): (Vec<&str>, Vec<&str>) = (pattern.split('/').collect(), path.split('/').collect());
    pattern.len() == path.len() && pattern.iter().zip(path).all(|(part, got)| *part == "{}" || *part == got)
}

#[track_caller]
fn check(body: &Value, members: &[Member], line: &Value) {
    for member in members {
        let mut found = vec![body];
        for part in member.path.split('.') {
            let (name, each) = part.strip_suffix("[]").map_or((part, false), |name| (name, true));
            found = found.into_iter().filter_map(|value| value.get(name)).collect();
            if each {
                found = found.into_iter().filter_map(Value::as_array).flatten().collect();
            }
        }
        let is_each = member.path.contains("[]");
        assert!(member.optional || is_each || !found.is_empty(), "`{}` is missing in {line}", member.path);
        for value in found {
            assert!(is_kind(value, member), "`{}` is {value} in {line}", member.path);
        }
    }
}

fn is_kind(value: &Value, member: &Member) -> bool {
    match (member.kind, value) {
        (_, Value::Null) => member.nullable,
        ('s', Value::String(_)) | ('b', Value::Bool(_)) | ('o', Value::Object(_)) | ('a', Value::Array(_)) => true,
        ('i', Value::Number(number)) => number.is_i64() || number.is_u64(),
        ('n', Value::Number(_)) => true,
        _ => false,
    }
}

#[test]
fn a_wrong_member_is_noticed() {
    let good = serde_json::json!({"method": "GET", "path": "/tags/1", "response": 200, "body": {"type": "tag", "id": "1", "name": "a"}});
    check_reply(&good);
    for (name, value) in [("id", serde_json::json!(1)), ("name", Value::Null)] {
        let mut bad = good.clone();
        bad["body"][name] = value;
        assert!(std::panic::catch_unwind(|| check_reply(&bad)).is_err(), "{bad}");
    }
    let unknown = serde_json::json!({"method": "POST", "path": "/contacts/1/tags", "body": {"id": "1", "tag": "x"}});
    assert!(std::panic::catch_unwind(|| check_request(&unknown)).is_err());
}
