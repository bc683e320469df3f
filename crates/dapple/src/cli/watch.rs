//! `dapple watch`: a live page of a run.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use clap::Args;
use dapple::serve::watch::LivePage;
use dapple::serve::{interrupted, runtime};

use super::failure::{Failure, survive_panics};

#[derive(Debug, Args)]
#[command(after_help = "Example:
  dapple watch runs/horses

Then open http://127.0.0.1:8081/. The page shows curves, panels, classes and the log of a run. It reads the run's folder, \
which another process or machine may be writing, and waits for a run that has not started. Ctrl-C ends it.")]
pub struct Watch {
    /// Folder of the run
    #[arg(value_name = "RUN")]
    pub run: PathBuf,
    /// Port; 0 for any free one
    #[arg(long, value_name = "N", default_value_t = 8081)]
    pub port: u16,
    /// Address to listen on; 0.0.0.0 shows the run to the network
    #[arg(long, value_name = "IP", default_value = "127.0.0.1")]
    pub host: IpAddr,
}

pub fn run(arguments: &Watch) -> Result<(), Failure> {
    if arguments.run.is_file() {
        return Err(Failure::input(format!("{}: give the folder of a run", arguments.run.display())));
    }
    if !arguments.host.is_loopback() {
        note!("note: everyone who reaches {} can see this run", arguments.host);
    }
    survive_panics();
    let runtime = runtime()?;
    let watched: Result<(), Failure> = runtime.block_on(async {
        let page = LivePage::bind(&arguments.run, SocketAddr::new(arguments.host, arguments.port)).await?;
        let address = page.address().map_err(Failure::other)?;
        let interrupted = interrupted()?;
        say!("watching {} at http://{address}/", arguments.run.display());
        page.run(interrupted).await;
        say!("stopped");
        Ok(())
    });
    // A file on a disk that does not answer must not keep the process.
    runtime.shutdown_background();
    watched
}
