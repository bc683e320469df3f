//! The shape of the house: in every crate of the workspace, no source file imports in a circle.
//!
//! Files are read with `syn`. An edge goes from a file to each file whose items its `use` declarations and paths name, with
//! re-exports followed to the file that defines the item. Test modules do not count.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use syn::visit::{self, Visit};

/// A module that stands in a file of its own, by its path from the crate's root; the root is empty.
type Module = Vec<String>;

/// The names in one file.
#[derive(Default)]
struct Source {
    /// Names that the file brings into scope, with their paths as written.
    imports: BTreeMap<String, Vec<String>>,
    /// All paths that the file names, imports included.
    paths: Vec<Vec<String>>,
    /// Whether the file does nothing but declare modules and hand on names.
    is_face: bool,
}

impl Source {
    fn read(path: &Path) -> Self {
        let text = fs::read_to_string(path).expect("a source file can be read");
        let file = syn::parse_file(&text).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        let is_face = file.items.iter().all(|item| matches!(item, syn::Item::Mod(_) | syn::Item::Use(_)));
        let mut source = Self { is_face, ..Self::default() };
        source.visit_file(&file);
        source
    }

    fn add_tree(&mut self, tree: &syn::UseTree, mut prefix: Vec<String>) {
        match tree {
            syn::UseTree::Path(path) => {
                prefix.push(path.ident.to_string());
                self.add_tree(&path.tree, prefix);
            }
            syn::UseTree::Name(name) => self.add_name(prefix, name.ident.to_string(), None),
            syn::UseTree::Rename(name) => {
                self.add_name(prefix, name.ident.to_string(), Some(name.rename.to_string()));
            }
            syn::UseTree::Glob(_) => self.paths.push(prefix),
            syn::UseTree::Group(group) => {
                group.items.iter().for_each(|tree| self.add_tree(tree, prefix.clone()));
            }
        }
    }

    fn add_name(&mut self, mut path: Vec<String>, name: String, rename: Option<String>) {
        if name != "self" {
            path.push(name);
        }
        let name = rename.or_else(|| path.last().cloned()).unwrap_or_default();
        self.paths.push(path.clone());
        self.imports.insert(name, path);
    }
}

impl<'ast> Visit<'ast> for Source {
    fn visit_item_mod(&mut self, module: &'ast syn::ItemMod) {
        let is_test = module.attrs.iter().any(|attribute| {
            attribute.path().is_ident("cfg")
                && attribute.parse_args::<syn::Path>().is_ok_and(|path| path.is_ident("test"))
        });
        if !is_test {
            visit::visit_item_mod(self, module);
        }
    }

    fn visit_item_use(&mut self, item: &'ast syn::ItemUse) {
        self.add_tree(&item.tree, Vec::new());
    }

    fn visit_visibility(&mut self, _: &'ast syn::Visibility) {
        // `pub(super)` imports nothing.
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        if path.leading_colon.is_none() {
            self.paths.push(path.segments.iter().map(|segment| segment.ident.to_string()).collect());
        }
        visit::visit_path(self, path);
    }

    fn visit_macro(&mut self, item: &'ast syn::Macro) {
        // The arguments of `format!`, `vec!` and their like are expressions; other macros are passed over.
        let parser = syn::punctuated::Punctuated::<syn::Expr, syn::Token![,]>::parse_terminated;
        for expression in item.parse_body_with(parser).iter().flatten() {
            let mut inner = Self::default();
            inner.visit_expr(expression);
            self.paths.append(&mut inner.paths);
        }
        visit::visit_macro(self, item);
    }
}

/// The source files of a crate.
struct Crate(BTreeMap<Module, Source>);

impl Crate {
    fn read(folder: &Path) -> Self {
        let mut files = BTreeMap::new();
        add_files(&folder.join("src"), &Vec::new(), &mut files);
        Self(files)
    }

    /// The file that defines the item of a path named in `from`; `None` for items of other crates.
    fn definer(&self, from: &Module, path: &[String], depth: usize) -> Option<Module> {
        // Chains of re-exports are short; a longer one is a name that stands for itself.
        if depth > 8 {
            return None;
        }
        let (first, rest) = path.split_first()?;
        match first.as_str() {
            "crate" => self.descend(&Vec::new(), rest, depth),
            "self" => self.descend(from, rest, depth),
            "super" => {
                let up = path.iter().take_while(|name| *name == "super").count();
                let parent = from[..from.len().checked_sub(up)?].to_vec();
                self.descend(&parent, &path[up..], depth)
            }
            name => {
                let child = [from.as_slice(), &[name.to_owned()]].concat();
                if self.0.contains_key(&child) {
                    return self.descend(&child, rest, depth);
                }
                let import = self.0.get(from)?.imports.get(name)?;
                // `use other_crate;` names itself.
                let outside = import.len() == 1;
                let full = [import.as_slice(), rest].concat();
                if outside { None } else { self.definer(from, &full, depth + 1) }
            }
        }
    }

