//! A server with small models, and requests to it.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::thread::JoinHandle;
use std::time::Duration;

use dapple_cpu::CpuEngine;
use dapple_data::{Raster, encode_png};
use dapple_graph::{Engine, Network, State};
use dapple_model::Model;
use dapple_nets::checkpoint::{Class, ModelCard, ModelFile, Normalization};
use dapple_nets::{Activation, NetConfig};
use dapple_predict::{PredictSettings, Predictor};
use dapple_serve::{ServeConfig, ServedModel, Server};
use serde_json::Value;
use tokio::sync::oneshot;

/// A small network with random weights.
pub fn model(name: &str, classes: usize) -> ServedModel {
    model_on(name, classes, &CpuEngine::new(Some(2)).expect("threads"))
}

/// The same on an engine.
pub fn model_on(name: &str, classes: usize, engine: &dyn Engine) -> ServedModel {
    served(name, file(classes), engine)
}

/// A model of a file on an engine.
pub fn served(name: &str, file: ModelFile, engine: &dyn Engine) -> ServedModel {
    let segmenter = Model::new(file, engine).expect("a model");
    let predictor = Predictor::new(vec![segmenter], PredictSettings::default()).expect("settings in range");
    ServedModel { name: name.into(), predictor }
}

/// The file of a small network with random weights.
pub fn file(classes: usize) -> ModelFile {
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
        images: None,
        seed: 0,
        epoch: 0,
        scores: serde_json::Map::new(),
        extra: serde_json::Map::new(),
    };
    ModelFile { card, state }
}

/// A server on a port of its own that ends with the value.
pub struct Running {
    pub address: SocketAddr,
    pub stop: Option<oneshot::Sender<()>>,
    pub thread: Option<JoinHandle<()>>,
}

impl Running {
    pub fn start(change: impl FnOnce(&mut ServeConfig)) -> Self {
        Self::with(change, vec![model("two", 2), model("many", 3)])
    }

    /// With other models.
    pub fn with(change: impl FnOnce(&mut ServeConfig), models: Vec<ServedModel>) -> Self {
        let mut config =
            ServeConfig { address: SocketAddr::from(([127, 0, 0, 1], 0)), ..ServeConfig::default() };
        change(&mut config);
        let (stop, stopped) = oneshot::channel();
        let (tell, told) = std::sync::mpsc::channel();
        let thread = std::thread::spawn(move || {
            let runtime = dapple_serve::runtime().expect("a runtime");
            runtime.block_on(async {
                let server = Server::bind(models, config).await.expect("a server");
                tell.send(server.address().expect("an address")).expect("someone listens");
                server.run(async { stopped.await.unwrap_or(()) }).await;
            });
        });
        let address = told.recv().expect("the server starts");
        Self { address, stop: Some(stop), thread: Some(thread) }
    }

    pub fn send(&self, head: &str, body: &[u8]) -> Answer {
        let mut stream = TcpStream::connect(self.address).expect("the server listens");
        stream.set_read_timeout(Some(Duration::from_secs(60))).expect("a timeout");
        let length = body.len();
        let (request, others) = head.split_once('\n').unwrap_or((head, ""));
        let mut head = format!(
            "{request} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: {length}\r\n"
        );
        others.lines().for_each(|line| head += &format!("{line}\r\n"));
        // The server may answer and close before it has read everything.
        let _ = stream.write_all(format!("{head}\r\n").as_bytes()).and_then(|()| stream.write_all(body));
        let mut bytes = Vec::new();
        let _ = stream.read_to_end(&mut bytes);
        Answer::of(&bytes)
    }

    pub fn get(&self, path: &str) -> Answer {
        self.send(&format!("GET {path}"), &[])
    }

    pub fn predict(&self, query: &str, body: &[u8]) -> Answer {
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

pub struct Answer {
    pub status: u16,
    pub head: String,
    pub body: Vec<u8>,
}

impl Answer {
    pub fn of(bytes: &[u8]) -> Self {
        let end = bytes.windows(4).position(|w| w == b"\r\n\r\n").expect("a head");
        let head = String::from_utf8_lossy(&bytes[..end]).to_lowercase();
        let status = head.split(' ').nth(1).and_then(|s| s.parse().ok()).expect("a status");
        Self { status, head, body: bytes[end + 4..].to_vec() }
    }

    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|e| panic!("{e}: {}", String::from_utf8_lossy(&self.body)))
    }

    pub fn has(&self, header: &str) -> bool {
        self.head.lines().any(|line| line.starts_with(header))
    }
}

pub fn photo(width: usize, height: usize) -> Vec<u8> {
    let data = (0..width * height * 3).map(|i| (i * 7 % 256) as u8).collect();
    encode_png(&Raster::new(width, height, 3, data)).expect("a PNG")
}

/// A form of fields, and the head of a request for it.
pub fn form(fields: &[(&str, &[u8])]) -> (&'static str, Vec<u8>) {
    let mut form = Vec::new();
    for (name, value) in fields {
        form.extend(format!("--xyz\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n").bytes());
        form.extend(*value);
        form.extend(b"\r\n");
    }
    form.extend(b"--xyz--\r\n");
    ("Content-Type: multipart/form-data; boundary=xyz", form)
}
