//! Clients that send or take slowly, that hold what others need, or that act for another site.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use dapple_data::{Raster, encode_png};

use crate::common::{Answer, Running, photo};

/// Far longer than anything here takes.
const LONG: Duration = Duration::from_secs(60);

/// A connection that has sent the head of a prediction request with a body of so many bytes.
fn begun(server: &Running, query: &str, length: u64) -> TcpStream {
    let mut stream = TcpStream::connect(server.address).expect("the server listens");
    stream.set_read_timeout(Some(LONG)).expect("a timeout");
    let head =
        format!("POST /predict{query} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {length}\r\n\r\n");
    stream.write_all(head.as_bytes()).expect("a head");
    stream
}

/// The answer on a connection that the server ends, or none.
fn answer(stream: &mut TcpStream) -> Option<Answer> {
    let mut bytes = Vec::new();
    // A reset after the answer is no fault.
    let _ = stream.read_to_end(&mut bytes);
    (!bytes.is_empty()).then(|| Answer::of(&bytes))
}

#[test]
fn bodies_that_trickle_hold_no_slot_and_end() {
    let server = Running::start(|config| {
        config.limits.queue = 2;
        config.limits.patience = Duration::from_secs(2);
    });
    let mut slow: Vec<TcpStream> = (0..20).map(|_| begun(&server, "", 1000)).collect();
    slow.iter_mut().for_each(|stream| stream.write_all(b"x").expect("one byte"));
    assert_eq!(server.predict("", &photo(9, 9)).status, 200);
    for stream in &mut slow {
        let answer = answer(stream).expect("an answer");
        assert!(answer.status == 408 && answer.has("connection: close"), "{}", answer.head);
    }
}

#[test]
fn a_length_that_is_too_large_is_refused_before_the_body() {
    let server = Running::start(|_| ());
    for length in [(32 << 20) + 1, u64::MAX / 2] {
        let answer = answer(&mut begun(&server, "", length)).expect("an answer");
        assert_eq!(answer.status, 413, "{}", answer.head);
    }
    // Without a length, the bytes are counted.
    let server = Running::start(|config| config.limits.body_bytes = 1000);
    let mut stream = TcpStream::connect(server.address).expect("the server listens");
    let head = "POST /predict HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n";
    let chunk = format!("1f4\r\n{}\r\n", "x".repeat(500));
    stream.write_all(format!("{head}{chunk}{chunk}{chunk}").as_bytes()).expect("a body");
    assert_eq!(answer(&mut stream).expect("an answer").status, 413);
}

#[test]
fn answers_that_nobody_takes_end() {
    let server = Running::start(|config| {
        config.limits.queue = 1;
        config.limits.patience = Duration::from_secs(1);
    });
    // 27 MB of probabilities, more than the system's buffers.
    let image = photo(1500, 1500);
    let mut unread = begun(&server, "?model=many&output=probability&format=npy", image.len() as u64);
    unread.write_all(&image).expect("a body");
    let until = |status: u16| {
        let begin = Instant::now();
        while server.get("/readyz").status != status {
            assert!(begin.elapsed() < LONG, "no status {status}");
            std::thread::sleep(Duration::from_millis(20));
        }
    };
    // The slot is held while the answer waits to be taken, and no longer than that.
    until(503);
    assert_eq!(server.predict("", &photo(9, 9)).status, 429);
    until(200);
    assert_eq!(server.predict("", &photo(9, 9)).status, 200);
    let mut bytes = Vec::new();
    let _ = unread.read_to_end(&mut bytes);
    assert!(bytes.len() < 27_000_000, "{}", bytes.len());
}

#[test]
fn large_answers_are_streamed_and_whole() {
    let server = Running::start(|_| ());
    let (width, height) = (700, 500);
    let image = photo(width, height);
    let array = server.predict("?model=many&output=probability&format=npy", &image);
    assert!(array.status == 200 && array.has("transfer-encoding: chunked"), "{}", array.head);
    let array = unchunked(&array.body);
    assert!(array.starts_with(b"\x93NUMPY"));
    assert_eq!(array.len(), 128 + width * height * 3 * 4);
    let sum: f32 = array[128..].as_chunks::<4>().0[..3].iter().map(|&bytes| f32::from_le_bytes(bytes)).sum();
    assert!((sum - 1.0).abs() < 1e-5, "{sum}");

    let several = server.predict("?model=many&output=probability,uncertainty,areas,coco&format=npy", &image);
    let several: serde_json::Value = serde_json::from_slice(&unchunked(&several.body)).expect("JSON");
    let data = several["outputs"][0]["data"].as_str().expect("base64");
    let decoded = base64::Engine::decode(&base64::prelude::BASE64_STANDARD, data).expect("base64");
    assert!(decoded == array, "the same bytes");
    assert!(several["outputs"][2]["data"].as_str().is_some_and(|table| table.starts_with("image,class")));
    assert!(several["outputs"][3]["data"]["annotations"].is_array());
}

