//! A raw data set for nnU-Net: `imagesTr`, `labelsTr` of the train and validation splits, `imagesTs` of the test split,
//! `dataset.json`. Labels are numbered 0 to n without gaps, as nnU-Net expects.
//!
//! ExportFormat: <https://github.com/MIC-DKFZ/nnUNet/blob/master/documentation/dataset_format.md>.

use serde_json::{Map, Value as Json, json};

use super::{Export, ExportError};
use crate::spider::Label;

pub(super) async fn export(export: &Export<'_>) -> Result<(), ExportError> {
    let labels = labels(export).await?;
    let map: Vec<_> = labels.iter().enumerate().map(|(n, label)| format!("{}:{}", label.0, n + 1)).collect();
    let map = if map.is_empty() { "native".to_owned() } else { map.join(",") };
    let mut training = 0;
    for scan in export.items("/v1/scans?limit=1000").await? {
        let id = scan["scan_id"].as_str().unwrap_or_default();
        let image = format!("/v1/scans/{id}/image.nii.gz");
        if scan["split"] == "test" {
            export.save(&image, &format!("imagesTs/{id}_0000.nii.gz")).await?;
            continue;
        }
        export.save(&image, &format!("imagesTr/{id}_0000.nii.gz")).await?;
        export.save(&format!("/v1/scans/{id}/mask.nii.gz?map={map}"), &format!("labelsTr/{id}.nii.gz")).await?;
        training += 1;
    }
    let mut named = Map::from_iter([("background".to_owned(), json!(0))]);
    for (n, label) in labels.iter().enumerate() {
        let name = label.name().unwrap_or_else(|| label.0.to_string());
        named.insert(format!("{name} ({})", label.0), json!(n + 1));
    }
    let description = json!({
        "channel_names": { "0": "MRI" },
        "labels": named,
        "numTraining": training,
        "file_ending": ".nii.gz",
    });
    export.write("dataset.json", description.to_string().as_bytes()).await
}

/// Every label that occurs in a mask, smallest first.
async fn labels(export: &Export<'_>) -> Result<Vec<Label>, ExportError> {
    let mut found = std::collections::BTreeSet::new();
    for scan in export.items("/v1/scans?limit=1000&fields=scan_id").await? {
        let scan = export.json(&format!("/v1/scans/{}", scan["scan_id"].as_str().unwrap_or_default())).await?;
        let labels = scan["labels"].as_array().cloned().unwrap_or_default();
        found.extend(labels.iter().filter_map(|found: &Json| u8::try_from(found["label"].as_u64()?).ok().map(Label)));
    }
    Ok(found.into_iter().collect())
}
