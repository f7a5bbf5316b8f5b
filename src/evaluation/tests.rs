mod files;
mod hostile;

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;

use super::*;
use crate::formats::{metaimage, nifti, npy};
use crate::spider::LabelClass;
use crate::volume::{Axis, ElementType, Geometry, Grid, Orientation, Volume};

/// Canonical (slices, rows, columns).
const SHAPE: [usize; 3] = [6, 40, 20];

/// A file of the LPS kind, a little oblique: k superior, j posterior, i left, so that slices are on the last axis.
fn file_geometry() -> Geometry {
    let axis = |len, spacing_mm, direction| Axis { len, spacing_mm, direction };
    let (sin, cos) = (0.028, 0.999_607_923_139_836_9);
    Geometry {
        axes: [
            axis(SHAPE[1], 0.5, [0.0, -sin, cos]),
            axis(SHAPE[2], 0.625, [0.0, cos, sin]),
            axis(SHAPE[0], 4.0, [1.0, 0.0, 0.0]),
        ],
        origin_mm: [-12.0, 30.0, -70.0],
    }
}

fn grid() -> Grid {
    Grid::new(file_geometry())
}

/// Labels of a box: (slices, rows, columns), ends excluded.
type Box3 = ([usize; 2], [usize; 2], [usize; 2]);

fn boxes(boxes: &[(u8, Box3)]) -> Vec<u8> {
    let mut labels = vec![0; SHAPE.iter().product()];
    for &(label, (slices, rows, columns)) in boxes {
        for slice in slices[0]..slices[1] {
            for row in rows[0]..rows[1] {
                for column in columns[0]..columns[1] {
                    labels[(slice * SHAPE[1] + row) * SHAPE[2] + column] = label;
                }
            }
        }
    }
    labels
}

/// Two vertebrae, a disc between them and a canal behind them; nothing is symmetrical.
fn truth() -> Vec<u8> {
    boxes(&[
        (2, ([1, 5], [3, 15], [2, 10])),
        (202, ([1, 5], [16, 19], [3, 10])),
        (1, ([1, 4], [20, 35], [3, 12])),
        (100, ([2, 4], [0, 40], [14, 17])),
    ])
}

/// A canonical mask as a file with these axes.
fn as_volume(canonical: &[u8], turn: Orientation) -> Volume {
    let volume = Volume { element: ElementType::Uint8, geometry: grid().canonical, bytes: canonical.to_vec() };
    turn.apply(volume)
}

fn to_file() -> Orientation {
    grid().to_canonical.inverse()
}

fn mha(volume: &Volume, compression: Option<Compression>) -> Vec<u8> {
    let mut file = Vec::new();
    metaimage::write(volume, compression, &mut file).unwrap();
    file
}

fn nii(volume: &Volume) -> Vec<u8> {
    [nifti::header(volume.element, &volume.geometry).unwrap(), volume.bytes.clone()].concat()
}

fn gz(file: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    std::io::Write::write_all(&mut encoder, file).unwrap();
    encoder.finish().unwrap()
}

fn npy_of(volume: &Volume) -> Vec<u8> {
    [npy::header(volume.element, &volume.geometry.shape()), volume.bytes.clone()].concat()
}

fn canonical_npy(labels: &[u8]) -> Vec<u8> {
    [npy::header(ElementType::Uint8, &SHAPE), labels.to_vec()].concat()
}

fn evaluate(truth: &[u8], file: Vec<u8>, options: EvaluationOptions) -> Result<Evaluation, EvaluationError> {
    let mut decoding = Decoding::new(MaskFile::open(&Bytes::from(file))?, grid(), &options)?;
    while !decoding.advance()? {}
    Ok(Scoring::new(truth.to_vec(), decoding.finish()?, grid(), options)?.finish())
}

fn corrected(file: Vec<u8>) -> Evaluation {
    evaluate(&truth(), file, EvaluationOptions::default()).unwrap()
}

