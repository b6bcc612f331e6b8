//! Every refusal: its code, its status, its JSON.

use std::fmt;

use actix_web::http::header::{ALLOW, CONTENT_TYPE, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE};
use actix_web::http::{Method, StatusCode};
use actix_web::{HttpResponse, HttpResponseBuilder, ResponseError};
use serde::{Serialize, Serializer};

use crate::event::Invalid;
use crate::json::Malformed;

macro_rules! codes {
    ($( $(#[doc = $doc:literal])+ $name:ident = $word:literal $status:literal; )+) => {
        /// Why a call was refused. A closed set: label, member of the answer, row in the docs.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Code { $( $(#[doc = $doc])+ $name, )+ }

        impl Code {
            /// All of them, in the order in which a call can meet them.
            pub const ALL: &[Code] = &[$( Code::$name ),+];

            /// The stable word.
            pub const fn word(self) -> &'static str {
                match self { $( Code::$name => $word, )+ }
            }

            /// The HTTP status it is answered with; in a batch's list of rejected items it has none.
            pub const fn status(self) -> u16 {
                match self { $( Code::$name => $status, )+ }
            }

            /// What it means and what to do, as the docs say it.
            pub fn meaning(self) -> &'static str {
                match self { $( Code::$name => concat!($($doc),+).trim(), )+ }
            }
        }
    };
}

codes! {
    /// There is no such route; the message names the nearest one.
    NotFound = "not_found" 404;
    /// The route exists, but not for this method; `Allow` lists the right ones.
    MethodNotAllowed = "method_not_allowed" 405;
    /// No place that may hold a write key holds one.
    WriteKeyMissing = "write_key_missing" 401;
    /// No source has this write key.
    UnknownWriteKey = "unknown_write_key" 401;
    /// The source is switched off in the settings.
    SourceDisabled = "source_disabled" 401;
    /// There is no body.
    EmptyBody = "empty_body" 400;
    /// The body ended early, or its transfer encoding is broken.
    BodyIncomplete = "body_incomplete" 400;
    /// The body did not arrive in time.
    BodyTimeout = "body_timeout" 408;
    /// The body is larger than a call may be, or one event of a batch larger than an event may be, after inflating.
    PayloadTooLarge = "payload_too_large" 400;
    /// The `Content-Encoding` is not gzip, deflate or identity.
    UnsupportedEncoding = "unsupported_encoding" 400;
    /// The gzip stream is damaged or ends early.
    MalformedGzip = "malformed_gzip" 400;
    /// The deflate stream is damaged or ends early.
    MalformedDeflate = "malformed_deflate" 400;
    /// The query member `data` is not base64.
    MalformedBase64 = "malformed_base64" 400;
    /// The query lacks a member, or has one that contradicts another.
    MalformedQuery = "malformed_query" 400;
    /// The JSONP callback is not a dotted JavaScript name of at most 100 characters.
    InvalidCallback = "invalid_callback" 400;
    /// The bytes are not UTF-8.
    InvalidUtf8 = "invalid_utf8" 400;
    /// The text is not JSON; the message says where.
    MalformedJson = "malformed_json" 400;
    /// One object has the same key twice.
    DuplicateKey = "duplicate_key" 400;
    /// A text contains the character U+0000.
    NulCharacter = "nul_character" 400;
    /// Values are nested deeper than 127 levels.
    TooDeep = "too_deep" 400;
    /// A number is beyond an IEEE double.
    NumberOutOfRange = "number_out_of_range" 400;
    /// A text has half a surrogate pair.
    LoneSurrogate = "lone_surrogate" 400;
    /// The body, or an item of the batch, is JSON but not an object.
    NotObject = "not_object" 400;
    /// The batch has no items, or there is no member `batch`.
    EmptyBatch = "empty_batch" 400;
    /// `batch` is not a list.
    BatchNotList = "batch_not_list" 400;
    /// The batch has more events than a batch may have.
    BatchTooLarge = "batch_too_large" 400;
    /// None of the batch's events is good; `rejected` says why, each.
    EmptyBatchResult = "empty_batch_result" 400;
    /// An item of a batch has no `type`.
    TypeMissing = "type_missing" 400;
    /// `type` is not one of the six calls.
    TypeUnknown = "type_unknown" 400;
    /// The ids that the call needs are missing: `userId` or `anonymousId`; for group also `groupId`; for alias `userId` and `previousId`.
    IdRequired = "id_required" 400;
    /// An id is neither text nor a number.
    IdNotString = "id_not_string" 400;
    /// A track call does not name its event.
    EventNotDefined = "event_not_defined" 400;
    /// The name of the event is not text.
    EventNotString = "event_not_string" 400;
    /// `properties` is not an object.
    PropertiesNotObject = "properties_not_object" 400;
    /// `traits` is not an object.
    TraitsNotObject = "traits_not_object" 400;
    /// `context` is not an object.
    ContextNotObject = "context_not_object" 400;
    /// `integrations` is not an object.
    IntegrationsNotObject = "integrations_not_object" 400;
    /// The name of a page or screen is not text.
    NameNotString = "name_not_string" 400;
    /// The category of a page or screen is not text.
    CategoryNotString = "category_not_string" 400;
    /// `messageId` is neither text of at most 100 characters nor a number.
    MessageIdInvalid = "message_id_invalid" 400;
    /// The source has as many events waiting as it may have; send again after `Retry-After`.
    BacklogFull = "backlog_full" 429;
    /// Too many bytes of other calls are being read; send again after `Retry-After`.
    Busy = "busy" 503;
    /// The store cannot take events now; nothing was kept; send again after `Retry-After`.
    StoreUnavailable = "store_unavailable" 503;
    /// The store did not answer in time; the event may be kept; send it again, a repeat is recognised by its `messageId`.
    StoreSlow = "store_slow" 503;
    /// Storage failed; the router has to be restarted.
    StoreFailed = "store_failed" 500;
    /// The admin token is missing or wrong.
    Unauthorized = "unauthorized" 401;
    /// Without an admin token only `localhost` and loopback addresses may be asked for.
    HostForbidden = "host_forbidden" 403;
    /// A parameter of the admin API is unknown or has a value that it cannot have.
    ParameterInvalid = "parameter_invalid" 400;
    /// There is no such delivery, or it is no longer kept.
    DeliveryNotFound = "delivery_not_found" 404;
    /// There is no replay of this number.
    ReplayNotFound = "replay_not_found" 404;
    /// There is no destination of this name, or it is switched off.
    DestinationNotFound = "destination_not_found" 404;
    /// The destination has no such action.
    ActionNotFound = "action_not_found" 404;
}

