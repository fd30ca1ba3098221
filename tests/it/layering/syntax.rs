//! What one file says: its modules, definitions, imports, and every path in it, also in macros and attributes.

use super::sources::{Module, Named, Sources};
use proc_macro2::{Span, TokenStream, TokenTree};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use syn::spanned::Spanned as _;
use syn::visit::{self, Visit};

/// The file of `mod x;`, and the directory of its children.
pub(super) fn file_of(item: &syn::ItemMod, children: &Path, beside: &Path) -> (PathBuf, PathBuf) {
    let name = item.ident.to_string();
    let attribute = item.attrs.iter().find_map(|attribute| match &attribute.meta {
        syn::Meta::NameValue(pair) if pair.path.is_ident("path") => match &pair.value {
            syn::Expr::Lit(syn::ExprLit {
                lit: syn::Lit::Str(text),
                ..
            }) => Some(text.value()),
            _ => None,
        },
        _ => None,
    });
    if let Some(path) = attribute {
        let file = beside.join(path);
        let dir = file.parent().expect("a directory").to_owned();
        return (file, dir);
    }
    let flat = children.join(format!("{name}.rs"));
    let below = children.join(&name);
    if flat.exists() {
        (flat, below)
    } else {
        (below.join("mod.rs"), below)
    }
}

/// Whether something is there in builds of tests only.
fn for_tests(attributes: &[syn::Attribute]) -> bool {
    attributes.iter().any(|attribute| match &attribute.meta {
        syn::Meta::List(list) if list.path.is_ident("cfg") => list
            .parse_args::<syn::Meta>()
            .is_ok_and(|condition| needs_test(&condition)),
        syn::Meta::Path(path) => path.is_ident("test"),
        syn::Meta::List(_) | syn::Meta::NameValue(_) => false,
    })
}

/// `test`, or `all(…)` with such a part: `any(test, …)` and `not(test)` are also built for the program.
fn needs_test(condition: &syn::Meta) -> bool {
    match condition {
        syn::Meta::Path(path) => path.is_ident("test"),
        syn::Meta::List(list) if list.path.is_ident("all") => {
            type Parts = syn::punctuated::Punctuated<syn::Meta, syn::Token![,]>;
            let parts = list.parse_args_with(Parts::parse_terminated);
            parts.is_ok_and(|parts| parts.iter().any(needs_test))
        }
        _ => false,
    }
}

fn words(tokens: &TokenStream, found: &mut BTreeSet<String>) {
    for token in tokens.clone() {
        match token {
            TokenTree::Ident(word) => {
                found.insert(word.to_string());
            }
            TokenTree::Group(group) => words(&group.stream(), found),
            TokenTree::Punct(_) | TokenTree::Literal(_) => {}
        }
    }
}

/// Reads one module: what it defines, imports and names goes to its place in the [`Sources`].
pub(super) struct Reader<'a> {
    sources: &'a mut Sources,
    module: usize,
    children: PathBuf,
    beside: PathBuf,
}

impl<'a> Reader<'a> {
    /// `children` is where its modules' files are, `beside` where `#[path]` begins.
    pub(super) fn new(sources: &'a mut Sources, module: usize, children: &Path, beside: &Path) -> Self {
        Self {
            sources,
            module,
            children: children.to_owned(),
            beside: beside.to_owned(),
        }
    }

    fn this(&mut self) -> &mut Module {
        &mut self.sources.modules[self.module]
    }

    fn names(&mut self, segments: Vec<String>, span: Span, is_macro: bool) {
        let line = span.start().line;
        self.this().named.push(Named {
            segments,
            line,
            is_macro,
        });
    }

    fn module(&mut self, item: &syn::ItemMod) {
        let name = item.ident.to_string();
        if let Some((_, items)) = &item.content {
            let file = self.sources.files[self.sources.modules[self.module].file].clone();
            let module = self.sources.module(Some(self.module), file);
            self.this().children.insert(name.clone(), module);
            let mut reader = Reader {
                sources: &mut *self.sources,
                module,
                children: self.children.join(&name),
                beside: self.children.join(&name),
            };
            for item in items {
                reader.visit_item(item);
            }
        } else {
            let (path, below) = file_of(item, &self.children, &self.beside);
            let file = self.sources.relative(&path);
            let module = self.sources.module(Some(self.module), file);
            self.this().children.insert(name, module);
            self.sources.load(module, &path, &below);
        }
    }

    fn import(&mut self, tree: &syn::UseTree, before: &[String]) {
        let with = |name: &syn::Ident| {
            let mut path = before.to_vec();
            path.push(name.to_string());
            path
        };
        match tree {
            syn::UseTree::Path(path) => self.import(&path.tree, &with(&path.ident)),
            syn::UseTree::Group(group) => {
                for tree in &group.items {
                    self.import(tree, before);
                }
            }
            syn::UseTree::Glob(glob) => {
                self.this().globs.push(before.to_vec());
                self.names(before.to_vec(), glob.span(), false);
            }
            syn::UseTree::Name(name) if name.ident == "self" => {
                let last = before.last().expect("a path before self").clone();
                self.imported(last, before.to_vec(), name.span());
            }
            syn::UseTree::Name(name) => self.imported(name.ident.to_string(), with(&name.ident), name.span()),
            syn::UseTree::Rename(rename) => {
                self.imported(rename.rename.to_string(), with(&rename.ident), rename.span());
            }
        }
    }