fn refusal(file: Vec<u8>) -> EvaluationError {
    evaluate(&truth(), file, EvaluationOptions::default()).unwrap_err()
}

fn assert_perfect(evaluation: &Evaluation, what: &str) {
    let overall = evaluation.overall.unwrap();
    assert_eq!((overall.structures, overall.found), (4, 4), "{what}");
    assert_eq!((overall.dice, overall.iou), (1.0, 1.0), "{what}");
    assert_eq!((overall.assd_mm, overall.hd95_mm), (Some(0.0), Some(0.0)), "{what}");
    assert!(evaluation.missed.is_empty() && evaluation.extra.is_empty() && evaluation.hints.is_empty(), "{what}");
}

fn with_layout(layout: MaskLayout) -> EvaluationOptions {
    EvaluationOptions { layout: Some(layout), ..EvaluationOptions::default() }
}

#[test]
fn structures_are_matched_one_to_one_by_greatest_overlap() {
    // One value over both vertebrae: it belongs to the larger one, and the other is missed.
    let merged = boxes(&[
        (7, ([1, 5], [3, 15], [2, 10])),
        (7, ([1, 4], [20, 35], [3, 12])),
        (9, ([1, 5], [16, 19], [3, 10])),
        (40, ([2, 4], [0, 40], [14, 17])),
        (41, ([0, 1], [0, 5], [0, 2])),
    ]);
    let found = corrected(canonical_npy(&merged));
    let partners: Vec<_> = found.structures.iter().map(|s| (s.label, s.predicted_label)).collect();
    assert_eq!(partners, [(1, Some(7)), (2, None), (100, Some(40)), (202, Some(9))]);
    assert_eq!(found.missed, [2]);
    assert_eq!(found.extra.iter().map(|extra| extra.predicted_label).collect::<Vec<_>>(), [41]);
    // 10 voxels of 4 × 0.5 × 0.625 mm.
    assert!((found.extra[0].volume_mm3 - 12.5).abs() < 1e-9);
    let (size_1, size_2) = (3.0 * 15.0 * 9.0, 4.0 * 12.0 * 8.0);
    let dice = 2.0 * size_1 / (size_1 + size_1 + size_2);
    assert!((found.structures[0].dice - dice).abs() < 1e-12);
    assert!((found.structures[0].iou - size_1 / (size_1 + size_2)).abs() < 1e-12);
    // The missed one counts as 0.
    let overall = found.overall.unwrap();
    assert!((overall.dice - (dice + 2.0) / 4.0).abs() < 1e-12);
    assert_eq!((overall.found, overall.found_share), (3, 0.75));
    let vertebrae = found.classes.iter().find(|class| class.class == LabelClass::Vertebra).unwrap().scores;
    assert!((vertebrae.dice - dice / 2.0).abs() < 1e-12);
    // Distances are those of the structure that was found.
    assert_eq!(vertebrae.assd_mm, found.structures[0].assd_mm);
}

#[test]
fn a_sliver_of_overlap_is_no_match() {
    let sliver = boxes(&[(5, ([1, 5], [14, 24], [0, 20]))]);
    let found = corrected(canonical_npy(&sliver));
    assert!(found.structures.iter().all(|s| s.predicted_label != Some(5) || s.dice >= 0.1));
    let dice_of_2 = 2.0 * 32.0 / (384.0 + 800.0);
    assert!(dice_of_2 < 0.1);
    assert!(found.missed.contains(&2));
}

