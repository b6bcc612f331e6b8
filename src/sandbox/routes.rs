//! The stand-in's door: HTTP in, HTTP out.

use std::collections::HashMap;
use std::fmt;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use actix_web::body::{BodySize, MessageBody};
use actix_web::http::StatusCode;
use actix_web::http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE};
use actix_web::web::{self, Bytes};
use actix_web::{HttpRequest, HttpResponse};
use futures_util::stream::{self, Stream, StreamExt};

use super::control::Control;
use super::desk::{Incoming, Outgoing, Sent};
use super::faults::Effect;
use super::region;
use super::settings::{AccessToken, Region};

/// Paths that steer the stand-in instead of being answered as the service would.
const CONTROL_PREFIX: &str = "/_sandbox/";
/// Longest body of a control request, in bytes; a seed may be long.
const CONTROL_BYTES_MAX: usize = 64_000_000;

/// The ports that stand for a region's address.
#[derive(Debug, Clone, Default)]
pub struct Ports(pub HashMap<u16, Region>);

/// Answers every path.
pub fn routes(config: &mut web::ServiceConfig) {
    config.default_service(web::to(serve));
}

async fn serve(request: HttpRequest, payload: web::Payload, control: web::Data<Control>) -> HttpResponse {
    let steers = request.uri().path().strip_prefix(CONTROL_PREFIX);
    let bytes_max = if steers.is_some() { CONTROL_BYTES_MAX } else { control.desk().settings.body_bytes_max };
    let body = match payload.to_bytes_limited(bytes_max).await {
        Ok(Ok(bytes)) => Some(bytes.to_vec()),
        Ok(Err(_)) => return cut_off(),
        Err(_) => None,
    };
    match (steers, body) {
        (Some(what), Some(body)) => steer(&control, &request, what, &body),
        (Some(_), None) => HttpResponse::PayloadTooLarge().finish(),
        (None, body) => respond(answer(&control, &incoming(&request, body)).await),
    }
}

fn steer(control: &Control, request: &HttpRequest, what: &str, body: &[u8]) -> HttpResponse {
    let answer = control.over_http(request.method().as_str(), what, request.query_string(), body);
    let reply = answer.unwrap_or_else(|refusal| refusal.into_reply("00000000-0000-4000-8000-000000000000"));
    let status = StatusCode::from_u16(reply.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    HttpResponse::build(status).json(reply.body)
}

/// Answers one request, with what was made to go wrong.
pub async fn answer(control: &Control, incoming: &Incoming) -> Outgoing {
    let released = control.released();
    let fault = control.desk().fault(incoming);
    match &fault {
        Some(Effect::Delay(millis)) => tokio::time::sleep(Duration::from_millis(*millis)).await,
        Some(Effect::Hold) => hold(control, released).await,
        _ => {
            let outgoing = enter(control, incoming, fault.as_ref());
            match fault {
                Some(Effect::SlowReply(millis)) => tokio::time::sleep(Duration::from_millis(millis)).await,
                Some(Effect::HoldReply) => hold(control, released).await,
                _ => {}
            }
            return outgoing;
        }
    }
    enter(control, incoming, fault.as_ref())
}

fn enter(control: &Control, incoming: &Incoming, fault: Option<&Effect>) -> Outgoing {
    let now = control.now();
    control.desk().answer(incoming, fault, now)
}

async fn hold(control: &Control, released: impl Future<Output = ()>) {
    let held = control.hold();
    released.await;
    drop(held);
}

fn incoming(request: &HttpRequest, body: Option<Vec<u8>>) -> Incoming {
    let header = |name: &str| request.headers().get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
    let authorization = header(AUTHORIZATION.as_str());
    let token = authorization.as_deref().and_then(|text| text.split_once(' '));
    let token = token.filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"));
    let port = request.app_config().local_addr().port();
    let by_port = request.app_data::<Ports>().and_then(|ports| ports.0.get(&port)).copied();
    Incoming {
        region: by_port.or_else(|| region::of_host(&header("Host").unwrap_or_default())),
        method: request.method().as_str().to_owned(),
        path: request.uri().path().to_owned(),
        query: request.query_string().to_owned(),
        token: token.map(|(_, token)| AccessToken(token.trim().to_owned())),
        version: header("Intercom-Version"),
        content_type: header(CONTENT_TYPE.as_str()),
        accept: header(ACCEPT.as_str()),
        fault: header("X-Sandbox-Fault"),
        body,
    }
}

fn respond(outgoing: Outgoing) -> HttpResponse {
    let status = StatusCode::from_u16(outgoing.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = HttpResponse::build(status);
    for (name, value) in &outgoing.headers {
        response.insert_header((*name, value.as_str()));
    }
    if !outgoing.body.is_empty() {
        response.insert_header((CONTENT_TYPE, outgoing.content_type));
    }
    match outgoing.sent {
        Sent::Whole => response.body(outgoing.body),
        Sent::Slowly(millis) => response.streaming(slowly(outgoing.body, Duration::from_millis(millis))),
        Sent::Half => response.body(Broken::half(outgoing.body)),
        Sent::Nothing => response.body(Broken::default()),
    }
}

/// The body in two halves, with a pause between.
fn slowly(body: String, pause: Duration) -> impl Stream<Item = Result<Bytes, io::Error>> {
    let mut first = Bytes::from(body);
    let rest = first.split_off(first.len() / 2);
    stream::iter([(first, Duration::ZERO), (rest, pause)]).then(|(bytes, pause)| async move {
        tokio::time::sleep(pause).await;
        Ok(bytes)
    })
}

/// The caller went away in the middle of its own request.
fn cut_off() -> HttpResponse {
    HttpResponse::BadRequest().body(Broken::default())
}

/// A body that promises more than it gives; the server then closes the connection.
///
/// # Why
/// The head of a reply leaves the server together with the first bytes of its body. A body that fails at once therefore
/// closes the connection with nothing sent, without reaching around the server for its socket.
#[derive(Default)]
struct Broken {
    first: Option<Bytes>,
    promised: u64,
    paused: bool,
}

#[derive(Debug)]
struct Cut;

impl fmt::Display for Cut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the connection is closed on purpose")
    }
}

impl std::error::Error for Cut {}

impl Broken {
    fn half(body: String) -> Broken {
        let promised = body.len() as u64;
        let mut bytes = Bytes::from(body);
        bytes.truncate(bytes.len() / 2);
        Broken { first: Some(bytes), promised, paused: false }
    }
}

impl MessageBody for Broken {
    type Error = Cut;

    fn size(&self) -> BodySize {
        BodySize::Sized(self.promised.max(1))
    }

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Bytes, Cut>>> {
        if let Some(bytes) = self.first.take() {
            return Poll::Ready(Some(Ok(bytes)));
        }
        if self.promised > 0 && !self.paused {
            self.paused = true;
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        Poll::Ready(Some(Err(Cut)))
    }
}
