//! The body of a call: read raw, under a deadline and a budget, in one piece.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use actix_web::http::header::HeaderMap;
use actix_web::web::{self, Bytes, BytesMut, Payload};
use futures_util::StreamExt;

use super::inflate::{Encoding, encoding, inflate};
use crate::http::problem::{Code, Problem};

/// Compressed bodies larger than this are inflated beside the worker, not on it.
const INLINE_MAX: usize = 64 * 1024;
/// Of a body that is too large, this much more is read and thrown away, so that the sender comes to read the answer.
const DISCARD_MAX: usize = 64 * 1024 * 1024;

/// What a body may cost.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Bytes after inflating.
    pub bytes_max: usize,
    /// Bytes as sent, when compressed.
    pub compressed_max: usize,
    /// How long it may take to arrive.
    pub timeout: Duration,
}

/// The bytes of all bodies that are in memory at once.
///
/// # Why
/// Bodies are read before it is known whose they are. So one address may take a quarter of the budget, and the last
/// quarter is for small bodies: whoever sends large ones slowly, with or without a key, keeps nobody's events out.
#[derive(Debug)]
pub struct Budget {
    used: AtomicUsize,
    by_peer: Mutex<HashMap<Option<IpAddr>, usize>>,
    max: usize,
}

/// A body up to this size is small.
const SMALL: usize = 32 * 1024;

impl Budget {
    /// A budget of `max` bytes.
    pub fn new(max: usize) -> Arc<Budget> {
        Arc::new(Budget { used: AtomicUsize::new(0), by_peer: Mutex::default(), max })
    }

    /// Takes nothing yet.
    pub fn lease(self: &Arc<Self>, peer: Option<IpAddr>) -> Lease {
        Lease { budget: Arc::clone(self), peer, bytes: 0 }
    }

    fn by_peer(&self) -> MutexGuard<'_, HashMap<Option<IpAddr>, usize>> {
        self.by_peer.lock().expect("nothing panics while it holds the shares")
    }
}

/// A part of the budget; given back when dropped.
#[derive(Debug)]
pub struct Lease {
    budget: Arc<Budget>,
    peer: Option<IpAddr>,
    bytes: usize,
}

impl Lease {
    /// Takes `bytes` more, or refuses with [`Code::Busy`].
    pub fn grow(&mut self, bytes: usize) -> Result<(), Problem> {
        let Budget { max, .. } = *self.budget;
        self.bytes += bytes;
        let all = self.budget.used.fetch_add(bytes, Ordering::Relaxed) + bytes;
        if self.bytes <= SMALL {
            return if all > max { Err(busy()) } else { Ok(()) };
        }
        // Only large bodies have a share to keep within; a small one that grows counts whole from then on.
        let counted = if self.bytes - bytes <= SMALL { self.bytes } else { bytes };
        let mut by_peer = self.budget.by_peer();
        let mine = by_peer.entry(self.peer).or_default();
        *mine += counted;
        if *mine > max / 4 || all > max / 4 * 3 { Err(busy()) } else { Ok(()) }
    }

    /// How much it has taken.
    #[cfg(test)]
    pub fn bytes(&self) -> usize {
        self.bytes
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.budget.used.fetch_sub(self.bytes, Ordering::Relaxed);
        if self.bytes > SMALL {
            let mut by_peer = self.budget.by_peer();
            let mine = by_peer.entry(self.peer).or_default();
            *mine = mine.saturating_sub(self.bytes);
            if *mine == 0 {
                by_peer.remove(&self.peer);
            }
        }
    }
}

fn busy() -> Problem {
    Problem::new(Code::Busy, "too many calls are being read, send this one again later")
}

/// A body, inflated, and its part of the budget.
#[derive(Debug)]
pub struct Body {
    /// What was sent.
    pub bytes: Bytes,
    /// To be kept as long as anything made from the bytes is.
    pub lease: Lease,
}

/// Reads the body whatever its `Content-Type` says. A gzip body without its header is recognised by its first bytes.
pub async fn read(headers: &HeaderMap, payload: Payload, limits: Limits, lease: Lease) -> Result<Body, Problem> {
    let encoding = match encoding(headers) {
        Ok(encoding) => encoding,
        Err(problem) => {
            discard(payload, limits.timeout).await;
            return Err(problem);
        }
    };
    let raw_max = match encoding {
        Encoding::Identity => limits.bytes_max,
        _ => limits.compressed_max.min(limits.bytes_max),
    };
    let late = || Problem::new(Code::BodyTimeout, format!("the body did not arrive within {:?}", limits.timeout));
    let (bytes, lease) =
        tokio::time::timeout(limits.timeout, collect(payload, raw_max, lease)).await.map_err(|_| late())??;
    match encoding {
        _ if bytes.is_empty() => Err(Problem::new(Code::EmptyBody, "the body is empty")),
        Encoding::Identity if !bytes.starts_with(&[0x1f, 0x8b]) => Ok(Body { bytes, lease }),
        Encoding::Identity => unpack(Encoding::Gzip, bytes, limits.bytes_max, lease).await,
        encoding => unpack(encoding, bytes, limits.bytes_max, lease).await,
    }
}

