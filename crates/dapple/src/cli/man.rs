//! `dapple man`: manual pages.

use std::fs;
use std::path::{Path, PathBuf};

use clap::{Args, Command};
use dapple_base::{WriteError, write_atomic};

use super::failure::Failure;

#[derive(Debug, Args)]
#[command(after_help = "Example:
  dapple man ~/.local/share/man/man1

Then `man dapple` shows the commands, `man dapple-train` one of them.")]
pub struct Man {
    /// Folder for the pages, created if it is missing; older pages in it are overwritten
    #[arg(value_name = "DIR")]
    pub dir: PathBuf,
}

/// Writes a page for the program and one for each of its commands.
pub fn run(arguments: &Man, mut command: Command) -> Result<(), Failure> {
    let dir = &arguments.dir;
    fs::create_dir_all(dir).map_err(|error| WriteError::new(dir, error))?;
    // Help itself needs no pages.
    command = command.disable_help_subcommand(true);
    command.build();
    let pages = write(&command, dir)?;
    say!("{pages} pages written to {}", dir.display());
    Ok(())
}

/// Writes the page of a command and those of its subcommands; returns their number.
fn write(command: &Command, dir: &Path) -> Result<usize, Failure> {
    let page = clap_mangen::Man::new(command.clone());
    let mut text = Vec::new();
    page.render(&mut text).map_err(Failure::other)?;
    write_atomic(dir.join(page.get_filename()), &text)?;
    command.get_subcommands().try_fold(1, |pages, below| Ok(pages + write(below, dir)?))
}
