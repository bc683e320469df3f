//! A real S3-compatible server on loopback (s3s-fs), with faults on the way to it.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use dapple_cloud::{Cloud, CloudSettings};
use futures_util::stream;
use http::{Request, Response, StatusCode};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use s3s::auth::SimpleAuth;
use s3s::service::{S3Service, S3ServiceBuilder};
use tokio::net::TcpListener;
use tokio::runtime::Runtime;

/// The key that the server knows.
pub const KEY: &str = "THE-KEY-ID";
/// Its secret, which no message may show.
pub const SECRET: &str = "the-secret-of-the-key";

/// What happens to a request.
#[derive(Clone, Copy, Debug)]
pub enum Kind {
    /// An answer with this status and no work done.
    Status(u16),
    /// The answer's body ends after so many bytes, with the connection.
    Truncated(usize),
    /// The answer's body stands still after so many bytes.
    Stalled(usize),
    /// No answer, ever.
    Silent,
    /// The work is done, and the answer is lost.
    Lost,
}

/// A fault of the next requests of a method whose address has a part.
#[derive(Clone, Debug)]
pub struct Fault {
    pub method: &'static str,
    pub part: &'static str,
    pub kind: Kind,
    pub times: usize,
}

type Answer = Response<UnsyncBoxBody<Bytes, std::io::Error>>;

/// The server, which ends with it.
pub struct Server {
    pub address: SocketAddr,
    faults: Arc<Mutex<Vec<Fault>>>,
    requests: Arc<Mutex<Vec<String>>>,
    folder: tempfile::TempDir,
    _runtime: Runtime,
}

impl Server {
    /// A server with an empty bucket `bucket`.
    pub fn start() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        std::fs::create_dir(folder.path().join("bucket")).expect("a folder");
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
        let runtime = runtime.expect("threads");
        let store = s3s_fs::FileSystem::new(folder.path()).expect("a store");
        let mut builder = S3ServiceBuilder::new(store);
        builder.set_auth(SimpleAuth::from_single(KEY, SECRET));
        let service = builder.build();
        let (faults, requests) = (Arc::<Mutex<Vec<Fault>>>::default(), Arc::<Mutex<Vec<String>>>::default());
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).expect("a port");
        let address = listener.local_addr().expect("an address");
        let (shared_faults, shared_requests) = (Arc::clone(&faults), Arc::clone(&requests));
        runtime.spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                let (service, faults) = (service.clone(), Arc::clone(&shared_faults));
                let requests = Arc::clone(&shared_requests);
                tokio::spawn(async move {
                    let answer = service_fn(move |request| {
                        answer(service.clone(), Arc::clone(&faults), Arc::clone(&requests), request)
                    });
                    let connection = hyper::server::conn::http1::Builder::new()
                        .timer(TokioTimer::new())
                        .serve_connection(TokioIo::new(socket), answer);
                    let _ = connection.await;
                });
            }
        });
        Self { address, faults, requests, folder, _runtime: runtime }
    }

    /// A client of it that waits little.
    pub fn cloud(&self) -> Cloud {
        self.cloud_with(CloudSettings::default())
    }

    pub fn cloud_with(&self, settings: CloudSettings) -> Cloud {
        let variables = [
            ("aws_endpoint_url", format!("http://{}", self.address)),
            ("aws_access_key_id", KEY.to_owned()),
            ("aws_secret_access_key", SECRET.to_owned()),
        ];
        let mut all: Vec<(String, String)> = variables.map(|(key, value)| (key.to_owned(), value)).to_vec();
        all.extend(settings.variables);
        let is_default = settings.patience == CloudSettings::default().patience;
        Cloud::new(CloudSettings {
            retries: 4,
            first_wait: Duration::from_millis(10),
            patience: if is_default { Duration::from_millis(1500) } else { settings.patience },
            variables: all,
            ..settings
        })
        .expect("threads")
    }

    pub fn fail(&self, method: &'static str, part: &'static str, kind: Kind, times: usize) {
        self.faults.lock().expect("no panic").push(Fault { method, part, kind, times });
    }

    /// Whether all faults have happened.
    pub fn has_failed(&self) -> bool {
        self.faults.lock().expect("no panic").iter().all(|fault| fault.times == 0)
    }

    /// The requests so far, as `METHOD path?query`.
    pub fn requests(&self) -> Vec<String> {
        self.requests.lock().expect("no panic").clone()
    }

    /// The file that the server keeps an object in.
    pub fn file(&self, key: &str) -> PathBuf {
        self.folder.path().join("bucket").join(key)
    }

    /// Puts an object into the bucket, behind the server's back.
    pub fn put(&self, key: &str, content: &[u8]) {
        let file = self.file(key);
        std::fs::create_dir_all(file.parent().expect("a folder")).expect("a folder");
        std::fs::write(file, content).expect("a file");
    }
}

async fn answer(
    service: S3Service,
    faults: Arc<Mutex<Vec<Fault>>>,
    requests: Arc<Mutex<Vec<String>>>,
    request: Request<Incoming>,
) -> Result<Answer, Infallible> {
    let line = format!("{} {}", request.method(), request.uri());
    requests.lock().expect("no panic").push(line.clone());
    let kind = {
        let mut faults = faults.lock().expect("no panic");
        let fault = faults
            .iter_mut()
            .find(|fault| fault.times > 0 && line.starts_with(fault.method) && line.contains(fault.part));
        fault.map(|fault| {
            fault.times -= 1;
            fault.kind
        })
    };
    match kind {
        Some(Kind::Status(status)) => {
            let _ = request.into_body().collect().await;
            let body = Full::new(Bytes::from_static(b"<Error><Code>SlowDown</Code></Error>"));
            let mut answer = Response::new(body.map_err(|never| match never {}).boxed_unsync());
            *answer.status_mut() = StatusCode::from_u16(status).expect("a status");
            return Ok(answer);
        }
        Some(Kind::Silent) => {
            let _ = request.into_body().collect().await;
            return std::future::pending().await;
        }
        _ => {}
    }
    let answer = match hyper::service::Service::call(&service, request).await {
        Ok(answer) => answer,
        Err(error) => panic!("the server failed: {error:?}"),
    };
    let (parts, body) = answer.into_parts();
    let whole = body.collect().await.unwrap_or_else(|error| panic!("a body: {error}")).to_bytes();
    let cut = match kind {
        Some(Kind::Truncated(bytes) | Kind::Stalled(bytes)) => bytes,
        Some(Kind::Lost) => 0,
        _ => {
            let body = Full::new(whole).map_err(|never| match never {});
            return Ok(Response::from_parts(parts, body.boxed_unsync()));
        }
    };
    if matches!(kind, Some(Kind::Lost)) {
        return std::future::pending().await;
    }
    let first = Ok::<_, std::io::Error>(Frame::data(whole.slice(..cut.min(whole.len()))));
    let is_stalled = matches!(kind, Some(Kind::Stalled(_)));
    let rest = stream::once(async move {
        if is_stalled {
            tokio::time::sleep(Duration::from_secs(3600)).await;
        }
        Err(std::io::Error::other("the connection is cut"))
    });
    let stream = futures_util::StreamExt::chain(stream::iter([first]), rest);
    // The length in the header is that of the whole.
    Ok(Response::from_parts(parts, BodyExt::boxed_unsync(StreamBody::new(stream))))
}
