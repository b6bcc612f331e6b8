//! The three forms of an answer: JSON, a script that calls a function with that JSON, and an image that says nothing.

use actix_web::HttpResponse;
use actix_web::http::header::{CACHE_CONTROL, CONTENT_TYPE, X_CONTENT_TYPE_OPTIONS};
use serde::Serialize;

use crate::http::problem::{Problem, Rejected};

/// One transparent pixel.
const GIF: &[u8] =
    b"GIF89a\x01\0\x01\0\x80\0\0\0\0\0\xff\xff\xff!\xf9\x04\x01\0\0\0\0,\0\0\0\0\x01\0\x01\0\0\x02\x02D\x01\0;";
/// What every taken call is answered.
const SUCCESS: &str = r#"{"success":true}"#;

/// How the sender wants to be answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Form {
    /// As JSON.
    Json,
    /// As JSON that no cache keeps.
    Fresh,
    /// As a script that calls this function.
    Script(String),
    /// As an image, always with status 200.
    Image,
}

/// A call that was taken, and the items of it that were not.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Taken {
    /// The items of a batch that were refused.
    pub rejected: Vec<Rejected>,
}

/// The answer.
pub fn answer(form: &Form, result: &Result<Taken, Problem>) -> HttpResponse {
    let mut head = match result {
        Err(problem) if *form != Form::Image => problem.head(),
        _ => HttpResponse::Ok(),
    };
    if *form != Form::Json {
        head.insert_header((CACHE_CONTROL, "no-cache, max-age=0"));
    }
    match form {
        Form::Image => head.insert_header((CONTENT_TYPE, "image/gif")).body(GIF),
        Form::Script(callback) => head
            .insert_header((CONTENT_TYPE, "application/javascript; charset=utf-8"))
            .insert_header((X_CONTENT_TYPE_OPTIONS, "nosniff"))
            .body(format!("/**/{callback}({});", as_script(&json(result)))),
        Form::Json | Form::Fresh => {
            head.insert_header((CONTENT_TYPE, "application/json"));
            match result {
                Ok(taken) if taken.rejected.is_empty() => head.body(SUCCESS),
                result => head.body(json(result)),
            }
        }
    }
}

fn json(result: &Result<Taken, Problem>) -> String {
    #[derive(Serialize)]
    struct Partly<'a> {
        success: bool,
        rejected: &'a [Rejected],
    }
    match result {
        Err(problem) => problem.to_json(),
        Ok(taken) if taken.rejected.is_empty() => SUCCESS.to_owned(),
        Ok(taken) => serde_json::to_string(&Partly { success: true, rejected: &taken.rejected })
            .expect("text and numbers always serialize"),
    }
}

/// JSON is a script but for two line ends that older readers take for the end of the text.
fn as_script(json: &str) -> String {
    json.replace('\u{2028}', "\\u2028").replace('\u{2029}', "\\u2029")
}
