//! `dapple completions`: completion scripts for shells.

use clap::{Args, Command};
use clap_complete::{Shell, generate};

use super::console::write_raw;
use super::failure::Failure;

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  dapple completions bash >> ~/.bash_completion
  dapple completions zsh > ~/.zfunc/_dapple
  dapple completions fish > ~/.config/fish/completions/dapple.fish
  dapple completions powershell >> $PROFILE

zsh reads ~/.zfunc if .zshrc has the lines `fpath+=~/.zfunc` and `autoload -U compinit; compinit`.")]
pub struct Completions {
    /// Shell
    #[arg(value_name = "SHELL")]
    pub shell: Shell,
}

/// Prints the script for the program's commands.
pub fn run(arguments: &Completions, mut command: Command) -> Result<(), Failure> {
    let mut script = Vec::new();
    let name = command.get_name().to_owned();
    generate(arguments.shell, &mut command, name, &mut script);
    write_raw(&script);
    Ok(())
}
