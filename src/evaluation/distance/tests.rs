use super::*;

/// A mask of pseudorandom voxels, thinned out by `keep`.
fn noise(shape: [usize; 3], seed: u64, keep: u64) -> Vec<u8> {
    let mut state = seed;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        state >> 33
    };
    (0..shape.iter().product()).map(|_| u8::from(next() % keep == 0)).collect()
}

fn at(mask: &[u8], shape: [usize; 3], index: [i64; 3]) -> bool {
    let inside = index.iter().zip(shape).all(|(&n, len)| (0..len as i64).contains(&n));
    let [z, y, x] = index.map(|n| n as usize);
    inside && mask[(z * shape[1] + y) * shape[2] + x] == 1
}

/// Surface voxels by definition, looked up one by one.
fn surface(mask: &[u8], shape: [usize; 3], connectivity: Connectivity) -> Vec<[i64; 3]> {
    let steps = (-1..=1).flat_map(|z| (-1..=1).flat_map(move |y| (-1..=1).map(move |x| [z, y, x])));
    let steps: Vec<[i64; 3]> = steps
        .filter(|step| connectivity == Connectivity::Corners || step.iter().map(|n: &i64| n.abs()).sum::<i64>() == 1)
        .collect();
    let all = (0..shape[0] as i64)
        .flat_map(|z| (0..shape[1] as i64).flat_map(move |y| (0..shape[2] as i64).map(move |x| [z, y, x])));
    let is_surface = |index: &[i64; 3]| {
        at(mask, shape, *index)
            && steps.iter().any(|step| !at(mask, shape, std::array::from_fn(|n| index[n] + step[n])))
    };
    all.filter(is_surface).collect()
}

/// Every distance by comparing every pair of voxels.
fn by_definition(from: &[[i64; 3]], to: &[[i64; 3]], spacing: [f64; 3]) -> Vec<f64> {
    let distance =
        |a: &[i64; 3], b: &[i64; 3]| (0..3).map(|n| ((a[n] - b[n]) as f64 * spacing[n]).powi(2)).sum::<f64>().sqrt();
    sorted(from.iter().map(|a| to.iter().map(|b| distance(a, b)).fold(f64::INFINITY, f64::min)).collect())
}

fn sorted(mut values: Vec<f64>) -> Vec<f64> {
    values.sort_by(f64::total_cmp);
    values
}

fn whole(mask: &[u8], shape: [usize; 3]) -> Extent {
    Extent { voxels: mask.len() as u64, first: [0; 3], last: shape.map(|len| len - 1) }
}

fn assert_by_definition(masks: [&[u8]; 2], shape: [usize; 3], spacing: [f64; 3]) {
    for connectivity in [Connectivity::Faces, Connectivity::Corners] {
        let structures = masks.map(|labels| Labelled { labels, label: 1 });
        let found = surface_distances(structures, shape, &whole(masks[0], shape), spacing, connectivity);
        let [first, second] = masks.map(|mask| surface(mask, shape, connectivity));
        for (found, expected) in [
            (found.from_first, by_definition(&first, &second, spacing)),
            (found.from_second, by_definition(&second, &first, spacing)),
        ] {
            let found = sorted(found);
            assert_eq!(found.len(), expected.len());
            assert!(found.iter().zip(&expected).all(|(a, b)| (a - b).abs() < 1e-9), "{found:?} {expected:?}");
        }
    }
}

#[test]
fn distances_are_those_of_the_definition() {
    let spacings = [[1.0, 1.0, 1.0], [4.4, 0.5, 0.625], [0.3, 7.0, 2.0]];
    let shapes = [[3, 9, 70], [7, 8, 6], [1, 12, 130], [12, 1, 1], [5, 30, 1]];
    for (n, shape) in shapes.into_iter().enumerate() {
        for (keep_first, keep_second) in [(2, 3), (9, 1), (1, 1), (17, 40)] {
            let mut masks = [noise(shape, n as u64, keep_first), noise(shape, 99 + n as u64, keep_second)];
            // Neither is empty.
            masks[0][0] = 1;
            masks[1][shape.iter().product::<usize>() - 1] = 1;
            for spacing in spacings {
                assert_by_definition([&masks[0], &masks[1]], shape, spacing);
            }
        }
    }
}

#[test]
fn solid_bodies_have_only_their_shell_as_surface() {
    let shape = [6, 7, 80];
    let cube = |from: [usize; 3], to: [usize; 3]| -> Vec<u8> {
        let inside = |n: usize| {
            let index = [n / (shape[1] * shape[2]), n / shape[2] % shape[1], n % shape[2]];
            (0..3).all(|axis| (from[axis]..to[axis]).contains(&index[axis]))
        };
        (0..shape.iter().product()).map(|n| u8::from(inside(n))).collect()
    };
    // The second touches the border of the volume.
    assert_by_definition([&cube([1, 1, 5], [5, 6, 75]), &cube([0, 2, 0], [6, 7, 80])], shape, [3.0, 0.5, 0.5]);
}
