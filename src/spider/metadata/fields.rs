use super::FieldKind::{Integer, Real, Reals, Text, Texts};
use super::HuggingFaceType::{Float32, Float64, Int32, String};
use super::{Field, FieldKind, HuggingFaceType};

/// Every column of `overview.csv` but `new_file_name`, in the table's order.
///
/// Types of the Hugging Face edition: `cdoswald/SPIDER`, where `orig_subset` is `OrigSubset`. Units and meanings: DICOM
/// PS3.3 (C.8.3.1 MR Image, C.7.5.1 General Equipment).
#[rustfmt::skip] // One field, one line: this is a table.
pub const FIELDS: [Field; 38] = [
    field("num_vertebrae", "num_vertebrae", Integer, Int32, "", "vertebrae in the mask"),
    field("num_discs", "num_discs", Integer, Int32, "", "intervertebral discs in the mask"),
    field("sex", "sex", Text, String, "", "sex of the patient: F or M"),
    field("birth_date", "age", Real, String, "years", "age of the patient at the time of the scan; the column's header notwithstanding"),
    field("subset", "orig_subset", Text, String, "", "subset in the release: training or validation"),
    field("AngioFlag", "angio_flag", Text, String, "", "whether the image is an angiogram: Y or N"),
    field("BodyPartExamined", "body_part_examined", Text, String, "", "body part, as the scanner's operator named it"),
    field("DeviceSerialNumber", "device_serial_number", Text, String, "", "serial number of the scanner"),
    field("EchoNumbers", "echo_numbers", Real, Float32, "", "number of the echo that the image shows"),
    field("EchoTime", "echo_time", Real, Float32, "ms", "time from excitation to the centre of the echo"),
    field("EchoTrainLength", "echo_train_length", Real, Float32, "", "lines of k-space per excitation"),
    field("FlipAngle", "flip_angle", Real, Float32, "°", "angle by which the magnetisation is turned"),
    field("ImagedNucleus", "imaged_nucleus", Text, String, "", "nucleus in resonance"),
    field("ImagingFrequency", "imaging_frequency", Real, Float32, "MHz", "precession frequency of that nucleus"),
    field("InPlanePhaseEncodingDirection", "in_plane_phase_encoding_direction", Text, String, "", "axis of phase encoding: ROW or COL"),
    field("MRAcquisitionType", "mr_acquisition_type", Text, String, "", "2D or 3D acquisition"),
    field("MagneticFieldStrength", "magnetic_field_strength", Real, Float32, "T", "strength of the magnetic field"),
    field("Manufacturer", "manufacturer", Text, String, "", "manufacturer of the scanner"),
    field("ManufacturerModelName", "manufacturer_model_name", Text, String, "", "model of the scanner"),
    field("NumberOfPhaseEncodingSteps", "number_of_phase_encoding_steps", Integer, Int32, "", "lines of k-space acquired"),
    field("PercentPhaseFieldOfView", "percent_phase_field_of_view", Real, Float64, "%", "field of view along the phase encoding axis, relative to the frequency axis"),
    field("PercentSampling", "percent_sampling", Real, Float64, "%", "share of the lines of k-space that was acquired"),
    field("PhotometricInterpretation", "photometric_interpretation", Text, String, "", "how values are meant to be shown"),
    field("PixelBandwidth", "pixel_bandwidth", Integer, Int32, "Hz", "receiver bandwidth per pixel"),
    field("PixelSpacing", "pixel_spacing", Reals, String, "mm", "distance of rows, distance of columns; the volume's own spacing differs in many scans and is the authority"),
    field("RepetitionTime", "repetition_time", Real, Float64, "ms", "time between two excitations"),
    field("SAR", "sar", Real, Float64, "W/kg", "specific absorption rate"),
    field("SamplesPerPixel", "samples_per_pixel", Integer, Int32, "", "values per pixel"),
    field("ScanningSequence", "scanning_sequence", Texts, String, "", "kind of pulse sequence: SE spin echo, IR inversion recovery"),
    field("SequenceName", "sequence_name", Text, String, "", "manufacturer's name of the pulse sequence"),
    field("SeriesDescription", "series_description", Text, String, "", "name of the series, as the scanner's operator chose it"),
    field("SliceThickness", "slice_thickness", Real, Float32, "mm", "nominal thickness of a slice"),
    field("SoftwareVersions", "software_versions", Texts, String, "", "software of the scanner"),
    field("SpacingBetweenSlices", "spacing_between_slices", Real, Float32, "mm", "distance of the centres of neighbouring slices; the volume's own spacing is the authority"),
    field("SpecificCharacterSet", "specific_character_set", Text, String, "", "character set of the DICOM header"),
    field("TransmitCoilName", "transmit_coil_name", Text, String, "", "transmitting coil"),
    field("WindowCenter", "window_center", Real, Float32, "", "middle of the display window, in the scanner's values: those before a volume was rescaled"),
    field("WindowWidth", "window_width", Real, Float32, "", "width of the display window, in the scanner's values: those before a volume was rescaled"),
];

/// An empty unit is none.
const fn field(
    column: &'static str,
    name: &'static str,
    kind: FieldKind,
    hugging_face_type: HuggingFaceType,
    unit: &'static str,
    description: &'static str,
) -> Field {
    let unit = if unit.is_empty() { None } else { Some(unit) };
    Field { column, name, kind, hugging_face_type, unit, description }
}
