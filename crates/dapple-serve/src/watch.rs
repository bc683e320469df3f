//! A live page of a run, from its files alone: another process, or another machine, may be writing the run.
//!
//! The page fetches `/state` every two seconds and replaces the sections that have changed. Files are read while they are
//! written; an incomplete record is skipped and read the next time.

use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use axum::extract::{Path as UrlPath, Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use dapple_base::clock;
use dapple_report::document::{Document, STYLE};
use dapple_run::page::{RunData, live, picture_folders};
use dapple_run::{Activity, RunProgress};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::error::ServeError;
use crate::listen::{Bounds, accept};
use crate::problem::Problem;

/// Own scripts, styles, images and requests, and nothing else.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
    base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// Seconds without a write after which the page says so.
const SILENT: u64 = 60;

/// A page that listens but does not answer yet.
pub struct LivePage {
    listener: TcpListener,
    router: Router,
}

struct Watched {
    folder: PathBuf,
    /// Whether it listens on the loopback interface only.
    loopback: bool,
}

impl LivePage {
    /// Listens, for the run in `folder`, which need not exist yet.
    ///
    /// # Errors
    /// [`ServeError::Listen`].
    pub async fn bind(folder: &Path, address: SocketAddr) -> Result<Self, ServeError> {
        let listener =
            TcpListener::bind(address).await.map_err(|source| ServeError::Listen { address, source })?;
        let watched = Watched { folder: folder.to_owned(), loopback: address.ip().is_loopback() };
        Ok(Self { listener, router: router(Arc::new(watched)) })
    }

    /// The address that it listens on; for port 0, with the port that was assigned.
    ///
    /// # Errors
    /// The operating system's error.
    pub fn address(&self) -> std::io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Answers until `shutdown` is ready.
    pub async fn run(self, shutdown: impl Future<Output = ()>) {
        accept(self.listener, self.router, Bounds::default(), shutdown).await;
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
        .layer(middleware::from_fn_with_state(Arc::clone(&watched), guard))
        .with_state(watched)
}

/// Refuses requests under another site's name (DNS rebinding), and forbids embedding and type sniffing.
async fn guard(State(watched): State<Arc<Watched>>, request: Request, next: Next) -> Response {
    let mut response = match watched.loopback && !is_local(request.headers()) {
        true => Problem::new(StatusCode::FORBIDDEN, "open this page as http://127.0.0.1 or http://localhost")
            .into_response(),
        false => next.run(request).await,
    };
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    response
}

/// Whether a request names this machine as its host, with or without a port.
fn is_local(headers: &HeaderMap) -> bool {
    let Some(host) = headers.get(header::HOST).and_then(|host| host.to_str().ok()) else { return false };
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|b| b.is_ascii_digit()) => name,
        _ => host,
    };
    let address = name.trim_matches(['[', ']']).parse::<IpAddr>();
    name.eq_ignore_ascii_case("localhost") || address.is_ok_and(|address| address.is_loopback())
}

/// The page's content: title, status line and sections as HTML.
async fn state(State(watched): State<Arc<Watched>>) -> Result<Json<Value>, Problem> {
    // Files may lie on a slow disk or on the network.
    let read = tokio::task::spawn_blocking(move || content(&watched.folder)).await;
    read.map(Json).map_err(|_| Problem::internal())
}

fn content(folder: &Path) -> Value {
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
    let path = watched.folder.join(folder).join(file);
    match tokio::task::spawn_blocking(move || std::fs::read(path)).await {
        Ok(Ok(bytes)) => ([(header::CONTENT_TYPE, "image/png")], bytes).into_response(),
        _ => missing(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_this_machine_is_local() {
        let with = |host: &str| {
            HeaderMap::from_iter([(header::HOST, host.parse::<HeaderValue>().expect("a header's value"))])
        };
        for host in ["localhost", "LOCALHOST:8081", "127.0.0.1:8081", "127.1.2.3", "[::1]:80", "[::1]"] {
            assert!(is_local(&with(host)), "{host}");
        }
        for host in ["example.org", "localhost.example.org:80", "192.168.0.7:80", "127.0.0.1.example.org", ""]
        {
            assert!(!is_local(&with(host)), "{host}");
        }
        assert!(!is_local(&HeaderMap::new()));
    }

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
