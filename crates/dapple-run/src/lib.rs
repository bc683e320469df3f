//! A training run as people see it: its folder, log, pictures, examination, pages and TensorBoard events.
//!
//! [`Run`] starts or resumes a training in a [`RunFolder`]; everything that shows the run, such as [`page`], reads the
//! folder alone, on any machine. [`sweep`] is several runs that belong together.
//!
//! ```no_run
//! use dapple_base::StopFlag;
//! use dapple_run::{Run, RunFolder};
//! use dapple_train::{TrainConfig, open_dataset};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let config = TrainConfig::for_network("unet", 2, "horses".as_ref())?;
//! let dataset = open_dataset(&config)?;
//! let run = Run::start(config, dataset, RunFolder::claim("runs/horses".as_ref(), false)?)?;
//! run.train(&dapple_cpu::CpuEngine::new(None)?, &mut (), &StopFlag::new())?;
//! # Ok(())
//! # }
//! ```

mod epochs;
mod error;
mod examine;
mod folder;
pub mod listing;
mod log;
pub mod page;
mod pictures;
mod pixels;
mod rates;
mod recorder;
mod run;
pub mod sweep;
mod tensorboard;
mod text;

pub use epochs::{ClassRow, ClassValues, read_class_rows};
pub use error::RunError;
pub use examine::{
    CalibrationResult, ClassSummary, DataSummary, Examination, Place, PrecisionRecallResult, ShownImage,
};
pub use folder::RunFolder;
pub use log::{Activity, RunInfo, RunProgress, SessionInfo, Throughput};
pub use rates::save_rate_plot;
pub use run::Run;
pub use text::{duration, grouped, line_of, note_on};
