//! The `dapple` program.

mod cli;
mod environment;

fn main() -> std::process::ExitCode {
    cli::main()
}
