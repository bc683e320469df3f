//! The processor and the memory of this machine, as Linux tells them; `None` on systems that do not.

/// The name of the processor.
pub fn processor() -> Option<String> {
    let info = std::fs::read_to_string("/proc/cpuinfo").ok()?;
    let name = info.lines().find_map(|line| line.strip_prefix("model name"))?;
    Some(name.trim_start_matches([' ', '\t', ':']).to_owned())
}

/// The memory of the machine in bytes.
pub fn memory() -> Option<u64> {
    kibibytes("/proc/meminfo", "MemTotal:")
}

/// The memory in bytes that can be had without swapping.
pub fn available_memory() -> Option<u64> {
    kibibytes("/proc/meminfo", "MemAvailable:")
}

/// The memory in bytes that this process holds.
pub fn resident_memory() -> Option<u64> {
    kibibytes("/proc/self/status", "VmRSS:")
}

/// The most memory in bytes that this process has held so far.
pub fn peak_memory() -> Option<u64> {
    kibibytes("/proc/self/status", "VmHWM:")
}

/// The value of a line such as `VmRSS:   1024 kB`, in bytes.
fn kibibytes(file: &str, key: &str) -> Option<u64> {
    let text = std::fs::read_to_string(file).ok()?;
    let value = text.lines().find_map(|line| line.strip_prefix(key))?;
    value.split_whitespace().next()?.parse::<u64>().ok()?.checked_mul(1024)
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn linux_tells_all() {
        let total = memory().expect("MemTotal");
        assert!(available_memory().is_some_and(|available| available <= total));
        let resident = resident_memory().expect("VmRSS");
        assert!(resident > 0 && peak_memory().is_some_and(|peak| peak >= resident.min(peak)));
    }
}
