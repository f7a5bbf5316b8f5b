//! Randomness that depends on a seed and a place only, so that a volume is the same whichever thread makes it, in
//! whatever order.

/// 64 well-mixed bits from a number: the output function of SplitMix64 (Steele, Lea and Flood, OOPSLA 2014).
fn mixed(number: u64) -> u64 {
    let step = number.wrapping_mul(0x9e37_79b9_7f4a_7c15).wrapping_add(0x9e37_79b9_7f4a_7c15);
    let first = (step ^ (step >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let second = (first ^ (first >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    second ^ (second >> 31)
}

/// Two nearly normal numbers, mean 0 and deviation 1, for the `index`-th voxel.
pub(super) fn normal_pair(seed: u64, index: u64) -> [f32; 2] {
    let bytes = mixed(seed.wrapping_add(index)).to_le_bytes();
    // A uniform byte has mean 127.5 and variance (256² − 1) / 12; four of them are near enough to normal.
    let normal = |four: &[u8]| (four.iter().map(|&b| f32::from(b)).sum::<f32>() - 510.0) / 147.8;
    [normal(&bytes[..4]), normal(&bytes[4..])]
}

/// Smooth noise: random values in −1..1 on a lattice of unit cells, interpolated between its points.
#[derive(Debug, Clone, Copy)]
pub(super) struct SmoothNoise {
    /// Another seed, another pattern.
    pub(super) seed: u32,
}

impl SmoothNoise {
    /// The value at a point, −1 to 1: a coarse pattern and half as much of one that is twice as fine, turned so that no
    /// lattice lies along the volume's axes.
    pub(super) fn at(self, [x, y, z]: [f32; 3]) -> f32 {
        let turned = [0.8 * x + 0.36 * y - 0.48 * z, 0.8 * y + 0.6 * z, 0.6 * x - 0.48 * y + 0.64 * z];
        let [fine_x, fine_y, fine_z] = turned;
        let fine = [2.0 * fine_y + 0.37, 2.0 * fine_z + 0.11, 2.0 * fine_x + 0.73];
        (self.octave(turned) + 0.5 * self.octave(fine)) / 1.5
    }

    fn octave(self, point: [f32; 3]) -> f32 {
        // What `floor` gives for numbers that are not whole; it is a function call on the oldest processors.
        let cell = point.map(|n| (n as i32 - i32::from(n < 0.0)) as f32);
        let fade = |n: usize| {
            let f = point[n] - cell[n];
            f * f * (3.0 - 2.0 * f)
        };
        let weights = [fade(0), fade(1), fade(2)];
        let mut sum = 0.0;
        for corner in 0..8u8 {
            let ends = [0, 1, 2].map(|axis| f32::from(corner >> axis & 1));
            let weight: f32 = (0..3).map(|n| 1.0 - (weights[n] - ends[n]).abs()).product();
            sum += weight * self.lattice([0, 1, 2].map(|n| cell[n] + ends[n]));
        }
        sum
    }

    /// The value of one lattice point, -1 to 1. The multipliers are odd and otherwise of no meaning.
    fn lattice(self, [x, y, z]: [f32; 3]) -> f32 {
        let spread = |n: f32, by: u32| (n as i32).cast_unsigned().wrapping_mul(by);
        let key = self.seed ^ spread(x, 0x8da6_b343) ^ spread(y, 0xd816_3841) ^ spread(z, 0xcb1a_b31f);
        let first = (key ^ (key >> 15)).wrapping_mul(0x2c1b_3c6d);
        let second = (first ^ (first >> 12)).wrapping_mul(0x297a_2d39);
        ((second ^ (second >> 15)) >> 8) as f32 / 8_388_608.0 - 1.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn normal_numbers_have_mean_0_and_deviation_1() {
        let numbers: Vec<f64> = (0..50_000).flat_map(|n| normal_pair(3, n)).map(f64::from).collect();
        let mean = numbers.iter().sum::<f64>() / numbers.len() as f64;
        let variance = numbers.iter().map(|n| (n - mean).powi(2)).sum::<f64>() / numbers.len() as f64;
        assert!(mean.abs() < 0.02 && (variance - 1.0).abs() < 0.03, "{mean} {variance}");
    }

    #[test]
    fn smooth_noise_has_no_jumps_and_depends_on_the_seed() {
        let (one, other) = (SmoothNoise { seed: 1 }, SmoothNoise { seed: 2 });
        let line: Vec<[f32; 3]> = (-300..300).map(|n| [n as f32 / 50.0, 0.3, -1.7]).collect();
        let steps = line.windows(2).map(|pair| (one.at(pair[0]) - one.at(pair[1])).abs());
        assert!(steps.fold(0.0, f32::max) < 0.1);
        assert!(line.iter().all(|&p| one.at(p).abs() <= 1.0));
        assert!(line.iter().any(|&p| (one.at(p) - other.at(p)).abs() > 0.5));
    }
}
