//! Where the cache is.

use std::env;
use std::path::PathBuf;

/// `DAPPLE_CACHE`, else the user's folder for caches as the system has it; `None` without a home.
pub(crate) fn cache_folder() -> Option<PathBuf> {
    choose(env::consts::OS, &|name| env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from))
}

/// By operating system and environment. The XDG base directory specification holds for every other Unix; it says that
/// relative paths are to be ignored.
fn choose(os: &str, variable: &dyn Fn(&str) -> Option<PathBuf>) -> Option<PathBuf> {
    if let Some(folder) = variable("DAPPLE_CACHE") {
        return Some(folder);
    }
    let base = match os {
        "windows" => variable("LOCALAPPDATA"),
        "macos" => variable("HOME").map(|home| home.join("Library/Caches")),
        _ => variable("XDG_CACHE_HOME")
            .filter(|path| path.is_absolute())
            .or_else(|| variable("HOME").map(|home| home.join(".cache"))),
    };
    base.map(|base| base.join("dapple"))
}

#[cfg(test)]
mod tests {
    use super::choose;
    use std::path::{Path, PathBuf};

    #[test]
    fn the_users_wish_comes_first() {
        let folder = |os: &str, set: &[(&str, &str)]| {
            choose(os, &|name| set.iter().find(|(n, _)| *n == name).map(|(_, v)| PathBuf::from(v)))
        };
        let xdg = [("HOME", "/home/u"), ("XDG_CACHE_HOME", "/big/cache")];
        assert_eq!(folder("linux", &xdg).as_deref(), Some(Path::new("/big/cache/dapple")));
        let own = [("HOME", "/home/u"), ("XDG_CACHE_HOME", "/big/cache"), ("DAPPLE_CACHE", "mine")];
        assert_eq!(folder("linux", &own).as_deref(), Some(Path::new("mine")));
        let relative = [("HOME", "/home/u"), ("XDG_CACHE_HOME", "cache")];
        assert_eq!(folder("linux", &relative).as_deref(), Some(Path::new("/home/u/.cache/dapple")));
        assert_eq!(folder("macos", &xdg).as_deref(), Some(Path::new("/home/u/Library/Caches/dapple")));
        assert_eq!(folder("linux", &[]), None);
    }
}