#[test]
fn a_shift_has_the_distances_of_its_voxels() {
    // A plate of one voxel, moved by two rows of 0.5 mm.
    let truth = boxes(&[(201, ([1, 5], [10, 11], [2, 18]))]);
    let moved = boxes(&[(201, ([1, 5], [12, 13], [2, 18])), (3, ([0, 1], [0, 1], [0, 1]))]);
    let found = evaluate(&truth, canonical_npy(&moved), EvaluationOptions::default()).unwrap();
    // Nothing overlaps.
    assert_eq!(found.overall.unwrap().found, 0);
    let thick = boxes(&[(201, ([1, 5], [10, 14], [2, 18]))]);
    let moved = boxes(&[(8, ([1, 5], [12, 16], [2, 18]))]);
    let found = evaluate(&thick, canonical_npy(&moved), EvaluationOptions::default()).unwrap();
    let structure = &found.structures[0];
    assert_eq!(structure.dice, 0.5);
    assert!(structure.hd95_mm.unwrap() <= 1.0 && structure.assd_mm.unwrap() > 0.2);
}

#[test]
fn degenerate_masks_have_scores() {
    let empty = corrected(canonical_npy(&vec![0; truth().len()]));
    let overall = empty.overall.unwrap();
    assert_eq!((overall.found, overall.dice, overall.assd_mm), (0, 0.0, None));
    assert_eq!(empty.missed, [1, 2, 100, 202]);
    assert!(empty.hints.is_empty());

    let nothing = evaluate(&vec![0; truth().len()], canonical_npy(&truth()), EvaluationOptions::default()).unwrap();
    assert!(nothing.overall.is_none() && nothing.classes.is_empty());
    assert_eq!(nothing.extra.len(), 4);

    let voxel = boxes(&[(4, ([0, 1], [0, 1], [0, 1]))]);
    let one = evaluate(&voxel, canonical_npy(&voxel), EvaluationOptions::default()).unwrap();
    assert_eq!((one.structures[0].dice, one.structures[0].hd95_mm), (1.0, Some(0.0)));

    let full = boxes(&[(4, ([0, 6], [0, 40], [0, 20]))]);
    let all = evaluate(&full, canonical_npy(&full), EvaluationOptions::default()).unwrap();
    assert_eq!((all.structures[0].dice, all.structures[0].assd_mm), (1.0, Some(0.0)));
}

#[test]
fn the_challenges_rule_scores_degenerate_masks_as_its_script_does() {
    let options = EvaluationOptions { rule: Rule::Spider, ..EvaluationOptions::default() };
    let empty = evaluate(&truth(), canonical_npy(&vec![0; truth().len()]), options).unwrap().spider.unwrap();
    // All missed: no Dice to average, a distance that is not a number, but an overall Dice of 0.
    assert_eq!((empty.dice_score_vertebrae, empty.overal_dice_score, empty.overal_asd), (None, Some(0.0), None));
    assert_eq!((empty.detection_rate_discs, empty.dice_score_spinal_canal), (Some(0.0), Some(0.0)));
    let no_canal = boxes(&[(1, ([1, 4], [20, 35], [3, 12]))]);
    let scores = evaluate(&no_canal, canonical_npy(&no_canal), options).unwrap().spider.unwrap();
    assert_eq!((scores.dice_score_spinal_canal, scores.asd_spinal_canal), (Some(999.0), Some(999.0)));
    assert_eq!((scores.dice_score_vertebrae, scores.detection_rate_discs), (Some(1.0), None));
}

/// The spacings of i, j, k are applied to the axes k, j, i.
#[test]
fn the_challenges_rule_exchanges_the_spacings() {
    // Canonical slices are the file's i (4 mm), rows its k (0.5 mm), columns its j (0.625 mm).
    assert_eq!(official::spacing_mm(&grid()), [0.5, 4.0, 0.625]);
}

