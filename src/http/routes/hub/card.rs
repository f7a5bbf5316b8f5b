//! `README.md`: the front matter that `datasets` reads, and the dataset's card.

use std::collections::BTreeSet;
use std::fmt::Write;

use crate::formats::hugging_face::yaml_features;
use crate::spider::{Split, dataset};
use crate::store::ExportManifest;

pub(super) const TAGS: [&str; 5] = [
    "license:cc-by-4.0",
    "size_categories:n<1K",
    "task_categories:image-segmentation",
    "format:parquet",
    "modality:image",
];

/// The card of a repository with these exports.
pub(super) fn readme(exports: &[ExportManifest]) -> String {
    let mut text = String::from(
        "---\npretty_name: SPIDER\nlicense: cc-by-4.0\nsize_categories:\n- n<1K\ntask_categories:\n- image-segmentation\nconfigs:\n",
    );
    // Writing to memory does not fail.
    let _ = write_configurations(&mut text, exports);
    text.push_str("---\n\n");
    let _ = write_card(&mut text, exports);
    text
}

fn write_configurations(text: &mut String, exports: &[ExportManifest]) -> std::fmt::Result {
    for export in exports {
        writeln!(text, "- config_name: {}\n  data_files:", quoted(&export.name))?;
        for split in splits(export) {
            writeln!(text, "  - split: {split}\n    path: {}", quoted(&format!("{}/{split}-*.parquet", export.name)))?;
        }
    }
    text.push_str("dataset_info:\n");
    let features = yaml_features("  ");
    for export in exports {
        write!(text, "- config_name: {}\n  features:\n{features}", quoted(&export.name))?;
    }
    Ok(())
}

/// Splits with a file.
fn splits(export: &ExportManifest) -> impl Iterator<Item = &'static str> {
    let found: BTreeSet<_> = export.files.iter().filter_map(|file| file.path.split('-').next()).collect();
    Split::NAMES.iter().copied().filter(move |name| found.contains(name))
}

/// Names such as `256` are text.
fn quoted(text: &str) -> String {
    format!("'{text}'")
}

fn write_card(text: &mut String, exports: &[ExportManifest]) -> std::fmt::Result {
    writeln!(text, "# {}: {}\n\n{}\n", dataset::NAME, dataset::TITLE, dataset::DESCRIPTION)?;
    writeln!(
        text,
        "Each row is one scan: its slices and their masks as lists of images, the URLs of the files that it was"
    )?;
    writeln!(
        text,
        "imported from, its scanner metadata, and the gradings of the patient's discs. Splits are by patient.\n"
    )?;
    writeln!(text, "| configuration | files | rendering |\n| --- | ---: | --- |")?;
    for export in exports {
        writeln!(text, "| `{}` | {} | `{}` |", export.name, export.files.len(), export.render)?;
    }
    writeln!(text, "\n## Annotation\n\n{}\n\n{}\n", dataset::ANNOTATION, dataset::MASK_VALUES)?;
    writeln!(text, "## Licence and citation\n\n{} ({}). Please cite:\n", dataset::LICENCE, dataset::LICENCE_URL)?;
    writeln!(text, "{}\n\n```bibtex\n{}```\n\n{}", dataset::CITATION, dataset::BIBTEX, dataset::DISCLAIMER)
}
