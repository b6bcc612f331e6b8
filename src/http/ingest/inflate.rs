//! How a body is packed, and unpacking it under a hard cap.

use std::io::Read;

use actix_web::http::header::{CONTENT_ENCODING, HeaderMap};
use flate2::bufread::MultiGzDecoder;
use flate2::{Decompress, FlushDecompress, Status};

use super::body::Lease;
use crate::http::problem::{Code, Problem};

/// Inflated in steps of this many bytes, each paid for from the budget before the next.
const STEP: usize = 64 * 1024;

/// How a body is packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    /// As it is.
    Identity,
    /// gzip, one member or several.
    Gzip,
    /// zlib, or bare deflate.
    Deflate,
}

/// What `Content-Encoding` says. At most one packing; anything but gzip and deflate is refused by its name.
pub fn encoding(headers: &HeaderMap) -> Result<Encoding, Problem> {
    let mut found = Encoding::Identity;
    for value in headers.get_all(CONTENT_ENCODING) {
        let named = value.to_str().unwrap_or("?").split(',').map(str::trim).filter(|name| !name.is_empty());
        for name in named.filter(|name| !name.eq_ignore_ascii_case("identity")) {
            let encoding = match name.to_ascii_lowercase().as_str() {
                "gzip" | "x-gzip" => Some(Encoding::Gzip),
                "deflate" => Some(Encoding::Deflate),
                _ => None,
            };
            found = match encoding {
                Some(encoding) if found == Encoding::Identity => encoding,
                _ => return Err(unsupported(value.to_str().unwrap_or("?"))),
            };
        }
    }
    Ok(found)
}

fn unsupported(name: &str) -> Problem {
    let name: String = name.chars().take(60).collect();
    let message = format!("content-encoding `{name}` is not one of gzip, deflate, identity");
    Problem::new(Code::UnsupportedEncoding, message)
}

/// Inflates; never makes more than `max` + 1 bytes.
pub fn inflate(encoding: Encoding, packed: &[u8], max: usize, lease: &mut Lease) -> Result<Vec<u8>, Problem> {
    let plain = match encoding {
        Encoding::Identity => packed.to_vec(),
        Encoding::Gzip => gunzip(packed, max, lease)?,
        Encoding::Deflate => undeflate(packed, max, lease)?,
    };
    match plain.len() > max {
        true => Err(Problem::new(Code::PayloadTooLarge, format!("the body is larger than {max} bytes when inflated"))),
        false => Ok(plain),
    }
}

fn gunzip(packed: &[u8], max: usize, lease: &mut Lease) -> Result<Vec<u8>, Problem> {
    let mut source = MultiGzDecoder::new(packed).take((max as u64).saturating_add(1));
    let mut plain = Vec::new();
    loop {
        let step = source.by_ref().take(STEP as u64).read_to_end(&mut plain);
        let step = step.map_err(|error| Problem::new(Code::MalformedGzip, format!("malformed gzip: {error}")))?;
        lease.grow(step)?;
        if step == 0 {
            return Ok(plain);
        }
    }
}

/// `deflate` is sent with the zlib frame (as the standard says) and without it (as many do).
fn undeflate(packed: &[u8], max: usize, lease: &mut Lease) -> Result<Vec<u8>, Problem> {
    let malformed = |why: String| Problem::new(Code::MalformedDeflate, format!("malformed deflate: {why}"));
    let mut source = Decompress::new(has_zlib_frame(packed));
    let mut plain = Vec::new();
    let mut step = vec![0; STEP];
    while plain.len() <= max {
        let had = source.total_out();
        let room = STEP.min((max - plain.len()).saturating_add(1));
        let rest = &packed[source.total_in() as usize..];
        let status = source.decompress(rest, &mut step[..room], FlushDecompress::None);
        let status = status.map_err(|error| malformed(error.to_string()))?;
        let made = (source.total_out() - had) as usize;
        lease.grow(made)?;
        plain.extend_from_slice(&step[..made]);
        match status {
            Status::StreamEnd => break,
            _ if made == 0 => return Err(malformed("it ends early".to_owned())),
            _ => {}
        }
    }
    Ok(plain)
}

fn has_zlib_frame(packed: &[u8]) -> bool {
    matches!(packed, [method, flags, ..] if method & 0x0f == 8 && (u16::from(*method) << 8 | u16::from(*flags)).is_multiple_of(31))
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::Compression;
    use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};

    use super::*;
    use crate::http::ingest::body::Budget;

    fn pack(plain: &[u8], encoding: &str) -> Vec<u8> {
        let done = match encoding {
            "gzip" => {
                let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
                encoder.write_all(plain).and_then(|()| encoder.finish())
            }
            "zlib" => {
                let mut encoder = ZlibEncoder::new(Vec::new(), Compression::best());
                encoder.write_all(plain).and_then(|()| encoder.finish())
            }
            _ => {
                let mut encoder = DeflateEncoder::new(Vec::new(), Compression::best());
                encoder.write_all(plain).and_then(|()| encoder.finish())
            }
        };
        done.unwrap()
    }

    fn kinds() -> [(&'static str, Encoding); 3] {
        [("gzip", Encoding::Gzip), ("zlib", Encoding::Deflate), ("raw", Encoding::Deflate)]
    }

    #[test]
    fn what_was_packed_comes_back_and_a_cut_stream_does_not() {
        let plain: Vec<u8> = (0..50_000u32).flat_map(|n| n.to_le_bytes()).collect();
        for (kind, encoding) in kinds() {
            let packed = pack(&plain, kind);
            let mut lease = Budget::new(usize::MAX).lease(None);
            assert!(inflate(encoding, &packed, plain.len(), &mut lease).unwrap() == plain, "{kind}");
            for cut in [3, packed.len() / 2, packed.len() - 1] {
                let mut lease = Budget::new(usize::MAX).lease(None);
                let problem = inflate(encoding, &packed[..cut], plain.len(), &mut lease).unwrap_err();
                let expected = if kind == "gzip" { Code::MalformedGzip } else { Code::MalformedDeflate };
                assert_eq!(problem.code, expected, "{kind} {cut}");
            }
        }
    }

    #[test]
    fn a_bomb_costs_no_more_than_the_limit() {
        let bomb = vec![b' '; 1_000_000];
        for (kind, encoding) in kinds() {
            let packed = pack(&bomb, kind);
            let mut lease = Budget::new(usize::MAX).lease(None);
            let problem = inflate(encoding, &packed, 100_000, &mut lease).unwrap_err();
            assert_eq!(problem.code, Code::PayloadTooLarge, "{kind}");
            assert_eq!(lease.bytes(), 100_001, "{kind}");
        }
    }

    #[test]
    fn encodings_are_told_apart_by_name() {
        #[track_caller]
        fn check(value: &'static str, expected: Result<Encoding, Code>) {
            let mut headers = HeaderMap::new();
            headers.insert(CONTENT_ENCODING, value.parse().unwrap());
            assert_eq!(encoding(&headers).map_err(|problem| problem.code), expected, "{value}");
        }
        check("gzip", Ok(Encoding::Gzip));
        check("X-GZIP", Ok(Encoding::Gzip));
        check("identity, deflate", Ok(Encoding::Deflate));
        check("", Ok(Encoding::Identity));
        check("br", Err(Code::UnsupportedEncoding));
        check("gzip, gzip", Err(Code::UnsupportedEncoding));
    }
}
