//! How the values of a volume are distributed: what windows are made of.

use super::{ElementType, Volume};

/// Number of quantiles kept: 0, 0.1, …, 100 %.
pub const QUANTILES: usize = 1001;

/// Number of equal bins in a histogram.
const BINS: usize = 256;

/// The distribution of a volume's values, in stored units.
#[derive(Debug, Clone, PartialEq)]
pub struct Intensity {
    /// Smallest value.
    pub min: f64,
    /// Largest value.
    pub max: f64,
    /// Arithmetic mean.
    pub mean: f64,
    /// The 0.5 % and 99.5 % quantiles of the foreground: of the values above the middle between minimum and mean, which
    /// leaves out the air around the patient. Both equal `min` in a constant volume.
    pub foreground_window: (f64, f64),
    /// The quantiles 0, 0.1, …, 100 %, interpolated linearly as `numpy.percentile` does. [`QUANTILES`] entries.
    pub quantiles: Vec<f64>,
    /// Counts in 256 equal bins from `min` to `max`, the last one closed, as `numpy.histogram` counts. A constant volume
    /// has all of them in the first bin.
    pub histogram: Vec<u64>,
}

/// The largest absolute value that is taken: differences and sums of such values are still numbers.
const LARGEST: f64 = 1e290;

/// The values of this volume cannot be summarised.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IntensityError {
    /// 64-bit integers do not fit the f64 that images are computed in.
    #[error("voxels of type {0} are not supported; convert them to a type of at most 32 bits")]
    Unsupported(ElementType),
    /// NaN or infinity among the values.
    #[error("{0} voxels are NaN or infinite; replace them by numbers")]
    NotFinite(usize),
    /// Numbers whose differences or sums may not be numbers any more.
    #[error("{0} voxels lie beyond ±1e290; rescale the volume")]
    TooLarge(usize),
}

impl Intensity {
    /// Summarises a volume.
    ///
    /// # Errors
    /// [`IntensityError`] for 64-bit integers and for values that are not finite.
    pub fn of(volume: &Volume) -> Result<Self, IntensityError> {
        Ok(Self::of_counts(&counts(volume)?))
    }

    fn of_counts(counts: &Counts) -> Self {
        let (min, max) = (counts.value(0), counts.value(counts.total - 1));
        let sum: f64 = counts.distinct.iter().map(|&(value, count)| value * count as f64).sum();
        let mean = sum / counts.total as f64;
        let below = counts.below((min + mean) / 2.0);
        let foreground = |q: f64| counts.quantile(below, q);
        let quantiles = (0..QUANTILES).map(|p| counts.quantile(0, p as f64 / 1000.0)).collect();
        let foreground_window = (foreground(0.005), foreground(0.995));
        Self { min, max, mean, foreground_window, quantiles, histogram: counts.histogram(min, max) }
    }
}

/// Distinct values in ascending order with how often each occurs.
struct Counts {
    distinct: Vec<(f64, u64)>,
    /// How many values come before each distinct one.
    before: Vec<u64>,
    total: u64,
}

impl Counts {
    fn new(distinct: Vec<(f64, u64)>) -> Self {
        let mut total = 0;
        let mut before = Vec::with_capacity(distinct.len());
        for (_, count) in &distinct {
            before.push(total);
            total += count;
        }
        Self { distinct, before, total }
    }

    /// The `rank`-th smallest value.
    fn value(&self, rank: u64) -> f64 {
        let after = self.before.partition_point(|&before| before <= rank);
        self.distinct.get(after.saturating_sub(1)).map_or(0.0, |&(value, _)| value)
    }

    /// How many values are at most `limit`, but never all of them.
    fn below(&self, limit: f64) -> u64 {
        let first_above = self.distinct.partition_point(|&(value, _)| value <= limit);
        self.before.get(first_above).copied().unwrap_or(0)
    }

