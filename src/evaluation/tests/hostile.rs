//! Files that are no masks, are damaged, or were made to do damage.

use proptest::prelude::*;

use super::*;

#[test]
fn parameters_that_contradict_the_file_are_refused() {
    let (array, file) = (canonical_npy(&truth()), mha(&as_volume(&truth(), to_file()), None));
    let spider = EvaluationOptions { rule: Rule::Spider, ..EvaluationOptions::default() };
    let resample = EvaluationOptions { resample: true, ..EvaluationOptions::default() };
    for (file, options, expected) in [
        (&array, resample, "resample"),
        (&file, with_layout(MaskLayout::Stored), "layout"),
        (&file, EvaluationOptions { map: PredictionMap::Semantic, ..spider }, "map"),
        (&file, EvaluationOptions { resample: true, ..spider }, "resample"),
    ] {
        match evaluate(&truth(), file.clone(), options) {
            Err(EvaluationError::Conflict { parameter, .. }) => assert_eq!(parameter, expected),
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn what_is_no_mask_is_refused_in_words() {
    let array = |descr: &str, bytes: Vec<u8>| {
        let text = format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': (6, 40, 20), }}\n");
        [b"\x93NUMPY\x01\x00", &(text.len() as u16).to_le_bytes()[..], text.as_bytes(), &bytes].concat()
    };
    let voxels = truth().len();
    for (file, expected) in [
        (b"--boundary\r\nContent-Disposition".to_vec(), "the format is not known"),
        (b"{\"a\": 1}".to_vec(), "the format is not known"),
        (Vec::new(), "the format is not known"),
        (array("<f4", 0.5f32.to_le_bytes().repeat(voxels)), "probability map"),
        (array("<f4", f32::NAN.to_le_bytes().repeat(voxels)), "whole numbers"),
        (array("<i2", (-1i16).to_le_bytes().repeat(voxels)), "holds -1"),
        (array("<u8", u64::MAX.to_le_bytes().repeat(voxels)), "whole numbers from 0 to 65535"),
        (array("<u2", (0..voxels as u16).flat_map(u16::to_le_bytes).collect()), "more than 255 different labels"),
        (array("|u1", vec![0; voxels - 1]), "truncated or damaged"),
        (array("|u1", vec![0; voxels + 1]), "truncated or damaged"),
        (gz(b"hello"), "only .nii.gz"),
        (gz(&nii(&as_volume(&truth(), to_file()))[..3000]), "fewer than the header says"),
        (gz(&[&nii(&as_volume(&truth(), to_file()))[..], b"more"].concat()), "more than the header says"),
        (nii(&as_volume(&truth(), to_file()))[..3000].to_vec(), "truncated or damaged"),
    ] {
        let message = refusal(file).to_string();
        assert!(message.contains(expected), "{message}");
    }
}

/// What only a header claims is never allocated.
#[test]
fn headers_that_claim_much_are_refused_before_anything_is_read() {
    let huge = b"{'descr': '<f8', 'fortran_order': False, 'shape': (4294967296, 4294967296, 4294967296), }\n";
    let file = [b"\x93NUMPY\x01\x00", &(huge.len() as u16).to_le_bytes()[..], huge].concat();
    assert!(refusal(file).to_string().contains("too large"));
    let mut volume = as_volume(&truth(), to_file());
    volume.geometry.axes.iter_mut().for_each(|axis| axis.len = 30_000);
    let bomb = gz(&[nifti::header(ElementType::Float64, &volume.geometry).unwrap(), vec![0; 100_000]].concat());
    assert!(matches!(refusal(bomb.clone()), EvaluationError::OtherGrid(_)));
    // With resampling the grid may differ; what it takes is known before it is read.
    let options = EvaluationOptions { resample: true, ..EvaluationOptions::default() };
    let decoding = Decoding::new(MaskFile::open(&bomb.into()).unwrap(), grid(), &options).unwrap();
    assert!(decoding.memory() >= 27_000_000_000_000);
}

proptest! {
    #[test]
    fn no_bytes_are_a_panic(start in 0..5usize, cut in 0..2000usize, changes in prop::collection::vec((0..600usize, any::<u8>()), 0..6)) {
        let volume = as_volume(&truth(), to_file());
        let files = [mha(&volume, None), mha(&volume, Some(Compression::fast())), nii(&volume), gz(&nii(&volume)), canonical_npy(&truth())];
        let mut file = files[start].clone();
        if cut < 500 {
            file.truncate(file.len() * cut / 500);
        }
        for (place, value) in changes {
            if let Some(byte) = file.get_mut(place) {
                *byte = value;
            }
        }
        let options = EvaluationOptions::default();
        if let Ok(opened) = MaskFile::open(&file.into())
            && let Ok(mut decoding) = Decoding::new(opened, grid(), &options)
            && decoding.memory() < 1 << 24
        {
            while let Ok(false) = decoding.advance() {}
        }
    }
}
