//! The API over a real connection: responses, refusals, shutdown.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::thread::JoinHandle;
use std::time::Duration;

use dapple_cpu::CpuEngine;
use dapple_data::{Raster, encode_png};
use dapple_graph::{Network, State};
use dapple_model::Model;
use dapple_nets::checkpoint::{Class, ModelCard, ModelFile, Normalization};
use dapple_nets::{Activation, NetConfig};
use dapple_predict::{PredictSettings, Predictor};
use dapple_serve::{ServeConfig, ServedModel, Server};
use serde_json::Value;
use tokio::sync::oneshot;

/// A small network with random weights.
fn model(name: &str, classes: usize) -> ServedModel {
    let activation = if classes == 2 { Activation::Sigmoid } else { Activation::Softmax };
    let network =
        NetConfig { activation, width: 2, ..NetConfig::new("unet", 3, classes).expect("a network") };
    let graph = network.build(network.example_input()).expect("it fits its example");
    let state = State::init(&graph, 3);
    let class = |i: usize| Class { name: format!("class {i}"), colour: [0, 99, (40 * i) as u8] };
    let card = ModelCard {
        network,
        classes: (0..classes).map(class).collect(),
        ignore: None,
        input_size: [32, 32],
        normalisation: Normalization::Unit,
        seed: 0,
        epoch: 0,
        scores: serde_json::Map::new(),
        extra: serde_json::Map::new(),
    };
    let engine = CpuEngine::new(Some(2)).expect("threads");
    let segmenter = Model::new(ModelFile { card, state }, &engine).expect("a model");
    let predictor = Predictor::new(vec![segmenter], PredictSettings::default()).expect("settings in range");
    ServedModel { name: name.into(), predictor }
}

/// A server on a port of its own that ends with the value.
struct Running {
    address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Running {
    fn start(change: impl FnOnce(&mut ServeConfig)) -> Self {
        let mut config =
            ServeConfig { address: SocketAddr::from(([127, 0, 0, 1], 0)), ..ServeConfig::default() };
        change(&mut config);
        let (stop, stopped) = oneshot::channel();
        let (tell, told) = std::sync::mpsc::channel();
        let thread = std::thread::spawn(move || {
            let runtime = dapple_serve::runtime().expect("a runtime");
            runtime.block_on(async {
                let models = vec![model("two", 2), model("many", 3)];
                let server = Server::bind(models, config).await.expect("a server");
                tell.send(server.address().expect("an address")).expect("someone listens");
                server.run(async { stopped.await.unwrap_or(()) }).await;
            });
        });
        let address = told.recv().expect("the server starts");
        Self { address, stop: Some(stop), thread: Some(thread) }
    }

    fn send(&self, head: &str, body: &[u8]) -> Answer {
        let mut stream = TcpStream::connect(self.address).expect("the server listens");
        stream.set_read_timeout(Some(Duration::from_secs(60))).expect("a timeout");
        let length = body.len();
        let (request, others) = head.split_once('\n').unwrap_or((head, ""));
        let mut head =
            format!("{request} HTTP/1.1\r\nHost: here\r\nConnection: close\r\nContent-Length: {length}\r\n");
        others.lines().for_each(|line| head += &format!("{line}\r\n"));
        // The server may answer and close before it has read everything.
        let _ = stream.write_all(format!("{head}\r\n").as_bytes()).and_then(|()| stream.write_all(body));
        let mut bytes = Vec::new();
        let _ = stream.read_to_end(&mut bytes);
        Answer::of(&bytes)
    }

    fn get(&self, path: &str) -> Answer {
        self.send(&format!("GET {path}"), &[])
    }

    fn predict(&self, query: &str, body: &[u8]) -> Answer {
        self.send(&format!("POST /predict{query}"), body)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.stop.take().map(|stop| stop.send(()));
        if let Some(thread) = self.thread.take() {
            assert!(thread.join().is_ok(), "the server panicked");
        }
    }
}

struct Answer {
    status: u16,
    head: String,
    body: Vec<u8>,
}

impl Answer {
    fn of(bytes: &[u8]) -> Self {
        let end = bytes.windows(4).position(|w| w == b"\r\n\r\n").expect("a head");
        let head = String::from_utf8_lossy(&bytes[..end]).to_lowercase();
        let status = head.split(' ').nth(1).and_then(|s| s.parse().ok()).expect("a status");
        Self { status, head, body: bytes[end + 4..].to_vec() }
    }

    fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|e| panic!("{e}: {}", String::from_utf8_lossy(&self.body)))
    }

    fn has(&self, header: &str) -> bool {
        self.head.lines().any(|line| line.starts_with(header))
    }
}

fn photo(width: usize, height: usize) -> Vec<u8> {
    let data = (0..width * height * 3).map(|i| (i * 7 % 256) as u8).collect();
    encode_png(&Raster::new(width, height, 3, data)).expect("a PNG")
}

