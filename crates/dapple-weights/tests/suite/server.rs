//! A server of one file that misbehaves on request.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

use dapple_base::Normalization;
use dapple_weights::{CatalogueEntry, Checksum, Purpose};

/// Python: `hashlib.sha256(bytes((i * 31 + i // 251) % 256 for i in range(300_000))).hexdigest()`.
pub const SUM: &str = "84651a6efc7acd687cd804fa2f7ef24f84e8290d6dfc12c181a526af7d144083";

/// The published file.
pub fn content() -> Vec<u8> {
    (0..300_000_usize).map(|i| ((i * 31 + i / 251) % 256) as u8).collect()
}

/// Its entry.
pub const ENTRY: CatalogueEntry = CatalogueEntry {
    name: "tiny",
    purpose: Purpose::ImageNet,
    file: "tiny-84651a6e.pth",
    url: "https://example.invalid/tiny-84651a6e.pth",
    checksum: Checksum::Sha256Prefix("84651a6e"),
    megabytes: 1,
    licence: "MIT",
    accuracy: Some(70.0),
    normalization: Normalization::ImageNet,
    also: Some(("same-84651a6e.pth", Checksum::Sha256(SUM))),
};

/// A request as the server saw it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    pub path: String,
    /// First byte of the requested range.
    pub from: Option<usize>,
    pub if_range: Option<String>,
    /// The value of `Authorization`.
    pub authorization: Option<String>,
}

/// The server's response.
pub struct Answer {
    pub status: &'static str,
    pub headers: Vec<String>,
    pub body: Vec<u8>,
    /// Closes the connection after so many bytes of the body.
    pub cut: Option<usize>,
}

impl Answer {
    /// The whole file, which can be resumed.
    pub fn whole(body: Vec<u8>) -> Self {
        Self { status: "200 OK", headers: vec!["ETag: \"1\"".into()], body, cut: None }
    }

    /// The rest of the file from the request's first byte.
    pub fn rest(body: &[u8], from: usize) -> Self {
        let range = format!("Content-Range: bytes {from}-{}/{}", body.len() - 1, body.len());
        Self { status: "206 Partial Content", headers: vec![range], body: body[from..].to_vec(), cut: None }
    }

    pub fn status(status: &'static str) -> Self {
        Self { status, headers: Vec::new(), body: Vec::new(), cut: None }
    }

    pub fn header(mut self, header: impl Into<String>) -> Self {
        self.headers.push(header.into());
        self
    }

    pub fn cut(mut self, after: usize) -> Self {
        self.cut = Some(after);
        self
    }
}

/// A running server; its thread ends with the test program.
pub struct Server {
    pub address: String,
    seen: Arc<Mutex<Vec<Request>>>,
}

impl Server {
    pub fn start(answer: impl Fn(usize, &Request) -> Answer + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = format!("http://{}", listener.local_addr().expect("bound"));
        let seen = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&seen);
        thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.expect("a connection");
                let Some(request) = read(&stream) else { continue };
                let index = {
                    let mut log = log.lock().expect("no test panics with the lock");
                    log.push(request.clone());
                    log.len() - 1
                };
                // Some tests let the client close the connection.
                let _ = write(&mut stream, &answer(index, &request));
            }
        });
        Self { address, seen }
    }

    pub fn seen(&self) -> Vec<Request> {
        self.seen.lock().expect("the server does not panic").clone()
    }
}

fn read(stream: &TcpStream) -> Option<Request> {
    let mut lines = BufReader::new(stream).lines();
    let path = lines.next()?.ok()?.split(' ').nth(1)?.to_owned();
    let (mut from, mut if_range, mut authorization) = (None, None, None);
    for line in lines {
        let line = line.ok()?;
        let Some((name, value)) = line.split_once(':') else { break };
        match name.to_lowercase().as_str() {
            "range" => from = value.trim().strip_prefix("bytes=")?.strip_suffix('-')?.parse().ok(),
            "authorization" => authorization = Some(value.trim().to_owned()),
            "if-range" => if_range = Some(value.trim().to_owned()),
            _ => {}
        }
    }
    Some(Request { path, from, if_range, authorization })
}

fn write(stream: &mut TcpStream, answer: &Answer) -> std::io::Result<()> {
    let Answer { status, headers, body, cut } = answer;
    let mut head = format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n", body.len());
    headers.iter().for_each(|header| head += &format!("{header}\r\n"));
    stream.write_all(format!("{head}\r\n").as_bytes())?;
    stream.write_all(&body[..cut.unwrap_or(body.len())])?;
    stream.flush()
}