    /// Linear quantile (`numpy.percentile`'s default) of the values from rank `from` on.
    fn quantile(&self, from: u64, q: f64) -> f64 {
        let position = (self.total - from - 1) as f64 * q;
        let rank = position.floor();
        let (low, high) = (self.value(from + rank as u64), self.value(from + position.ceil() as u64));
        let fraction = position - rank;
        if fraction < 0.5 { low + (high - low) * fraction } else { high - (high - low) * (1.0 - fraction) }
    }

    /// Counts as `numpy.histogram` does, whose bins are half-open at its own, rounded edges.
    fn histogram(&self, min: f64, max: f64) -> Vec<u64> {
        let mut bins = vec![0; BINS];
        let width = (max - min) / BINS as f64;
        let edge = |bin: usize| bin as f64 * width + min;
        for &(value, count) in &self.distinct {
            let mut bin = if width > 0.0 { (((value - min) / width) as usize).min(BINS - 1) } else { 0 };
            if bin > 0 && value < edge(bin) {
                bin -= 1;
            } else if bin < BINS - 1 && width > 0.0 && value >= edge(bin + 1) {
                bin += 1;
            }
            bins[bin] += count;
        }
        bins
    }
}

fn counts(volume: &Volume) -> Result<Counts, IntensityError> {
    let bytes = &volume.bytes;
    Ok(match volume.element {
        ElementType::Uint8 => table(bytes.iter().map(|&b| u16::from(b)), f64::from),
        ElementType::Int8 => table(bytes.iter().map(|&b| u16::from(b ^ 0x80)), |v| f64::from(v) - 128.0),
        ElementType::Uint16 => table(words(bytes), f64::from),
        ElementType::Int16 => table(words(bytes).map(|v| v ^ 0x8000), |v| f64::from(v) - 32768.0),
        ElementType::Uint32 => sorted(bytes, |b: [u8; 4]| f64::from(u32::from_le_bytes(b)))?,
        ElementType::Int32 => sorted(bytes, |b: [u8; 4]| f64::from(i32::from_le_bytes(b)))?,
        ElementType::Float32 => sorted(bytes, |b: [u8; 4]| f64::from(f32::from_le_bytes(b)))?,
        ElementType::Float64 => sorted(bytes, |b: [u8; 8]| f64::from_le_bytes(b))?,
        ElementType::Uint64 | ElementType::Int64 => return Err(IntensityError::Unsupported(volume.element)),
    })
}

fn words(bytes: &[u8]) -> impl Iterator<Item = u16> {
    bytes.as_chunks::<2>().0.iter().map(|&pair| u16::from_le_bytes(pair))
}

/// Counts 16-bit keys in a table; `value` turns a key back into the value it stands for and must be increasing.
fn table(keys: impl Iterator<Item = u16>, value: impl Fn(u16) -> f64) -> Counts {
    // In turn in two tables: in one, a count would wait for that of the voxel before, which is often of the same value.
    let mut tables = vec![[0u64; 2]; 1 << 16];
    keys.enumerate().for_each(|(n, key)| tables[usize::from(key)][n % 2] += 1);
    let distinct =
        (0..=u16::MAX).zip(tables).map(|(key, [even, odd])| (key, even + odd)).filter(|(_, count)| *count > 0);
    Counts::new(distinct.map(|(key, count)| (value(key), count)).collect())
}

