//! `dapple serve` as a process: its signals, and an image of an unusual layout.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::Command;
use std::time::{Duration, Instant};

use crate::common::{Bench, Listening};

/// Far longer than anything here takes.
const LONG: Duration = Duration::from_secs(120);

struct Service(Listening);

impl Service {
    fn open(bench: &Bench, arguments: &str) -> Self {
        Self(Listening::open(bench, &format!("serve run --port 0 --threads 2 {arguments}")))
    }

    /// The status of the answer to a request.
    fn ask(&self, head: &str, body: &[u8]) -> u16 {
        let mut stream = TcpStream::connect(&self.0.address).expect("the server listens");
        let head = format!(
            "{head} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );
        let _ = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(body));
        let mut answer = String::new();
        let _ = stream.take(20).read_to_string(&mut answer);
        answer
            .split(' ')
            .nth(1)
            .and_then(|status| status.parse().ok())
            .unwrap_or_else(|| panic!("no status: {answer}"))
    }

    fn signal(&self, name: &str) {
        let sent = Command::new("kill")
            .args([name, &self.0.child.id().to_string()])
            .status()
            .expect("kill is there");
        assert!(sent.success());
    }

    fn exit_code(&mut self) -> Option<i32> {
        let begin = Instant::now();
        loop {
            if let Some(status) = self.0.child.try_wait().expect("the child is ours") {
                return status.code();
            }
            assert!(begin.elapsed() < LONG, "it does not end");
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

#[test]
fn a_supervisor_a_terminal_and_a_user_end_it_and_a_second_signal_ends_it_at_once() {
    let bench = Bench::new();
    bench.train("run");
    for name in ["-TERM", "-HUP", "-INT"] {
        let mut service = Service::open(&bench, "");
        service.signal(name);
        assert_eq!(service.exit_code(), Some(0), "{name}");
    }
    for (name, code) in [("-TERM", 143), ("-INT", 130)] {
        let mut service = Service::open(&bench, "--patience 600 --timeout 600");
        // A request whose body does not come keeps it from ending.
        let mut slow = TcpStream::connect(&service.0.address).expect("the server listens");
        slow.write_all(b"POST /predict HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\nx")
            .expect("a head");
        assert_eq!(service.ask("GET /healthz", b""), 200);
        service.signal(name);
        std::thread::sleep(Duration::from_millis(400));
        assert!(service.0.child.try_wait().expect("the child is ours").is_none(), "it waits for the request");
        service.signal(name);
        assert_eq!(service.exit_code(), Some(code), "{name}");
    }
}

#[test]
fn origins_that_can_never_match_are_refused() {
    let bench = Bench::new();
    bench.train("run");
    bench.refuse("serve run --port 0 --cors https://example.org/", &["--cors", "https://example.org"]);
    bench.refuse("serve run --port 0 --cors *", &["--cors", "no patterns"]);
    bench.refuse("serve run --port 0 --memory 64", &["--max-body", "--memory"]);
}

#[test]
fn a_tiff_that_makes_other_decoders_panic_is_answered() {
    let bench = Bench::new();
    bench.train("run");
    let service = Service::open(&bench, "");
    let picture = fs::read(
        fs::read_dir(bench.path("data/images")).expect("data").flatten().next().expect("one").path(),
    );
    assert_eq!(service.ask("POST /predict", &banded_tiff()), 200);
    assert_eq!(service.ask("GET /healthz", b""), 200);
    assert_eq!(service.ask("POST /predict", &picture.expect("a file")), 200);
}

/// A TIFF of 100 x 100 pixels in tiles of 64 x 64, each band in tiles of its own, as GDAL writes it with `INTERLEAVE=BAND` and
/// `TILED=YES`.
fn banded_tiff() -> Vec<u8> {
    const TILES: u32 = 4 * 3;
    const TILE: u32 = 64 * 64;
    let entries: [(u16, u16, u32, u32); 12] = [
        (256, 4, 1, 100),
        (257, 4, 1, 100),
        (258, 3, 3, 158),
        (259, 3, 1, 1),
        (262, 3, 1, 2),
        (277, 3, 1, 3),
        (284, 3, 1, 2),
        (322, 4, 1, 64),
        (323, 4, 1, 64),
        (324, 4, TILES, 164),
        (325, 4, TILES, 164 + 4 * TILES),
        (339, 3, 3, 164 + 8 * TILES),
    ];
    let mut file = b"II*\0\x08\0\0\0\x0c\0".to_vec();
    for (tag, kind, count, value) in entries {
        file.extend(tag.to_le_bytes());
        file.extend(kind.to_le_bytes());
        file.extend(count.to_le_bytes());
        file.extend(value.to_le_bytes());
    }
    file.extend([0; 4]);
    assert_eq!(file.len(), 158, "the first value that does not fit into its entry");
    [8_u16; 3].into_iter().for_each(|bits| file.extend(bits.to_le_bytes()));
    let first = 164 + 8 * TILES + 6;
    (0..TILES).for_each(|tile| file.extend((first + tile * TILE).to_le_bytes()));
    (0..TILES).for_each(|_| file.extend(TILE.to_le_bytes()));
    [1_u16; 3].into_iter().for_each(|format| file.extend(format.to_le_bytes()));
    file.extend((0..TILES * TILE).map(|i| (i % 251) as u8));
    file
}
