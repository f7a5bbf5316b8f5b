use std::fs;
use std::path::{Path, PathBuf};

use sagittal::formats::metaimage;
use sagittal::ingest::{self, Destination, ImportError, ImportOptions, Report, Source};
use sagittal::spider::FIELDS;
use sagittal::volume::{Axis, ElementType, Geometry, Volume};
use tempfile::TempDir;

use super::fixture;

/// The two ways volumes of the release lie in their files.
#[derive(Clone, Copy)]
pub enum Kind {
    /// int16, slices on the fastest axis, lowest row first.
    Lps,
    /// uint16, slices on the slowest axis, highest row first.
    Pir,
}

/// Canonical (slices, rows, columns) of every scan that [`scan`] makes.
pub const SHAPE: [usize; 3] = [5, 24, 16];

fn axis(len: usize, spacing_mm: f64, direction: [f64; 3]) -> Axis {
    Axis { len, spacing_mm, direction }
}

fn geometry(kind: Kind) -> Geometry {
    let [slices, rows, columns] = SHAPE;
    let (left, right) = ([1.0, 0.0, 0.0], [-1.0, 0.0, 0.0]);
    let (up, down, back) = ([0.0, 0.0, 1.0], [0.0, 0.0, -1.0], [0.0, 1.0, 0.0]);
    let axes = match kind {
        Kind::Lps => [axis(rows, 2.0, up), axis(columns, 2.5, back), axis(slices, 4.0, left)],
        Kind::Pir => [axis(slices, 4.0, right), axis(rows, 2.0, down), axis(columns, 2.5, back)],
    };
    Geometry { axes, origin_mm: [3.0, -20.0, 10.0] }
}

/// The value of a voxel, by canonical index: different everywhere, so that no flip goes unnoticed.
pub fn value(kind: Kind, [slice, row, column]: [usize; 3]) -> i32 {
    let ramp = (slice * 1000 + row * 30 + column) as i32;
    match kind {
        Kind::Lps => ramp - 1000,
        Kind::Pir => ramp,
    }
}

/// The label of a voxel, by canonical index: L5 below its disc below L4, the canal behind, and nothing in the outer slices.
pub fn label([slice, row, column]: [usize; 3]) -> u8 {
    match (slice, row, column) {
        (1..4, 4..10, 4..9) => 2,
        (1..4, 10..12, 4..9) => 202,
        (1..4, 12..18, 4..9) => 1,
        (1..4, 18..20, 4..9) => 201,
        (1..4, 2..22, 11..13) => 100,
        _ => 0,
    }
}

fn canonical_index(kind: Kind, [a, b, c]: [usize; 3]) -> [usize; 3] {
    match kind {
        Kind::Lps => [c, SHAPE[1] - 1 - a, b],
        Kind::Pir => [SHAPE[0] - 1 - a, b, c],
    }
}

fn volume(kind: Kind, element: ElementType, voxel: impl Fn([usize; 3]) -> i32) -> Volume {
    let geometry = geometry(kind);
    let [na, nb, nc] = geometry.shape();
    let indices = (0..na).flat_map(|a| (0..nb).flat_map(move |b| (0..nc).map(move |c| [a, b, c])));
    let bytes = indices.flat_map(|index| (voxel(canonical_index(kind, index)) as i16).to_le_bytes()).collect();
    Volume { element, geometry, bytes }
}

/// The image of a synthetic scan.
pub fn image(kind: Kind) -> Volume {
    let element = match kind {
        Kind::Lps => ElementType::Int16,
        Kind::Pir => ElementType::Uint16,
    };
    volume(kind, element, |index| value(kind, index))
}

/// The mask of a synthetic scan.
pub fn mask(kind: Kind) -> Volume {
    volume(kind, ElementType::Int16, |index| i32::from(label(index)))
}

/// A folder laid out like the release.
pub struct Release {
    pub dir: TempDir,
}