fn sorted<const N: usize>(bytes: &[u8], value: impl Fn([u8; N]) -> f64) -> Result<Counts, IntensityError> {
    let mut values: Vec<f64> = bytes.as_chunks::<N>().0.iter().map(|&chunk| value(chunk)).collect();
    let odd = values.iter().filter(|v| !v.is_finite()).count();
    if odd > 0 {
        return Err(IntensityError::NotFinite(odd));
    }
    let large = values.iter().filter(|value| value.abs() > LARGEST).count();
    if large > 0 {
        return Err(IntensityError::TooLarge(large));
    }
    values.sort_unstable_by(f64::total_cmp);
    let runs = values.chunk_by(|a, b| a == b);
    Ok(Counts::new(runs.map(|run| (run[0], run.len() as u64)).collect()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::volume::{Axis, Geometry};

    fn volume(element: ElementType, bytes: Vec<u8>) -> Volume {
        let axis = |len| Axis { len, spacing_mm: 1.0, direction: [1.0, 0.0, 0.0] };
        let len = bytes.len() / element.size();
        Volume { element, geometry: Geometry { axes: [axis(1), axis(1), axis(len)], origin_mm: [0.0; 3] }, bytes }
    }

    fn int16(values: &[i16]) -> Volume {
        volume(ElementType::Int16, values.iter().flat_map(|v| v.to_le_bytes()).collect())
    }

    /// `numpy.percentile([-1000, 3096, 5, 5, 17, -3, 900], [0, 0.1, 12.5, 50, 99.9, 100])`
    #[test]
    fn quantiles_are_numpys() {
        let found = Intensity::of(&int16(&[-1000, 3096, 5, 5, 17, -3, 900])).unwrap();
        let wanted = [(0, -1000.0), (1, -994.018), (125, -252.25), (500, 5.0), (999, 3082.824), (1000, 3096.0)];
        for (p, value) in wanted {
            assert!((found.quantiles[p] - value).abs() < 1e-9, "{p}: {} != {value}", found.quantiles[p]);
        }
        assert_eq!((found.min, found.max), (-1000.0, 3096.0));
        assert!((found.mean - 3020.0 / 7.0).abs() < 1e-9);
    }

    #[test]
    fn every_type_gives_the_same_summary_of_the_same_values() {
        let values = [0u8, 3, 3, 90, 127, 64, 1];
        let wide: Vec<f64> = values.iter().map(|&v| f64::from(v)).collect();
        let reference = Intensity::of(&volume(ElementType::Uint8, values.to_vec())).unwrap();
        let others = [
            volume(ElementType::Int8, values.to_vec()),
            int16(&values.map(i16::from)),
            volume(ElementType::Uint32, values.iter().flat_map(|&v| u32::from(v).to_le_bytes()).collect()),
            volume(ElementType::Float64, wide.iter().flat_map(|v| v.to_le_bytes()).collect()),
        ];
        for other in others {
            assert_eq!(Intensity::of(&other).unwrap(), reference, "{}", other.element);
        }
    }

    #[test]
    fn a_constant_volume_has_an_empty_window() {
        let found = Intensity::of(&int16(&[7; 9])).unwrap();
        assert_eq!((found.min, found.max, found.foreground_window), (7.0, 7.0, (7.0, 7.0)));
        assert_eq!(found.histogram.iter().sum::<u64>(), 9);
    }

    #[test]
    fn values_that_cannot_be_summarised_are_refused() {
        let bytes = [1.0f32, f32::NAN, f32::INFINITY].iter().flat_map(|v| v.to_le_bytes()).collect();
        assert_eq!(Intensity::of(&volume(ElementType::Float32, bytes)), Err(IntensityError::NotFinite(2)));
        let of = |values: [f64; 3]| {
            Intensity::of(&volume(ElementType::Float64, values.iter().flat_map(|v| v.to_le_bytes()).collect()))
        };
        assert_eq!(of([-1e308, 0.0, 1e308]), Err(IntensityError::TooLarge(2)));
        let widest = of([-LARGEST, 0.0, LARGEST]).unwrap();
        assert!(widest.mean.is_finite() && (widest.max - widest.min).is_finite());
        assert!(widest.quantiles.iter().all(|quantile| quantile.is_finite()));
        let long = volume(ElementType::Int64, vec![0; 8]);
        assert_eq!(Intensity::of(&long), Err(IntensityError::Unsupported(ElementType::Int64)));
    }
}
