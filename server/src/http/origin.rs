//! Hosts and origins: which are this machine's own, which may connect.

use hyper::HeaderMap;
use hyper::header::{HOST, ORIGIN};
use std::net::{IpAddr, Ipv6Addr};

/// Whether the page that asks may open a socket. `listed` is what the configuration allows; nothing listed: loopback, and
/// the pages of this very address, `Host`. A name in `Host` proves nothing, since whoever owns a name can make it mean us.
pub(super) fn may_connect(headers: &HeaderMap, listed: &[String]) -> bool {
    let Some(origin) = headers.get(ORIGIN) else {
        return true;
    };
    let Ok(origin) = std::str::from_utf8(origin.as_bytes()) else {
        return false;
    };
    if listed.is_empty() {
        let here = headers.get(HOST).and_then(|host| host.to_str().ok());
        authority(origin)
            .is_some_and(|page| is_loopback(page) || (is_address(page) && Some(page) == here))
    } else {
        listed.iter().any(|each| each.eq_ignore_ascii_case(origin))
    }
}

/// The host and port of an `http` or `https` origin.
pub(super) fn authority(origin: &str) -> Option<&str> {
    origin
        .strip_prefix("http://")
        .or_else(|| origin.strip_prefix("https://"))
}

/// Whether `authority` (host and perhaps port) names this machine: `localhost`, a name below it, 127.0.0.0/8, `[::1]`.
pub(super) fn is_loopback(authority: &str) -> bool {
    let Some(host) = host(authority) else {
        return false;
    };
    if let Some(inner) = host.strip_prefix('[') {
        return inner.strip_suffix(']').and_then(|inner| inner.parse().ok())
            == Some(Ipv6Addr::LOCALHOST);
    }
    let host = host.to_ascii_lowercase();
    host == "localhost"
        || host.ends_with(".localhost")
        || matches!(host.parse(), Ok(IpAddr::V4(ip)) if ip.is_loopback())
}

/// Whether `authority` is an IP address, with or without a port.
fn is_address(authority: &str) -> bool {
    host(authority).is_some_and(|host| {
        let inner = host
            .strip_prefix('[')
            .and_then(|host| host.strip_suffix(']'));
        inner.unwrap_or(host).parse::<IpAddr>().is_ok()
    })
}

/// The host, if the port behind it is one.
fn host(authority: &str) -> Option<&str> {
    let end = if authority.starts_with('[') {
        authority.find(']')? + 1
    } else {
        authority.find(':').unwrap_or(authority.len())
    };
    let (host, port) = authority.split_at(end);
    let port_is_fine = port.is_empty()
        || port
            .strip_prefix(':')
            .is_some_and(|port| port.parse::<u16>().is_ok());
    port_is_fine.then_some(host)
}

#[cfg(test)]
mod tests {
    use super::*;
    use hyper::header::HeaderValue;

    #[test]
    fn loopback_is_recognised_and_nothing_else() {
        for good in [
            "localhost",
            "localhost:8575",
            "a.localhost",
            "127.0.0.1:1",
            "127.9.9.9",
            "[::1]",
            "[::1]:80",
            "LocalHost",
        ] {
            assert!(is_loopback(good), "{good}");
        }
        for bad in [
            "",
            "example.org",
            "localhost.example.org",
            "127.0.0.1.example.org",
            "notlocalhost",
            "10.0.0.1",
            "[::2]",
            "localhost:x",
            "localhost:80/x",
            "localhost@example.org",
            "::1",
            "127.0.0.1:99999",
            "2130706433",
            "[::1",
        ] {
            assert!(!is_loopback(bad), "{bad}");
        }
    }

    #[test]
    fn origins_are_loopback_or_listed() {
        let listed = ["https://example.org".to_owned()];
        let asks = |origin: &'static [u8], host: &'static str, listed: &[String]| {
            let mut headers = HeaderMap::new();
            headers.insert(ORIGIN, HeaderValue::from_bytes(origin).unwrap());
            headers.insert(HOST, HeaderValue::from_static(host));
            may_connect(&headers, listed)
        };
        assert!(may_connect(&HeaderMap::new(), &listed));
        assert!(asks(b"https://example.org", "example.org", &listed));
        assert!(!asks(b"http://localhost:1", "localhost:1", &listed));
        assert!(asks(b"http://localhost:1", "localhost:2", &[]));
        assert!(!asks(b"https://example.org", "localhost:2", &[]));
        assert!(!asks(b"null", "localhost:2", &[]));
        assert!(!asks(b"http://localhost:1/", "localhost:1", &[]));
        assert!(!asks(b"\xff", "localhost:1", &[]));
        assert!(
            asks(b"http://10.0.0.7:8575", "10.0.0.7:8575", &[]),
            "its own pages"
        );
        assert!(asks(b"http://[fe80::1]:8575", "[fe80::1]:8575", &[]));
        assert!(!asks(b"http://10.0.0.7:8575", "10.0.0.7:8576", &[]));
        assert!(!asks(b"http://10.0.0.7:8575", "127.0.0.1:8575", &[]));
        assert!(
            !asks(b"http://evil.example:8575", "evil.example:8575", &[]),
            "a name can be made to mean us"
        );
    }
}