/// The content of chunks.
fn unchunked(mut body: &[u8]) -> Vec<u8> {
    let mut content = Vec::new();
    loop {
        let end = body.windows(2).position(|w| w == b"\r\n").expect("a length");
        let length =
            std::str::from_utf8(&body[..end]).ok().and_then(|text| usize::from_str_radix(text, 16).ok());
        let length = length.expect("a length");
        if length == 0 {
            return content;
        }
        content.extend_from_slice(&body[end + 2..][..length]);
        body = &body[end + 2 + length + 2..];
    }
}

/// A few kilobytes of any number of pixels.
fn black(width: usize, height: usize) -> Vec<u8> {
    encode_png(&Raster::new(width, height, 3, vec![0; 3 * width * height])).expect("a PNG")
}

/// A TIFF of so many channels of 64 bits whose only strip is left out, as programs leave out what is empty.
fn empty_tiff(width: u32, height: u32, channels: u32) -> Vec<u8> {
    const SHORT: u16 = 3;
    const LONG: u16 = 4;
    let entries = [
        (256, LONG, width),
        (257, LONG, height),
        (258, SHORT, 64),
        (259, SHORT, 1),
        (262, SHORT, 1),
        (273, LONG, 8),
        (277, SHORT, channels),
        (278, LONG, height),
        (279, LONG, 0),
        (339, SHORT, 3),
    ];
    let mut file = b"II*\0\x08\0\0\0".to_vec();
    file.extend((entries.len() as u16).to_le_bytes());
    for (tag, kind, value) in entries {
        file.extend(u16::to_le_bytes(tag));
        file.extend(u16::to_le_bytes(kind));
        file.extend(1_u32.to_le_bytes());
        file.extend(u32::to_le_bytes(value));
    }
    file.extend([0; 4]);
    file
}

#[test]
fn work_that_needs_too_much_memory_is_refused_and_other_work_waits_for_it() {
    let server = Running::start(|config| {
        config.limits.body_bytes = 4 << 20;
        config.limits.memory_bytes = 100 << 20;
    });
    // By the header of each: many pixels, and few of many wide values.
    for image in [black(3000, 2000), empty_tiff(600, 500, 40)] {
        let answer = server.predict("", &image);
        assert_eq!(answer.status, 413, "{}", answer.head);
        assert!(answer.json()["error"].to_string().contains("MiB"));
    }
    let image = black(1500, 1500);
    std::thread::scope(|scope| {
        let asking: Vec<_> = (0..6).map(|_| scope.spawn(|| server.predict("", &image).status)).collect();
        asking.into_iter().for_each(|asking| assert_eq!(asking.join().expect("no panic"), 200));
    });
    let metrics = String::from_utf8(server.get("/metrics").body).expect("text");
    assert!(metrics.contains("dapple_request_memory_bytes 0"), "{metrics}");
}

#[cfg(target_os = "linux")]
#[test]
fn one_address_cannot_hold_all_connections() {
    let server = Running::start(|config| {
        config.limits.connections = 8;
        config.limits.peer_share = 0.5;
    });
    let open: Vec<TcpStream> = (0..4).map(|_| begun(&server, "", 10)).collect();
    let mut further = TcpStream::connect(server.address).expect("the server listens");
    assert_eq!(answer(&mut further).expect("an answer").status, 429);
    // All of 127.0.0.0/8 is this machine.
    let runtime = dapple_serve::runtime().expect("a runtime");
    let other = runtime.block_on(async {
        let socket = tokio::net::TcpSocket::new_v4().expect("a socket");
        socket.bind("127.0.0.2:0".parse().expect("an address")).expect("an address of this machine");
        socket.connect(server.address).await.expect("the server listens").into_std()
    });
    let mut other = other.expect("a connection");
    other.set_nonblocking(false).expect("a connection");
    other
        .write_all(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        .expect("a request");
    assert_eq!(answer(&mut other).expect("an answer").status, 200);
    drop(open);
}

#[test]
fn other_sites_cannot_use_a_server_on_this_machine() {
    let server = Running::start(|config| config.cors = vec!["https://app.example.org".into()]);
    let own = format!("http://{}", server.address);
    let send = |headers: &str| {
        let mut stream = TcpStream::connect(server.address).expect("the server listens");
        let image = photo(9, 9);
        let head = format!(
            "POST /predict HTTP/1.1\r\n{headers}Connection: close\r\nContent-Length: {}\r\n\r\n",
            image.len()
        );
        let _ = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(&image));
        answer(&mut stream).expect("an answer").status
    };
    let host = format!("Host: {}\r\n", server.address);
    assert_eq!(send(&host), 200);
    assert_eq!(send(&format!("{host}Origin: {own}\r\nSec-Fetch-Site: same-origin\r\n")), 200);
    assert_eq!(
        send(&format!("{host}Origin: https://app.example.org\r\nSec-Fetch-Site: cross-site\r\n")),
        200
    );
    for headers in [
        "Host: rebound.example:8080\r\n".to_owned(),
        format!("{host}Origin: https://evil.example\r\n"),
        format!("{host}Origin: null\r\n"),
        format!("{host}Sec-Fetch-Site: cross-site\r\n"),
    ] {
        assert_eq!(send(&headers), 403, "{headers}");
    }
}
