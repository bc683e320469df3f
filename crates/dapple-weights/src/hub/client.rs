//! The way to the hub, and what is kept of it.

use super::listing::{HubFile, Snapshot};
use super::name::{HubName, is_commit};
use crate::agent::agent;
use crate::checksum::sums;
use crate::download::{DownloadProgress, Source, download};
use crate::layout::part_of;
use crate::{StoreSettings, WeightsError};
use dapple_base::{read_regular, write_atomic};
use std::fs;
use std::path::PathBuf;
use ureq::http::{StatusCode, header};

/// Most bytes of a listing.
const MOST_BYTES: u64 = 16 << 20;

/// The hub, with the files of it that are in the cache; from [`Store::hub`](crate::Store::hub).
#[derive(Clone, Copy, Debug)]
pub struct Hub<'a> {
    settings: &'a StoreSettings,
}

impl<'a> Hub<'a> {
    pub(crate) fn new(settings: &'a StoreSettings) -> Self {
        Self { settings }
    }

    /// Whether downloads from the hub are forbidden.
    pub fn is_offline(&self) -> bool {
        self.settings.offline || self.settings.hub.offline
    }

    /// The address of the hub.
    pub fn endpoint(&self) -> &'a str {
        self.settings.hub.endpoint.trim_end_matches('/')
    }

    /// The files of a repository at the commit that was kept for its revision; the hub is asked where none was.
    ///
    /// # Errors
    /// [`WeightsError::HubOffline`] and [`WeightsError::HubRefused`], those of the network, and those of the cache's folder.
    pub fn look(&self, name: &HubName) -> Result<Snapshot, WeightsError> {
        match self.kept(name) {
            Some(snapshot) => Ok(snapshot),
            None => self.ask(name),
        }
    }

    /// The files of a repository at the commit that its revision has now, which is kept in place of an earlier one.
    ///
    /// # Errors
    /// As [`Hub::look`].
    pub fn ask(&self, name: &HubName) -> Result<Snapshot, WeightsError> {
        let folder = self.folder_of(name);
        if self.is_offline() {
            let file = format!("its listing at {}", name.revision());
            return Err(WeightsError::HubOffline { name: name.to_string(), file, folder });
        }
        let revision = name.revision().replace('/', "%2F");
        let url =
            format!("{}/api/models/{}/revision/{revision}?blobs=true", self.checked()?, name.repository());
        let snapshot = Snapshot::read(name, &self.answer(name, &url)?)
            .map_err(|why| WeightsError::HubAnswer { url: url.clone(), why })?;
        if is_commit(name.revision()) && snapshot.commit != name.revision() {
            let why = format!("it is about the commit {}", snapshot.commit);
            return Err(WeightsError::HubAnswer { url, why });
        }
        let pins = folder.join("pins");
        fs::create_dir_all(&pins).map_err(WeightsError::io(&pins))?;
        write_atomic(folder.join(format!("{}.json", snapshot.commit)), snapshot.kept().as_bytes())?;
        let pin = format!("{} {}\n", name.revision(), snapshot.commit);
        write_atomic(pins.join(revision), pin.as_bytes())?;
        Ok(snapshot)
    }

    /// The folder of a snapshot's files in the cache, whether or not it is there.
    pub fn folder(&self, snapshot: &Snapshot) -> PathBuf {
        self.folder_of(&snapshot.name).join(&snapshot.commit)
    }

    /// Whether a file is in the cache, without reading it.
    pub fn has(&self, snapshot: &Snapshot, file: &HubFile) -> bool {
        self.folder(snapshot).join(&file.name).is_file()
    }

    /// The path of a verified file, after downloading it if it is missing or damaged. `progress` is called for every piece
    /// received.
    ///
    /// # Errors
    /// [`WeightsError`]. The cache then holds the previous file, or the part received so far.
    pub fn get(
        &self,
        snapshot: &Snapshot,
        file: &HubFile,
        progress: &mut dyn FnMut(DownloadProgress),
    ) -> Result<PathBuf, WeightsError> {
        let folder = self.folder(snapshot);
        let path = folder.join(&file.name);
        let repository = snapshot.name.repository();
        let url = format!("{}/{repository}/resolve/{}/{}", self.checked()?, snapshot.commit, file.name);
        if path.is_file() {
            let found = sums(&path).map_err(WeightsError::io(&path))?;
            match file.proof().disagreement(&path, &found).map_err(WeightsError::io(&path))? {
                None => return Ok(path),
                Some([_, found]) if self.is_offline() => {
                    return Err(WeightsError::DamagedOffline { path, found, url });
                }
                Some(_) => {}
            }
        } else if self.is_offline() {
            let (name, file) = (snapshot.name.to_string(), file.name.clone());
            return Err(WeightsError::HubOffline { name, file, folder });
        }
        fs::create_dir_all(&folder).map_err(WeightsError::io(&folder))?;
        let agent = agent(&url, self.settings)?;
        let (part, token) = (part_of(&path), self.token());
        let most = Some(file.bytes);
        let source = Source { url: &url, proof: file.proof(), token, most, part: &part, path: &path };
        match download(&agent, &source, progress) {
            Ok(_) => Ok(path),
            Err(WeightsError::Status { status, .. }) if is_refusal(status) => {
                Err(self.refused(&snapshot.name, status))
            }
            Err(error) => Err(error),
        }
    }

    /// The listing that was kept for a revision. One that cannot be read is asked for again.
    fn kept(&self, name: &HubName) -> Option<Snapshot> {
        let folder = self.folder_of(name);
        let commit = match name.revision() {
            commit if is_commit(commit) => commit.to_owned(),
            revision => {
                let pin = folder.join("pins").join(revision.replace('/', "%2F"));
                let pin = String::from_utf8(read_regular(&pin, 1 << 10).ok()?).ok()?;
                // Where case makes no difference in names of files, the pin may be that of another revision.
                let commit = pin.strip_prefix(revision)?.strip_prefix(' ')?.trim_end();
                Some(commit).filter(|commit| is_commit(commit))?.to_owned()
            }
        };
        let listing = read_regular(&folder.join(format!("{commit}.json")), MOST_BYTES).ok()?;
        Snapshot::read(name, &listing).ok().filter(|snapshot| snapshot.commit == commit)
    }

    fn folder_of(&self, name: &HubName) -> PathBuf {
        self.settings.cache.join("hub").join(name.folder())
    }

    /// The address of the hub, if it is one.
    fn checked(&self) -> Result<&'a str, WeightsError> {
        let endpoint = self.endpoint();
        let host = ["https://", "http://"].iter().find_map(|scheme| endpoint.strip_prefix(scheme));
        let is_address = host.is_some_and(|host| {
            !host.is_empty() && host.bytes().all(|byte| byte.is_ascii_graphic() && !b"?#@\\".contains(&byte))
        });
        match is_address {
            true => Ok(endpoint),
            false => Err(WeightsError::HubEndpoint(endpoint.to_owned())),
        }
    }

    /// The token, unless others could read it on its way.
    fn token(&self) -> Option<&'a str> {
        let safe = ["https://", "http://127.0.0.1:", "http://localhost:"];
        let is_safe = safe.iter().any(|start| self.endpoint().starts_with(start));
        self.settings.hub.token.as_ref().filter(|_| is_safe).map(|token| token.secret())
    }

    /// The hub's answer at an address.
    fn answer(&self, name: &HubName, url: &str) -> Result<Vec<u8>, WeightsError> {
        let failed =
            |error: ureq::Error| WeightsError::Connection { url: url.to_owned(), why: error.to_string() };
        let mut request = agent(url, self.settings)?.get(url).header(header::ACCEPT, "application/json");
        if let Some(token) = self.token() {
            request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
        }
        let mut response = request.call().map_err(failed)?;
        match response.status() {
            StatusCode::OK => {
                response.body_mut().with_config().limit(MOST_BYTES).read_to_vec().map_err(failed)
            }
            status if is_refusal(status.as_u16()) => Err(self.refused(name, status.as_u16())),
            status => {
                let why = format!("it has the status {}", status.as_u16());
                Err(WeightsError::HubAnswer { url: url.to_owned(), why })
            }
        }
    }

    fn refused(&self, name: &HubName, status: u16) -> WeightsError {
        let kept_back = self.settings.hub.token.is_some() && self.token().is_none();
        let endpoint = self.endpoint().to_owned();
        WeightsError::HubRefused { name: name.to_string(), endpoint, status, kept_back }
    }
}

/// Whether a status says that there is nothing for the one who asks.
fn is_refusal(status: u16) -> bool {
    matches!(status, 401 | 403 | 404)
}
