//! Single precision on NVIDIA's cards.

use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

/// What NVIDIA's libraries read when they are loaded: with 0 they never use TF32.
const SWITCH: &str = "NVIDIA_TF32_OVERRIDE";

/// Starts the program anew with TF32 switched off, where there is an NVIDIA driver and the switch is not set. libtorch's
/// convolutions on cards use TF32, with its 10 bits of mantissa, unless told otherwise, and tch has no way to tell.
/// `NVIDIA_TF32_OVERRIDE=1` in the environment leaves it on.
pub fn restart_without_tf32() {
    if std::env::var_os(SWITCH).is_some() || !Path::new("/proc/driver/nvidia/version").exists() {
        return;
    }
    let Ok(program) = std::env::current_exe() else { return };
    let mut arguments = std::env::args_os();
    let mut command = Command::new(program);
    if let Some(name) = arguments.next() {
        command.arg0(name);
    }
    // Returns only if it fails: then this process goes on, as exact as libtorch is by itself.
    let error = command.args(arguments).env(SWITCH, "0").exec();
    eprintln!("warning: convolutions on NVIDIA's cards may use TF32; set {SWITCH}=0 ({error})");
}
