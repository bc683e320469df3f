//! `dapple studio` and `dapple label`: from photographs to masks and models, on one page.

use std::ffi::OsString;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::available_parallelism;

use clap::{Args, Parser};
use dapple::graph::Engine;
use dapple::pretrained::StartWeights;
use dapple::serve::{interrupted, runtime};
use dapple::studio::learn::EncoderWeights;
use dapple::studio::store::import;
use dapple::studio::train::{Choice, Plan, Program, ProgramError};
use dapple::studio::{Help, Studio as Page, StudioConfig};
use dapple::train::TrainConfig;

use super::arguments::Train;
use super::common::device::{Device, MACHINE};
use super::failure::{Failure, survive_panics};
use super::pretrained::PretrainedStart;
use super::train::{Prepared, prepare};

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  dapple studio photos
  dapple studio photos --port 9000
  dapple studio new-folder --import labelme-folder

Open the printed address, which holds the key of this session. The page labels the photographs in DIR or DIR/images, \
with the help of a network that learns along, trains models, shows how good they are, and uses them. Masks are written \
stroke by stroke to DIR/masks with DIR/classes.toml, trainings to DIR/runs; `dapple train DIR --skip-bad` trains on the \
same labels. Ctrl-C ends it.")]
pub struct Studio {
    #[command(flatten)]
    pub place: Place,
    /// Weights of the encoder that learning along and trainings start from: auto (those on this machine, or a small file that
    /// is fetched and announced), offline (those on this machine), none (random), a name of `dapple weights list`, or a file
    /// [default: auto]
    #[arg(long, value_name = "auto|offline|none|NAME|FILE")]
    pub weights: Option<StartWeights>,
    /// Download no weights, as with DAPPLE_OFFLINE=1
    #[arg(long, help_heading = MACHINE)]
    pub offline: bool,
    #[command(flatten)]
    pub device: Device,
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  dapple label photos
  dapple label new-folder --import coco-folder

The same page as that of `dapple studio`, for labelling alone: nothing learns along, and nothing is trained.")]
pub struct Label {
    #[command(flatten)]
    pub place: Place,
}

/// The folder and the address.
#[derive(Debug, Args)]
pub struct Place {
    /// Folder of photographs
    #[arg(value_name = "DIR")]
    pub folder: PathBuf,
    /// Make DIR first, a new folder, of labels in another form: any that `dapple train` reads
    #[arg(long, value_name = "FROM")]
    pub import: Option<PathBuf>,
    /// Port; 0 for any free one
    #[arg(long, value_name = "N", default_value_t = 8082)]
    pub port: u16,
    /// Address to listen on; 0.0.0.0 opens the page to the network, for who has the key
    #[arg(long, value_name = "IP", default_value = "127.0.0.1")]
    pub host: IpAddr,
}

/// Parses the words of a training.
#[derive(Debug, Parser)]
struct Line {
    #[command(flatten)]
    train: Train,
}

/// The program as the studio knows it.
struct Around {
    weights: Option<StartWeights>,
    offline: bool,
    device: Device,
}

impl Program for Around {
    fn plan(&self, data: &Path, minutes: u32) -> Result<Plan, ProgramError> {
        let time = format!("{minutes}m");
        let words =
            ["train", "--quiet", "--skip-bad", "--format", "folders", "--mask-orientation", "upright"];
        let words = words.map(OsString::from).into_iter();
        let words = words.chain(["--time-budget".into(), time.into(), "--data".into(), data.into()]);
        let Line { mut train } = Line::try_parse_from(words).map_err(|error| error.to_string())?;
        (train.weights, train.offline) = (self.weights.clone(), self.offline);
        train.device = self.device.clone();
        let Prepared { config, dataset, choices } = prepare(&train).map_err(|failure| failure.to_string())?;
        let choice = |choice: &dapple::train::auto::Choice| Choice {
            key: choice.key.to_owned(),
            value: choice.value.clone(),
            reason: choice.reason.clone(),
        };
        Ok(Plan { config, dataset, choices: choices.iter().map(choice).collect() })
    }

    fn engine_for(&self, config: &TrainConfig) -> Result<Box<dyn Engine>, ProgramError> {
        self.device.engine_for(config, None, true).map_err(|failure| failure.to_string().into())
    }
}

pub fn studio(arguments: &Studio) -> Result<(), Failure> {
    let Studio { place, weights, offline, device } = arguments;
    take_over(place)?;
    let given = weights.clone().unwrap_or_default();
    let start =
        PretrainedStart { weights: &given, network: None, published: true, offline: *offline, quiet: false };
    let encoder = start.smallest()?;
    let encoder = encoder.map(|(encoder, file)| EncoderWeights { encoder: encoder.to_owned(), file });
    let known = match &encoder {
        Some(EncoderWeights { encoder, .. }) => format!("the network that learns along knows ImageNet ({encoder})"),
        None => "the network that learns along begins with colours and edges alone; with a pretrained encoder it needs fewer \
                 strokes: `dapple weights get efficientnet_lite0`"
            .to_owned(),
    };
    let threads = device.threads.or(available_parallelism().ok().map(usize::from)).unwrap_or(1);
    let program = Around { weights: weights.clone(), offline: *offline, device: device.clone() };
    let engine: Arc<dyn Engine> = Arc::from(device.engine(false)?);
    let help = Help { engine, encoder, threads, program: Arc::new(program) };
    serve(place, Some(help), Some(&known))
}

pub fn label(arguments: &Label) -> Result<(), Failure> {
    take_over(&arguments.place)?;
    serve(&arguments.place, None, None)
}

/// Makes the folder of labels in another form, where there are some.
fn take_over(place: &Place) -> Result<(), Failure> {
    let Some(from) = &place.import else { return Ok(()) };
    for note in import(from, &place.folder)? {
        note!("note: {note}");
    }
    note!("took the labels of {} over into {}", from.display(), place.folder.display());
    Ok(())
}

/// Answers until it is interrupted.
fn serve(place: &Place, help: Option<Help>, known: Option<&str>) -> Result<(), Failure> {
    if !place.host.is_loopback() {
        note!(
            "note: who reaches {} and has the key can change this folder; the key is sent as it is",
            place.host
        );
    }
    survive_panics();
    let runtime = runtime()?;
    let served: Result<(), Failure> = runtime.block_on(async {
        let address = SocketAddr::new(place.host, place.port);
        let page = Page::bind(StudioConfig { folder: place.folder.clone(), address, help }).await?;
        let images = page.store().images().len();
        let address = page.page().map_err(Failure::other)?;
        let interrupted = interrupted()?;
        for text in page.store().notes() {
            note!("note: {text}");
        }
        say!("{images} photographs of {}: open {address}", place.folder.display());
        if let Some(elsewhere) = page.page_elsewhere() {
            say!("on other machines: open {elsewhere}");
        }
        if let Some(known) = known {
            say!("{known}");
        }
        page.run(interrupted).await;
        say!("stopped");
        Ok(())
    });
    // A file on a disk that does not answer must not keep the process.
    runtime.shutdown_background();
    served
}