#[test]
fn an_image_becomes_the_requested_outputs() {
    let server = Running::start(|_| ());
    let image = photo(40, 30);

    let mask = server.predict("", &image);
    assert_eq!(mask.status, 200, "{}", mask.head);
    assert!(
        mask.has("content-type: image/png") && mask.has("x-content-type-options: nosniff"),
        "{}",
        mask.head
    );
    let mask = dapple_data::decode_values_bytes(&mask.body, "the mask").expect("a mask");
    assert_eq!((mask.width, mask.height, mask.indexed), (40, 30, true));

    for (output, kind) in [
        ("overlay", "image/png"),
        ("cutout&background=blur", "image/png"),
        ("cutout&class=class%200&refine=false", "image/png"),
        ("probability&format=npy", "application/octet-stream"),
        ("uncertainty", "image/png"),
        ("contours", "application/geo+json"),
        ("coco&coco=polygons&min_area=3", "application/json"),
        ("areas&threshold=0.7", "text/csv"),
    ] {
        let answer = server.predict(&format!("?output={output}"), &image);
        assert_eq!(answer.status, 200, "{output}: {}", String::from_utf8_lossy(&answer.body));
        assert!(answer.has(&format!("content-type: {kind}")), "{output}: {}", answer.head);
    }

    let several = server.predict("?output=mask,contours,areas&model=many", &image).json();
    assert_eq!((several["model"].as_str(), several["width"].as_u64()), (Some("many"), Some(40)));
    let encodings: Vec<_> =
        several["outputs"].as_array().expect("a list").iter().map(|o| &o["encoding"]).collect();
    assert_eq!(encodings, ["base64", "json", "text"]);
    let classes = server.predict("?output=probability&model=many", &image).json();
    assert_eq!(classes["outputs"].as_array().map(Vec::len), Some(3));

    // As curl sends it with --data-binary.
    let head = "POST /predict\nContent-Type: application/x-www-form-urlencoded";
    assert_eq!(server.send(head, &image).status, 200);

    // As a form, with another field before the image.
    let mut form = b"--xyz\r\nContent-Disposition: form-data; name=\"note\"\r\n\r\nhello\r\n--xyz\r\n\
        Content-Disposition: form-data; name=\"image\"; filename=\"a.png\"\r\nContent-Type: image/png\r\n\r\n"
        .to_vec();
    form.extend(&image);
    form.extend(b"\r\n--xyz--\r\n");
    let head = "POST /predict?output=labels\nContent-Type: multipart/form-data; boundary=xyz";
    assert_eq!(server.send(head, &form).status, 200);
}

#[test]
fn wrong_requests_are_refused_with_a_message() {
    let server = Running::start(|config| {
        config.limits.body_bytes = 20_000;
        config.limits.pixels = 5_000;
    });
    let image = photo(20, 20);
    for (query, status) in [
        ("?output=mosk", 400),
        ("?output=", 400),
        ("?threshold=2", 400),
        ("?threshold=NaN", 400),
        ("?opacity=x", 400),
        ("?unknown=1", 400),
        ("?min_area=-1", 400),
        ("?background=../secret.png", 400),
        ("?model=three", 404),
    ] {
        let answer = server.predict(query, &image);
        assert_eq!(answer.status, status, "{query}");
        assert!(answer.json()["error"].is_string(), "{query}");
    }
    assert_eq!(server.predict("", &[]).status, 400);
    assert_eq!(server.predict("", b"no image").status, 422);
    assert_eq!(server.predict("", &image[..image.len() / 2]).status, 422);
    assert_eq!(server.predict("", &vec![0; 20_001]).status, 413);
    // Few bytes, many pixels.
    let bomb = encode_png(&Raster::new(100, 100, 1, vec![0; 10_000])).expect("a PNG");
    let answer = server.predict("", &bomb);
    assert_eq!((answer.status, answer.json()["error"].to_string().contains("100 x 100")), (413, true));
    assert_eq!(server.send("POST /predict\nContent-Type: text/plain", &image).status, 415);
    assert_eq!(server.send("POST /predict\nContent-Type: multipart/form-data", &image).status, 400);
    assert_eq!(
        server.send("POST /predict\nContent-Type: multipart/form-data; boundary=x", b"--x--\r\n").status,
        400
    );
    let wrong_method = server.get("/predict");
    assert!(wrong_method.status == 405 && wrong_method.has("allow: post"), "{}", wrong_method.head);
    assert_eq!(server.get("/nothing").status, 404);
    assert_eq!(server.get("/examples/9.png").status, 404);
}

#[test]
fn the_server_describes_itself_and_has_a_page() {
    let server = Running::start(|_| ());
    assert_eq!(server.get("/healthz").json()["status"], "ok");
    let models = server.get("/models").json();
    assert_eq!(models[1]["name"], "many");
    assert_eq!(models[0]["classes"][1]["colour"], "#006328");
    let document = server.get("/openapi.json").json();
    for path in ["/predict", "/models", "/metrics", "/healthz", "/openapi.json"] {
        assert!(document["paths"][path].is_object(), "{path}");
    }
    assert_eq!(server.predict("", &photo(9, 9)).status, 200);
    let metrics = server.get("/metrics");
    let text = String::from_utf8(metrics.body).expect("text");
    assert!(text.contains("dapple_requests_total{route=\"/predict\",status=\"200\"} 1"), "{text}");
    assert!(text.contains("dapple_predictions_in_flight 0"), "{text}");

    for (path, kind) in [("/", "text/html"), ("/app.css", "text/css"), ("/app.js", "text/javascript")] {
        let answer = server.get(path);
        assert!(
            answer.status == 200 && answer.has(&format!("content-type: {kind}")),
            "{path}: {}",
            answer.head
        );
        assert!(
            answer.has("content-security-policy: default-src 'none'; script-src 'self'"),
            "{}",
            answer.head
        );
        let text = String::from_utf8(answer.body).expect("text");
        assert!(!text.contains("http://") && !text.contains("https://"), "{path} names another server");
    }
    assert!(server.get("/examples/1.png").body.starts_with(b"\x89PNG"));
}

