//! Files that lists and annotations name, found also where only the case or the Unicode form of the name differs.

use std::cell::OnceCell;
use std::collections::HashMap;
use std::path::{Path, PathBuf};

use crate::format::walk::{endings, files_below, find_named, folded, has_mask_extension, inside};

/// Finds named files in a folder.
pub(super) struct NamedFiles<'a> {
    root: &'a Path,
    /// Where names are looked for first.
    bases: Vec<PathBuf>,
    /// The files of images and masks by their folded paths; `None` for two of one.
    folded: OnceCell<HashMap<String, Option<PathBuf>>>,
}

impl<'a> NamedFiles<'a> {
    pub fn new(root: &'a Path, bases: Vec<PathBuf>) -> Self {
        Self { root, bases, folded: OnceCell::new() }
    }

    /// The existing file that `named` means; see [`find_named`].
    pub fn find(&self, named: &str) -> Option<PathBuf> {
        find_named(self.root, &self.bases, named).or_else(|| self.similar(named))
    }

    /// The only file of that name but for case and Unicode form, or of its longest ending that exists.
    fn similar(&self, named: &str) -> Option<PathBuf> {
        let all = self.folded.get_or_init(|| {
            let mut all = HashMap::new();
            for path in files_below(self.root, &has_mask_extension).unwrap_or_default() {
                if let Some(key) = self.key(&path) {
                    let found = Some(path);
                    all.entry(key).and_modify(|found: &mut Option<PathBuf>| *found = None).or_insert(found);
                }
            }
            all
        });
        let candidate = |base: &Path, named: &str| {
            all.get(&self.key(&inside(self.root, base, named)?)?).cloned().flatten()
        };
        let by_base = self.bases.iter().find_map(|base| candidate(base, named));
        let anywhere = |ending: &String| {
            self.bases
                .iter()
                .map(PathBuf::as_path)
                .chain([self.root])
                .find_map(|base| candidate(base, ending))
        };
        by_base.or_else(|| endings(named).iter().find_map(anywhere))
    }

    fn key(&self, path: &Path) -> Option<String> {
        let words: Option<Vec<&str>> =
            path.strip_prefix(self.root).ok()?.iter().map(|word| word.to_str()).collect();
        Some(folded(&words?.join("/")))
    }
}
