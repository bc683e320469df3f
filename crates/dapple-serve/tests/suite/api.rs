//! The API over a real connection: responses, refusals, shutdown.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::thread::JoinHandle;
use std::time::Duration;

use dapple_cpu::CpuEngine;
use dapple_data::{Raster, encode_png};
use dapple_graph::{Affine, Network, Quantization};
use dapple_serve::{ServeConfig, ServedModel, Server};

use crate::common::{Answer, Running, file, form, model, photo, served};

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

    let base64 = base64::Engine::encode(&base64::prelude::BASE64_STANDARD, &image);
    let head = "POST /predict\nContent-Type: application/json";
    let answer = server.send(head, format!(r#"{{"image":"{base64}","output":"cutout"}}"#).as_bytes());
    assert!(
        answer.status == 200 && answer.has("content-disposition: inline; filename=\"cutout.png\""),
        "{}",
        answer.head
    );
}

#[test]
fn form_fields_are_parameters() {
    let server = Running::start(|_| ());
    let image = photo(40, 30);
    let send = |query: &str, fields: &[(&str, &[u8])]| {
        let (kind, body) = form(fields);
        server.send(&format!("POST /predict{query}\n{kind}"), &body)
    };
    // Before the image and after it.
    let cutout = "content-disposition: inline; filename=\"cutout.png\"";
    for fields in
        [[("output", &b"cutout"[..]), ("image", &image)], [("image", &image), ("output", b"cutout")]]
    {
        let answer = send("", &fields);
        assert!(answer.status == 200 && answer.has(cutout), "{}", answer.head);
    }
    let answer = send(
        "?opacity=0.2",
        &[("image", &image), ("output", b"mask"), ("output", b"areas"), ("model", b"many")],
    );
    let answer = answer.json();
    assert_eq!(
        (answer["model"].as_str(), answer["outputs"].as_array().map(Vec::len)),
        (Some("many"), Some(2))
    );
    for (query, fields, word) in [
        ("?output=mask", vec![("output", &b"cutout"[..]), ("image", &image)], "in one of them"),
        ("", vec![("outptu", b"cutout"), ("image", &image)], "did you mean `output`"),
        ("", vec![("threshold", b"7"), ("image", &image)], "threshold"),
        ("", vec![("output", b"mask")], "no `image`"),
    ] {
        let answer = send(query, &fields);
        let error = answer.json()["error"].to_string();
        assert!(answer.status == 400 && error.contains(word), "{}: {error}", answer.status);
    }
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
fn the_list_of_models_says_which_are_quantized() {
    let engine = CpuEngine::new(Some(1)).expect("threads");
    let mut quantized = file(3);
    let network = &mut quantized.card.network;
    let graph = network.build(network.example_input()).expect("it fits its example");
    let weights = graph.nodes().iter().filter_map(|node| Quantization::weight_of(&graph, node));
    let affine = Affine { scale: 0.1, zero: 3 };
    let inputs = weights.map(|weight| (graph.param(weight).name.clone(), affine)).collect();
    let quantization = Quantization { inputs };
    quantized.state = quantization.rounded(&quantized.state);
    let count = quantization.inputs.len();
    network.quantization = Some(quantization);
    let models = vec![served("int8", quantized, &engine), model("plain", 2)];
    let found = Running::with(|_| (), models).get("/models").json();
    assert!(count > 10 && found[0]["networks"][0]["int8_convolutions"] == count, "{found}");
    assert_eq!(found[1]["networks"][0]["int8_convolutions"], 0);
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
        config.limits.batch_delay = Duration::from_secs(3);
    });
    std::thread::scope(|scope| {
        // It waits for others to join its batch, and holds the only slot.
        let first = scope.spawn(|| server.predict("", &photo(9, 9)).status);
        while server.get("/readyz").status == 200 {
            std::thread::sleep(Duration::from_millis(10));
        }
        let shed = server.predict("", &photo(9, 9));
        assert!(shed.status == 429 && shed.has("retry-after: "), "{} {}", shed.status, shed.head);
        assert_eq!((server.get("/readyz").status, server.get("/healthz").status), (503, 200));
        assert_eq!(first.join().expect("no panic"), 200);
    });
    assert_eq!((server.predict("", &photo(9, 9)).status, server.get("/readyz").status), (200, 200));
}

#[test]
fn in_flight_requests_are_answered_before_the_end() {
    let mut server = Running::start(|config| config.limits.batch_delay = Duration::from_millis(400));
    let address = server.address;
    let asking = std::thread::spawn(move || {
        let image = photo(30, 30);
        let mut stream = TcpStream::connect(address).expect("the server listens");
        let head = format!(
            "POST /predict HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: {}\r\n\r\n",
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
    for origin in ["example.org", "https://example.org/", "https://Example.org", "*", "null"] {
        let cors = ServeConfig { cors: vec![origin.into()], ..config() };
        let said = refused(vec![model("a", 2)], cors);
        assert!(said.contains("https://example.org") && said.contains("can never match"), "{said}");
    }
    let names = ServeConfig { host_names: vec!["https://example.org".into()], ..config() };
    assert!(refused(vec![model("a", 2)], names).contains("--host-names"));
    let hosts = ServeConfig { url_hosts: vec!["https://example.org".into()], ..config() };
    assert!(refused(vec![model("a", 2)], hosts).contains("*.example.org"));
    let mut small = config();
    small.limits.memory_bytes = 64 << 20;
    assert!(refused(vec![model("a", 2)], small).contains("--max-body"));
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = taken.local_addr().expect("an address");
    assert!(refused(vec![model("a", 2)], ServeConfig { address, ..config() }).contains("--port"));
}
