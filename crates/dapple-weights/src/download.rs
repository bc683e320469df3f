//! One file over HTTP, in as many pieces as the network needs.

use crate::checksum::sha256;
use crate::store::beside;
use crate::{Checksum, WeightsError};
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;
use ureq::http::{Response, StatusCode, header};
use ureq::tls::{Certificate, PemItem, RootCerts, TlsConfig, parse_pem};
use ureq::{Agent, Body, Proxy};

/// How far a download is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Bytes that are here, those of earlier attempts included.
    pub received: u64,
    /// Bytes of the whole file, where the server says so.
    pub total: Option<u64>,
}

/// What to download.
pub(crate) struct Source<'a> {
    pub url: &'a str,
    pub checksum: Checksum,
    /// Where it grows.
    pub part: &'a Path,
    /// Where it goes.
    pub path: &'a Path,
}

/// Attempts without a single new byte before a download is given up.
const ATTEMPTS: u32 = 3;

/// Silence of the server after which a connection counts as broken.
const SILENCE: Duration = Duration::from_secs(30);

/// Speaks HTTP. An address that begins encrypted is never followed to one that is not; this machine itself is not asked
/// through a proxy.
pub(crate) fn agent(url: &str) -> Result<Agent, WeightsError> {
    let mut tls = TlsConfig::builder();
    if let Some(path) = std::env::var_os("SSL_CERT_FILE").filter(|path| !path.is_empty()) {
        tls = tls.root_certs(RootCerts::new_with_certs(&certificates(path.into())?));
    }
    let local = ["http://127.0.0.1:", "http://localhost:"].iter().any(|start| url.starts_with(start));
    let config = Agent::config_builder()
        .proxy(if local { None } else { Proxy::try_from_env() })
        .https_only(url.starts_with("https://"))
        .http_status_as_error(false)
        .timeout_connect(Some(SILENCE))
        .timeout_recv_response(Some(SILENCE))
        .timeout_per_read(Some(SILENCE))
        .tls_config(tls.build())
        .user_agent(concat!("dapple/", env!("CARGO_PKG_VERSION")));
    Ok(config.build().new_agent())
}

fn certificates(path: PathBuf) -> Result<Vec<Certificate<'static>>, WeightsError> {
    let bad = |why: String| WeightsError::Certificates { path: path.clone(), why };
    let pem = fs::read(&path).map_err(|e| bad(e.to_string()))?;
    let items = parse_pem(&pem).filter_map(|item| match item {
        Ok(PemItem::Certificate(certificate)) => Some(Ok(certificate)),
        Ok(_) => None,
        Err(error) => Some(Err(error)),
    });
    let certificates = items.collect::<Result<Vec<_>, _>>().map_err(|e| bad(e.to_string()))?;
    if certificates.is_empty() { Err(bad("no certificates".into())) } else { Ok(certificates) }
}

/// Downloads, verifies and renames a file; returns its SHA-256.
pub(crate) fn download(
    agent: &Agent,
    source: &Source,
    progress: &mut dyn FnMut(Progress),
) -> Result<String, WeightsError> {
    let mut part = Part::open(source.part)?;
    let mut fruitless = 0;
    loop {
        let before = part.len;
        let why = match fetch(agent, source, &mut part, progress)? {
            Fetched::Whole => break,
            Fetched::Broken(why) => why,
        };
        fruitless = if part.len > before { 0 } else { fruitless + 1 };
        if fruitless == ATTEMPTS {
            return Err(WeightsError::Interrupted { url: source.url.to_owned(), received: part.len, why });
        }
    }
    part.file.sync_all().map_err(WeightsError::io(source.part))?;
    let sum = sha256(source.part).map_err(WeightsError::io(source.part))?;
    if !source.checksum.allows(&sum) {
        part.throw_away();
        let (url, expected) = (source.url.to_owned(), source.checksum.digits());
        return Err(WeightsError::Checksum { url, expected, found: sum });
    }
    fs::rename(source.part, source.path).map_err(WeightsError::io(source.path))?;
    // Says nothing any more; one that stays does no harm.
    let _ = fs::remove_file(&part.validator_file);
    Ok(sum)
}

/// The beginning of a file. Locked, so that two programs cannot write into one.
struct Part {
    path: PathBuf,
    file: File,
    len: u64,
    /// Holds what the server calls the version that the beginning is of (an entity tag or a date).
    validator_file: PathBuf,
}

impl Part {
    fn open(path: &Path) -> Result<Self, WeightsError> {
        let io = WeightsError::io(path);
        let file =
            OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path).map_err(&io)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(WeightsError::Busy(path.to_owned())),
            Err(TryLockError::Error(error)) => return Err(io(error)),
        }
        let len = file.metadata().map_err(&io)?.len();
        Ok(Self { path: path.to_owned(), file, len, validator_file: beside(path, ".version") })
    }

    /// The version that the beginning is of, if there is one to continue.
    fn validator(&self) -> Option<String> {
        let validator = fs::read_to_string(&self.validator_file).ok()?;
        (self.len > 0 && !validator.is_empty()).then_some(validator)
    }

    /// Starts from nothing, for a version of the file.
    fn restart(&mut self, validator: Option<&str>) -> Result<(), WeightsError> {
        self.file.set_len(0).map_err(WeightsError::io(&self.path))?;
        self.len = 0;
        // Without one, what comes now cannot be continued later.
        fs::write(&self.validator_file, validator.unwrap_or_default())
            .map_err(WeightsError::io(&self.validator_file))
    }

    fn append(&mut self, bytes: &[u8]) -> Result<(), WeightsError> {
        self.file.write_all(bytes).map_err(WeightsError::io(&self.path))?;
        self.len += bytes.len() as u64;
        Ok(())
    }

    fn throw_away(self) {
        // The caller has the error to report; leftovers are overwritten next time.
        let _ = fs::remove_file(&self.path);
        let _ = fs::remove_file(&self.validator_file);
    }
}

