//! Download of one file over HTTP, in as many pieces as the network needs.

use crate::WeightsError;
use crate::checksum::{Proof, sums};
use crate::layout::version_of;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use ureq::http::{Response, StatusCode, header};
use ureq::{Agent, Body};

/// DownloadProgress of a download.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DownloadProgress {
    /// Bytes received, earlier attempts included.
    pub received: u64,
    /// Size of the whole file in bytes, if the server gives it.
    pub total: Option<u64>,
}

/// A file to download.
pub(crate) struct Source<'a> {
    pub url: &'a str,
    pub proof: Proof<'a>,
    /// Sent to the server of the address, and to no other that it redirects to.
    pub token: Option<&'a str>,
    /// Most bytes of the file, where its size is known beforehand.
    pub most: Option<u64>,
    /// The part, which grows while data arrives.
    pub part: &'a Path,
    /// The final path.
    pub path: &'a Path,
}

/// Attempts in a row without a new byte before the download fails.
const ATTEMPTS: u32 = 3;

/// Downloads, verifies and renames a file; returns its SHA-256.
pub(crate) fn download(
    agent: &Agent,
    source: &Source,
    progress: &mut dyn FnMut(DownloadProgress),
) -> Result<String, WeightsError> {
    let mut part = Part::open(source.part)?;
    let mut fruitless = 0;
    loop {
        let before = part.len;
        let why = match fetch(agent, source, &mut part, progress)? {
            Fetched::Complete => break,
            Fetched::Broken(why) => why,
        };
        fruitless = if part.len > before { 0 } else { fruitless + 1 };
        if fruitless == ATTEMPTS {
            return Err(WeightsError::Interrupted { url: source.url.to_owned(), received: part.len, why });
        }
    }
    part.file.sync_all().map_err(WeightsError::io(source.part))?;
    let found = sums(source.part).map_err(WeightsError::io(source.part))?;
    let disagreement = source.proof.disagreement(source.part, &found);
    if let Some([expected, found]) = disagreement.map_err(WeightsError::io(source.part))? {
        part.discard();
        return Err(WeightsError::Checksum { url: source.url.to_owned(), expected, found });
    }
    fs::rename(source.part, source.path).map_err(WeightsError::io(source.path))?;
    // Of no more use; harmless if it stays.
    let _ = fs::remove_file(&part.validator_file);
    Ok(found.sha256)
}

/// The beginning of a file, locked so that two processes cannot write to it.
struct Part {
    path: PathBuf,
    file: File,
    len: u64,
    /// Holds the validator (an entity tag or a date) of the version that the part belongs to.
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
        Ok(Self { path: path.to_owned(), file, len, validator_file: version_of(path) })
    }

    /// The validator of the part, if it can be resumed.
    fn validator(&self) -> Option<String> {
        let validator = fs::read_to_string(&self.validator_file).ok()?;
        (self.len > 0 && !validator.is_empty()).then_some(validator)
    }

    /// Starts again from nothing, with the validator of the version that follows.
    fn restart(&mut self, validator: Option<&str>) -> Result<(), WeightsError> {
        self.file.set_len(0).map_err(WeightsError::io(&self.path))?;
        self.len = 0;
        // Without a validator, the part cannot be resumed later.
        fs::write(&self.validator_file, validator.unwrap_or_default())
            .map_err(WeightsError::io(&self.validator_file))
    }

    fn append(&mut self, bytes: &[u8]) -> Result<(), WeightsError> {
        self.file.write_all(bytes).map_err(WeightsError::io(&self.path))?;
        self.len += bytes.len() as u64;
        Ok(())
    }

    fn discard(self) {
        // The caller reports an error already; a leftover is overwritten next time.
        let _ = fs::remove_file(&self.path);
        let _ = fs::remove_file(&self.validator_file);
    }
}

enum Fetched {
    Complete,
    /// The connection broke, or the server refused to resume; the part keeps the bytes received.
    Broken(String),
}

/// One request: for the rest of a part that can be resumed, otherwise for the whole file.
fn fetch(
    agent: &Agent,
    source: &Source,
    part: &mut Part,
    progress: &mut dyn FnMut(DownloadProgress),
) -> Result<Fetched, WeightsError> {
    let mut request = agent.get(source.url).header(header::ACCEPT_ENCODING, "identity");
    if let Some(token) = source.token {
        request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
    }
    if let Some(validator) = part.validator() {
        request =
            request.header(header::RANGE, format!("bytes={}-", part.len)).header(header::IF_RANGE, validator);
    }
    let response = match request.call() {
        Ok(response) => response,
        // A download that has begun may be resumed. If nothing has come, a wrong setting is more likely.
        Err(error) if part.len > 0 && is_connection_error(&error) => {
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
                return Ok(Fetched::Broken("the server sent another range than the requested one".into()));
            }
        },
        StatusCode::RANGE_NOT_SATISFIABLE if part.len > 0 => {
            let total =
                text(&response, &header::CONTENT_RANGE).and_then(|range| range.strip_prefix("bytes */"));
            if total.and_then(|total| total.parse().ok()) == Some(part.len) {
                // Complete, but an earlier call ended before renaming it.
                return Ok(Fetched::Complete);
            }
            part.restart(None)?;
            return Ok(Fetched::Broken("the server has fewer bytes than were received".into()));
        }
        status => {
            let (url, path) = (source.url.to_owned(), source.path.to_owned());
            return Err(WeightsError::Status { url, status: status.as_u16(), path });
        }
    };
    receive(response, source, total, part, progress)
}

fn receive(
    response: Response<Body>,
    source: &Source,
    total: Option<u64>,
    part: &mut Part,
    progress: &mut dyn FnMut(DownloadProgress),
) -> Result<Fetched, WeightsError> {
    part.file.seek(SeekFrom::Start(part.len)).map_err(WeightsError::io(&part.path))?;
    let mut body = response.into_body().into_reader();
    let mut buffer = vec![0; 1 << 16];
    loop {
        progress(DownloadProgress { received: part.len, total });
        if let Some(most) = source.most.filter(|&most| part.len > most) {
            part.restart(None)?;
            return Err(WeightsError::TooLong { url: source.url.to_owned(), most });
        }
        match body.read(&mut buffer) {
            Ok(0) => break,
            Ok(len) => part.append(&buffer[..len])?,
            Err(error) => return Ok(Fetched::Broken(error.to_string())),
        }
    }
    match total {
        Some(total) if part.len < total => Ok(Fetched::Broken("the response ended early".into())),
        _ => Ok(Fetched::Complete),
    }
}

fn is_connection_error(error: &ureq::Error) -> bool {
    use ureq::Error as E;
    matches!(error, E::Io(_) | E::Timeout(_) | E::ConnectionFailed | E::HostNotFound | E::Protocol(_))
}

fn text<'a>(response: &'a Response<Body>, name: &header::HeaderName) -> Option<&'a str> {
    response.headers().get(name)?.to_str().ok()
}

/// The server's validator of this version of the file. Weak tags do not promise equal bytes (RFC 9110, section 13.1.5).
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
