//! Which region a request was sent to: by the port it came in at, else by the name it asked for.

use super::settings::Region;

/// The region an address names: `api.eu.intercom.io`, `eu.localhost:8080`. An address that names none belongs to all, as
/// the service's first address does.
pub fn of_host(host: &str) -> Option<Region> {
    let host = host.to_ascii_lowercase();
    let host = host.strip_prefix("api.").unwrap_or(&host);
    let first = host.split_once('.')?.0;
    [Region::Us, Region::Eu, Region::Au].into_iter().find(|region| region.word().eq_ignore_ascii_case(first))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_tell_their_region() {
        assert_eq!(of_host("api.eu.intercom.io"), Some(Region::Eu));
        assert_eq!(of_host("AU.localhost:8082"), Some(Region::Au));
        assert_eq!(of_host("us.localhost"), Some(Region::Us));
        for host in ["api.intercom.io", "127.0.0.1:8082", "localhost", "europe.example", ""] {
            assert_eq!(of_host(host), None, "{host}");
        }
    }
}