impl Code {
    /// The code with this word.
    pub fn from_word(word: &str) -> Option<Code> {
        Code::ALL.iter().copied().find(|code| code.word() == word)
    }
}

impl Serialize for Code {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.word())
    }
}

/// A refusal, whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Its code.
    pub code: Code,
    /// Which member, and what to do, for people.
    pub message: String,
    /// The items of a batch of which none is good.
    pub rejected: Vec<Rejected>,
    /// Seconds to wait before the same call may work.
    pub retry_after: Option<u32>,
    /// The methods the route has, comma separated.
    pub allow: Option<&'static str>,
    status: Option<StatusCode>,
}

/// An item of a batch that was not taken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Rejected {
    /// Its place in the batch, from 0.
    pub index: usize,
    /// Why, as a stable word.
    pub code: Code,
    /// Which member, and what to do.
    pub message: String,
}

impl Problem {
    /// A refusal with the status of its code.
    pub fn new(code: Code, message: impl Into<String>) -> Problem {
        Problem { code, message: message.into(), rejected: Vec::new(), retry_after: None, allow: None, status: None }
    }

    /// The same with another status than its code's.
    pub fn with_status(self, status: StatusCode) -> Problem {
        Problem { status: Some(status), ..self }
    }

    /// The same, with the items of a batch that it is about.
    pub fn with_rejected(self, rejected: Vec<Rejected>) -> Problem {
        Problem { rejected, ..self }
    }

    /// The same, to be tried again in `secs` seconds.
    pub fn retry_after(self, secs: u32) -> Problem {
        Problem { retry_after: Some(secs), ..self }
    }

