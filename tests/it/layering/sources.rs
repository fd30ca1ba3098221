//! The crate as the compiler reads it: every file that `mod` reaches, what each module defines, imports and names.

use super::syntax::{Reader, file_of};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use syn::visit::Visit as _;

/// One way to write a path: the segments, and where.
#[derive(Clone, Debug)]
pub struct Named {
    pub segments: Vec<String>,
    pub line: usize,
    /// The last segment is called as a macro.
    pub is_macro: bool,
}

#[derive(Debug, Default)]
pub struct Module {
    pub parent: Option<usize>,
    /// Index into [`Sources::files`].
    pub file: usize,
    pub children: BTreeMap<String, usize>,
    pub defined: BTreeSet<String>,
    /// Words in what macros are given that make items: some of them are names of what is made.
    pub perhaps_defined: BTreeSet<String>,
    /// Name in this module, and the path it stands for.
    pub imports: Vec<(String, Vec<String>)>,
    /// Paths all names of which are imported.
    pub globs: Vec<Vec<String>>,
    pub named: Vec<Named>,
}

/// What a path leads to.
#[derive(Debug, PartialEq)]
pub enum Target {
    Module(usize),
    /// Something defined in this module.
    Item(usize),
    /// A path of another crate.
    Foreign(Vec<String>),
}

/// All source files below a directory, from the roots `lib.rs` and `main.rs`.
pub struct Sources {
    /// Relative to the directory.
    pub files: Vec<PathBuf>,
    /// Files that are built for tests alone.
    pub test_files: BTreeSet<PathBuf>,
    pub modules: Vec<Module>,
    /// The module of `lib.rs`, and by which name other crates know it.
    library: (usize, String),
    /// Where the sources are.
    pub dir: PathBuf,
}

impl Sources {
    /// Reads the crate whose sources are in `dir` and which others know as `name`.
    pub fn read(dir: &Path, name: &str) -> Self {
        assert!(dir.join("lib.rs").exists(), "no sources in {}", dir.display());
        let mut sources = Self {
            files: Vec::new(),
            test_files: BTreeSet::new(),
            modules: Vec::new(),
            library: (0, name.to_owned()),
            dir: dir.to_owned(),
        };
        sources.root("lib.rs");
        if dir.join("main.rs").exists() {
            sources.root("main.rs");
        }
        sources
    }

    /// The file of the module above a file's own.
    pub fn parent_file(&self, file: usize) -> Option<usize> {
        let own = self.modules.iter().filter(|module| module.file == file);
        own.filter_map(|module| module.parent)
            .map(|parent| self.modules[parent].file)
            .find(|parent| *parent != file)
    }

    fn root(&mut self, file: &str) {
        let module = self.module(None, file.into());
        self.load(module, &self.dir.join(file), &self.dir.clone());
    }

    pub(super) fn module(&mut self, parent: Option<usize>, file: PathBuf) -> usize {
        let file = self
            .files
            .iter()
            .position(|known| *known == file)
            .unwrap_or_else(|| {
                self.files.push(file);
                self.files.len() - 1
            });
        self.modules.push(Module {
            parent,
            file,
            ..Module::default()
        });
        self.modules.len() - 1
    }

    pub(super) fn load(&mut self, module: usize, path: &Path, children: &Path) {
        let text = fs::read_to_string(path).unwrap_or_else(|err| panic!("{}: {err}", path.display()));
        let syntax = syn::parse_file(&text).unwrap_or_else(|err| panic!("{}: {err}", path.display()));
        let beside = path.parent().expect("a directory");
        Reader::new(self, module, children, beside).visit_file(&syntax);
    }

    pub(super) fn relative(&self, path: &Path) -> PathBuf {
        path.strip_prefix(&self.dir)
            .expect("below the sources")
            .to_owned()
    }