enum Fetched {
    Whole,
    /// The connection broke, or the server has changed its mind; what came is in the part.
    Broken(String),
}

/// One request, for the rest of a part that can be continued, else for all.
fn fetch(
    agent: &Agent,
    source: &Source,
    part: &mut Part,
    progress: &mut dyn FnMut(Progress),
) -> Result<Fetched, WeightsError> {
    let mut request = agent.get(source.url).header(header::ACCEPT_ENCODING, "identity");
    if let Some(validator) = part.validator() {
        request =
            request.header(header::RANGE, format!("bytes={}-", part.len)).header(header::IF_RANGE, validator);
    }
    let response = match request.call() {
        Ok(response) => response,
        // What has begun may be continued; what has not is more likely a wrong setting.
        Err(error) if part.len > 0 && is_of_the_connection(&error) => {
            return Ok(Fetched::Broken(error.to_string()));
        }
        Err(error) => {
            return Err(WeightsError::Connection { url: source.url.to_owned(), why: error.to_string() });
        }
    };
    let total = match response.status() {
        StatusCode::OK => {
            refuse_web_page(&response, source)?;
            part.restart(validator_of(&response).as_deref())?;
            response.body().content_length()
        }
        StatusCode::PARTIAL_CONTENT => match content_range(&response) {
            Some((start, total)) if start == part.len => total,
            _ => {
                part.restart(None)?;
                return Ok(Fetched::Broken("the server sent another part than was asked for".into()));
            }
        },
        StatusCode::RANGE_NOT_SATISFIABLE if part.len > 0 => {
            let total =
                text(&response, &header::CONTENT_RANGE).and_then(|range| range.strip_prefix("bytes */"));
            if total.and_then(|total| total.parse().ok()) == Some(part.len) {
                // Ended before it was renamed.
                return Ok(Fetched::Whole);
            }
            part.restart(None)?;
            return Ok(Fetched::Broken("the server has less than what is here".into()));
        }
        status => {
            let (url, path) = (source.url.to_owned(), source.path.to_owned());
            return Err(WeightsError::Status { url, status: status.as_u16(), path });
        }
    };
    receive(response, total, part, progress)
}

fn receive(
    response: Response<Body>,
    total: Option<u64>,
    part: &mut Part,
    progress: &mut dyn FnMut(Progress),
) -> Result<Fetched, WeightsError> {
    part.file.seek(SeekFrom::Start(part.len)).map_err(WeightsError::io(&part.path))?;
    let mut body = response.into_body().into_reader();
    let mut buffer = vec![0; 1 << 16];
    loop {
        progress(Progress { received: part.len, total });
        match body.read(&mut buffer) {
            Ok(0) => break,
            Ok(len) => part.append(&buffer[..len])?,
            Err(error) => return Ok(Fetched::Broken(error.to_string())),
        }
    }
    match total {
        Some(total) if part.len < total => Ok(Fetched::Broken("the file ends early".into())),
        _ => Ok(Fetched::Whole),
    }
}

fn is_of_the_connection(error: &ureq::Error) -> bool {
    use ureq::Error as E;
    matches!(error, E::Io(_) | E::Timeout(_) | E::ConnectionFailed | E::HostNotFound | E::Protocol(_))
}

fn text<'a>(response: &'a Response<Body>, name: &header::HeaderName) -> Option<&'a str> {
    response.headers().get(name)?.to_str().ok()
}

/// What the server calls this version of the file. Weak tags do not promise equal bytes (RFC 9110, section 13.1.5).
fn validator_of(response: &Response<Body>) -> Option<String> {
    let tag = text(response, &header::ETAG).filter(|tag| !tag.starts_with("W/"));
    tag.or_else(|| text(response, &header::LAST_MODIFIED)).map(str::to_owned)
}

/// `bytes START-END/TOTAL` of RFC 9110, section 14.4, as start and total.
fn content_range(response: &Response<Body>) -> Option<(u64, Option<u64>)> {
    let (range, total) = text(response, &header::CONTENT_RANGE)?.strip_prefix("bytes ")?.split_once('/')?;
    let (start, _) = range.split_once('-')?;
    Some((start.trim().parse().ok()?, total.trim().parse().ok()))
}

fn refuse_web_page(response: &Response<Body>, source: &Source) -> Result<(), WeightsError> {
    match text(response, &header::CONTENT_TYPE) {
        Some(kind) if kind.starts_with("text/html") => {
            Err(WeightsError::WebPage { url: source.url.to_owned(), path: source.path.to_owned() })
        }
        _ => Ok(()),
    }
}
