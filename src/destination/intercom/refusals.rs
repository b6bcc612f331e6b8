//! What can go wrong with a delivery to Intercom: one table of codes, what each means for the delivery, and what to do.

use crate::action::Kind;
use crate::destination::{CONTACT_AWAITED, Trouble};

/// The app of the token lacks a permission.
pub const PERMISSION_MISSING: &str = "permission_missing";
/// The workspace's plan does not include it.
pub const PLAN_RESTRICTED: &str = "plan_restricted";

const fn row(
    code: &'static str,
    kind: Kind,
    theirs: &'static [&'static str],
    when: &'static str,
    remedy: &'static str,
) -> Trouble {
    Trouble { code, kind, theirs, when, remedy }
}

/// Every code of a failed attempt. Intercom's own codes stand beside ours where they say more than the status does; where
/// the code is unknown, the status alone decides.
///
/// # Why
/// A version that Intercom does not know concerns every request alike, so it pauses the destination as a refused token does.
/// A permission that is missing concerns only what needs it, so that waits and everything else goes on.
pub const TABLE: &[Trouble] = &[
    row(
        "unauthorized",
        Kind::Unauthorized,
        &[
            "unauthorized",
            "token_unauthorized",
            "token_revoked",
            "token_blocked",
            "token_expired",
            "token_not_found",
            "missing_authorization",
        ],
        "the token is refused (401)",
        "put a token that works in `settings.access_token`; everything that waits then goes on by itself",
    ),
    row(
        "version_invalid",
        Kind::Unauthorized,
        &["intercom_version_invalid"],
        "Intercom does not know the version of its API that is asked for",
        "correct `settings.version`",
    ),
    row(
        "workspace_changed",
        Kind::Unauthorized,
        &[],
        "the token opens another workspace than the one that everything went to before",
        "put the right token in `settings.access_token`, or accept the other one: `interline connect NAME --accept-workspace`",
    ),
    row(
        "region_wrong",
        Kind::Unauthorized,
        &[],
        "the workspace's data lives in another region than `settings.region` says",
        "correct `settings.region`, or use a token of a workspace in that region",
    ),
    row(
        "workspace_unknown",
        Kind::Unavailable,
        &[],
        "which workspace the token opens, or which was seen last, cannot be read, so nothing is sent",
        "the message says which: make `GET /me` answer (proxies, permissions), or the folder `destinations` in the data \
         directory readable and writable",
    ),
    row(
        "code_refused",
        Kind::Unauthorized,
        &[],
        "signing in: Intercom does not take the code, the client id or the client secret",
        "run `interline connect` again; a code is good once, for five minutes",
    ),
    row(
        PERMISSION_MISSING,
        Kind::Unavailable,
        &["forbidden", "action_forbidden"],
        "the token works, and may not do this (403)",
        "grant the app that permission in Intercom's Developer Hub; `test_connection` shows what is missing",
    ),
    row(
        PLAN_RESTRICTED,
        Kind::Unavailable,
        &["api_plan_restricted"],
        "the workspace's plan does not include this (402, 403)",
        "change the plan, or switch the mapping off",
    ),
    row(
        "rate_limited",
        Kind::Throttled,
        &["rate_limit_exceeded", "too_many_requests", "retry_after"],
        "too many requests (429)",
        "nothing; if it lasts, ask for a higher limit, or send less",
    ),
    row(
        "timeout",
        Kind::Unknown,
        &["request_timeout", "server_timeout"],
        "no answer in time (408, 504, or none at all)",
        "nothing; if it lasts, look at the network and at Intercom's status page",
    ),
    row("connection_lost", Kind::Unknown, &[], "the connection broke after the request was sent", "nothing"),
    row(
        "reply_unreadable",
        Kind::Unknown,
        &[],
        "an answer with success that makes no sense",
        "if it lasts, look for a proxy in between",
    ),
    row("connection_failed", Kind::Unavailable, &[], "no connection can be made", "check the network and `base_url`"),
    row(
        "server_error",
        Kind::Unavailable,
        &["server_error", "internal_error", "service_unavailable"],
        "Intercom is in trouble (5xx)",
        "nothing; see Intercom's status page",
    ),
    row("busy", Kind::Unavailable, &[], "Intercom is busy with the same thing (423, 425)", "nothing"),
    row(
        "redirected",
        Kind::Unavailable,
        &[],
        "the answer sends us to another host (3xx), which is never followed",
        "check `base_url` and `region`",
    ),
    row(
        "unexpected_reply",
        Kind::Unavailable,
        &[],
        "something that is not Intercom answered",
        "check `base_url` and proxies in between",
    ),
    row(
        "contact_not_found",
        Kind::TooEarly,
        &[],
        "nobody in the workspace is the one who is meant, yet",
        "send an identify call, map the right id, or set `too_early: create_lead`; a lead is known by its e-mail address alone",
    ),
    row(
        CONTACT_AWAITED,
        Kind::TooEarly,
        &[],
        "an older delivery about the same person and company waits for the contact, and this one behind it; what needs no contact was done",
        "nothing: the oldest delivery that waits for that person (`interline deliveries list --status waiting --user-id ID`) says why",
    ),
    row(
        "lead_unsettled",
        Kind::Unknown,
        &[],
        "a lead may have been made, and the search does not show it yet",
        "nothing: it is looked for until `search_lag_secs` have passed, and only then made",
    ),
    row(
        "lead_not_shown",
        Kind::TooEarly,
        &[],
        "nobody is found with the address that two contacts are merged by, and the search need not show a new lead yet",
        "nothing: it is looked for until `search_lag_secs` have passed, and only then is there nothing to merge",
    ),
    row(
        "ticket_unsettled",
        Kind::Unknown,
        &[],
        "a ticket may have been opened, and the search does not show it yet",
        "nothing: it is looked for until `search_lag_secs` have passed, and only then opened",
    ),
    row(
        "conflict",
        Kind::Rejected,
        &["conflict", "resource_conflict"],
        "somebody else has what this contact was to get (409)",
        "the message names the other contact; merge the two in Intercom, or correct the id",
    ),
    row(
        "contact_conflict",
        Kind::Rejected,
        &[],
        "the one who is in the way is somebody else, or cannot be found yet",
        "the message names the other contact; merge the two in Intercom, or correct the id",
    ),
    row(
        "contact_archived",
        Kind::Rejected,
        &[],
        "the contact is archived, and `archived: reject` leaves it so",
        "unarchive the contact, or set `archived: unarchive`",
    ),
    row(
        "contact_merged",
        Kind::Rejected,
        &["contact_merged"],
        "the contact was merged away, over and over, or into none that is named (410)",
        "look at the contact in Intercom",
    ),
    row(
        "contact_exists",
        Kind::Rejected,
        &[],
        "`create_contact` found the contact there already",
        "use `identify_contact`, which makes or updates",
    ),
    row(
        "merge_refused",
        Kind::Rejected,
        &["invalid_merge"],
        "the two cannot be merged: Intercom merges leads into users, and nothing else",
        "merge them by hand, or set `skip_duplicate_validation`",
    ),
    row(
        "company_not_found",
        Kind::Rejected,
        &["company_not_found"],
        "the company is not there",
        "use `identify_company`, which makes it",
    ),
    row(
        "company_limit",
        Kind::Rejected,
        &["contact_company_limit_exceeded"],
        "the contact is in 1,000 companies already; the company itself was written",
        "take the contact out of others",
    ),
    row("ticket_not_found", Kind::Rejected, &["ticket_not_found"], "the ticket is not there", "check the id"),
    row(
        "tag_in_use",
        Kind::Rejected,
        &["tag_has_dependent_objects"],
        "a tag that is used elsewhere cannot be deleted",
        "take it out of what uses it, in Intercom",
    ),
    row(
        "event_names_exhausted",
        Kind::Rejected,
        &[],
        "the workspace has 120 names of events, and takes no other",
        "archive names that are not used any more, or narrow the trigger",
    ),
    row(
        "attribute_unknown",
        Kind::Rejected,
        &[],
        "the workspace does not have the attribute, and `unknown_attributes: reject` wants it so",
        "define it in Intercom, or set `unknown_attributes: drop` or `create`",
    ),
    row(
        "not_found",
        Kind::Rejected,
        &["not_found", "tag_not_found", "field_not_found", "job_not_found"],
        "what was asked about is not there (404)",
        "check the id",
    ),
    row("gone", Kind::Rejected, &[], "it is not there any more (410)", "check the id"),
    row(
        "payload_rejected",
        Kind::Rejected,
        &[
            "parameter_invalid",
            "parameter_not_found",
            "parameter_missing",
            "missing_parameter",
            "bad_request",
            "type_mismatch",
            "data_invalid",
            "client_error",
            "unprocessable_entity",
            "invalid_field",
            "invalid_sort_order",
            "media_type_not_acceptable",
        ],
        "Intercom takes nothing like it (400, 406, 415, 422)",
        "the message says which member; correct the mapping, then retry the dead letter",
    ),
    row(
        "payload_invalid",
        Kind::Rejected,
        &[],
        "the fields are not what the action takes",
        "the message says which; correct the mapping",
    ),
    row("id_invalid", Kind::Rejected, &[], "an id that no path can hold", "correct the id"),
    row(
        "request_refused",
        Kind::Rejected,
        &[],
        "a raw request that would leave the connection's host or speak for somebody else",
        "correct the path or the headers",
    ),
    row("request_invalid", Kind::Rejected, &[], "a request that cannot be sent", "the message says why"),
    row(
        "not_repeated",
        Kind::Rejected,
        &[],
        "a raw request failed, and `retry` does not let it be repeated",
        "look whether it was done; then retry the dead letter, or set `retry: always`",
    ),
    row(
        "still_there",
        Kind::Rejected,
        &[],
        "deleting a person: Intercom still shows the contact after it was deleted",
        "run `interline delete-user` again",
    ),
    row(
        "erase_unsupported",
        Kind::Rejected,
        &[],
        "deleting a person: the destination has no way to",
        "delete them there by hand",
    ),
    row(
        "settings_invalid",
        Kind::Rejected,
        &[],
        "signing in: the settings of the destination file are wrong",
        "the message says which",
    ),
    row("action_unknown", Kind::Rejected, &[], "there is no such action", "correct the mapping"),
];

/// What one of Intercom's own codes means to us.
pub fn known(theirs: &str) -> Option<&'static Trouble> {
    TABLE.iter().find(|trouble| trouble.theirs.contains(&theirs))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_stands_once() {
        let mut codes: Vec<&str> = TABLE.iter().map(|trouble| trouble.code).collect();
        let mut theirs: Vec<&str> = TABLE.iter().flat_map(|trouble| trouble.theirs.iter().copied()).collect();
        let counts = (codes.len(), theirs.len());
        codes.sort_unstable();
        codes.dedup();
        theirs.sort_unstable();
        theirs.dedup();
        assert_eq!((codes.len(), theirs.len()), counts);
    }
}
