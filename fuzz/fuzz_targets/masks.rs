//! Any bytes as a predicted mask: what is read fits the grid and is scored without a defect.

#![no_main]

use libfuzzer_sys::fuzz_target;
use sagittal::evaluation::{Decoding, EvaluationOptions, MaskFile, PredictionMap, Rule, Scoring};
use sagittal::volume::{Axis, Geometry, Grid};

/// As the first inputs have it: i, j, k are 2, 3, 4 voxels long.
const SHAPE: [usize; 3] = [4, 3, 2];
const MOST_MEMORY: u64 = 1 << 24;

fuzz_target!(|file: &[u8]| {
    let directions = [[0.0, 0.0, 1.0], [0.0, 1.0, 0.0], [1.0, 0.0, 0.0]];
    let axes = [0, 1, 2].map(|n| Axis { len: SHAPE[n], spacing_mm: 0.5, direction: directions[n] });
    let grid = Grid::new(Geometry { axes, origin_mm: [0.0; 3] });
    let file = file.to_vec().into();
    for (rule, map, resample) in [
        (Rule::Corrected, PredictionMap::Native, false),
        (Rule::Corrected, PredictionMap::Semantic, true),
        (Rule::Spider, PredictionMap::Native, false),
    ] {
        let options = EvaluationOptions { rule, map, layout: None, resample };
        let Ok(opened) = MaskFile::open(&file) else { return };
        let Ok(mut decoding) = Decoding::new(opened, grid, &options) else { continue };
        if decoding.memory() > MOST_MEMORY {
            continue;
        }
        let read = loop {
            match decoding.advance() {
                Ok(true) => break decoding.finish(),
                Ok(false) => {}
                Err(error) => break Err(error),
            }
        };
        let Ok(prediction) = read else { continue };
        let truth = (0..SHAPE.iter().product::<usize>()).map(|n| [0, 1, 201, 100][n / 2 % 4]).collect();
        let evaluation = Scoring::new(truth, prediction, grid, options).expect("both masks fill the grid").finish();
        assert!(evaluation.row().into_iter().flatten().all(f64::is_finite));
    }
});
