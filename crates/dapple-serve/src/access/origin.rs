//! Requests that a web page of another site makes a browser send, and the names of the server.
//!
//! A browser reaches a service on the loopback interface for every page that its user looks at. The service therefore takes
//! only requests that name this machine as their host (against DNS rebinding), and from pages only those of its own or of listed
//! origins: by `Origin`, and by `Sec-Fetch-Site` where a browser sends no origin.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use axum::http::{HeaderMap, HeaderName, Method, StatusCode, header};

use crate::problem::Problem;

/// The rules of a server.
#[derive(Clone, Debug)]
pub(crate) struct OriginRules {
    /// Whether it listens on the loopback interface only.
    loopback: bool,
    /// Names besides those of this machine.
    host_names: Vec<String>,
    /// Foreign origins whose pages may use it.
    origins: Vec<String>,
}

impl OriginRules {
    pub fn new(address: SocketAddr, host_names: &[String], origins: &[String]) -> Self {
        Self {
            loopback: address.ip().is_loopback(),
            host_names: host_names.to_vec(),
            origins: origins.to_vec(),
        }
    }

    /// Refuses what another site's page sends.
    pub fn check(&self, method: &Method, headers: &HeaderMap) -> Result<(), Problem> {
        let refused = |why: &str| Err(Problem::new(StatusCode::FORBIDDEN, why));
        let text = |name: &HeaderName| headers.get(name).map(|value| value.to_str().unwrap_or("?"));
        let host = text(&header::HOST).unwrap_or_default();
        if self.loopback && !is_local(host) && !self.host_names.iter().any(|name| is_named(host, name)) {
            return refused(
                "this server listens on this machine only: ask it as http://127.0.0.1 or http://localhost, or name \
                 the host of a reverse proxy with --host-names",
            );
        }
        match text(&header::ORIGIN) {
            Some(origin) if self.origins.iter().any(|listed| listed == origin) => Ok(()),
            Some(origin) if is_own(origin, host) => Ok(()),
            Some(_) => {
                refused("pages of this origin may not use this server; its --cors lists those that may")
            }
            None => {
                let fetch = |name: &'static str| text(&HeaderName::from_static(name)).unwrap_or_default();
                // A link to the page, in any other page, is no more than its address.
                let followed = method == Method::GET
                    && fetch("sec-fetch-mode") == "navigate"
                    && fetch("sec-fetch-dest") == "document";
                match fetch("sec-fetch-site") {
                    "cross-site" | "same-site" if !followed => refused("other sites may not use this server"),
                    _ => Ok(()),
                }
            }
        }
    }
}

/// The name and the port of a `Host`.
fn name_and_port(host: &str) -> (&str, Option<&str>) {
    match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|b| b.is_ascii_digit()) => (name, Some(port)),
        _ => (host, None),
    }
}

/// Whether a `Host` names this machine, with or without a port.
pub(crate) fn is_local(host: &str) -> bool {
    let (name, _) = name_and_port(host);
    let address = name.trim_matches(['[', ']']).parse::<IpAddr>();
    name.eq_ignore_ascii_case("localhost")
        || address.is_ok_and(|address| address.to_canonical().is_loopback())
}

fn is_named(host: &str, name: &str) -> bool {
    host.eq_ignore_ascii_case(name) || name_and_port(host).0.eq_ignore_ascii_case(name)
}

/// Whether a page's origin is that of the server, by the name under which it was asked.
fn is_own(origin: &str, host: &str) -> bool {
    let Some((scheme, authority)) = origin.split_once("://") else { return false };
    let usual = match scheme {
        "http" => "80",
        "https" => "443",
        _ => return false,
    };
    let full = |authority: &str| {
        let (name, port) = name_and_port(authority);
        (name.to_ascii_lowercase(), port.unwrap_or(usual).to_owned())
    };
    full(authority) == full(host)
}

/// Whether a name, with or without a port, can be a `Host`.
pub(crate) fn can_be_host(text: &str) -> bool {
    canonical_host(name_and_port(text).0).is_some()
}

/// The fault of a listed origin that no browser ever sends.
pub(crate) fn fault_of_origin(text: &str) -> Option<String> {
    let usual = "give origins as browsers send them: https://example.org, or https://example.org:8443";
    if text.contains('*') {
        return Some("there are no patterns; list the origins, as https://example.org".into());
    }
    let (scheme, rest) = match text.split_once("://") {
        Some((scheme, rest)) if ["http", "https"].contains(&scheme.to_ascii_lowercase().as_str()) => {
            (scheme, rest)
        }
        _ => return Some(usual.into()),
    };
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at(end);
    let authority = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    let (name, port) = name_and_port(authority);
    let scheme = scheme.to_ascii_lowercase();
    let default = if scheme == "http" { 80 } else { 443 };
    let Some(name) = canonical_host(name) else {
        let ascii =
            if name.is_ascii() { "" } else { "; browsers send such names in ASCII, beginning with xn--" };
        return Some(format!("`{name}` is not the name of a host{ascii}"));
    };
    let port = match port.map(str::parse::<u16>) {
        None => String::new(),
        Some(Ok(port)) if port == default => String::new(),
        Some(Ok(port)) if port > 0 => format!(":{port}"),
        Some(_) => return Some(usual.into()),
    };
    let sent = format!("{scheme}://{name}{port}");
    match sent == text {
        true => None,
        false if path.len() > 1 => Some(format!("an origin has no path; give {sent}")),
        false => Some(format!("browsers send it as {sent}; give it so")),
    }
}

