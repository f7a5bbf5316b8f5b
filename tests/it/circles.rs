//! Finds files of src/ that use each other, directly or by way of others.
//!
//! A path in a file (`use crate::…`, `super::…`, `self::…`, `name::…` of something imported) is followed to the file that
//! defines what it names, through `pub use`. `mod name;` and `pub use` alone do not count as use: a parent declares its
//! submodules.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

/// Parents whose submodules use what the parent's own file defines, while that uses them: what they have in common is the
/// parent's subject. Of these, uses of the parent by its submodules do not count.
const COMMON: [(&str, &str); 12] = [
    ("audit", "the severities and the finding that every check reports"),
    ("cli", "the failure of every command, and the list of commands"),
    ("evaluation::distance", "the structures that distances are measured of"),
    ("export", "the export that every format writes, and the choice among formats"),
    ("imaging::resample", "the sampling that every filter takes, and the choice among filters"),
    ("index::reader", "the reader, and how it recovers"),
    ("index::writer", "the writer's transaction, and the statements in it"),
    ("ingest", "the error of every step, and the steps in order"),
    ("renderer", "the renderer, whose methods its submodules add, and its error"),
    ("spider::metadata", "the fields, and the cells that are read by them"),
    ("store", "the store, its arrays and its error"),
    ("volume::orientation", "the orientation, and what it does to an array"),
];

/// Names of modules from the crate's root: `["http", "state"]`; none for lib.rs.
type Module = Vec<String>;

/// What the circles depend on in a file.
#[derive(Default)]
struct SourceFile {
    submodules: BTreeSet<String>,
    /// Path by name, of `use`.
    imports: BTreeMap<String, Vec<String>>,
    /// Path by name, of `pub use`.
    exports: BTreeMap<String, Vec<String>>,
    /// Paths in the code.
    mentions: Vec<Vec<String>>,
}

