//! Photographs of reddish discs on greenish ground, strokes on them, and a studio that answers.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use dapple_cpu::CpuEngine;
use dapple_data::{Dataset, Format, OpenOptions, Raster, encode_png};
use dapple_graph::Engine;
use dapple_studio::store::{Mask, Patch, UNLABELLED};
use dapple_studio::train::{Choice, Plan, Program, ProgramError};
use dapple_studio::{Help, Studio, StudioConfig};
use dapple_train::TrainConfig;
use serde_json::Value;
use tempfile::TempDir;
use tokio::sync::oneshot;

pub const SIDE: usize = 64;

/// A number from 0 to 255 that is the same for the same place.
fn noise(index: usize, place: usize) -> u8 {
    let mut value = (index as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ (place as u64);
    for _ in 0..2 {
        value = (value ^ (value >> 29)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    }
    (value >> 40) as u8
}

/// A photograph with its labels.
pub fn scene(index: usize) -> (Raster, Vec<u8>) {
    let (cx, cy) = (20 + (index * 7) % 24, 20 + (index * 11) % 24);
    let (mut data, mut labels) = (Vec::new(), Vec::new());
    for place in 0..SIDE * SIDE {
        let (x, y) = (place % SIDE, place / SIDE);
        let inside = x.abs_diff(cx).pow(2) + y.abs_diff(cy).pow(2) < 14 * 14;
        let own = noise(index, place) / 3;
        data.extend(if inside { [150 + own / 2, 60 + own, 60] } else { [60 + own, 130 + own / 2, 60] });
        labels.push(u8::from(inside));
    }
    (Raster::new(SIDE, SIDE, 3, data), labels)
}

/// A folder with so many photographs in `images/`.
pub fn folder(count: usize) -> TempDir {
    let folder = tempfile::tempdir().expect("a temporary folder");
    fs::create_dir(folder.path().join("images")).expect("the folder is writable");
    for index in 0..count {
        let png = encode_png(&scene(index).0).expect("a picture");
        fs::write(folder.path().join(format!("images/photo-{index}.png")), png)
            .expect("the folder is writable");
    }
    folder
}

pub fn id(index: usize) -> String {
    format!("photo-{index}.png")
}

/// Two squares of right labels: one on the disc, one on the ground.
pub fn strokes(index: usize) -> [(usize, usize, Patch); 2] {
    let labels = scene(index).1;
    let square = |label: u8| {
        let fits = |x: usize, y: usize| {
            (0..6).all(|row| (0..6).all(|column| labels[(y + row) * SIDE + x + column] == label))
        };
        let mut places = (0..(SIDE - 6) * (SIDE - 6)).map(|place| (place % (SIDE - 6), place / (SIDE - 6)));
        let (x, y) = places.find(|&(x, y)| fits(x, y)).expect("there is room");
        (x, y, Patch { width: 6, height: 6, labels: vec![Some(label); 36] })
    };
    [square(1), square(0)]
}

/// The whole truth of a photograph.
pub fn truth(index: usize) -> Mask {
    Mask { width: SIDE, height: SIDE, labels: scene(index).1 }
}

/// A patch as a grey PNG.
pub fn png_of(patch: &Patch) -> Vec<u8> {
    let labels = patch.labels.iter().map(|label| label.unwrap_or(UNLABELLED)).collect();
    Mask { width: patch.width, height: patch.height, labels }.png().expect("a picture")
}

pub fn engine() -> Arc<dyn Engine> {
    Arc::new(CpuEngine::new(Some(2)).expect("threads"))
}

/// A program whose trainings take seconds.
pub struct Small;

impl Program for Small {
    fn plan(&self, data: &Path, minutes: u32) -> Result<Plan, ProgramError> {
        let options = OpenOptions { format: Some(Format::Folders), skip_bad: true, ..OpenOptions::default() };
        let dataset = Arc::new(Dataset::open(data, &options)?);
        let mut config = TrainConfig::for_network("unet", dataset.classes().len(), data)?;
        config.network.width = 4;
        (config.input.height, config.input.width) = (32, 32);
        // As many epochs as minutes: enough to be stopped in between.
        (config.epochs, config.batch) = (minutes as usize, 1);
        config.evaluation.pictures = 1;
        (config.data.format, config.data.ignore, config.data.skip_bad) =
            (dataset.format(), dataset.ignore(), true);
        let choice = Choice { key: "batch".into(), value: "1".into(), reason: "there are few images".into() };
        Ok(Plan { config, dataset, choices: vec![choice] })
    }

    fn engine_for(&self, _: &TrainConfig) -> Result<Box<dyn Engine>, ProgramError> {
        Ok(Box::new(CpuEngine::new(Some(2))?))
    }
}

/// A studio on a port of its own that ends with the value.
pub struct Running {
    pub address: SocketAddr,
    pub token: String,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Running {
    /// For labelling alone, or with all that helps.
    pub fn start(folder: &Path, helps: bool) -> Self {
        let help =
            helps.then(|| Help { engine: engine(), encoder: None, threads: 2, program: Arc::new(Small) });
        let config = StudioConfig { help, ..StudioConfig::new(folder) };
        let (stop, stopped) = oneshot::channel();
        let (tell, told) = std::sync::mpsc::channel();
        let thread = std::thread::spawn(move || {
            let runtime = dapple_serve::runtime().expect("a runtime");
            runtime.block_on(async {
                let studio = Studio::bind(config).await.expect("a studio");
                let page = studio.page().expect("an address");
                tell.send((studio.address().expect("an address"), page)).expect("someone listens");
                studio.run(async { stopped.await.unwrap_or(()) }).await;
            });
        });
        let (address, page) = told.recv().expect("the studio starts");
        let token = page.split_once("token=").expect("a key").1.to_owned();
        Self { address, token, stop: Some(stop), thread: Some(thread) }
    }

    /// Sends a request with the key; headers follow the first line.
    pub fn send(&self, head: &str, body: &[u8]) -> Answer {
        let head = format!("{head}\nAuthorization: Bearer {}", self.token);
        self.send_plainly(&head, body)
    }

    /// Sends a request as it is.
    pub fn send_plainly(&self, head: &str, body: &[u8]) -> Answer {
        let mut stream = TcpStream::connect(self.address).expect("the studio listens");
        stream.set_read_timeout(Some(Duration::from_secs(60))).expect("a timeout");
        let (request, others) = head.split_once('\n').unwrap_or((head, ""));
        let host = if others.to_lowercase().contains("host:") { "" } else { "Host: localhost\r\n" };
        let mut head =
            format!("{request} HTTP/1.1\r\n{host}Connection: close\r\nContent-Length: {}\r\n", body.len());
        others.lines().for_each(|line| head += &format!("{line}\r\n"));
        // The studio may answer and close before it has read everything.
        let _ = stream.write_all(format!("{head}\r\n").as_bytes()).and_then(|()| stream.write_all(body));
        let mut bytes = Vec::new();
        let _ = stream.read_to_end(&mut bytes);
        Answer::of(&bytes)
    }

    pub fn get(&self, path: &str) -> Answer {
        self.send(&format!("GET {path}"), &[])
    }

    pub fn json(&self, method: &str, path: &str, body: &Value) -> Answer {
        self.send(&format!("{method} {path}\nContent-Type: application/json"), body.to_string().as_bytes())
    }

    /// Draws a patch; gives the answer.
    pub fn draw(&self, id: &str, revision: u64, (x, y): (usize, usize), patch: &Patch) -> Answer {
        let head = format!("PUT /api/images/{id}/mask?x={x}&y={y}\nIf-Match: \"{revision}\"");
        self.send(&head, &png_of(patch))
    }

    /// Asks for the state until it is as wanted.
    pub fn wait(&self, wanted: impl Fn(&Value) -> bool) -> Value {
        let begun = Instant::now();
        loop {
            let state = self.get("/api/state").json();
            if wanted(&state) {
                return state;
            }
            assert!(begun.elapsed() < Duration::from_secs(120), "it never came: {state}");
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// The lines of the events of a tab.
    pub fn events(&self, tab: &str) -> impl Iterator<Item = String> + use<> {
        let mut stream = TcpStream::connect(self.address).expect("the studio listens");
        stream.set_read_timeout(Some(Duration::from_secs(60))).expect("a timeout");
        let head = format!(
            "GET /api/events?tab={tab} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {}\r\n\r\n",
            self.token
        );
        stream.write_all(head.as_bytes()).expect("the studio listens");
        BufReader::new(stream).lines().map_while(Result::ok)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.stop.take().map(|stop| stop.send(()));
        if let Some(thread) = self.thread.take() {
            assert!(thread.join().is_ok(), "the studio panicked");
        }
    }
}

pub struct Answer {
    pub status: u16,
    pub head: String,
    pub body: Vec<u8>,
}

impl Answer {
    fn of(bytes: &[u8]) -> Self {
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

/// Intersection over union of the disc.
pub fn iou(found: &[u8], wanted: &[u8]) -> f64 {
    let count = |keep: &dyn Fn(bool, bool) -> bool| {
        found.iter().zip(wanted).filter(|(a, b)| keep(**a == 1, **b == 1)).count() as f64
    };
    count(&|a, b| a && b) / count(&|a, b| a || b).max(1.0)
}
