//! The processor and the memory of this machine, as Linux tells them; `None` on systems that do not.

use std::path::Path;

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

/// The memory in bytes that this process may use: that of the machine, or less where a container or `ulimit -v` limits it.
pub fn memory_limit() -> Option<u64> {
    let limits = [memory(), group_limit(), address_space()];
    limits.into_iter().flatten().min()
}

/// The limit of the control group, by version 2 or 1 of their interface.
fn group_limit() -> Option<u64> {
    let groups = std::fs::read_to_string("/proc/self/cgroup").ok()?;
    let limit = |folder: &Path, file: &str| {
        // "max", or in version 1 a number beyond any memory, means none.
        std::fs::read_to_string(folder.join(file)).ok()?.trim().parse::<u64>().ok()
    };
    let of_line = |line: &str| {
        let mut parts = line.splitn(3, ':').skip(1);
        let (controllers, group) = (parts.next()?, parts.next()?);
        let (root, file) = match controllers.split(',').any(|name| name == "memory") {
            true => ("/sys/fs/cgroup/memory", "memory.limit_in_bytes"),
            false if controllers.is_empty() => ("/sys/fs/cgroup", "memory.max"),
            false => return None,
        };
        // Every group above limits too; inside of a container, the path may be that of the outside.
        let group = Path::new(group.trim_start_matches('/'));
        group.ancestors().filter_map(|group| limit(&Path::new(root).join(group), file)).min()
    };
    groups.lines().filter_map(of_line).min()
}

/// The most bytes of addresses that this process may have (`ulimit -v`); `None` without a limit.
pub fn address_limit() -> Option<u64> {
    let limits = std::fs::read_to_string("/proc/self/limits").ok()?;
    let line = limits.lines().find_map(|line| line.strip_prefix("Max address space"))?;
    line.split_whitespace().next()?.parse().ok()
}

/// The address space that is left below its limit.
fn address_space() -> Option<u64> {
    let used = || kibibytes("/proc/self/status", "VmSize:").unwrap_or(0);
    address_limit().map(|limit| limit.saturating_sub(used()))
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
        assert!(memory_limit().is_some_and(|limit| limit > 0 && limit <= total));
        let resident = resident_memory().expect("VmRSS");
        assert!(resident > 0 && peak_memory().is_some_and(|peak| peak >= resident.min(peak)));
    }
}