/// The host's name as browsers write it.
pub(crate) fn canonical_host(name: &str) -> Option<String> {
    if let Some(inner) = name.strip_prefix('[') {
        return inner.strip_suffix(']')?.parse::<Ipv6Addr>().ok().map(|address| format!("[{address}]"));
    }
    let labels: Vec<&str> = name.strip_suffix('.').unwrap_or(name).split('.').collect();
    let plain = |label: &&str| {
        !label.is_empty() && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
    };
    if !labels.iter().all(plain) {
        return None;
    }
    // A name that ends in a number is an address.
    match labels.last().is_some_and(|last| last.bytes().all(|b| b.is_ascii_digit())) {
        true => name.parse::<Ipv4Addr>().ok().map(|address| address.to_string()),
        false => Some(name.to_ascii_lowercase()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(rules: &OriginRules, headers: &[(&'static str, &str)]) -> bool {
        let value = |text: &str| text.parse().expect("a header's value");
        let headers = headers.iter().map(|(name, text)| (HeaderName::from_static(name), value(text)));
        rules.check(&Method::POST, &headers.collect()).is_ok()
    }

    fn rules(address: &str) -> OriginRules {
        let listed = |text: &str| vec![text.to_owned()];
        let address = address.parse().expect("an address");
        OriginRules::new(address, &listed("proxy.example.org"), &listed("https://app.example.org"))
    }

    #[test]
    fn only_this_machine_is_local() {
        for host in ["localhost", "LOCALHOST:8081", "127.0.0.1:8081", "127.1.2.3", "[::1]:80", "[::1]"] {
            assert!(is_local(host), "{host}");
        }
        for host in ["example.org", "localhost.example.org:80", "192.168.0.7:80", "127.0.0.1.example.org", ""]
        {
            assert!(!is_local(host), "{host}");
        }
    }

    #[test]
    fn names_of_hosts_have_no_scheme_path_or_pattern() {
        for right in ["proxy.example.org", "proxy", "proxy.example.org:8443", "192.168.0.7", "[::1]:80"] {
            assert!(can_be_host(right), "{right}");
        }
        for wrong in ["", "https://proxy.example.org", "proxy.example.org/", "*.example.org", "a b"] {
            assert!(!can_be_host(wrong), "{wrong}");
        }
    }

    #[test]
    fn other_sites_cannot_use_a_server_on_this_machine() {
        let rules = rules("127.0.0.1:8080");
        let host = ("host", "127.0.0.1:8080");
        assert!(check(&rules, &[host]));
        assert!(check(&rules, &[("host", "proxy.example.org")]));
        assert!(!check(&rules, &[("host", "evil.example:8080")]) && !check(&rules, &[]));
        for (origin, allowed) in [
            ("http://127.0.0.1:8080", true),
            ("https://app.example.org", true),
            ("http://127.0.0.1:3000", false),
            ("http://localhost:8080", false),
            ("https://evil.example", false),
            ("http://app.example.org", false),
            ("null", false),
            ("", false),
        ] {
            assert_eq!(check(&rules, &[host, ("origin", origin)]), allowed, "{origin}");
        }
        for (site, allowed) in
            [("same-origin", true), ("none", true), ("cross-site", false), ("same-site", false)]
        {
            assert_eq!(check(&rules, &[host, ("sec-fetch-site", site)]), allowed, "{site}");
        }
        let listed = [host, ("origin", "https://app.example.org"), ("sec-fetch-site", "cross-site")];
        assert!(check(&rules, &listed));
    }

    #[test]
    fn beyond_this_machine_hosts_have_any_name_but_origins_are_still_checked() {
        let rules = rules("0.0.0.0:80");
        assert!(check(&rules, &[("host", "server")]));
        assert!(check(&rules, &[("host", "server"), ("origin", "http://server")]));
        assert!(!check(&rules, &[("host", "server"), ("origin", "http://other")]));
    }

    #[test]
    fn links_from_other_sites_open_the_page() {
        let rules = rules("127.0.0.1:8080");
        let header = |(name, text): (&'static str, &str)| {
            (HeaderName::from_static(name), text.parse().expect("a header's value"))
        };
        let link = [
            ("host", "localhost:8080"),
            ("sec-fetch-site", "cross-site"),
            ("sec-fetch-mode", "navigate"),
            ("sec-fetch-dest", "document"),
        ];
        let headers: HeaderMap = link.map(header).into_iter().collect();
        assert!(rules.check(&Method::GET, &headers).is_ok());
        assert!(rules.check(&Method::POST, &headers).is_err(), "a form of another site");
    }

    #[test]
    fn origins_that_can_never_match_are_told_from_others() {
        for right in [
            "https://example.org",
            "http://localhost:3000",
            "http://127.0.0.1:5173",
            "http://[::1]:8000",
            "https://xn--bcher-kva.example",
        ] {
            assert_eq!(fault_of_origin(right), None, "{right}");
        }
        for (wrong, remedy) in [
            ("https://example.org/", "https://example.org;"),
            ("https://example.org/app", "no path; give https://example.org"),
            ("https://Example.org", "https://example.org;"),
            ("HTTPS://example.org", "https://example.org;"),
            ("https://example.org:443", "https://example.org;"),
            ("http://example.org:80", "http://example.org;"),
            ("https://user@example.org", "https://example.org;"),
            ("http://[0:0::1]", "http://[::1];"),
            ("*", "no patterns"),
            ("https://*.example.org", "no patterns"),
            ("null", "https://example.org"),
            ("example.org", "https://example.org"),
            ("ftp://example.org", "https://example.org"),
            ("https://bücher.example", "xn--"),
            ("https://", "not the name"),
            ("https://exa mple.org", "not the name"),
            ("https://example.org:99999", "8443"),
            ("http://127.1", "not the name"),
            ("", "https://example.org"),
        ] {
            let fault = fault_of_origin(wrong).unwrap_or_default();
            assert!(fault.contains(remedy), "{wrong}: {fault}");
        }
    }
}
