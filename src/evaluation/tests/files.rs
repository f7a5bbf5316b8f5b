//! Formats, axes and grids.

use super::*;

#[test]
fn every_format_is_read_and_the_true_mask_is_perfect() {
    let volume = as_volume(&truth(), to_file());
    let files = [
        ("raw mha", mha(&volume, None)),
        ("mha", mha(&volume, Some(Compression::fast()))),
        ("nii", nii(&volume)),
        ("nii.gz", gz(&nii(&volume))),
        ("npy", canonical_npy(&truth())),
    ];
    for (what, file) in files {
        assert_perfect(&corrected(file), what);
    }
    let options = with_layout(MaskLayout::File);
    assert_perfect(&evaluate(&truth(), npy_of(&volume), options).unwrap(), "npy in the file's order");
    // Slices, k, j: as `layout=stored` has it.
    let stored = Orientation { source_axis: [2, 0, 1], flipped: [false; 3] }.apply(volume);
    assert_perfect(&evaluate(&truth(), npy_of(&stored), with_layout(MaskLayout::Stored)).unwrap(), "stored npy");
}

#[test]
fn axes_are_aligned_by_affine_in_any_order() {
    for turn in Orientation::all() {
        let volume = as_volume(&truth(), turn);
        assert_perfect(&corrected(mha(&volume, None)), &format!("{turn:?}"));
        assert_perfect(&corrected(nii(&volume)), &format!("{turn:?}"));
    }
}

#[test]
fn every_integer_type_and_whole_floats_are_read_in_either_byte_order() {
    let values = |write: fn(u8) -> Vec<u8>| truth().into_iter().flat_map(write).collect::<Vec<u8>>();
    let files: [(&str, Vec<u8>); 9] = [
        ("|b1", values(|v| vec![v])),
        ("<u2", values(|v| u16::from(v).to_le_bytes().to_vec())),
        (">u2", values(|v| u16::from(v).to_be_bytes().to_vec())),
        ("<i4", values(|v| i32::from(v).to_le_bytes().to_vec())),
        (">i8", values(|v| i64::from(v).to_be_bytes().to_vec())),
        ("<u8", values(|v| u64::from(v).to_le_bytes().to_vec())),
        ("<f4", values(|v| f32::from(v).to_le_bytes().to_vec())),
        (">f4", values(|v| f32::from(v).to_be_bytes().to_vec())),
        ("<f8", values(|v| f64::from(v).to_le_bytes().to_vec())),
    ];
    for (descr, bytes) in files {
        let text = format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': (6, 40, 20), }}\n");
        let file = [b"\x93NUMPY\x01\x00", &(text.len() as u16).to_le_bytes()[..], text.as_bytes(), &bytes].concat();
        assert_perfect(&corrected(file), descr);
    }
}

#[test]
fn fortran_order_is_the_same_array() {
    let volume = as_volume(&truth(), Orientation { source_axis: [2, 1, 0], flipped: [false; 3] });
    let text = "{'descr': '|u1', 'fortran_order': True, 'shape': (6, 40, 20), }\n";
    let header = [b"\x93NUMPY\x01\x00", &(text.len() as u16).to_le_bytes()[..], text.as_bytes()].concat();
    assert_perfect(&corrected([header, volume.bytes].concat()), "Fortran order");
}

#[test]
fn scaled_nifti_is_read_as_nibabel_reads_it() {
    let mut volume = as_volume(&truth(), to_file());
    volume.bytes.iter_mut().for_each(|value| *value = value.wrapping_add(10));
    let mut file = nii(&volume);
    file[116..120].copy_from_slice(&(-10f32).to_le_bytes());
    // 0 as background is not 0 in the file.
    assert_perfect(&corrected(file.clone()), "with an intercept");
    // A slope of 0 or NaN means no scaling.
    let plain = as_volume(&truth(), to_file());
    for slope in [0.0, f32::NAN] {
        let mut file = nii(&plain);
        file[112..116].copy_from_slice(&slope.to_le_bytes());
        assert_perfect(&corrected(file), "without a slope");
    }
}

