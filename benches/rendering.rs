//! What an image costs on one core: `cargo bench`. Compare within one run; machines differ and drift.

#![expect(clippy::expect_used, reason = "a benchmark that cannot start has no result")]

use divan::{Bencher, black_box};
use sagittal::formats::png::{PixelFormat, PngMeta, encode};
use sagittal::imaging::{
    AxisSampling, Filter, ImageKind, ImageQuery, Plane, RenderInput, RenderLimits, Sampling, ScanFacts, ValueScale,
    resample,
};
use sagittal::params::decode;
use sagittal::volume::{ElementType, Orientation, Slice};

const ROWS: usize = 640;
const COLUMNS: usize = 512;

fn main() {
    divan::main();
}

/// A smooth structure with noise, as compressible as a real slice.
fn voxels() -> Vec<u8> {
    let mut state = 1u32;
    let mut noise = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        f64::from(state >> 24) / 8.0
    };
    let value = |n: usize, noise: f64| {
        let (row, column) = ((n / COLUMNS) as f64 / 60.0, (n % COLUMNS) as f64 / 45.0);
        (400.0 * (row.sin() * column.cos() + 1.0) + noise) as i16
    };
    (0..ROWS * COLUMNS).flat_map(|n| value(n, noise()).to_le_bytes()).collect()
}

fn slice(bytes: &[u8]) -> Slice<'_> {
    Slice { element: ElementType::Int16, rows: ROWS, columns: COLUMNS, bytes }
}

#[divan::bench(args = [256, 512, 1024], consts = [0, 1, 2, 3, 4])]
fn resampling<const FILTER: usize>(bencher: Bencher, size: usize) {
    let bytes = voxels();
    let sampling = Sampling {
        rows: AxisSampling::whole(ROWS, size),
        columns: AxisSampling::whole(COLUMNS, size),
        filter: Filter::ALL[FILTER],
    };
    let scale = ValueScale { factor: 1.0, least: f64::NEG_INFINITY, range: (0.0, 4096.0) };
    bencher.bench(|| resample(slice(&bytes), scale, &sampling, |row: &[f64]| _ = black_box(row[0])));
}

fn facts() -> ScanFacts {
    ScanFacts {
        element: ElementType::Int16,
        shape: [20, ROWS, COLUMNS],
        spacing_mm: [4.0, 0.5, 0.6],
        min: 0.0,
        max: 832.0,
        auto_window: (10.0, 700.0),
        dicom_window: None,
        remapped: false,
        orientation: Orientation::IDENTITY,
    }
}

#[divan::bench(args = ["size=256", "size=512", "size=512&preset=hf", "size=512&bits=8", "size=native", "size=1024"])]
fn image_png(bencher: Bencher, query: &str) {
    let (bytes, facts) = (voxels(), facts());
    let query = ImageQuery::parse(ImageKind::ImagePng, &decode(query)).expect("a valid query");
    let image_request = query.resolve(&facts, RenderLimits { max_pixels: 1 << 24 }).expect("a possible request");
    let plane = Plane { image: Some(slice(&bytes)), mask: None };
    let input = RenderInput { planes: &[plane], facts: &facts, quantiles: &[] };
    bencher.bench(|| image_request.render(&input));
}

#[divan::bench]
fn png_of_512_16_bit(bencher: Bencher) {
    let bytes = voxels();
    let pixels: Vec<u8> = bytes[..512 * 512 * 2].chunks(2).flat_map(|v| [v[1], v[0]]).collect();
    bencher.bench(|| encode([512, 512], PixelFormat::Gray16BigEndian, &pixels, &PngMeta::default()));
}
