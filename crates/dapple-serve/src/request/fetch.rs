//! Images from addresses: only from hosts that the server's owner lists, and never from a private address, whatever a name
//! leads to. Redirects are not followed and no proxy is asked, for either would lead past the check.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use axum::body::Bytes;
use axum::http::{StatusCode, Uri};
use ureq::Agent;
use ureq::config::Config;
use ureq::unversioned::resolver::{DefaultResolver, ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::{DefaultConnector, NextTimeout};

use crate::access::origin::canonical_host;
use crate::bounds::shares::{HeldMemory, Peer};
use crate::config::Limits;
use crate::error::ServeError;
use crate::problem::Problem;
use crate::request::addresses::is_public;
use crate::work::aside;

/// The longest time for one.
const LONGEST: Duration = Duration::from_secs(20);

/// A host of the list.
#[derive(Clone, Debug, PartialEq, Eq)]
struct ListedHost {
    name: String,
    /// Whether it stands for the hosts below the name, not for itself.
    below: bool,
    /// By default the usual port of the scheme.
    port: Option<u16>,
}

impl ListedHost {
    /// As the owner writes it: `example.org`, `*.example.org`, `example.org:8443`.
    fn of(text: &str) -> Result<Self, ServeError> {
        let (rest, below) = text.strip_prefix("*.").map_or((text, false), |rest| (rest, true));
        let (name, port) = match rest.rsplit_once(':') {
            Some((name, port)) if !rest.ends_with(']') => (name, Some(port.parse().ok())),
            _ => (rest, None),
        };
        match (canonical_host(name.trim_end_matches('.')), port) {
            (Some(name), None) => Ok(Self { name, below, port: None }),
            (Some(name), Some(Some(port))) => Ok(Self { name, below, port: Some(port) }),
            _ => Err(ServeError::Settings(format!(
                "`{text}` is not a host that images can be fetched from; give hosts as example.org, *.example.org or \
                 example.org:8443"
            ))),
        }
    }

    fn covers(&self, host: &str, port: u16, usual: u16) -> bool {
        let named = match self.below {
            false => host == self.name,
            true => host.strip_suffix(&self.name).is_some_and(|rest| rest.len() > 1 && rest.ends_with('.')),
        };
        named && port == self.port.unwrap_or(usual)
    }
}

/// Resolves names as the system does; an address that is not public ends the fetch.
#[derive(Debug)]
struct CheckedResolver {
    allowed: fn(IpAddr) -> bool,
}

/// A name that leads to a private address.
#[derive(Debug, thiserror::Error)]
#[error("it leads to a private address")]
struct Private;

impl Resolver for CheckedResolver {
    fn resolve(
        &self,
        uri: &Uri,
        config: &Config,
        timeout: NextTimeout,
    ) -> Result<ResolvedSocketAddrs, ureq::Error> {
        let found = DefaultResolver::default().resolve(uri, config, timeout)?;
        match found.iter().map(SocketAddr::ip).all(self.allowed) {
            true => Ok(found),
            false => Err(ureq::Error::Other(Box::new(Private))),
        }
    }
}

/// Fetches images.
pub(crate) struct Fetcher {
    hosts: Vec<ListedHost>,
    agent: Agent,
    /// The most bytes of an image.
    most: usize,
}

impl Fetcher {
    /// # Errors
    /// [`ServeError::Settings`] for a host that is none.
    pub fn new(hosts: &[String], limits: &Limits) -> Result<Self, ServeError> {
        Self::with(hosts, limits, is_public)
    }

    fn with(hosts: &[String], limits: &Limits, allowed: fn(IpAddr) -> bool) -> Result<Self, ServeError> {
        let config = Config::builder()
            .proxy(None)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .http_status_as_error(false)
            .max_idle_connections(0)
            .user_agent("dapple")
            .timeout_global(Some(limits.time.min(LONGEST)))
            .build();
        Ok(Self {
            hosts: hosts.iter().map(|text| ListedHost::of(text)).collect::<Result<_, _>>()?,
            agent: Agent::with_parts(config, DefaultConnector::default(), CheckedResolver { allowed }),
            most: limits.body_bytes,
        })
    }

    /// The image at an address, with the memory that is held for it.
    pub async fn fetch(&self, peer: &Peer, url: String) -> Result<(Bytes, Option<HeldMemory>), Problem> {
        let uri = self.check(&url)?;
        let _turn = peer.fetch().await.ok_or_else(Problem::internal)?;
        let mut memory = peer.body_memory();
        if !memory.grow_to(self.most as u64) {
            let message = "the memory for bodies is in use; retry later";
            return Err(Problem::later(StatusCode::SERVICE_UNAVAILABLE, message, 2));
        }
        let (agent, most) = (self.agent.clone(), self.most);
        let bytes = aside(move || Self::get(&agent, uri, most)).await?;
        let mut held = memory.hold();
        if let Some(held) = &mut held {
            held.shrink_to(bytes.len() as u64);
        }
        Ok((bytes, held))
    }

    /// Refuses an address that the list does not cover.
    fn check(&self, url: &str) -> Result<Uri, Problem> {
        let refused = |why: &str| Err(Problem::new(StatusCode::FORBIDDEN, format!("url: {why}")));
        if self.hosts.is_empty() {
            return refused(
                "this server fetches no images; send the image itself, or start it with --url-hosts",
            );
        }
        let bad =
            || Problem::bad_request("url: give the address of an image, as https://example.org/photo.jpg");
        let uri: Uri = url.parse().map_err(|_| bad())?;
        let usual = match uri.scheme_str() {
            Some("http") => 80,
            Some("https") => 443,
            _ => return Err(bad()),
        };
        let authority = uri.authority().ok_or_else(bad)?;
        let host = canonical_host(authority.host()).ok_or_else(bad)?;
        let port = authority.port_u16().unwrap_or(usual);
        let covered = self.hosts.iter().any(|listed| listed.covers(host.trim_end_matches('.'), port, usual));
        if authority.as_str().contains('@') || !covered {
            return refused("this server does not fetch images from this host");
        }
        Ok(uri)
    }

    /// The bytes at an address, which [`Fetcher::check`] has passed; this blocks.
    fn get(agent: &Agent, uri: Uri, most: usize) -> Result<Bytes, Problem> {
        let refused = |why: String| Problem::new(StatusCode::UNPROCESSABLE_ENTITY, format!("url: {why}"));
        let failed = |error: ureq::Error| match error {
            ureq::Error::Other(error) if error.is::<Private>() => {
                Problem::new(StatusCode::FORBIDDEN, "url: it leads to a private address")
            }
            ureq::Error::BodyExceedsLimit(_) => Problem::new(
                StatusCode::PAYLOAD_TOO_LARGE,
                format!("url: the image has more than {most} bytes"),
            ),
            ureq::Error::Timeout(_) => refused("its host answers too slowly".into()),
            _ => refused("the image cannot be fetched".into()),
        };
        let mut response = agent.get(uri).call().map_err(failed)?;
        match response.status() {
            StatusCode::OK => {}
            status if status.is_redirection() => {
                return Err(refused("it redirects; give the address that it leads to".into()));
            }
            status => return Err(refused(format!("its host answers with status {}", status.as_u16()))),
        }
        let body = response.body_mut().with_config().limit(most as u64 + 1).read_to_vec().map_err(failed)?;
        match body.len() > most {
            true => Err(failed(ureq::Error::BodyExceedsLimit(most as u64))),
            false => Ok(body.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::TcpListener;
    use std::thread::spawn;

    use super::*;

    fn fetcher(hosts: &[&str]) -> Fetcher {
        let hosts: Vec<String> = hosts.iter().map(|&host| host.to_owned()).collect();
        Fetcher::with(&hosts, &Limits::default(), |_| true).expect("good hosts")
    }

    /// A host that answers once; its port.
    fn host(answer: &'static [u8]) -> u16 {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("an address").port();
        spawn(move || {
            if let Ok((mut stream, _)) = listener.accept() {
                let _ = stream.read(&mut [0; 4096]);
                let _ = stream.write_all(answer);
            }
        });
        port
    }

    #[test]
    fn only_listed_hosts_are_asked() {
        let open = fetcher(&["example.org.", "*.example.com", "photos.example.net:8443"]);
        for right in [
            "https://example.org/a.png",
            "http://EXAMPLE.org./a.png",
            "https://cdn.example.com/x?y=z",
            "https://photos.example.net:8443/",
        ] {
            assert!(open.check(right).is_ok(), "{right}");
        }
        for wrong in [
            "https://example.net/a.png",
            "https://example.com/a.png",
            "https://evilexample.com/a.png",
            "https://example.org:8443/a.png",
            "https://example.org@evil.example/a.png",
            "https://user@example.org/a.png",
            "http://photos.example.net/",
            "file:///etc/passwd",
            "/a.png",
            "ftp://example.org/a.png",
            "",
        ] {
            assert!(open.check(wrong).is_err(), "{wrong}");
        }
        let closed = fetcher(&[]).check("https://example.org/a.png").expect_err("off by default");
        assert!(closed.message().contains("--url-hosts"));
        for wrong in ["", "*", "https://example.org", "example.org/a", "example.org:x"] {
            assert!(ListedHost::of(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn private_addresses_are_never_asked() {
        let port = host(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi");
        let hosts: Vec<String> = ["localhost", "127.0.0.1"].map(|host| format!("{host}:{port}")).into();
        let fetcher = Fetcher::new(&hosts, &Limits::default()).expect("good hosts");
        for name in ["localhost", "127.0.0.1"] {
            let uri = fetcher.check(&format!("http://{name}:{port}/")).expect("a listed host");
            let problem = Fetcher::get(&fetcher.agent, uri, 100).expect_err("a private address");
            assert!(problem.message().contains("private"), "{}", problem.message());
        }
    }

    #[test]
    fn an_image_is_fetched_and_its_faults_are_named() {
        let get = |answer: &'static [u8], most: usize| {
            let port = host(answer);
            let fetcher = fetcher(&[&format!("127.0.0.1:{port}")]);
            let uri = fetcher.check(&format!("http://127.0.0.1:{port}/a.png")).expect("a listed host");
            Fetcher::get(&fetcher.agent, uri, most)
        };
        const FINE: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\nimage";
        assert_eq!(get(FINE, 5).expect("fetched"), Bytes::from_static(b"image"));
        for (answer, most, word) in [
            (FINE, 4, "more than 4 bytes"),
            (
                b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1/\r\nContent-Length: 0\r\n\r\n",
                9,
                "redirects",
            ),
            (b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", 9, "status 404"),
            (b"nonsense\r\n\r\n", 9, "cannot be fetched"),
        ] {
            let problem = get(answer, most).expect_err(word);
            assert!(problem.message().contains(word), "{}", problem.message());
        }
    }
}
