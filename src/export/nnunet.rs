//! A raw data set for nnU-Net: `imagesTr` and `labelsTr` of the train and validation splits, `imagesTs` and `labelsTs` of the
//! test split, `dataset.json`, and `splits_final.json`, without which nnU-Net divides cases, not patients, into folds. Labels
//! are numbered 0 to n without gaps, as nnU-Net expects.
//!
//! Format: <https://github.com/MIC-DKFZ/nnUNet/blob/master/documentation/dataset_format.md>; the splits:
//! <https://github.com/MIC-DKFZ/nnUNet/blob/master/documentation/manual_data_splits.md>.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use serde_json::{Map, Value as Json, json};

use super::{Export, ExportError};
use crate::bundles;
use crate::bundles::{Bundle, VolumeFormat};
use crate::imaging::{ImageKind, ImageQuery};
use crate::renderer::{SliceName, Snapshot};
use crate::spider::splits::folds;
use crate::spider::{Label, ScanId, Split, dataset};

/// Folds of the cross-validation, as many as nnU-Net makes.
const FOLDS: usize = 5;
/// Seed of the folds: nnU-Net's own.
const SEED: u32 = 12345;

/// Cases to train on, and cases to validate with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct Fold {
    train: Vec<String>,
    val: Vec<String>,
}

pub(super) async fn export(export: &Export<'_>, snapshot: Snapshot) -> Result<(), ExportError> {
    if !export.options.render.is_empty() {
        return Err(ExportError::RenderNnunet);
    }
    let cases: Vec<_> = export.scans(&snapshot).await?.into_iter().map(|(row, split)| (row.scan, split)).collect();
    let labels = labels(&snapshot, &cases).await?;
    // An import cannot commit while the snapshot is open.
    drop(snapshot);
    let map: Vec<_> = labels.iter().enumerate().map(|(n, label)| format!("{}:{}", label.0, n + 1)).collect();
    let map = if map.is_empty() { "native".to_owned() } else { map.join(",") };
    let image = ImageQuery::parse_volume(ImageKind::ImageNpy, &[])?;
    let mask = ImageQuery::parse_volume(ImageKind::MaskNpy, &[("map".to_owned(), map)])?;
    for (scan, split) in &cases {
        let set = if *split == Split::Test { "Ts" } else { "Tr" };
        export.save(&volume(export, *scan, &image)?, &format!("images{set}/{scan}_0000.nii.gz")).await?;
        export.save(&volume(export, *scan, &mask)?, &format!("labels{set}/{scan}.nii.gz")).await?;
    }
    export.write("splits_final.json", json!(splits(&cases)).to_string().as_bytes()).await?;
    export.write("dataset.json", description(&cases, &labels).to_string().as_bytes()).await
}

fn volume(export: &Export<'_>, scan: ScanId, query: &ImageQuery) -> Result<Bundle, ExportError> {
    let (renderer, catalogue) = (&export.source.renderer, &export.source.catalogue);
    let first = renderer.render_request(catalogue, scan, &SliceName::Number(0), query)?;
    Ok(bundles::volume(renderer, &first, VolumeFormat::NiftiGz)?)
}

/// The published split, then a cross-validation over its train and validation patients. What would have an empty side, as
/// it can after a partial import, is left out.
fn splits(cases: &[(ScanId, Split)]) -> Vec<Fold> {
    let cases: Vec<_> = cases.iter().filter(|(_, split)| *split != Split::Test).collect();
    let patients: BTreeSet<_> = cases.iter().map(|(scan, _)| scan.patient).collect();
    let patients: Vec<_> = patients.into_iter().collect();
    let dealt = folds(&patients, FOLDS.min(patients.len()), SEED).unwrap_or_else(|_| BTreeMap::new());
    let fold = |is_validation: &dyn Fn(&(ScanId, Split)) -> bool| {
        let (val, train): (Vec<_>, Vec<_>) = cases.iter().partition(|case| is_validation(case));
        let names = |cases: Vec<&&(ScanId, Split)>| {
            let mut names: Vec<_> = cases.into_iter().map(|(scan, _)| scan.to_string()).collect();
            names.sort();
            names
        };
        Fold { train: names(train), val: names(val) }
    };
    let published = fold(&|(_, split)| *split == Split::Validation);
    let dealt = (0..FOLDS).map(|n| fold(&|(scan, _)| dealt.get(&scan.patient) == Some(&n)));
    std::iter::once(published).chain(dealt).filter(|fold| !fold.train.is_empty() && !fold.val.is_empty()).collect()
}

