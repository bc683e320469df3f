//! Tells the linker and the loader where libtorch is.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    // Set by torch-sys, on Linux and macOS, unless it is built for documentation only.
    let Ok(folder) = std::env::var("DEP_TCH_LIBTORCH_LIB") else { return };
    // For the build script of the binary.
    println!("cargo::metadata=libtorch={folder}");
    println!("cargo::rustc-link-arg=-Wl,-rpath,{folder}");
    if std::env::var("CARGO_CFG_TARGET_OS").as_deref() == Ok("linux") {
        // No symbol of the library with the CUDA kernels is used by name; without it there are no cards.
        println!("cargo::rustc-link-arg=-Wl,--no-as-needed");
        println!("cargo::rustc-link-arg=-ltorch");
    }
}