/// Identifiers and signs, without comments, texts and tests.
fn tokens(source: &str) -> Vec<String> {
    let source = source.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
    let source = source.replace("#[cfg(test)]\nmod tests;", "");
    let (mut tokens, mut rest): (Vec<String>, &str) = (Vec::new(), &source);
    while let Some(first) = rest.chars().next() {
        let is_name = |c: char| c.is_alphanumeric() || c == '_';
        let raw = rest.strip_prefix('r').map(|raw| (raw, raw.len() - raw.trim_start_matches('#').len()));
        let taken = if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if let Some((raw, hashes)) = raw.filter(|(raw, hashes)| raw[*hashes..].starts_with('"')) {
            let end = format!("\"{}", "#".repeat(hashes));
            2 + hashes + raw[hashes + 1..].find(&end).map_or(raw.len(), |at| at + end.len())
        } else if first == '"' {
            let mut escaped = false;
            let end = rest[1..].find(|c| {
                let is_end = c == '"' && !escaped;
                escaped = c == '\\' && !escaped;
                is_end
            });
            end.map_or(rest.len(), |end| end + 2)
        } else if let Some(len) =
            ["'\"'", r#"'\"'"#].iter().find(|text| rest.starts_with(**text)).map(|text| text.len())
        {
            len
        } else if is_name(first) {
            let name = rest.find(|c| !is_name(c)).map_or(rest, |end| &rest[..end]);
            tokens.push(name.to_owned());
            name.len()
        } else {
            let sign = if rest.starts_with("::") { "::" } else { &rest[..first.len_utf8()] };
            if !first.is_whitespace() {
                tokens.push(sign.to_owned());
            }
            sign.len()
        };
        rest = rest.get(taken..).unwrap_or_default();
    }
    tokens
}

/// The names that a tree of `use` binds, with their paths.
fn bound(tree: &[String], prefix: &[String], names: &mut Vec<(String, Vec<String>)>) {
    let Some(open) = tree.iter().position(|token| token == "{") else {
        let alias = tree.iter().position(|token| token == "as");
        let path = tree[..alias.unwrap_or(tree.len())].iter().filter(|token| *token != "::").cloned();
        let mut path: Vec<_> = prefix.iter().cloned().chain(path).collect();
        if path.len() > 1 && path.last().is_some_and(|last| last == "self") {
            path.pop();
        }
        let name = alias.and_then(|at| tree.get(at + 1)).or(path.last()).cloned();
        names.extend(name.map(|name| (name, path)));
        return;
    };
    let before = tree[..open].iter().filter(|token| *token != "::").cloned();
    let prefix: Vec<_> = prefix.iter().cloned().chain(before).collect();
    let (mut depth, mut item) = (0, Vec::new());
    for token in &tree[open + 1..tree.len() - 1] {
        match token.as_str() {
            "," if depth == 0 => bound(&std::mem::take(&mut item), &prefix, names),
            other => {
                depth += i32::from(other == "{") - i32::from(other == "}");
                item.push(token.clone());
            }
        }
    }
    if !item.is_empty() {
        bound(&item, &prefix, names);
    }
}

impl SourceFile {
    fn read(source: &str) -> Self {
        let (tokens, mut file, mut at, mut is_public) = (tokens(source), Self::default(), 0, false);
        while let Some(token) = tokens.get(at) {
            let next = |n: usize| tokens.get(at + n).map(String::as_str);
            let until = |end: &str| tokens[at..].iter().position(|token| token == end).map_or(tokens.len(), |n| at + n);
            match token.as_str() {
                "pub" => {
                    at = if next(1) == Some("(") { until(")") } else { at };
                    is_public = true;
                    at += 1;
                    continue;
                }
                "use" => {
                    let end = until(";");
                    let mut names = Vec::new();
                    bound(&tokens[at + 1..end], &[], &mut names);
                    if is_public {
                        file.exports.extend(names);
                    } else {
                        file.imports.extend(names);
                    }
                    at = end;
                }
                "mod" if next(2) == Some(";") => {
                    file.submodules.extend(next(1).map(str::to_owned));
                    at += 2;
                }
                _ => {
                    let mut path = vec![token.clone()];
                    while tokens.get(at + 1).is_some_and(|sign| sign == "::") {
                        let Some(name) = tokens.get(at + 2).filter(|name| name.starts_with(char::is_alphabetic)) else {
                            break;
                        };
                        path.push(name.clone());
                        at += 2;
                    }
                    if path.len() > 1 {
                        file.mentions.push(path);
                    }
                }
            }
            is_public = false;
            at += 1;
        }
        file
    }
}

/// Files by module, and which of them each uses.
struct Sources(BTreeMap<Module, SourceFile>);

impl Sources {
    fn read(texts: impl IntoIterator<Item = (Module, String)>) -> Self {
        Self(texts.into_iter().map(|(module, text)| (module, SourceFile::read(&text))).collect())
    }

    /// The file that defines what a path in a module names, if it is a file of this crate.
    fn defining(&self, module: &[String], path: &[String], depth: usize) -> Option<Module> {
        let file = self.0.get(module)?;
        let (first, rest) = path.split_first()?;
        let supers = path.iter().take_while(|name| *name == "super").count();
        let (mut found, rest) = match first.as_str() {
            "crate" => (Vec::new(), rest),
            "self" => (module.to_vec(), rest),
            "super" => (module.get(..module.len().checked_sub(supers)?)?.to_vec(), &path[supers..]),
            name if file.submodules.contains(name) => (module.to_vec(), path),
            name => {
                let imported = file.imports.get(name).filter(|imported| imported[..] != path[..1] && depth < 8)?;
                return self.defining(module, &[imported, rest].concat(), depth + 1);
            }
        };
        for name in rest {
            let inner = [&found[..], std::slice::from_ref(name)].concat();
            if self.0.contains_key(&inner) {
                found = inner;
                continue;
            }
            let exported = self.0.get(&found).and_then(|file| file.exports.get(name)).filter(|_| depth < 8);
            let elsewhere = exported.and_then(|exported| self.defining(&found, exported, depth + 1));
            return Some(elsewhere.unwrap_or(found));
        }
        Some(found)
    }

    /// The files that a file uses.
    fn uses(&self, module: &Module) -> BTreeSet<Module> {
        let file = &self.0[module];
        let paths = file.imports.values().chain(&file.mentions);
        let mut used: BTreeSet<_> = paths.filter_map(|path| self.defining(module, path, 0)).collect();
        used.remove(module);
        used
    }

    /// Sets of files of which each uses every other, directly or by way of others. What the submodules of the `common` ones
    /// use of these is left out.
    fn circles(&self, common: &[&str]) -> Vec<Vec<String>> {
        let is_counted = |from: &Module, to: &Module| !(from.starts_with(to) && common.contains(&&*to.join("::")));
        let edges = |from: &Module| self.uses(from).into_iter().filter(|to| is_counted(from, to)).collect::<Vec<_>>();
        let edges: BTreeMap<_, _> = self.0.keys().map(|module| (module, edges(module))).collect();
        let reached = |from: &Module| {
            let (mut reached, mut left) = (BTreeSet::new(), edges[from].clone());
            while let Some(module) = left.pop() {
                if reached.insert(module.clone()) {
                    left.extend(edges[&module].iter().cloned());
                }
            }
            reached
        };
        let reached: BTreeMap<_, _> = self.0.keys().map(|module| (module, reached(module))).collect();
        let circle = |module: &&Module| -> Vec<String> {
            let others = reached[module].iter().filter(|other| reached[other].contains(*module));
            others.map(|other| other.join("::")).collect()
        };
        let circles: BTreeSet<_> =
            self.0.keys().map(|module| circle(&module)).filter(|circle| !circle.is_empty()).collect();
        circles.into_iter().collect()
    }
}

fn texts(folder: &Path, module: &[String], texts: &mut Vec<(Module, String)>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        let inner = if module.is_empty() && name == "lib" {
            Vec::new()
        } else {
            [module, std::slice::from_ref(&name)].concat()
        };
        if name == "tests" || (module.is_empty() && name == "main") {
            continue;
        }
        if path.is_dir() {
            self::texts(&path, &inner, texts);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            texts.push((inner, fs::read_to_string(&path).unwrap()));
        }
    }
}

