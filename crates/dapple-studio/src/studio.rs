//! The studio: the parts together, behind one address.

use std::collections::HashMap;
use std::future::Future;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use dapple_graph::Engine;
use dapple_serve::LocalListener;
use serde_json::json;
use tokio::sync::watch;

use crate::error::Result;
use crate::events::Events;
use crate::learn::{EncoderWeights, Learner};
use crate::page::{App, POLICY, new_token, router};
use crate::store::{LabelStore, Refreshed};
use crate::train::{Models, Program, Trainings};
use crate::watcher::Watcher;

/// What the studio does beside labelling.
pub struct Help {
    /// The engine that learns along and predicts.
    pub engine: Arc<dyn Engine>,
    /// A pretrained encoder for learning along, if there is one.
    pub encoder: Option<EncoderWeights>,
    /// Threads for what the engine does not compute.
    pub threads: usize,
    /// The program around it, which plans trainings.
    pub program: Arc<dyn Program>,
}

/// The settings of a studio.
pub struct StudioConfig {
    /// The folder of photographs.
    pub folder: PathBuf,
    /// The address to listen on.
    pub address: SocketAddr,
    /// Learning along, training and use; without it, the page is for labelling alone.
    pub help: Option<Help>,
}

impl StudioConfig {
    /// For labelling alone, on any free port of the loopback interface.
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        let address = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);
        Self { folder: folder.into(), address, help: None }
    }
}

/// A studio that listens but does not answer yet.
pub struct Studio {
    listener: LocalListener,
    app: Arc<App>,
    closing: watch::Sender<bool>,
    watcher: Watcher,
}

impl Studio {
    /// Opens the folder, starts the learner and listens.
    ///
    /// # Errors
    /// Those of [`LabelStore::open`], of the encoder's weights, and [`StudioError::Serve`](crate::StudioError::Serve).
    pub async fn bind(config: StudioConfig) -> Result<Self> {
        let StudioConfig { folder, address, help } = config;
        let store = Arc::new(LabelStore::open(&folder)?);
        let listener = LocalListener::bind(address, POLICY).await?;
        let port = listener.address().map_or(address.port(), |address| address.port());
        let events = Events::default();
        let (closing, closed) = watch::channel(false);
        let mut app = App {
            store: Arc::clone(&store),
            events: events.clone(),
            learner: None,
            trainings: None,
            models: None,
            encoder: None,
            token: new_token()?,
            cookie: format!("dapple-studio-{port}"),
            trouble: Mutex::default(),
            tabs: Mutex::new(HashMap::new()),
            closing: closed,
        };
        if let Some(help) = help {
            let Help { engine, encoder, threads, program } = help;
            let learner = Learner::start(
                Arc::clone(&store),
                events.clone(),
                Arc::clone(&engine),
                encoder.as_ref(),
                threads,
            )?;
            let learner = Arc::new(learner);
            let (resting, read) = (Arc::clone(&learner), Arc::clone(&store));
            let busy = Box::new(move |busy: bool| {
                read.keep_files(busy);
                resting.pause(busy);
            });
            let places = store.places().clone();
            app.trainings = Some(Arc::new(Trainings::new(places.clone(), program, events, busy)));
            app.models = Some(Models::new(places, engine));
            app.learner = Some(learner);
            app.encoder = encoder.map(|weights| weights.encoder);
        }
        let app = Arc::new(app);
        let watched = Arc::clone(&app);
        let watcher = Watcher::start(move || look(&watched))?;
        Ok(Self { listener, app, closing, watcher })
    }

    /// The address that it listens on; for port 0, with the port that was assigned.
    ///
    /// # Errors
    /// The operating system's error.
    pub fn address(&self) -> std::io::Result<SocketAddr> {
        self.listener.address()
    }

    /// The address of the page with the key of this session, as people at this machine open it.
    ///
    /// # Errors
    /// The operating system's error.
    pub fn page(&self) -> std::io::Result<String> {
        let address = self.address()?;
        Ok(self.page_at(reached_here(address.ip()), address.port()))
    }

    /// The address of the page for other machines, where it listens on all addresses of this one and one of them is known.
    pub fn page_elsewhere(&self) -> Option<String> {
        let address = self.address().ok()?;
        let own = own_address(address.ip())?;
        Some(self.page_at(own, address.port()))
    }

    fn page_at(&self, ip: IpAddr, port: u16) -> String {
        format!("http://{}/?token={}", SocketAddr::new(ip, port), self.app.token)
    }

    /// The labels.
    pub fn store(&self) -> &Arc<LabelStore> {
        &self.app.store
    }

    /// Answers until `shutdown` is ready; then ends what is learning and training, whose state is saved.
    pub async fn run(self, shutdown: impl Future<Output = ()>) {
        let Self { listener, app, closing, watcher } = self;
        let ending = async {
            shutdown.await;
            // Pages that listen for events would keep their connections.
            closing.send_replace(true);
        };
        listener.run(router(Arc::clone(&app)), ending).await;
        let ended = tokio::task::spawn_blocking(move || {
            drop(watcher);
            if let Some(trainings) = &app.trainings {
                trainings.end();
            }
        });
        // A panic of a thread that ends is told by its hook.
        let _ = ended.await;
    }
}

/// The address by which this machine reaches a listener: one on all addresses has none that could be opened.
fn reached_here(listens: IpAddr) -> IpAddr {
    match listens {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    }
}

/// The address of this machine in its network, for a listener on all addresses.
fn own_address(listens: IpAddr) -> Option<IpAddr> {
    if !listens.is_unspecified() {
        return None;
    }
    // Nothing is sent: the system says which of its addresses leads to others (a network for documentation, RFC 5737).
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).ok()?;
    socket.connect((Ipv4Addr::new(192, 0, 2, 1), 9)).ok()?;
    let own = socket.local_addr().ok()?.ip();
    (!own.is_loopback() && !own.is_unspecified()).then_some(own)
}

/// Tells the pages what others have changed.
fn look(app: &App) {
    let (refreshed, trouble) = match app.store.refresh() {
        Ok(refreshed) => (refreshed, None),
        Err(error) => (Refreshed::default(), Some(error.to_string())),
    };
    if app.is_new_trouble(trouble) {
        app.events.tell("images", &json!({}));
    }
    if refreshed.is_empty() {
        return;
    }
    if refreshed.images {
        app.events.tell("images", &json!({}));
    }
    if refreshed.classes {
        app.tell_classes();
    }
    app.tell_masks(&refreshed.masks);
    app.labels_changed();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_on_all_addresses_is_opened_by_one() {
        for (listens, opened) in
            [("0.0.0.0", "127.0.0.1"), ("::", "::1"), ("127.0.0.1", "127.0.0.1"), ("10.1.2.3", "10.1.2.3")]
        {
            let ip = |text: &str| text.parse::<IpAddr>().expect("an address");
            assert_eq!(reached_here(ip(listens)), ip(opened));
        }
        assert_eq!(own_address(Ipv4Addr::LOCALHOST.into()), None);
        assert!(own_address(Ipv4Addr::UNSPECIFIED.into()).is_none_or(|ip| !ip.is_unspecified()));
    }
}
