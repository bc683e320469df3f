//! The `dapple` program.

#[global_allocator]
static ALLOCATOR: dapple::cpu::ExplainingAllocator = dapple::cpu::ExplainingAllocator;

fn main() -> std::process::ExitCode {
    dapple::program::run(std::env::args_os()).into()
}