/// Reads a body that nobody wants to its end, within bounds, so that its sender comes to read the answer.
pub async fn discard(mut payload: Payload, timeout: Duration) {
    let all = async {
        let mut seen = 0;
        while let Some(Ok(chunk)) = payload.next().await {
            seen += chunk.len();
            if seen > DISCARD_MAX {
                return;
            }
        }
    };
    // Late or not: the answer is the same.
    let _ = tokio::time::timeout(timeout, all).await;
}

/// The whole body in one piece; without a copy when it came in one piece.
async fn collect(mut payload: Payload, max: usize, mut lease: Lease) -> Result<(Bytes, Lease), Problem> {
    let incomplete = |_| Problem::new(Code::BodyIncomplete, "the body ended early or is broken");
    let Some(first) = payload.next().await else { return Ok((Bytes::new(), lease)) };
    let first = first.map_err(incomplete)?;
    lease.grow(first.len())?;
    let Some(second) = payload.next().await else { return within(first, max).map(|bytes| (bytes, lease)) };
    let mut next = Some(second);
    let mut whole = BytesMut::from(first);
    let mut discarded = 0;
    while let Some(chunk) = next {
        let chunk = chunk.map_err(incomplete)?;
        if whole.len() + chunk.len() > max {
            discarded += chunk.len();
        } else {
            lease.grow(chunk.len())?;
            whole.extend_from_slice(&chunk);
        }
        if discarded > DISCARD_MAX {
            break;
        }
        next = payload.next().await;
    }
    if discarded > 0 {
        return Err(too_large(max));
    }
    within(whole.freeze(), max).map(|bytes| (bytes, lease))
}

fn within(bytes: Bytes, max: usize) -> Result<Bytes, Problem> {
    if bytes.len() > max { Err(too_large(max)) } else { Ok(bytes) }
}

fn too_large(max: usize) -> Problem {
    Problem::new(Code::PayloadTooLarge, format!("the body is larger than {max} bytes"))
}

async fn unpack(encoding: Encoding, packed: Bytes, max: usize, mut lease: Lease) -> Result<Body, Problem> {
    let beside = packed.len() > INLINE_MAX;
    let work = move || inflate(encoding, &packed, max, &mut lease).map(|bytes| Body { bytes: bytes.into(), lease });
    let body = match beside {
        false => work(),
        true => web::block(work).await.map_err(|_| Problem::new(Code::Busy, "inflating was interrupted"))?,
    }?;
    match body.bytes.is_empty() {
        true => Err(Problem::new(Code::EmptyBody, "the body is empty after inflating")),
        false => Ok(body),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_budget_is_shared_and_given_back() {
        let budget = Budget::new(10);
        let mut first = budget.lease(None);
        first.grow(8).unwrap();
        let mut second = budget.lease(None);
        assert_eq!(second.grow(3).unwrap_err().code, Code::Busy);
        drop(second);
        drop(first);
        assert_eq!(budget.used.load(Ordering::Relaxed), 0);
        budget.lease(None).grow(10).unwrap();
    }

    #[test]
    fn large_bodies_of_one_address_leave_room_for_everybody_else() {
        let budget = Budget::new(64 * SMALL);
        let peer = |last: u8| Some(IpAddr::from([127, 0, 0, last]));
        let take = |last: u8, bytes: usize| {
            let mut lease = budget.lease(peer(last));
            lease.grow(SMALL / 2).and_then(|()| lease.grow(bytes - SMALL / 2)).map(|()| lease)
        };
        let mut held: Vec<Lease> = (0..4).map(|_| take(1, 4 * SMALL).unwrap()).collect();
        assert!(take(1, 4 * SMALL).is_err(), "one address has its quarter");
        held.extend([2, 3].map(|last| take(last, 16 * SMALL).unwrap()));
        assert!(take(4, 4 * SMALL).is_err(), "the last quarter is for small bodies");
        assert!(take(1, SMALL).is_ok(), "a small body is taken from anybody");
        drop(held);
        assert!(budget.by_peer().is_empty());
        assert_eq!(budget.used.load(Ordering::Relaxed), 0);
    }
}
