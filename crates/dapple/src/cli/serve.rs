//! `dapple serve`: the HTTP service and its web page.

use std::fs;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use dapple::predict::{PredictSettings, Predictor};
use dapple::serve::{Limits, ServeConfig, ServedModel, Server};

use super::common::device::Device;
use super::common::models::{Foreign, load_on};
use super::common::values::at_least_one;
use super::failure::{Failure, survive_panics};
use crate::environment;

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  dapple serve horse
  dapple serve runs/horses
  dapple serve horses=runs/horses street=camvid.safetensors --port 9000
  dapple serve runs/horses --host 0.0.0.0 --api-key-file key.txt
  dapple serve runs/horses --cors https://example.org

Then open http://127.0.0.1:8080/, or send an image:
  curl --data-binary @photo.jpg -o cutout.png \\
      'http://127.0.0.1:8080/predict?output=cutout'

The API is described at /openapi.json. Ctrl-C answers the in-flight requests and ends; a second one ends at once.")]
pub struct Serve {
    /// Models: folders of runs, model files or names of models, as MODEL or NAME=MODEL
    #[arg(required = true, value_name = "MODEL")]
    pub models: Vec<String>,
    #[command(flatten)]
    pub foreign: Foreign,
    /// Port; 0 for any free one
    #[arg(long, value_name = "N", default_value_t = 8080)]
    pub port: u16,
    /// Address to listen on; 0.0.0.0 opens the server to the network
    #[arg(long, value_name = "IP", default_value = "127.0.0.1")]
    pub host: IpAddr,
    /// File with the key that requests must carry; the variable DAPPLE_API_KEY holds the key itself
    #[arg(long, value_name = "FILE")]
    pub api_key_file: Option<PathBuf>,
    /// Origins whose web pages may use the API
    #[arg(long, value_name = "ORIGIN,…", value_delimiter = ',')]
    pub cors: Vec<String>,
    /// Names under which a reverse proxy asks for a server that listens on this machine only
    #[arg(long, value_name = "NAME,…", value_delimiter = ',')]
    pub host_names: Vec<String>,
    /// Hosts that images may be fetched from, as example.org or *.example.org; without them, none
    #[arg(long, value_name = "HOST,…", value_delimiter = ',')]
    pub url_hosts: Vec<String>,
    #[command(flatten)]
    pub bounds: Bounds,
    #[command(flatten)]
    pub device: Device,
}

/// Limits of the server.
#[derive(Debug, Args)]
#[command(next_help_heading = "Limits")]
pub struct Bounds {
    /// Largest body of a request, in MiB
    #[arg(long, value_name = "MiB", default_value_t = 32, value_parser = clap::value_parser!(u32).range(1..=1024))]
    pub max_body: u32,
    /// Largest image, in millions of pixels
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=170))]
    pub max_pixels: u32,
    /// Time limit of a request, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 60, value_parser = clap::value_parser!(u32).range(1..=3600))]
    pub timeout: u32,
    /// Most in-flight requests; more are refused with status 429
    #[arg(long, value_name = "N", default_value_t = 32, value_parser = at_least_one)]
    pub queue: usize,
    /// Most connections
    #[arg(long, value_name = "N", default_value_t = 512, value_parser = at_least_one)]
    pub connections: usize,
    /// Most of the connections, the in-flight requests and the memory that one address can hold, in percent; 100 behind a
    /// reverse proxy
    #[arg(long, value_name = "PERCENT", default_value_t = 75, value_parser = clap::value_parser!(u8).range(1..=100))]
    pub peer_share: u8,
    /// Memory for all requests together, in MiB; by default half of what the process may use, at most 4096
    #[arg(long, value_name = "MiB", value_parser = clap::value_parser!(u32).range(64..=4_000_000))]
    pub memory: Option<u32>,
    /// Least pace of a client that sends or takes data, in KiB a second
    #[arg(long, value_name = "KiB", default_value_t = 8, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub min_rate: u32,
    /// Longest time that a client sends or takes nothing, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=3600))]
    pub patience: u32,
    /// Most images in a batch of the network
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = at_least_one)]
    pub batch: usize,
    /// Longest wait of an image for others to join its batch, in milliseconds
    #[arg(long, value_name = "MS", default_value_t = 2)]
    pub batch_delay: u64,
}

pub fn run(arguments: &Serve) -> Result<(), Failure> {
    let engine = arguments.device.engine(false)?;
    let mut models = Vec::new();
    for text in &arguments.models {
        let (name, path) = named(text);
        let members = load_on(path, &arguments.foreign, engine.as_ref(), false)?;
        let quantized = members.iter().filter_map(|member| member.card().network.quantization.as_ref());
        let convolutions: usize = quantized.map(|quantization| quantization.inputs.len()).sum();
        if convolutions > 0 && engine.device() == "cpu" {
            note!("note: {name} is quantized: {convolutions} of its convolutions compute in integers (int8)");
        }
        let predictor = Predictor::new(members, PredictSettings::default())?;
        models.push(ServedModel { name, predictor });
    }
    let bounds = &arguments.bounds;
    let default = Limits::default();
    let config = ServeConfig {
        address: SocketAddr::new(arguments.host, arguments.port),
        limits: Limits {
            body_bytes: (bounds.max_body as usize) << 20,
            pixels: u64::from(bounds.max_pixels) * 1_000_000,
            time: Duration::from_secs(bounds.timeout.into()),
            queue: bounds.queue,
            connections: bounds.connections,
            peer_share: f64::from(bounds.peer_share) / 100.0,
            memory_bytes: bounds.memory.map_or(default.memory_bytes, |mebibytes| u64::from(mebibytes) << 20),
            min_rate: u64::from(bounds.min_rate) << 10,
            patience: Duration::from_secs(bounds.patience.into()),
            batch: bounds.batch,
            batch_delay: Duration::from_millis(bounds.batch_delay),
            ..default
        },
        api_key: api_key(arguments.api_key_file.as_deref())?,
        cors: arguments.cors.clone(),
        host_names: arguments.host_names.clone(),
        url_hosts: arguments.url_hosts.clone(),
    };
    if !arguments.host.is_loopback() && config.api_key.is_none() {
        note!("note: without a key, everyone who reaches {} can use this server", arguments.host);
    }
    survive_panics();
    let runtime = dapple::serve::runtime()?;
    let served: Result<(), Failure> = runtime.block_on(async {
        let server = Server::bind(models, config).await?;
        let address = server.address().map_err(Failure::other)?;
        let interrupted = dapple::serve::interrupted()?;
        say!("serving {} at http://{address}/", arguments.models.join(", "));
        server.run(interrupted).await;
        say!("stopped");
        Ok(())
    });
    // Work that goes on after the farewell, and which nothing can end, must not keep the process.
    runtime.shutdown_background();
    served
}

/// `NAME=PATH`, or a path, named by its last part without the extension.
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

/// The key in the file or, without one, in the environment.
fn api_key(file: Option<&Path>) -> Result<Option<String>, Failure> {
    let Some(file) = file else { return Ok(environment::api_key()) };
    let text = fs::read_to_string(file).map_err(|e| Failure::input(format!("{}: {e}", file.display())))?;
    match text.trim() {
        "" => Err(Failure::input(format!("{}: the key is empty", file.display()))),
        key => Ok(Some(key.to_owned())),
    }
}
