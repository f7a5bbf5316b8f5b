//! Holds the direct dependencies of Cargo.toml against their table in docs/dependencies.md.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

fn page(path: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap()
}

/// Names of the manifest's `[dependencies]` and `[dev-dependencies]`.
fn declared() -> BTreeSet<String> {
    let manifest = page("Cargo.toml");
    let mut section = "";
    let mut names = BTreeSet::new();
    for line in manifest.lines().map(str::trim) {
        if line.starts_with('[') {
            section = line;
            // A crate with a section to itself would be overlooked here.
            assert!(!line.contains("dependencies."), "{line}: give every dependency one line");
        } else if section.ends_with("dependencies]") && !line.is_empty() && !line.starts_with('#') {
            let (name, _) = line.split_once('=').expect("a dependency is `name = …`");
            names.insert(name.trim().to_owned());
        }
    }
    names
}

/// Crates of the page's table: the first cell may name several, and their features in brackets.
fn explained() -> BTreeSet<String> {
    let page = page("docs/dependencies.md");
    let rows = page.lines().skip_while(|line| !line.starts_with("| crate |")).skip(2);
    let cells = rows.take_while(|line| line.starts_with('|')).filter_map(|row| row.split('|').nth(1));
    let without_features = |cell: &str| cell.split('(').map(|part| part.rsplit(')').next().unwrap_or(part)).collect();
    let names: Vec<String> = cells.map(without_features).collect();
    names.iter().flat_map(|cell| cell.split(',')).map(|name| name.trim().to_owned()).collect()
}

#[test]
fn every_direct_dependency_is_explained_and_nothing_else_is() {
    let (declared, explained) = (declared(), explained());
    assert!(declared.len() > 20, "only {} dependencies found: the test reads the wrong place", declared.len());
    let unexplained: Vec<_> = declared.difference(&explained).collect();
    let gone: Vec<_> = explained.difference(&declared).collect();
    assert!(unexplained.is_empty(), "not in the table of docs/dependencies.md: {unexplained:?}");
    assert!(gone.is_empty(), "in the table of docs/dependencies.md, not in Cargo.toml: {gone:?}");
}