#[test]
fn another_grid_is_refused_with_what_differs() {
    let volume = as_volume(&truth(), to_file());
    let with = |change: fn(&mut Geometry)| {
        let mut changed = volume.clone();
        change(&mut changed.geometry);
        match refusal(mha(&changed, None)) {
            EvaluationError::OtherGrid(message) => message,
            other => panic!("{other:?}"),
        }
    };
    let moved = with(|geometry| geometry.origin_mm[1] += 3.0);
    assert!(moved.contains("first voxel lies 3.000 mm") && moved.contains("resample=nearest"), "{moved}");
    let stretched = with(|geometry| geometry.axes[0].spacing_mm = 0.55);
    assert!(stretched.contains("4.0000 × 0.5500 × 0.6250 mm apart and the scan's 4.0000 × 0.5000"), "{stretched}");
    let turned = with(|geometry| {
        let (sin, cos) = 0.1f64.sin_cos();
        geometry.axes[0].direction = [0.0, -sin, cos];
        geometry.axes[1].direction = [0.0, cos, sin];
    });
    assert!(turned.contains("turned by up to 4.13°"), "{turned}");
    let mut cut = volume.clone();
    cut.geometry.axes[0].len -= 1;
    cut.bytes.truncate(cut.geometry.voxels());
    let cut = refusal(mha(&cut, None)).to_string();
    assert!(cut.contains("[6, 39, 20] slices, rows, columns and the scan [6, 40, 20]"), "{cut}");
    // Rounding is the same grid.
    let mut rounded = volume.clone();
    rounded.geometry.origin_mm[0] += 1e-3;
    assert_perfect(&corrected(mha(&rounded, None)), "rounded");
}

#[test]
fn an_array_that_fits_no_layout_is_refused_with_the_one_that_does() {
    let file = npy_of(&as_volume(&truth(), to_file()));
    let message = refusal(file).to_string();
    assert!(message.contains("[6, 40, 20] for layout=canonical") && message.contains("fits layout=file"), "{message}");
    let message = refusal([npy::header(ElementType::Uint8, &[2, 2, 2]), vec![0; 8]].concat()).to_string();
    assert!(message.contains("transpose or resample"), "{message}");
    let flat = refusal([npy::header(ElementType::Uint8, &[8]), vec![0; 8]].concat()).to_string();
    assert!(flat.contains("three axes"), "{flat}");
}

/// A grid with half the resolution in the plane, shifted so that nearest voxels are known.
#[test]
fn resampling_takes_the_nearest_voxel_and_nothing_outside() {
    let mut geometry = grid().canonical;
    for axis in &mut geometry.axes[1..] {
        axis.len /= 2;
        axis.spacing_mm *= 2.0;
    }
    // Between the first two voxels of each axis.
    geometry.origin_mm = grid().canonical.world([0.0, 0.5, 0.5]);
    let coarse: Vec<u8> = (0..geometry.voxels()).map(|n| u8::from(n % 3 == 0) * (n % 7) as u8).collect();
    let fine: Vec<u8> = (0..grid().canonical.voxels())
        .map(|n| {
            let [slice, row, column] = [n / 800, n / 20 % 40, n % 20];
            coarse[(slice * 20 + row / 2) * 10 + column / 2]
        })
        .collect();
    let volume = Volume { element: ElementType::Uint8, geometry, bytes: coarse };
    let turned = Orientation { source_axis: [1, 2, 0], flipped: [true, false, true] }.apply(volume);
    let options = EvaluationOptions { resample: true, ..EvaluationOptions::default() };
    let found = evaluate(&fine, mha(&turned, None), options).unwrap();
    assert_eq!((found.overall.unwrap().dice, found.alignment.by), (1.0, "nearest_voxel"));

    let mut away = as_volume(&truth(), to_file());
    away.geometry.origin_mm[0] += 1e6;
    let found = evaluate(&truth(), mha(&away, None), options).unwrap();
    assert_eq!(found.overall.unwrap().found, 0);
    assert!(found.extra.is_empty());
}
