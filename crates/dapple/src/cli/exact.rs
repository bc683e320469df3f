//! Full single precision on NVIDIA cards.

use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

use crate::environment;

/// Variable that NVIDIA's libraries read when they are loaded: with 0 they never use TF32.
const SWITCH: &str = "NVIDIA_TF32_OVERRIDE";

/// Restarts the program with TF32 off if there is an NVIDIA driver and the variable is not set. libtorch's convolutions use
/// TF32, with a mantissa of 10 bits, unless told otherwise, and tch has no call for it. `NVIDIA_TF32_OVERRIDE=1` in the
/// environment keeps TF32 on.
pub fn restart_without_tf32() {
    if environment::is_set(SWITCH) || !Path::new("/proc/driver/nvidia/version").exists() {
        return;
    }
    let Ok(program) = std::env::current_exe() else { return };
    let mut arguments = std::env::args_os();
    let mut command = Command::new(program);
    if let Some(name) = arguments.next() {
        command.arg0(name);
    }
    // Returns only on failure; this process then continues with the precision of libtorch.
    let error = command.args(arguments).env(SWITCH, "0").exec();
    note!("warning: convolutions on NVIDIA cards may use TF32; set {SWITCH}=0 ({error})");
}
