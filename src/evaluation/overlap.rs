//! How often each true label meets each predicted one, and where they lie.

/// Labels of a mask: those that one byte can hold.
const LABELS: usize = 256;

/// The voxels of one label.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Extent {
    pub(super) voxels: u64,
    /// The smallest box that holds them: (slice, row, column) of its first and of its last voxel.
    pub(super) first: [usize; 3],
    pub(super) last: [usize; 3],
}

impl Extent {
    const EMPTY: Self = Self { voxels: 0, first: [usize::MAX; 3], last: [0; 3] };

    fn add_run(&mut self, slice: usize, row: usize, column: usize, len: usize) {
        self.voxels += len as u64;
        let (first, last) = ([slice, row, column], [slice, row, column + len - 1]);
        self.first = std::array::from_fn(|n| self.first[n].min(first[n]));
        self.last = std::array::from_fn(|n| self.last[n].max(last[n]));
    }

    /// The box that holds both.
    pub(super) fn joined(&self, other: &Self) -> Self {
        Self {
            voxels: self.voxels + other.voxels,
            first: std::array::from_fn(|n| self.first[n].min(other.first[n])),
            last: std::array::from_fn(|n| self.last[n].max(other.last[n])),
        }
    }

    /// Lengths of the box.
    pub(super) fn shape(&self) -> [usize; 3] {
        std::array::from_fn(|n| self.last[n] + 1 - self.first[n])
    }
}

/// Two masks against each other.
#[derive(Debug)]
pub(super) struct Overlap {
    /// Voxels with each pair of labels: true label × 256 + predicted label.
    counts: Vec<u64>,
    truth: Vec<Extent>,
    predicted: Vec<Extent>,
}

/// A true structure and the predicted one that overlaps it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Pair {
    pub(super) truth: u8,
    pub(super) predicted: u8,
}

impl Overlap {
    /// Of two masks of one shape.
    pub(super) fn of(truth: &[u8], predicted: &[u8], [_, rows, columns]: [usize; 3]) -> Self {
        let mut overlap = Self {
            counts: vec![0; LABELS * LABELS],
            truth: vec![Extent::EMPTY; LABELS],
            predicted: vec![Extent::EMPTY; LABELS],
        };
        let lines = truth.chunks_exact(columns.max(1)).zip(predicted.chunks_exact(columns.max(1)));
        for (line, (truth, predicted)) in lines.enumerate() {
            overlap.add_line(truth, predicted, line / rows.max(1), line % rows.max(1));
        }
        overlap
    }

    fn add_line(&mut self, truth: &[u8], predicted: &[u8], slice: usize, row: usize) {
        let mut start = 0;
        while start < truth.len() {
            let (t, p) = (truth[start], predicted[start]);
            let len = run(&truth[start..], &predicted[start..]);
            self.counts[usize::from(t) * LABELS + usize::from(p)] += len as u64;
            if t != 0 {
                self.truth[usize::from(t)].add_run(slice, row, start, len);
            }
            if p != 0 {
                self.predicted[usize::from(p)].add_run(slice, row, start, len);
            }
            start += len;
        }
    }

    /// From counts alone, without places.
    pub(super) fn of_counts(counts: Vec<u64>) -> Self {
        let mut overlap = Self { truth: vec![Extent::EMPTY; LABELS], predicted: vec![Extent::EMPTY; LABELS], counts };
        for t in 0..LABELS {
            for p in 0..LABELS {
                let count = overlap.counts[t * LABELS + p];
                overlap.truth[t].voxels += if t == 0 { 0 } else { count };
                overlap.predicted[p].voxels += if p == 0 { 0 } else { count };
            }
        }
        overlap
    }

    pub(super) fn both(&self, pair: Pair) -> u64 {
        self.counts[usize::from(pair.truth) * LABELS + usize::from(pair.predicted)]
    }

    pub(super) fn truth(&self, label: u8) -> Extent {
        self.truth[usize::from(label)]
    }

    pub(super) fn predicted(&self, label: u8) -> Extent {
        self.predicted[usize::from(label)]
    }

    /// Labels of the true mask but background, smallest first.
    pub(super) fn true_labels(&self) -> impl Iterator<Item = u8> + '_ {
        (1..=u8::MAX).filter(|&label| self.truth(label).voxels > 0)
    }

    /// Labels of the predicted mask but background, smallest first.
    pub(super) fn predicted_labels(&self) -> impl Iterator<Item = u8> + '_ {
        (1..=u8::MAX).filter(|&label| self.predicted(label).voxels > 0)
    }

    pub(super) fn dice(&self, pair: Pair) -> f64 {
        let sizes = self.truth(pair.truth).voxels + self.predicted(pair.predicted).voxels;
        2.0 * self.both(pair) as f64 / sizes as f64
    }

    /// Pairs of a true and a predicted structure whose Dice is at least `least`, none of which is in two pairs: those with the
    /// most common voxels first; of equals, the smaller true label, then the smaller predicted value.
    pub(super) fn one_to_one(&self, values: &[u32], least: f64) -> Vec<Pair> {
        let mut pairs: Vec<_> = self
            .true_labels()
            .flat_map(|truth| self.predicted_labels().map(move |predicted| Pair { truth, predicted }))
            .filter(|&pair| self.both(pair) > 0 && self.dice(pair) >= least)
            .collect();
        pairs.sort_by_key(|&pair| (u64::MAX - self.both(pair), pair.truth, values[usize::from(pair.predicted)]));
        let (mut found, mut is_taken) = (Vec::new(), [[false; LABELS]; 2]);
        for pair in pairs {
            let (truth, predicted) = (usize::from(pair.truth), usize::from(pair.predicted));
            if !is_taken[0][truth] && !is_taken[1][predicted] {
                is_taken[0][truth] = true;
                is_taken[1][predicted] = true;
                found.push(pair);
            }
        }
        found.sort_by_key(|pair| pair.truth);
        found
    }

    /// Pairs of equal labels that overlap enough.
    pub(super) fn of_equal_labels(&self, least: f64) -> Vec<Pair> {
        let pairs = self.true_labels().map(|label| Pair { truth: label, predicted: label });
        pairs.filter(|&pair| self.both(pair) > 0 && self.dice(pair) >= least).collect()
    }

    /// The mean Dice of all true structures, 0 for those that are in no pair; `None` when there are none.
    pub(super) fn mean_dice(&self, pairs: &[Pair]) -> Option<f64> {
        let structures = self.true_labels().count();
        let sum: f64 = pairs.iter().map(|&pair| self.dice(pair)).sum();
        (structures > 0).then(|| sum / structures as f64)
    }
}

/// How many voxels at the beginning of two lines are like the first one.
fn run(truth: &[u8], predicted: &[u8]) -> usize {
    let (t, p) = (truth[0], predicted[0]);
    let (words, of_t, of_p) = (truth.as_chunks::<8>().0.iter().zip(predicted.as_chunks::<8>().0), [t; 8], [p; 8]);
    let whole = 8 * words.take_while(|&(a, b)| *a == of_t && *b == of_p).count();
    let rest = truth[whole..].iter().zip(&predicted[whole..]);
    whole + rest.take_while(|&(&a, &b)| a == t && b == p).count()
}
