//! Hosts and origins: which are this machine's own, which may connect.

use std::net::{IpAddr, Ipv6Addr};

/// Whether a page of `origin` may open a socket. `listed` is what the configuration allows; nothing listed: loopback only.
pub(super) fn may_connect(origin: Option<&[u8]>, listed: &[String]) -> bool {
    let Some(origin) = origin else { return true };
    let Ok(origin) = std::str::from_utf8(origin) else {
        return false;
    };
    if listed.is_empty() {
        authority(origin).is_some_and(is_loopback)
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

/// Whether `authority` (host and perhaps port) names this machine: `localhost`, a name below it, 127.0.0.0/8, [::1].
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
        assert!(may_connect(None, &listed));
        assert!(may_connect(Some(b"https://example.org"), &listed));
        assert!(!may_connect(Some(b"http://localhost:1"), &listed));
        assert!(may_connect(Some(b"http://localhost:1"), &[]));
        assert!(!may_connect(Some(b"https://example.org"), &[]));
        assert!(!may_connect(Some(b"null"), &[]));
        assert!(!may_connect(Some(b"http://localhost:1/"), &[]));
        assert!(!may_connect(Some(b"\xff"), &[]));
    }
}
