//! `dapple serve`: the HTTP service and its web page.

use std::fs;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use dapple::predict::{PredictSettings, Predictor};
use dapple::serve::{Limits, ServeConfig, ServeError, ServedModel, Server};
use dapple_base::InputFault;

use super::arguments::{Device, at_least_one};
use super::failure::Failure;
use super::weights::segmenters;

/// The environment variable that may hold the key.
const KEY: &str = "DAPPLE_API_KEY";

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  dapple serve horse
  dapple serve runs/horses
  dapple serve horses=runs/horses street=camvid.safetensors --port 9000
  dapple serve runs/horses --host 0.0.0.0 --api-key-file key.txt --cors https://example.org

Then open http://127.0.0.1:8080/, or
  curl --data-binary @photo.jpg 'http://127.0.0.1:8080/predict?output=cutout' -o cutout.png
The API is described at /openapi.json. Ctrl-C answers what is on its way and ends.")]
pub struct Serve {
    /// Models: runs' folders, model files or names of models, as MODEL or NAME=MODEL
    #[arg(required = true, value_name = "MODEL")]
    pub models: Vec<String>,
    /// Port; 0 for any that is free
    #[arg(long, value_name = "N", default_value_t = 8080)]
    pub port: u16,
    /// Address to listen on; 0.0.0.0 makes the server known to the network
    #[arg(long, value_name = "IP", default_value = "127.0.0.1")]
    pub host: IpAddr,
    /// File with the key that requests must carry; the variable DAPPLE_API_KEY does the same
    #[arg(long, value_name = "FILE")]
    pub api_key_file: Option<PathBuf>,
    /// Origins whose web pages may use the API
    #[arg(long, value_name = "ORIGIN,…", value_delimiter = ',')]
    pub cors: Vec<String>,
    #[command(flatten)]
    pub bounds: Bounds,
    #[command(flatten)]
    pub device: Device,
}

/// What the server takes.
#[derive(Debug, Args)]
#[command(next_help_heading = "Limits")]
pub struct Bounds {
    /// Largest body of a request
    #[arg(long, value_name = "MiB", default_value_t = 32, value_parser = clap::value_parser!(u32).range(1..=1024))]
    pub max_body: u32,
    /// Largest image, in millions of pixels
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=170))]
    pub max_pixels: u32,
    /// Longest time for a request
    #[arg(long, value_name = "SECONDS", default_value_t = 60, value_parser = clap::value_parser!(u32).range(1..=3600))]
    pub timeout: u32,
    /// In-flight requests; more are refused with 429
    #[arg(long, value_name = "N", default_value_t = 32, value_parser = at_least_one)]
    pub queue: usize,
    /// Connections at a time
    #[arg(long, value_name = "N", default_value_t = 512, value_parser = at_least_one)]
    pub connections: usize,
    /// Images in a batch of the network
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = at_least_one)]
    pub batch: usize,
    /// How long an image may wait for others to join its batch
    #[arg(long, value_name = "MS", default_value_t = 2)]
    pub batch_delay: u64,
}

pub fn run(arguments: &Serve) -> Result<(), Failure> {
    let engine = arguments.device.engine(false)?;
    let mut models = Vec::new();
    for text in &arguments.models {
        let (name, path) = named(text);
        let members = segmenters(path, engine.as_ref(), false)?;
        let predictor = Predictor::new(members, PredictSettings::default())?;
        models.push(ServedModel { name, predictor });
    }
    let bounds = &arguments.bounds;
    let config = ServeConfig {
        address: SocketAddr::new(arguments.host, arguments.port),
        limits: Limits {
            body_bytes: (bounds.max_body as usize) << 20,
            pixels: u64::from(bounds.max_pixels) * 1_000_000,
            time: Duration::from_secs(bounds.timeout.into()),
            queue: bounds.queue,
            connections: bounds.connections,
            batch: bounds.batch,
            batch_delay: Duration::from_millis(bounds.batch_delay),
            ..Limits::default()
        },
        api_key: api_key(arguments.api_key_file.as_deref())?,
        cors: arguments.cors.clone(),
    };
    if !arguments.host.is_loopback() && config.api_key.is_none() {
        eprintln!("note: without a key, everyone who reaches {} may use this server", arguments.host);
    }
    let runtime = dapple::serve::runtime()?;
    runtime.block_on(async {
        let server = Server::bind(models, config).await?;
        let address = server.address().map_err(Failure::other)?;
        let interrupted = dapple::serve::interrupted()?;
        println!("serving {} at http://{address}/", arguments.models.join(", "));
        server.run(interrupted).await;
        println!("stopped");
        Ok(())
    })
}

/// `NAME=PATH`, or a path, whose last part without the extension is the name.
fn named(text: &str) -> (String, &Path) {
    match text.split_once('=') {
        Some((name, path)) if !name.is_empty() && !name.contains(['/', '\\']) => {
            (name.to_owned(), Path::new(path))
        }
        _ => {
            let path = Path::new(text);
            let stem = if path.is_dir() { path.file_name() } else { path.file_stem() };
            (stem.map_or_else(|| "model".to_owned(), |stem| stem.to_string_lossy().into_owned()), path)
        }
    }
}

fn api_key(file: Option<&Path>) -> Result<Option<String>, Failure> {
    let Some(file) = file else { return Ok(std::env::var(KEY).ok()) };
    let text = fs::read_to_string(file).map_err(|e| Failure::input(format!("{}: {e}", file.display())))?;
    match text.trim() {
        "" => Err(Failure::input(format!("{}: the key is empty", file.display()))),
        key => Ok(Some(key.to_owned())),
    }
}

impl From<ServeError> for Failure {
    fn from(error: ServeError) -> Self {
        if error.is_input_fault() { Self::input(error) } else { Self::other(error) }
    }
}
