//! Tells the linker and the loader where libtorch is, if the binary is built with it.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    // Set by dapple-torch.
    let Ok(folder) = std::env::var("DEP_DAPPLE_TORCH_LIBTORCH") else { return };
    println!("cargo::rustc-link-arg=-Wl,-rpath,{folder}");
    if std::env::var("CARGO_CFG_TARGET_OS").as_deref() == Ok("linux") {
        // No symbol of the library with the CUDA kernels is used by name; without it there are no cards.
        println!("cargo::rustc-link-arg=-Wl,--no-as-needed");
        println!("cargo::rustc-link-arg=-ltorch");
    }
}