    /// Notes a file of tests, and those below it. What they use is theirs.
    pub(super) fn note_tests(&mut self, path: &Path, children: &Path) {
        let text = fs::read_to_string(path).unwrap_or_else(|err| panic!("{}: {err}", path.display()));
        let syntax = syn::parse_file(&text).unwrap_or_else(|err| panic!("{}: {err}", path.display()));
        self.test_files.insert(self.relative(path));
        for item in &syntax.items {
            if let syn::Item::Mod(item) = item
                && item.content.is_none()
            {
                let (path, below) = file_of(item, children, path.parent().expect("a directory"));
                self.note_tests(&path, &below);
            }
        }
    }

    fn root_of(&self, mut module: usize) -> usize {
        while let Some(parent) = self.modules[module].parent {
            module = parent;
        }
        module
    }

    /// Where a path leads that is written in a module; nothing for what is no item: generics, locals, `Self`.
    pub fn resolve(&self, module: usize, path: &[String]) -> Option<Target> {
        self.follow(module, path, &mut BTreeSet::new())
    }

    fn follow(
        &self,
        module: usize,
        path: &[String],
        seen: &mut BTreeSet<(usize, Vec<String>)>,
    ) -> Option<Target> {
        if !seen.insert((module, path.to_vec())) {
            return None;
        }
        let (first, rest) = path.split_first()?;
        let here = match first.as_str() {
            "crate" => Target::Module(self.root_of(module)),
            "self" => Target::Module(module),
            "super" => Target::Module(self.modules[module].parent?),
            name if name == self.library.1 && self.modules[module].parent.is_none() => {
                Target::Module(self.library.0)
            }
            name => match self.lookup(module, name, rest.is_empty(), seen) {
                Some(target) => target,
                None if name == self.library.1 => Target::Module(self.library.0),
                None if is_foreign(name) => Target::Foreign(vec![name.to_owned()]),
                None => return None,
            },
        };
        self.descend(here, rest, seen)
    }

    fn descend(
        &self,
        from: Target,
        rest: &[String],
        seen: &mut BTreeSet<(usize, Vec<String>)>,
    ) -> Option<Target> {
        let Some((next, after)) = rest.split_first() else {
            return Some(from);
        };
        match from {
            Target::Module(module) if next == "self" => self.descend(Target::Module(module), after, seen),
            Target::Module(module) if next == "super" => {
                self.descend(Target::Module(self.modules[module].parent?), after, seen)
            }
            Target::Module(module) => {
                let found = self.lookup(module, next, after.is_empty(), seen)?;
                self.descend(found, after, seen)
            }
            // Variants, associated functions and constants are where the type is.
            Target::Item(module) => Some(Target::Item(module)),
            Target::Foreign(mut path) => {
                path.extend(rest.iter().cloned());
                Some(Target::Foreign(path))
            }
        }
    }

    /// A name of a module. At the end of a path an item comes before a module of the same name, before that it cannot.
    fn lookup(
        &self,
        module: usize,
        name: &str,
        last: bool,
        seen: &mut BTreeSet<(usize, Vec<String>)>,
    ) -> Option<Target> {
        let this = &self.modules[module];
        let child = this.children.get(name).copied().map(Target::Module);
        if !last && child.is_some() {
            return child;
        }
        if this.defined.contains(name) {
            return Some(Target::Item(module));
        }
        let imports = this.imports.iter().filter(|(import, _)| import == name);
        let mut found: Vec<Target> = imports
            .filter_map(|(_, path)| self.follow(module, path, seen))
            .collect();
        found.extend(child);
        let item = found
            .iter()
            .position(|target| !matches!(target, Target::Module(_)));
        if let Some(at) = item {
            return Some(found.swap_remove(at));
        }
        if let Some(target) = found.pop() {
            return Some(target);
        }
        let given = this.globs.iter().find_map(|path| {
            let Some(Target::Module(from)) = self.follow(module, path, seen) else {
                return None;
            };
            (from != module)
                .then(|| self.lookup(from, name, last, seen))
                .flatten()
        });
        given.or_else(|| {
            this.perhaps_defined
                .contains(name)
                .then_some(Target::Item(module))
        })
    }
}

/// Crates whose items matter by name: the standard library, and the project's others, whose border the compiler holds.
fn is_foreign(name: &str) -> bool {
    ["std", "core", "alloc"].contains(&name) || name.starts_with("keytrail_")
}
