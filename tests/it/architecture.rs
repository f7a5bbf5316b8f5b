//! Holds the `use crate::` edges against the table of modules in docs/ARCHITECTURE.md.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// Module → modules it may use, as the table says.
fn table() -> BTreeMap<String, BTreeSet<String>> {
    let page = fs::read_to_string(Path::new(ROOT).join("docs/ARCHITECTURE.md")).unwrap();
    let rows = page.lines().filter(|line| line.starts_with("| `"));
    let mut modules = BTreeMap::new();
    for row in rows {
        let cells: Vec<_> = row.trim_matches('|').split('|').map(str::trim).collect();
        let module = names(cells[0]).into_iter().next().unwrap();
        let allowed = match cells[2] {
            "all" => ALL.iter().map(|&module| module.to_owned()).collect(),
            cell => names(cell),
        };
        modules.insert(module, allowed);
    }
    modules
}

const ALL: [&str; 22] = [
    "audit",
    "auth",
    "bundles",
    "cli",
    "download",
    "environment",
    "evaluation",
    "export",
    "formats",
    "http",
    "imaging",
    "index",
    "ingest",
    "params",
    "query",
    "renderer",
    "snapshots",
    "spider",
    "store",
    "tls",
    "volume",
    "worker_pool",
];

fn names(cell: &str) -> BTreeSet<String> {
    cell.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

fn sources(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { sources(&path) } else { vec![path] }).collect()
}

/// The modules that a file names after `crate::`.
fn used(source: &str) -> BTreeSet<String> {
    let after = source.split("crate::").skip(1);
    after.map(|rest| rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect()).collect()
}

#[test]
fn modules_use_only_what_the_table_allows() {
    let table = table();
    assert_eq!(table.keys().map(String::as_str).collect::<Vec<_>>(), ALL, "the table and the modules differ");
    let src = Path::new(ROOT).join("src");
    let mut edges = 0;
    for file in sources(&src) {
        let relative = file.strip_prefix(&src).unwrap();
        let module = relative.iter().next().unwrap().to_str().unwrap().trim_end_matches(".rs").to_owned();
        let Some(allowed) = table.get(&module) else { continue };
        for target in used(&fs::read_to_string(&file).unwrap()) {
            edges += 1;
            assert!(target == module || allowed.contains(&target), "{} uses {target}", relative.display());
        }
    }
    assert!(edges > 50, "only {edges} edges found: the test reads the wrong place");
}
