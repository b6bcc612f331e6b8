//! Cross-origin rules: any page may send events, with any header, and remember that for a day.
//!
//! Browsers ask before every path because the SDK sends `Authorization`. The answer is kept for a day (browsers cut it
//! to what they allow), so that it is not two requests an event.

use actix_cors::Cors;
use actix_web::http::header::RETRY_AFTER;

/// Seconds a browser may remember the answer.
const MAX_AGE_SECS: usize = 86_400;

/// The rules, for every path and every answer, refusals included.
pub fn cors() -> Cors {
    Cors::default()
        .allow_any_origin()
        .allow_any_header()
        .allowed_methods(["POST", "GET", "PUT", "OPTIONS"])
        .expose_headers([RETRY_AFTER])
        .supports_credentials()
        .max_age(MAX_AGE_SECS)
}