#[test]
fn no_files_use_each_other() {
    let mut found = Vec::new();
    texts(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &[], &mut found);
    let sources = Sources::read(found);
    let edges: usize = sources.0.keys().map(|module| sources.uses(module).len()).sum();
    assert!(sources.0.len() > 200 && edges > 1000, "only {edges} uses found: the test reads the wrong place");
    let common = COMMON.map(|(parent, _)| parent);
    assert_eq!(sources.circles(&common), Vec::<Vec<String>>::new());
    for parent in common {
        let others: Vec<_> = common.into_iter().filter(|other| *other != parent).collect();
        assert!(!sources.circles(&others).is_empty(), "{parent} has no circle any more: take it from the list");
    }
}

#[test]
fn circles_are_found_however_they_are_written() {
    let circles = |files: &[(&str, &str)], common: &[&str]| {
        let module = |path: &str| path.split("::").filter(|name| !name.is_empty()).map(str::to_owned).collect();
        Sources::read(files.iter().map(|(path, text)| (module(path), (*text).to_owned()))).circles(common)
    };
    let root = ("", "mod a;\nmod b;");
    for (a, b) in [
        ("use crate::b::B;", "use super::a::A;"),
        ("use crate::{b::{B, C}};", "fn f() -> crate::a::A {}"),
        ("use super::b;\nfn f() { b::g() }", "pub(in crate::b) fn g() { super::a::f() }"),
        ("use crate::b::B as Other;", "/* \" */ const TEXT: &str = r#\"\"\"#; use crate::a::A;"),
    ] {
        assert_eq!(circles(&[root, ("a", a), ("b", b)], &[]), [["a", "b"]], "{a} {b}");
    }
    for (a, b) in [
        ("use crate::b::B;", "// crate::a\nconst TEXT: &str = \"crate::a::A\";"),
        ("use crate::b::B;", "pub(in crate::a) fn f() {}"),
        ("use crate::b::B;", "fn f() {}\n#[cfg(test)]\nmod tests {\n    use crate::a::A;\n}"),
        ("pub use crate::b::B;", "use crate::a::A;"),
    ] {
        assert!(circles(&[root, ("a", a), ("b", b)], &[]).is_empty(), "{a} {b}");
    }
    // What a parent passes on is its submodule's.
    let parent = ("a", "mod one;\nmod two;\npub use one::One;\npub use two::two;");
    let (one, two) = (("a::one", "pub struct One;"), ("a::two", "use super::One;\npub fn two(one: One) {}"));
    assert!(circles(&[root, parent, one, two], &[]).is_empty());
    let circle = ("a", "mod one;\nmod two;\npub use one::One;\nfn f() { two::two() }\npub struct Error;");
    let two = ("a::two", "use super::{Error, One};");
    assert_eq!(circles(&[root, circle, one, two], &[]), [["a", "a::two"]]);
    assert!(circles(&[root, circle, one, two], &["a"]).is_empty());
}