impl Release {
    /// Tables with four rows and files for `1_t1` (LPS), `1_t2` (PIR) and `2_t2_SPACE` (PIR); `3_t1` has a row alone.
    pub fn small() -> Self {
        let release = Self::empty();
        release.table(&[("1_t1", "F "), ("1_t2", "F"), ("2_t2_SPACE", "M "), ("3_t1", "")]);
        release.scan("1_t1", Kind::Lps);
        release.scan("1_t2", Kind::Pir);
        release.scan("2_t2_SPACE", Kind::Pir);
        release
    }

    /// No scans and tables without rows.
    pub fn empty() -> Self {
        let release = Self { dir: tempfile::tempdir().unwrap() };
        fs::create_dir(release.path("images")).unwrap();
        fs::create_dir(release.path("masks")).unwrap();
        release.table(&[]);
        let head = "Patient,IVD label,Modic,UP endplate,LOW endplate,Spondylolisthesis,Disc herniation,Disc narrowing,Disc bulging,Pfirrman grade";
        release.write(
            "radiological_gradings.csv",
            format!("{head}\r\n1,1,0,0,0,0,1,0,1,4\r\n1,2,1,0,0,0,0,0,0,2\r\n").as_bytes(),
        );
        release
    }

    /// No scans, and synthetic tables with a row for every scan of the release.
    pub fn tables() -> Self {
        let release = Self::empty();
        for table in ["overview.csv", "radiological_gradings.csv"] {
            release.write(table, &fs::read(fixture(table)).unwrap());
        }
        release
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub fn write(&self, name: &str, bytes: &[u8]) {
        fs::write(self.path(name), bytes).unwrap();
    }

    /// Writes overview.csv with these scans and sexes; every other cell is as in a plausible row.
    pub fn table(&self, rows: &[(&str, &str)]) {
        let columns: Vec<_> = FIELDS.iter().map(|field| field.column).collect();
        let mut text = format!("new_file_name,{}\r\n", columns.join(","));
        for (scan, sex) in rows {
            let cell = |column: &&str| match *column {
                "sex" => (*sex).to_owned(),
                "num_vertebrae" | "num_discs" => "2".to_owned(),
                "birth_date" => "59.0".to_owned(),
                "subset" => "training".to_owned(),
                "Manufacturer" => "SIEMENS".to_owned(),
                "PixelSpacing" => "\"[2.0, 2.5]\"".to_owned(),
                "WindowCenter" => "2000.0".to_owned(),
                "WindowWidth" => "1000.0".to_owned(),
                _ => String::new(),
            };
            let cells: Vec<_> = columns.iter().map(cell).collect();
            text.push_str(&format!("{scan},{}\r\n", cells.join(",")));
        }
        self.write("overview.csv", text.as_bytes());
    }

    pub fn scan(&self, scan: &str, kind: Kind) {
        self.volume("images", scan, &image(kind));
        self.volume("masks", scan, &mask(kind));
    }

    pub fn volume(&self, folder: &str, scan: &str, volume: &Volume) {
        self.write(&format!("{folder}/{scan}.mha"), &file_of(volume));
    }

    /// Imports into `data`; must be called outside any runtime.
    pub fn import(&self, data: &Path) -> Report {
        self.import_into(&Destination::folder(data)).unwrap()
    }

    /// The same into any place, and in parts.
    pub fn import_into(&self, destination: &Destination) -> Result<Report, ImportError> {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let source = Source::open(self.dir.path()).unwrap();
        let options = ImportOptions { jobs: 2, again: false, verify: false, prune: false, memory_bytes: 64 << 20 };
        ingest::run_into(&source, destination, options, runtime.handle(), &|_| ())
    }
}

/// A volume as a compressed MetaImage.
pub fn file_of(volume: &Volume) -> Vec<u8> {
    let mut file = Vec::new();
    metaimage::write(volume, Some(flate2::Compression::fast()), &mut file).unwrap();
    file
}
