//! The `dapple` program.

mod cli;
mod environment;

#[global_allocator]
static ALLOCATOR: dapple::cpu::ExplainingAllocator = dapple::cpu::ExplainingAllocator;

fn main() -> std::process::ExitCode {
    cli::main()
}
