//! The `dapple` program; see the library for what it is made of.

mod cli;

fn main() -> std::process::ExitCode {
    cli::main()
}