    /// The status it is answered with.
    pub fn status(&self) -> StatusCode {
        let own = || StatusCode::from_u16(self.code.status()).expect("the table holds valid statuses");
        self.status.unwrap_or_else(own)
    }

    /// The answer's body. `error` repeats the message: some SDKs read only that member.
    pub fn to_json(&self) -> String {
        #[derive(Serialize)]
        struct Body<'a> {
            success: bool,
            code: Code,
            message: &'a str,
            error: &'a str,
            #[serde(skip_serializing_if = "<[Rejected]>::is_empty")]
            rejected: &'a [Rejected],
        }
        let body = Body {
            success: false,
            code: self.code,
            message: &self.message,
            error: &self.message,
            rejected: &self.rejected,
        };
        serde_json::to_string(&body).expect("text and numbers always serialize")
    }

    /// An answer's head: the status, and what the code needs beside it.
    pub fn head(&self) -> HttpResponseBuilder {
        let mut head = HttpResponse::build(self.status());
        if let Some(secs) = self.retry_after {
            head.insert_header((RETRY_AFTER, HeaderValue::from(secs)));
        }
        if let Some(methods) = self.allow {
            head.insert_header((ALLOW, methods));
        }
        if self.code == Code::Unauthorized {
            head.insert_header((WWW_AUTHENTICATE, "Bearer"));
        }
        head
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl ResponseError for Problem {
    fn status_code(&self) -> StatusCode {
        self.status()
    }

    fn error_response(&self) -> HttpResponse {
        self.head().insert_header((CONTENT_TYPE, "application/json")).body(self.to_json())
    }
}

impl From<Malformed> for Problem {
    fn from(malformed: Malformed) -> Problem {
        Problem::new(Code::from_word(malformed.code).unwrap_or(Code::MalformedJson), malformed.message)
    }
}

impl From<Invalid> for Problem {
    fn from(invalid: Invalid) -> Problem {
        Problem::new(Code::from_word(invalid.code).unwrap_or(Code::MalformedJson), invalid.message)
    }
}

/// The refusal of a path that no route has.
pub fn not_found<'a>(path: &str, routes: impl Iterator<Item = &'a str>) -> Problem {
    let path: String = path.chars().take(200).collect();
    let hint = nearest(&path.to_ascii_lowercase(), routes).map(|route| format!(", did you mean `{route}`?"));
    Problem::new(Code::NotFound, format!("there is no route `{path}`{}", hint.unwrap_or_default()))
}

/// The refusal of a method that the route does not have.
pub fn method_not_allowed(method: &Method, path: &str, allow: &'static str) -> Problem {
    let message = format!("`{path}` does not take {method}, but {allow}");
    Problem { allow: Some(allow), ..Problem::new(Code::MethodNotAllowed, message) }
}

/// The known word that `word` was probably meant to be.
pub fn nearest<'a>(word: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let (distance, nearest) = known.map(|known| (strsim::damerau_levenshtein(word, known), known)).min()?;
    (distance <= nearest.len() / 3 + 1).then_some(nearest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_unique_and_found_again() {
        for code in Code::ALL {
            assert_eq!(Code::from_word(code.word()), Some(*code));
            assert!(code.meaning().ends_with('.'), "{code:?}");
            assert!(StatusCode::from_u16(code.status()).is_ok(), "{code:?}");
        }
    }

    #[test]
    fn every_code_of_the_json_reader_is_known() {
        for text in [r#"{"a":1,"a":1}"#, r#"{"a":"\u0000"}"#, r#"{"a":"\ud800"}"#, r#"{"a":1e400}"#, "{", ""] {
            let malformed = crate::json::parse(text.as_bytes()).unwrap_err();
            assert_eq!(Problem::from(malformed.clone()).code.word(), malformed.code);
        }
    }

    #[test]
    fn a_typing_error_is_recognised_and_noise_is_not() {
        let known = || ["track", "identify"].into_iter();
        assert_eq!(nearest("trak", known()), Some("track"));
        assert_eq!(nearest("indentify", known()), Some("identify"));
        assert_eq!(nearest("purchase", known()), None);
    }
}