    /// Follows a path downwards from a module, then through the re-exports of the module where it ends.
    fn descend(&self, module: &Module, mut path: &[String], depth: usize) -> Option<Module> {
        let mut module = module.clone();
        while let Some((name, rest)) = path.split_first() {
            let child = [module.as_slice(), std::slice::from_ref(name)].concat();
            if !self.0.contains_key(&child) {
                break;
            }
            (module, path) = (child, rest);
        }
        let imported =
            path.split_first().and_then(|(name, rest)| Some((self.0.get(&module)?.imports.get(name)?, rest)));
        match imported {
            // An item of another crate that is handed on belongs to the module that does it.
            Some((import, rest)) => {
                let full = [import.as_slice(), rest].concat();
                self.definer(&module, &full, depth + 1).or(Some(module))
            }
            None => self.0.contains_key(&module).then_some(module),
        }
    }

    /// For each file the files that it imports. The root, and files that only declare modules and hand on names, do not count.
    fn edges(&self) -> BTreeMap<&Module, BTreeSet<Module>> {
        let targets = |module: &Module, source: &Source| {
            let found = source.paths.iter().filter_map(|path| self.definer(module, path, 0));
            found.filter(|target| target != module && self.counts(target)).collect()
        };
        let files = self.0.iter().filter(|(module, _)| self.counts(module));
        files.map(|(module, source)| (module, targets(module, source))).collect()
    }

    fn counts(&self, module: &Module) -> bool {
        !module.is_empty() && self.0.get(module).is_some_and(|source| !source.is_face)
    }

    /// Groups of files that import each other in a circle.
    fn circles(&self) -> BTreeSet<Vec<String>> {
        let edges = self.edges();
        let reach = |start: &Module| {
            let mut seen = BTreeSet::new();
            let mut open = vec![start.clone()];
            while let Some(module) = open.pop() {
                for target in edges.get(&module).into_iter().flatten() {
                    if seen.insert(target.clone()) {
                        open.push(target.clone());
                    }
                }
            }
            seen
        };
        let reached: BTreeMap<&Module, _> = edges.keys().map(|&module| (module, reach(module))).collect();
        let in_circle = reached.iter().filter(|(module, targets)| targets.contains(**module));
        let group = |(module, targets): (&&Module, &BTreeSet<Module>)| {
            targets
                .iter()
                .filter(|&target| reached[target].contains(*module))
                .map(|file| file.join("::"))
                .collect()
        };
        in_circle.map(group).collect()
    }
}

fn add_files(folder: &Path, module: &Module, files: &mut BTreeMap<Module, Source>) {
    let entries = fs::read_dir(folder).expect("a source folder");
    let paths: BTreeSet<PathBuf> = entries.map(|entry| entry.expect("an entry").path()).collect();
    for path in paths {
        let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let child = [module.as_slice(), std::slice::from_ref(&name)].concat();
        if path.is_dir() {
            add_files(&path, &child, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let module = match name.as_str() {
                "mod" => module.clone(),
                "lib" if module.is_empty() => module.clone(),
                // A program's root, and tests in a file beside the code.
                "main" | "tests" => continue,
                _ => child,
            };
            files.insert(module, Source::read(&path));
        }
    }
}

#[test]
fn no_file_imports_in_a_circle() {
    let crates = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut found = Vec::new();
    // Packaged alone, this crate has no other crates of the workspace beside it.
    for entry in fs::read_dir(&crates).expect("the folder that this crate stands in") {
        let folder = entry.expect("an entry").path();
        let name = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if name.starts_with("dapple") && folder.join("src").is_dir() {
            let circles = Crate::read(&folder).circles();
            found.extend(circles.into_iter().map(|circle| format!("{name}: {}", circle.join(", "))));
        }
    }
    found.sort();
    assert!(found.is_empty(), "{} circles:\n{}", found.len(), found.join("\n"));
}
