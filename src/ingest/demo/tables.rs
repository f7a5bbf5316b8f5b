//! The two tables of the synthetic release, with the real ones' columns, line ends and oddities. Every value is synthetic.

use std::io;

use super::patients::{DemoPatient, DemoSeries, Maker, PATIENTS};
use crate::spider::{CONDITIONS, FIELDS, Grading, PatientId, ScanId, ScanType};

/// `overview.csv`: one row for each scan, by scan id as text.
pub(super) fn overview() -> io::Result<Vec<u8>> {
    let mut rows: Vec<Vec<String>> = Vec::new();
    for patient in &PATIENTS {
        for series in patient.series {
            let scan = ScanId { patient: PatientId(patient.number), scan_type: series.scan_type };
            let cells = FIELDS.iter().map(|field| cell(field.column, patient, series));
            rows.push([scan.to_string()].into_iter().chain(cells).collect());
        }
    }
    rows.sort();
    let header = ["new_file_name"].into_iter().chain(FIELDS.iter().map(|field| field.column));
    table(header, &rows)
}

/// `radiological_gradings.csv`: one row for each disc of each patient.
pub(super) fn gradings() -> io::Result<Vec<u8>> {
    let of = |patient: &'static DemoPatient| (1..=patient.discs()).map(move |level| grading(patient, level));
    let cell = |value: Option<u8>| value.map_or(String::new(), |value| value.to_string());
    let row = |grading: Grading| {
        let key = [grading.patient.to_string(), grading.level.to_string()];
        key.into_iter().chain(grading.values().map(cell)).collect()
    };
    let rows: Vec<Vec<String>> = PATIENTS.iter().flat_map(of).map(row).collect();
    table(["Patient", "IVD label"].into_iter().chain(CONDITIONS.iter().map(|condition| condition.column)), &rows)
}

fn table<'a>(header: impl Iterator<Item = &'a str>, rows: &[Vec<String>]) -> io::Result<Vec<u8>> {
    let mut writer = csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(Vec::new());
    writer.write_record(header)?;
    for row in rows {
        writer.write_record(row)?;
    }
    writer.into_inner().map_err(csv::IntoInnerError::into_error)
}

/// What the voxels show.
fn grading(patient: &DemoPatient, level: u8) -> Grading {
    let pfirrmann = patient.grade(level);
    let modic = if level == patient.modic.0 { patient.modic.1 } else { 0 };
    Grading {
        patient: PatientId(patient.number),
        level,
        modic: Some(modic),
        upper_endplate: Some(u8::from(modic >= 2)),
        lower_endplate: Some(u8::from(modic >= 1)),
        spondylolisthesis: Some(u8::from(level == patient.slipped)),
        disc_herniation: Some(u8::from(level == patient.herniated)),
        disc_narrowing: Some(u8::from(pfirrmann >= 4)),
        disc_bulging: Some(u8::from(pfirrmann >= 3)),
        pfirrmann: Some(pfirrmann),
    }
}

/// One cell of overview.csv; empty for what the maker's scanners do not tell.
fn cell(column: &str, patient: &DemoPatient, series: &DemoSeries) -> String {
    match column {
        "num_vertebrae" => patient.vertebrae.to_string(),
        "num_discs" => (patient.vertebrae + u8::from(series.labels_partial_vertebra)).to_string(),
        "sex" => patient.sex.to_owned(),
        "birth_date" => patient.age.to_owned(),
        "subset" => patient.subset.to_owned(),
        "SliceThickness" => format!("{:?}", if series.scan_type == ScanType::T2Space { 1.5 } else { 3.5 }),
        "SpacingBetweenSlices" => format!("{:?}", series.spacing_mm[0]),
        "PixelSpacing" => pixel_spacing(patient.maker, series),
        "EchoNumbers" | "SamplesPerPixel" => "1".to_owned(),
        "ImagedNucleus" => "1H".to_owned(),
        "InPlanePhaseEncodingDirection" => "COL".to_owned(),
        "PhotometricInterpretation" => "MONOCHROME2".to_owned(),
        "ScanningSequence" => "SE".to_owned(),
        "MRAcquisitionType" => if series.scan_type == ScanType::T2Space { "3D" } else { "2D" }.to_owned(),
        "SAR" => format!("{:?}", 1.5 + f64::from(patient.number) * 0.137),
        "WindowCenter" => format!("{:?}", 260.0 + f64::from(patient.number) * 11.0),
        "WindowWidth" => format!("{:?}", 540.0 + f64::from(patient.number) * 17.0),
        _ => by_type(column, series.scan_type).or(by_maker(column, patient.maker)).unwrap_or_default().to_owned(),
    }
}

/// Philips volumes were resampled: their header's spacing is not the table's. Siemens leaves out the zero before the point.
fn pixel_spacing(maker: Maker, series: &DemoSeries) -> String {
    let [_, row, column] = series.spacing_mm;
    match maker {
        Maker::Philips => "[1.0625, 1.0625]".to_owned(),
        Maker::Siemens => format!("[{row}, {column}]").replace("[0.", "[.").replace(" 0.", " ."),
    }
}

#[rustfmt::skip] // One column, one line: this is a table.
fn by_type(column: &str, scan_type: ScanType) -> Option<&'static str> {
    let [t1, t2, space] = match column {
        "EchoTime" => ["11.25", "108.5", "121.0"],
        "EchoTrainLength" => ["5", "21", "60"],
        "FlipAngle" => ["90", "140", "150"],
        "NumberOfPhaseEncodingSteps" => ["240", "260", "500"],
        "PercentPhaseFieldOfView" => ["100.0", "100.0", "125.0"],
        "PercentSampling" => ["77.5000000000001", "72.0", "90.0"],
        "PixelBandwidth" => ["240", "200", "530"],
        "RepetitionTime" => ["612.40625", "3480.0", "1000.0"],
        _ => return None,
    };
    Some(match scan_type {
        ScanType::T1 => t1,
        ScanType::T2 => t2,
        ScanType::T2Space => space,
    })
}

#[rustfmt::skip] // One column, one line: this is a table.
fn by_maker(column: &str, maker: Maker) -> Option<&'static str> {
    let [philips, siemens] = match column {
        "AngioFlag" => ["", "N"],
        "BodyPartExamined" => ["LSPINE", "LSPINE"],
        "DeviceSerialNumber" => ["", "100001.0"],
        "ImagingFrequency" => ["127.770000000001", "63.7"],
        "MagneticFieldStrength" => ["3.0", "1.5"],
        "Manufacturer" => ["Philips Healthcare", "SIEMENS"],
        "ManufacturerModelName" => ["Made-up 3T", "Made-up 1.5T"],
        "SequenceName" => ["", "*demo2d"],
        "SeriesDescription" => ["", "synthetic series"],
        "SoftwareVersions" => ["['0.1.0', '0.1.0.1']", "made up 0.1"],
        "SpecificCharacterSet" => ["ISO 2022 IR 100", "ISO_IR 100"],
        "TransmitCoilName" => ["", "Body"],
        _ => return None,
    };
    Some(match maker {
        Maker::Philips => philips,
        Maker::Siemens => siemens,
    })
}
