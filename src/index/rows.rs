//! Rows of answers → records.

use sqlx::sqlite::SqliteRow;

use super::IndexError;
use super::convert::Columns;
use super::records::{CatalogueEntry, Imported, ScanRow, VolumeFacts};
use crate::spider::{CONDITIONS, Grading, Label, Metadata, PatientId, ScanId};
use crate::store::GroupName;
use crate::volume::{QUANTILES, SliceLabel, VolumeLabel};

pub(super) const IMPORTED: &str =
    "SELECT scan_id, fingerprint, revision, image_sha256, mask_sha256 FROM volumes JOIN scans USING (scan_key)";

/// A row of [`IMPORTED`].
pub(super) fn imported(row: &SqliteRow) -> Result<(ScanId, Imported), IndexError> {
    let columns = Columns(row);
    let revision = columns.get::<String>("revision")?.into();
    let imported = Imported {
        fingerprint: columns.get("fingerprint")?,
        revision,
        image_sha256: columns.get("image_sha256")?,
        mask_sha256: columns.get("mask_sha256")?,
    };
    Ok((columns.parsed("scan_id")?, imported))
}

fn group(columns: &Columns<'_>) -> Result<GroupName, IndexError> {
    Ok(GroupName { scan: columns.parsed("scan_id")?, revision: columns.get::<String>("revision")?.into() })
}

pub(super) fn catalogue_entry(row: &SqliteRow) -> Result<CatalogueEntry, IndexError> {
    let columns = Columns(row);
    let (center, width): (Option<f64>, Option<f64>) = (columns.get("window_center")?, columns.get("window_width")?);
    Ok(CatalogueEntry {
        group: group(&columns)?,
        element: columns.parsed("element_type")?,
        grid: columns.grid("source_geometry")?,
        range: (columns.get("value_min")?, columns.get("value_max")?),
        foreground_window: (columns.get("auto_low")?, columns.get("auto_high")?),
        dicom_window: center.zip(width),
        best_slice: columns.index("best_slice")?,
    })
}

pub(super) fn scan_row(row: &SqliteRow) -> Result<ScanRow, IndexError> {
    let columns = Columns(row);
    let cells: Option<&str> = columns.get("cells")?;
    let has_volume = columns.get::<Option<&str>>("revision")?.is_some();
    Ok(ScanRow {
        scan: columns.parsed("scan_id")?,
        split: columns.split("split")?,
        metadata: cells.map(metadata).transpose()?,
        volume: if has_volume { Some(volume_facts(&columns)?) } else { None },
    })
}

/// The typed columns are for filters; what is shown is made from the table's own cells, once more.
fn metadata(raw: &str) -> Result<Metadata, IndexError> {
    let unusable = || IndexError::Unusable { what: "row of overview.csv", value: raw.to_owned() };
    let cells: Vec<std::borrow::Cow<'_, str>> = serde_json::from_str(raw).map_err(|_| unusable())?;
    let cells: Vec<&str> = cells.iter().map(AsRef::as_ref).collect();
    Metadata::from_cells(cells.try_into().map_err(|_| unusable())?).map_err(|_| unusable())
}

fn volume_facts(columns: &Columns<'_>) -> Result<VolumeFacts, IndexError> {
    Ok(VolumeFacts {
        revision: columns.get::<String>("revision")?.into(),
        image_sha256: columns.get("image_sha256")?,
        mask_sha256: columns.get("mask_sha256")?,
        element: columns.parsed("element_type")?,
        mask_element: columns.parsed("mask_element_type")?,
        grid: columns.grid("source_geometry")?,
        source_axis_codes: columns.get("source_axis_codes")?,
        range: (columns.get("value_min")?, columns.get("value_max")?),
        mean: columns.get("value_mean")?,
        foreground_window: (columns.get("auto_low")?, columns.get("auto_high")?),
        histogram: columns.json("histogram")?,
        best_slice: columns.index("best_slice")?,
        bytes: columns.count("bytes")?,
        notes: columns.json("notes")?,
    })
}

pub(super) fn grading(row: &SqliteRow) -> Result<Grading, IndexError> {
    let columns = Columns(row);
    let mut values = [None; CONDITIONS.len()];
    for (value, condition) in values.iter_mut().zip(&CONDITIONS) {
        *value = columns.get(condition.name)?;
    }
    Ok(Grading::from_values(PatientId(columns.count("patient_id")? as u32), columns.get("level")?, values))
}

pub(super) fn slice_label(row: &SqliteRow) -> Result<SliceLabel, IndexError> {
    let columns = Columns(row);
    Ok(SliceLabel {
        slice: columns.index("slice")?,
        label: Label(columns.get("label")?),
        pixels: columns.count("pixels")?,
        rows: (columns.index("row_min")?, columns.index("row_max")?),
        columns: (columns.index("column_min")?, columns.index("column_max")?),
        centroid: [columns.get("centroid_row")?, columns.get("centroid_column")?],
    })
}

pub(super) fn volume_label(row: &SqliteRow) -> Result<VolumeLabel, IndexError> {
    let columns = Columns(row);
    Ok(VolumeLabel {
        label: Label(columns.get("label")?),
        voxels: columns.count("voxels")?,
        best_slice: columns.index("best_slice")?,
        slices: (columns.index("slice_min")?, columns.index("slice_max")?),
        rows: (columns.index("row_min")?, columns.index("row_max")?),
        columns: (columns.index("column_min")?, columns.index("column_max")?),
        centroid: [columns.get("centroid_slice")?, columns.get("centroid_row")?, columns.get("centroid_column")?],
    })
}

/// The 1001 quantiles of a volume.
pub(super) fn quantiles(columns: &Columns<'_>) -> Result<Vec<f64>, IndexError> {
    let blob: &[u8] = columns.get("quantiles")?;
    let quantiles: Vec<_> = blob.as_chunks::<8>().0.iter().map(|&bytes| f64::from_le_bytes(bytes)).collect();
    if quantiles.len() == QUANTILES {
        Ok(quantiles)
    } else {
        Err(IndexError::Unusable { what: "quantiles", value: format!("{} bytes", blob.len()) })
    }
}