#[test]
fn a_key_and_origins() {
    let server = Running::start(|config| {
        config.api_key = Some("secret".into());
        config.cors = vec!["https://example.org".into()];
    });
    let image = photo(9, 9);
    let refused = server.predict("", &image);
    assert!(refused.status == 401 && refused.has("www-authenticate: bearer"), "{}", refused.head);
    assert_eq!(server.get("/models").status, 401);
    assert_eq!(server.get("/metrics").status, 401);
    assert_eq!((server.get("/healthz").status, server.get("/").status), (200, 200));
    assert_eq!(server.send("POST /predict\nAuthorization: Bearer secret", &image).status, 200);
    assert_eq!(server.send("POST /predict\nX-API-Key: secret", &image).status, 200);
    assert_eq!(server.send("POST /predict\nX-API-Key: secreT", &image).status, 401);

    let preflight = |origin: &str| {
        let head = format!("OPTIONS /predict\nOrigin: {origin}\nAccess-Control-Request-Method: POST");
        server.send(&head, &[]).has("access-control-allow-origin")
    };
    assert!(preflight("https://example.org"));
    assert!(!preflight("https://example.com"));
}

#[test]
fn beyond_its_queue_it_sheds_and_then_continues() {
    let server = Running::start(|config| {
        config.limits.queue = 1;
        config.limits.time = Duration::from_millis(700);
    });
    // A request whose body does not come holds the only place.
    let mut slow = TcpStream::connect(server.address).expect("the server listens");
    let head = "POST /predict HTTP/1.1\r\nHost: here\r\nContent-Length: 1000\r\n\r\n";
    slow.write_all(head.as_bytes()).expect("a head");
    std::thread::sleep(Duration::from_millis(200));
    let shed = server.predict("", &photo(9, 9));
    assert!(shed.status == 429 && shed.has("retry-after: "), "{} {}", shed.status, shed.head);
    let mut bytes = Vec::new();
    slow.set_read_timeout(Some(Duration::from_secs(30))).expect("a timeout");
    let mut part = [0; 4096];
    while !bytes.windows(4).any(|w| w == b"\r\n\r\n") {
        let read = slow.read(&mut part).expect("an answer");
        assert!(read > 0, "closed without an answer");
        bytes.extend_from_slice(&part[..read]);
    }
    assert_eq!(Answer::of(&bytes).status, 503);
    drop(slow);
    assert_eq!(server.predict("", &photo(9, 9)).status, 200);
}

#[test]
fn in_flight_requests_are_answered_before_the_end() {
    let mut server = Running::start(|config| config.limits.batch_delay = Duration::from_millis(400));
    let address = server.address;
    let asking = std::thread::spawn(move || {
        let image = photo(30, 30);
        let mut stream = TcpStream::connect(address).expect("the server listens");
        let head = format!(
            "POST /predict HTTP/1.1\r\nHost: here\r\nConnection: close\r\nContent-Length: {}\r\n\r\n",
            image.len()
        );
        stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(&image)).expect("a request");
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes).expect("an answer");
        Answer::of(&bytes).status
    });
    std::thread::sleep(Duration::from_millis(150));
    let _ = server.stop.take().map(|stop| stop.send(()));
    assert_eq!(asking.join().expect("no panic"), 200);
    server.thread.take().map(JoinHandle::join).expect("a thread").expect("the server ends");
    assert!(TcpStream::connect(address).is_err(), "it still listens");
}

#[test]
fn invalid_settings_are_refused() {
    let runtime = dapple_serve::runtime().expect("a runtime");
    let refused = |models: Vec<ServedModel>, config: ServeConfig| {
        runtime.block_on(Server::bind(models, config)).err().map(|e| e.to_string()).unwrap_or_default()
    };
    let config = || ServeConfig { address: SocketAddr::from(([127, 0, 0, 1], 0)), ..ServeConfig::default() };
    assert!(refused(vec![], config()).contains("no model"));
    assert!(refused(vec![model("a", 2), model("a", 2)], config()).contains("NAME=FILE"));
    let cors = ServeConfig { cors: vec!["example.org".into()], ..config() };
    assert!(refused(vec![model("a", 2)], cors).contains("https://example.org"));
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = taken.local_addr().expect("an address");
    assert!(refused(vec![model("a", 2)], ServeConfig { address, ..config() }).contains("--port"));
}