    fn imported(&mut self, name: String, path: Vec<String>, span: Span) {
        self.names(path.clone(), span, false);
        self.this().imports.push((name, path));
    }

    fn define(&mut self, name: &syn::Ident) {
        self.this().defined.insert(name.to_string());
    }

    /// Paths in what macros and attributes are given, which is no syntax yet.
    fn tokens(&mut self, tokens: TokenStream) {
        let all: Vec<TokenTree> = tokens.into_iter().collect();
        let mut at = 0;
        while at < all.len() {
            match &all[at] {
                TokenTree::Group(group) => self.tokens(group.stream()),
                TokenTree::Ident(first) => {
                    let mut segments = vec![first.to_string()];
                    while let [
                        TokenTree::Punct(one),
                        TokenTree::Punct(two),
                        TokenTree::Ident(next),
                        ..,
                    ] = &all[at + 1..]
                        && (one.as_char(), two.as_char()) == (':', ':')
                    {
                        segments.push(next.to_string());
                        at += 3;
                    }
                    let is_macro = matches!(all.get(at + 1), Some(TokenTree::Punct(mark)) if mark.as_char() == '!')
                        && matches!(all.get(at + 2), Some(TokenTree::Group(_)));
                    self.names(segments, first.span(), is_macro);
                }
                TokenTree::Literal(literal) => self.literal(literal),
                TokenTree::Punct(_) => {}
            }
            at += 1;
        }
    }

    /// serde and others take paths as text.
    fn literal(&mut self, literal: &proc_macro2::Literal) {
        if let syn::Lit::Str(text) = syn::Lit::new(literal.clone())
            && let Ok(path) = text.parse::<syn::Path>()
            && path.segments.len() > 1
        {
            let segments = path.segments.iter().map(|part| part.ident.to_string());
            self.names(segments.collect(), literal.span(), false);
        }
    }
}

impl<'ast> Visit<'ast> for Reader<'_> {
    fn visit_item(&mut self, item: &'ast syn::Item) {
        use syn::Item;
        let attributes: &[syn::Attribute] = match item {
            Item::Const(item) => &item.attrs,
            Item::Enum(item) => &item.attrs,
            Item::Fn(item) => &item.attrs,
            Item::Impl(item) => &item.attrs,
            Item::Macro(item) => &item.attrs,
            Item::Mod(item) => &item.attrs,
            Item::Static(item) => &item.attrs,
            Item::Struct(item) => &item.attrs,
            Item::Trait(item) => &item.attrs,
            Item::Type(item) => &item.attrs,
            Item::Use(item) => &item.attrs,
            Item::Union(item) => &item.attrs,
            _ => &[],
        };
        if for_tests(attributes) {
            if let Item::Mod(item) = item
                && item.content.is_none()
            {
                let (path, below) = file_of(item, &self.children, &self.beside);
                self.sources.note_tests(&path, &below);
            }
            return;
        }
        match item {
            Item::Const(item) => self.define(&item.ident),
            Item::Enum(item) => self.define(&item.ident),
            Item::Fn(item) => self.define(&item.sig.ident),
            Item::Macro(item) => match &item.ident {
                Some(name) => self.define(name),
                None => words(&item.mac.tokens, &mut self.this().perhaps_defined),
            },
            Item::Static(item) => self.define(&item.ident),
            Item::Struct(item) => self.define(&item.ident),
            Item::Trait(item) => self.define(&item.ident),
            Item::Type(item) => self.define(&item.ident),
            Item::Union(item) => self.define(&item.ident),
            Item::Use(item) => return self.import(&item.tree, &[]),
            Item::Mod(item) => return self.module(item),
            _ => {}
        }
        visit::visit_item(self, item);
    }

    fn visit_impl_item(&mut self, item: &'ast syn::ImplItem) {
        let attributes: &[syn::Attribute] = match item {
            syn::ImplItem::Const(item) => &item.attrs,
            syn::ImplItem::Fn(item) => &item.attrs,
            syn::ImplItem::Type(item) => &item.attrs,
            _ => &[],
        };
        if !for_tests(attributes) {
            visit::visit_impl_item(self, item);
        }
    }

    fn visit_field(&mut self, field: &'ast syn::Field) {
        if !for_tests(&field.attrs) {
            visit::visit_field(self, field);
        }
    }

    fn visit_attribute(&mut self, attribute: &'ast syn::Attribute) {
        match &attribute.meta {
            syn::Meta::List(list) => self.tokens(list.tokens.clone()),
            // Prose of documentation is no code; other values are.
            syn::Meta::NameValue(pair) if !pair.path.is_ident("doc") => {
                visit::visit_expr(self, &pair.value);
            }
            _ => {}
        }
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        let segments = path.segments.iter().map(|part| part.ident.to_string());
        self.names(segments.collect(), path.span(), false);
        visit::visit_path(self, path);
    }

    fn visit_macro(&mut self, call: &'ast syn::Macro) {
        let segments = call.path.segments.iter().map(|part| part.ident.to_string());
        self.names(segments.collect(), call.path.span(), true);
        self.tokens(call.tokens.clone());
    }
}