/// `dataset.json`, with the keys of nnU-Net's own `generate_dataset_json`.
fn description(cases: &[(ScanId, Split)], labels: &[Label]) -> Json {
    let mut named = Map::from_iter([("background".to_owned(), json!(0))]);
    for (n, label) in labels.iter().enumerate() {
        let name = label.name().unwrap_or_else(|| label.0.to_string());
        named.insert(format!("{name} ({})", label.0), json!(n + 1));
    }
    json!({
        "name": dataset::NAME,
        "description": dataset::DESCRIPTION,
        "reference": dataset::CITATION,
        "licence": format!("{} {}", dataset::LICENCE, dataset::LICENCE_URL),
        "release": format!("https://doi.org/{}", dataset::DATA_DOI),
        "channel_names": { "0": "MRI" },
        "labels": named,
        "numTraining": cases.iter().filter(|(_, split)| *split != Split::Test).count(),
        "file_ending": ".nii.gz",
    })
}

/// Every label that occurs in a mask, smallest first.
async fn labels(snapshot: &Snapshot, cases: &[(ScanId, Split)]) -> Result<Vec<Label>, ExportError> {
    let mut labels = BTreeSet::new();
    for (scan, _) in cases {
        labels.extend(snapshot.index.labels(*scan).await?.into_iter().map(|found| found.label));
    }
    Ok(labels.into_iter().collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spider::splits::published;

    /// Every series of the release, with its published split.
    fn release() -> Vec<(ScanId, Split)> {
        let names = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/series.txt"));
        let scans: Vec<ScanId> = names.lines().map(|name| name.parse().unwrap()).collect();
        let split = published(&scans.iter().map(|scan| scan.patient).collect::<Vec<_>>());
        scans.into_iter().map(|scan| (scan, split[&scan.patient])).collect()
    }

    fn patients(names: &[String]) -> BTreeSet<String> {
        names.iter().map(|name| name.split('_').next().unwrap().to_owned()).collect()
    }

    #[test]
    fn no_patient_is_trained_on_and_validated_with() {
        let cases = release();
        assert_eq!(cases.len(), 447);
        let folds = splits(&cases);
        assert_eq!(folds.len(), 1 + FOLDS);
        for (n, Fold { train, val }) in folds.iter().enumerate() {
            assert_eq!(train.len() + val.len(), 379, "fold {n}");
            assert_eq!(patients(train).intersection(&patients(val)).count(), 0, "fold {n}");
        }
        assert_eq!((folds[0].train.len(), folds[0].val.len()), (133 + 145 + 26, 34 + 34 + 7));
        let validated: BTreeSet<_> = folds[1..].iter().flat_map(|fold| fold.val.clone()).collect();
        assert_eq!(validated.len(), 379, "every case is validated with once");
    }

    #[test]
    fn a_partial_import_has_no_fold_with_an_empty_side() {
        let case = |name: &str, split| (name.parse().unwrap(), split);
        assert!(splits(&[case("1_t1", Split::Train), case("1_t2", Split::Train)]).is_empty());
        let two = splits(&[case("1_t1", Split::Train), case("2_t1", Split::Train), case("3_t1", Split::Test)]);
        assert_eq!(two.len(), 2, "{two:?}");
        assert!(two.iter().all(|fold| fold.train.len() == 1 && fold.val.len() == 1));
    }
}
