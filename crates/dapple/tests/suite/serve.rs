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

#[test]
fn hostile_images_do_not_end_it() {
    let bench = Bench::new();
    bench.train("run");
    let mut service = Service::open(&bench, "");
    let first = fs::read_dir(bench.path("data/images")).expect("data").flatten().next().expect("one").path();
    let png = fs::read(first).expect("a file");
    // Bytes of the header and the first blocks, changed one at a time, and the file cut off there.
    for file in [png, banded_tiff(), empty_bmp(40)] {
        for at in (0..file.len().min(420)).step_by(14) {
            let mut changed = file.clone();
            changed[at] ^= 0x5a;
            for body in [&changed[..], &file[..at]] {
                let status = service.ask("POST /predict", body);
                assert!(
                    [200, 400, 413, 415, 422].contains(&status),
                    "{status} for byte {at} of {} bytes",
                    file.len()
                );
            }
        }
    }
    assert!(service.0.child.try_wait().expect("the child is ours").is_none(), "it goes on");
    assert_eq!(service.ask("GET /healthz", b""), 200);
}

/// Small files of large pictures, asked for as large answers that nobody takes.
#[cfg(target_os = "linux")]
#[test]
fn memory_stays_within_its_budget_while_nobody_takes_the_answers() {
    let bench = Bench::new();
    bench.train("run");
    let service =
        Service::open(&bench, "--memory 256 --max-body 1 --patience 600 --timeout 600 --peer-share 100");
    let memory = |field: &str| {
        let status = fs::read_to_string(format!("/proc/{}/status", service.0.child.id())).expect("it runs");
        let line = status.lines().find(|line| line.starts_with(field)).expect("Linux tells");
        line.split_whitespace().nth(1).and_then(|kib| kib.parse::<u64>().ok()).expect("a number") >> 10
    };
    assert_eq!(service.ask("POST /predict", &empty_bmp(64)), 200);
    let before = memory("VmRSS:");
    // Five classes of 1500 x 1500 pixels in 32 bits: 45 MB an answer, all of them 700 MB.
    let body = empty_bmp(1500);
    let attack: Vec<TcpStream> = (0..16)
        .map(|_| {
            let mut stream = TcpStream::connect(&service.0.address).expect("the server listens");
            let head = "POST /predict?output=probability&format=npy HTTP/1.1\r\nHost: localhost\r\n";
            let head = format!("{head}Content-Length: {}\r\n\r\n", body.len());
            let _ = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(&body));
            stream
        })
        .collect();
    let is_answered = |stream: &TcpStream, patience| {
        stream.set_read_timeout(Some(patience)).expect("a time");
        let (mut reader, mut start) = (stream, [0; 12]);
        reader.read_exact(&mut start).is_ok() && &start == b"HTTP/1.1 200"
    };
    assert!(is_answered(&attack[0], LONG), "nothing is answered");
    // Time for the others, of which some have to wait until memory is given back.
    let answered = attack[1..].iter().filter(|stream| is_answered(stream, Duration::from_secs(1))).count();
    let most = memory("VmHWM:");
    assert!(most < before + 256, "{before} MiB before the attack, {most} at most, {answered} more answered");
    assert_eq!(service.ask("GET /healthz", b""), 200);
}

/// A BMP with a palette, whose run lengths end at once: 1,080 bytes for any size.
fn empty_bmp(side: u32) -> Vec<u8> {
    let mut file = b"BM".to_vec();
    file.extend([1080_u32, 0, 1078, 40, side, side].iter().flat_map(|value| value.to_le_bytes()));
    // One plane, 8 bits, run lengths.
    file.extend([1_u16, 8].iter().flat_map(|value| value.to_le_bytes()));
    file.extend([1_u32, 2, 2835, 2835, 256, 0].iter().flat_map(|value| value.to_le_bytes()));
    file.extend((0..256_u32).flat_map(|grey| (grey * 0x01_01_01).to_le_bytes()));
    file.extend([0, 1]);
    file
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
