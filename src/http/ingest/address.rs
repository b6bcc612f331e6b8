//! Whose address a call came from, also through proxies that are trusted to say so.

use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;

use actix_web::http::header::{HeaderMap, HeaderName};

/// The proxies in front of us.
#[derive(Debug, Clone)]
pub struct Proxies {
    trusted: Vec<Network>,
    header: HeaderName,
}

/// A range of addresses, `10.0.0.0/8` or a single one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Network {
    address: IpAddr,
    prefix: u32,
}

impl Proxies {
    /// Reads the settings; answers every problem in them.
    pub fn new(trusted: &[String], header: &str) -> Result<Proxies, Vec<String>> {
        let (networks, mut problems): (Vec<_>, Vec<_>) =
            trusted.iter().map(|text| text.parse()).partition(Result::is_ok);
        let header = HeaderName::from_str(header);
        if header.is_err() {
            problems.push(Err("`client_ip_header` is not the name of a header".to_owned()));
        }
        match header {
            Ok(header) if problems.is_empty() => {
                Ok(Proxies { trusted: networks.into_iter().filter_map(Result::ok).collect(), header })
            }
            _ => Err(problems.into_iter().filter_map(|problem: Result<Network, String>| problem.err()).collect()),
        }
    }

    /// The sender's address: the peer's, or, behind trusted proxies, the last one in the header that is not a trusted
    /// proxy's. What stands further left anybody can write.
    pub fn client(&self, peer: Option<IpAddr>, headers: &HeaderMap) -> Option<IpAddr> {
        let mut client = peer?.to_canonical();
        if !self.trusts(client) {
            return Some(client);
        }
        let values: Vec<&str> = headers.get_all(&self.header).filter_map(|value| value.to_str().ok()).collect();
        for text in values.iter().rev().flat_map(|value| value.rsplit(',')) {
            let Some(address) = address(text.trim()) else { break };
            client = address;
            if !self.trusts(client) {
                break;
            }
        }
        Some(client)
    }

    fn trusts(&self, address: IpAddr) -> bool {
        self.trusted.iter().any(|network| network.contains(address))
    }
}

fn address(text: &str) -> Option<IpAddr> {
    let bare = text.trim_start_matches('[').trim_end_matches(']');
    let address = bare.parse().ok().or_else(|| text.parse::<SocketAddr>().ok().map(|address| address.ip()))?;
    Some(address.to_canonical())
}

impl Network {
    fn contains(self, address: IpAddr) -> bool {
        match (self.address, address) {
            (IpAddr::V4(own), IpAddr::V4(other)) => {
                let shift = 32 - self.prefix;
                own.to_bits().checked_shr(shift) == other.to_bits().checked_shr(shift)
            }
            (IpAddr::V6(own), IpAddr::V6(other)) => {
                let shift = 128 - self.prefix;
                own.to_bits().checked_shr(shift) == other.to_bits().checked_shr(shift)
            }
            _ => false,
        }
    }
}

impl FromStr for Network {
    type Err = String;

    fn from_str(text: &str) -> Result<Network, String> {
        let refuse = || format!("`{text}` in `trusted_proxies` is not an address or a range like `10.0.0.0/8`");
        let (address, prefix) = text.split_once('/').map_or((text, None), |(address, prefix)| (address, Some(prefix)));
        let address: IpAddr = address.trim().parse().map_err(|_| refuse())?;
        let longest = if address.is_ipv4() { 32 } else { 128 };
        let prefix = prefix.map_or(Ok(longest), |prefix| prefix.trim().parse()).map_err(|_| refuse())?;
        if prefix > longest { Err(refuse()) } else { Ok(Network { address, prefix }) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(peer: &str, forwarded: &[&str], expected: &str) {
        let trusted = ["10.0.0.0/8".to_owned(), "fd00::/8".to_owned(), "192.0.2.1".to_owned()];
        let proxies = Proxies::new(&trusted, "X-Forwarded-For").unwrap();
        let mut headers = HeaderMap::new();
        for value in forwarded {
            headers.append(HeaderName::from_static("x-forwarded-for"), value.parse().unwrap());
        }
        let found = proxies.client(Some(peer.parse().unwrap()), &headers);
        assert_eq!(found, Some(expected.parse().unwrap()), "{peer} {forwarded:?}");
    }

    #[test]
    fn only_trusted_proxies_are_believed() {
        check("203.0.113.9", &["198.51.100.1"], "203.0.113.9");
        check("10.1.2.3", &["198.51.100.1"], "198.51.100.1");
        check("10.1.2.3", &["6.6.6.6, 198.51.100.1, 10.9.9.9"], "198.51.100.1");
        check("10.1.2.3", &["6.6.6.6", "198.51.100.1", "192.0.2.1"], "198.51.100.1");
        check("10.1.2.3", &["198.51.100.1:4711"], "198.51.100.1");
        check("fd00::1", &["[2001:db8::7]:80"], "2001:db8::7");
        check("10.1.2.3", &["nonsense"], "10.1.2.3");
        check("10.1.2.3", &[], "10.1.2.3");
        check("::ffff:203.0.113.9", &[], "203.0.113.9");
    }

    #[test]
    fn wrong_settings_are_all_named() {
        let trusted = ["10.0.0.0/33".to_owned(), "home".to_owned(), "0.0.0.0/0".to_owned()];
        assert_eq!(Proxies::new(&trusted, "a b").unwrap_err().len(), 3);
        let all = Proxies::new(&trusted[2..], "x-real-ip").unwrap();
        assert!(all.trusts("1.2.3.4".parse().unwrap()));
    }
}