#[test]
fn the_challenges_rule_ignores_affines_and_says_so() {
    let options = EvaluationOptions { rule: Rule::Spider, ..EvaluationOptions::default() };
    let turn = Orientation { source_axis: [0, 1, 2], flipped: [true, false, false] };
    let volume = turn.apply(as_volume(&truth(), to_file()));
    let found = evaluate(&truth(), mha(&volume, None), options).unwrap();
    assert!(found.spider.unwrap().overal_dice_score.unwrap() < 0.9);
    assert!(found.hints[0].contains("ignores affines"), "{:?}", found.hints);
    let other = Orientation { source_axis: [1, 0, 2], flipped: [false; 3] }.apply(volume);
    let refused = evaluate(&truth(), mha(&other, None), options).unwrap_err().to_string();
    assert!(refused.contains("rule=corrected aligns by affine"), "{refused}");
}

#[test]
fn orientation_errors_are_distinguished_from_bad_models() {
    let turned = as_volume(&truth(), Orientation { source_axis: [0, 1, 2], flipped: [false, true, true] });
    let found = corrected(canonical_npy(&turned.bytes));
    assert_eq!(found.hints.len(), 1, "{:?}", found.hints);
    assert!(
        found.hints[0].contains("orientation error") && found.hints[0].contains("rows and columns in reverse order")
    );
    // Rubbish has no better orientation.
    let rubbish = boxes(&[(9, ([0, 6], [0, 2], [0, 20]))]);
    assert!(corrected(canonical_npy(&rubbish)).hints.is_empty());
}

#[test]
fn a_wrong_layout_is_named() {
    // A scan whose file has the canonical axes, flipped: both layouts have one shape.
    let mut geometry = grid().canonical;
    geometry = Orientation { source_axis: [0, 1, 2], flipped: [false, true, true] }.apply_to_geometry(&geometry);
    let grid = Grid::new(geometry);
    let file = npy_of(&as_volume(&truth(), Orientation { source_axis: [0, 1, 2], flipped: [false, true, true] }));
    let options = EvaluationOptions::default();
    let mut decoding = Decoding::new(MaskFile::open(&file.into()).unwrap(), grid, &options).unwrap();
    while !decoding.advance().unwrap() {}
    let found = Scoring::new(truth(), decoding.finish().unwrap(), grid, options).unwrap().finish();
    assert!(found.overall.unwrap().dice < 0.2);
    assert!(found.hints[0].contains("with layout=stored the mean Dice would be about 1.00"), "{:?}", found.hints);
}

#[test]
fn semantic_masks_are_scored_by_class_in_either_order() {
    let classes = |[vertebra, canal, disc]: [u8; 3]| -> Vec<u8> {
        let class = |label| match label {
            1 | 2 => vertebra,
            100 => canal,
            202 => disc,
            _ => 0,
        };
        truth().into_iter().map(class).collect()
    };
    let with = |map, values| {
        let options = EvaluationOptions { map, ..EvaluationOptions::default() };
        evaluate(&truth(), canonical_npy(&classes(values)), options)
    };
    for (map, values, labels) in [
        (PredictionMap::Semantic, [1, 2, 3], [1, 2, 3]),
        (PredictionMap::SemanticVertebraDiscCanal, [1, 3, 2], [1, 3, 2]),
    ] {
        let found = with(map, values).unwrap();
        assert_eq!(found.structures.iter().map(|s| s.label).collect::<Vec<_>>(), labels);
        assert_eq!(found.overall.unwrap().dice, 1.0);
        assert!(found.hints.is_empty());
    }
    let exchanged = with(PredictionMap::Semantic, [1, 3, 2]).unwrap();
    assert!(exchanged.hints[0].starts_with("map=semantic_vdc fits better"), "{:?}", exchanged.hints);
    let native = with(PredictionMap::Native, [1, 2, 3]).unwrap();
    assert!(native.hints[0].starts_with("map=semantic"), "{:?}", native.hints);
    let instances = EvaluationOptions { map: PredictionMap::Semantic, ..EvaluationOptions::default() };
    let refused = evaluate(&truth(), canonical_npy(&truth()), instances).unwrap_err();
    assert!(matches!(refused, EvaluationError::Conflict { parameter: "map", .. }), "{refused:?}");
}
