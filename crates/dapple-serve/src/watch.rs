//! A live page of a run, from its files alone: another process, or another machine, may be writing the run.
//!
//! The page fetches `/state` every two seconds and replaces the sections that have changed. Files are read while they are
//! written; an incomplete record is skipped and read the next time.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use axum::extract::{Path as UrlPath, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use dapple_base::clock;
use dapple_report::document::{Document, STYLE};
use dapple_run::page::{RunData, live, picture_folders};
use dapple_run::{Activity, RunProgress};
use serde_json::{Value, json};

use crate::error::ServeError;
use crate::local::LocalListener;
use crate::problem::Problem;

/// Own scripts, styles, images and requests, and nothing else.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
    base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// Seconds without a write after which the page says so.
const SILENT: u64 = 60;

/// A page that listens but does not answer yet.
pub struct LivePage {
    listener: LocalListener,
    router: Router,
}

struct Watched {
    folder: PathBuf,
}

impl LivePage {
    /// Listens, for the run in `folder`, which need not exist yet.
    ///
    /// # Errors
    /// [`ServeError::Listen`].
    pub async fn bind(folder: &Path, address: SocketAddr) -> Result<Self, ServeError> {
        let listener = LocalListener::bind(address, POLICY).await?;
        Ok(Self { listener, router: router(Arc::new(Watched { folder: folder.to_owned() })) })
    }

    /// The address that it listens on; for port 0, with the port that was assigned.
    ///
    /// # Errors
    /// The operating system's error.
    pub fn address(&self) -> std::io::Result<SocketAddr> {
        self.listener.address()
    }

    /// Answers until `shutdown` is ready.
    pub async fn run(self, shutdown: impl Future<Output = ()>) {
        self.listener.run(self.router, shutdown).await;
    }
}

fn router(watched: Arc<Watched>) -> Router {
    let text = |kind: &'static str, text: &'static str| {
        get(move || async move { ([(header::CONTENT_TYPE, kind)], text) })
    };
    Router::new()
        .route("/", text("text/html; charset=utf-8", include_str!("../assets/watch/index.html")))
        .route("/page.css", text("text/css; charset=utf-8", STYLE))
        .route("/chart.css", text("text/css; charset=utf-8", dapple_report::CHART_STYLE))
        .route("/watch.js", text("text/javascript; charset=utf-8", include_str!("../assets/watch/watch.js")))
        .route("/icon.svg", text("image/svg+xml", include_str!("../assets/icon.svg")))
        .route("/state", get(state))
        .route("/picture/{folder}/{file}", get(picture))
        .fallback(|| async { Problem::new(StatusCode::NOT_FOUND, "there is nothing at this path; see /") })
        .with_state(watched)
}

/// The page's content: title, status line and sections as HTML.
async fn state(State(watched): State<Arc<Watched>>) -> Result<Json<Value>, Problem> {
    // Files may lie on a slow disk or on the network.
    let read = tokio::task::spawn_blocking(move || content(&watched.folder)).await;
    read.map(Json).map_err(|_| Problem::internal())
}

fn content(folder: &Path) -> Value {
    if let Some(link) = link_out_of(folder) {
        let lead = format!(
            "{link} is a link out of the run's folder; it is not followed. Put the file itself there."
        );
        return json!({ "title": "Not shown", "lead": lead, "html": "", "ended": false });
    }
    let Ok(run) = RunData::read(folder) else {
        let lead = format!("There is no run in {} yet; this page is waiting for it.", folder.display());
        return json!({ "title": "Waiting", "lead": lead, "html": "", "ended": false });
    };
    let address = |folder: &str, file: &str, version: u64| {
        let file: String = file.bytes().map(encoded).collect();
        format!("picture/{folder}/{file}?v={version}")
    };
    let page = live(&run, &address);
    let Document { title, mut lead, .. } = page.clone();
    let progress = run.progress.unwrap_or_default();
    let ended = matches!(progress.state, Activity::Finished | Activity::Interrupted | Activity::Failed);
    if let Some(silence) = silence(&progress, clock::now()).filter(|_| !ended) {
        lead += &format!(" Nothing has been written for {silence}.");
    }
    json!({ "title": title, "lead": lead, "html": page.sections_html(), "ended": ended })
}

