//! The `dapple` program; see the library for what it is made of.

mod cli;
mod environment;

fn main() -> std::process::ExitCode {
    cli::main()
}
