//! What the SPIDER data set *is*: the names of its scans, its label scheme and anatomy, the fields of its two
//! tables, its splits and its citation. Nothing here touches a file.
//!
//! Source of the facts: van der Graaf et al., *Lumbar spine segmentation in MR images: a dataset and a public
//! benchmark*, Sci Data 11, 264 (2024), doi 10.1038/s41597-024-03090-w, and the tables of Zenodo record 10159290.

pub mod dataset;
mod grading;
mod hugging_face;
mod label;
mod metadata;
mod scan_id;
pub mod splits;

pub use grading::{CONDITIONS, Condition, Grading, NamedGrading};
pub use hugging_face::{HuggingFaceGradings, HuggingFaceMetadata};
pub use label::{Label, LabelClass, LabelSet};
pub use metadata::{FIELDS, Field, FieldKind, HuggingFaceType, InvalidCell, Metadata, Value, fields_digest};
pub(crate) use scan_id::scan_type_pattern;
pub use scan_id::{InvalidScanId, PatientId, ScanId, ScanType};
pub use splits::{Split, SplitError};