/// The time since the last write, in words, if it is long.
fn silence(progress: &RunProgress, now: u64) -> Option<String> {
    let seconds = now.saturating_sub(progress.updated);
    (progress.updated > 0 && seconds > SILENT).then(|| dapple_run::duration(seconds as f64))
}

/// A byte of a file name in a URL.
fn encoded(byte: u8) -> String {
    match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' => char::from(byte).to_string(),
        _ => format!("%{byte:02X}"),
    }
}

/// The file behind a path, if it lies in the folder: a link may lead out of it.
fn inside(folder: &Path, path: &Path) -> Option<PathBuf> {
    let (folder, path) = (std::fs::canonicalize(folder).ok()?, std::fs::canonicalize(path).ok()?);
    (path.starts_with(folder) && path.is_file()).then_some(path)
}

/// A file that the page shows and that is a link out of the run's folder.
fn link_out_of(folder: &Path) -> Option<String> {
    /// The kinds of files that the page is made from; links to models and data are nothing to it.
    const SHOWN: [&str; 4] = ["toml", "json", "jsonl", "txt"];
    let root = std::fs::canonicalize(folder).ok()?;
    let leads_out = |path: &PathBuf| {
        let kind = path.extension().and_then(|kind| kind.to_str()).unwrap_or_default();
        let is_link = path.symlink_metadata().is_ok_and(|found| found.file_type().is_symlink());
        let is_shown = SHOWN.contains(&kind) || picture_folders().iter().any(|folder| path.ends_with(folder));
        is_link && is_shown && std::fs::canonicalize(path).is_ok_and(|path| !path.starts_with(&root))
    };
    let mut paths = std::fs::read_dir(folder).ok()?.flatten().map(|entry| entry.path());
    paths.find(leads_out).map(|path| path.display().to_string())
}

/// A picture of the run, from the folders for pictures only.
async fn picture(
    State(watched): State<Arc<Watched>>,
    UrlPath((folder, file)): UrlPath<(String, String)>,
) -> Response {
    let plain = file.ends_with(".png") && !file.contains(['/', '\\']) && !file.starts_with('.');
    let missing = || Problem::new(StatusCode::NOT_FOUND, "this picture does not exist").into_response();
    if !plain || !picture_folders().contains(&folder.as_str()) {
        return missing();
    }
    let read = move || {
        let path = inside(&watched.folder, &watched.folder.join(folder).join(file))?;
        std::fs::read(path).ok()
    };
    match tokio::task::spawn_blocking(read).await {
        Ok(Some(bytes)) => ([(header::CONTENT_TYPE, "image/png")], bytes).into_response(),
        _ => missing(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn file_names_stand_in_addresses() {
        assert_eq!("a b/ü?.png".bytes().map(encoded).collect::<String>(), "a%20b%2F%C3%BC%3F.png");
    }

    #[test]
    fn a_run_that_stops_writing_is_noticed() {
        let progress = RunProgress { updated: 1000, ..RunProgress::default() };
        assert_eq!(silence(&progress, 1030), None);
        assert_eq!(silence(&progress, 1250).as_deref(), Some("4 min 10 s"));
        assert_eq!(silence(&progress, 10), None);
        assert_eq!(silence(&RunProgress::default(), 5000), None);
    }

    #[test]
    fn a_run_that_is_not_there_is_waited_for() {
        let state = content(Path::new("nowhere/at/all"));
        assert_eq!(state["ended"], false);
        assert!(state["lead"].as_str().is_some_and(|lead| lead.contains("nowhere/at/all")));
    }
}
