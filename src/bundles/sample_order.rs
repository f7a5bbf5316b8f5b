//! Which samples a reader of a stream gets, and in which order: a pure function of the samples that the filter chooses and of the
//! parameters, so that a reader can go on after a crash, and other readers in its place.

use sha2::{Digest, Sha256};
use strum::{EnumString, VariantNames};

use crate::params::{Form, Pairs, Parameter, ParameterError, plain};
use crate::spider::ScanId;

/// Readers of a stream, and processes of one reader, at most.
const MOST_READERS: usize = 65_536;
/// Positions are below this.
const MOST_SAMPLES: usize = 1_000_000_000;

const SEED: Parameter = Parameter {
    name: "seed",
    allowed: "a whole number; without it samples come in their natural order",
    form: Form::Integer { min: 0, max: 4_294_967_295 },
    description: "Shuffle the samples.",
    example: "7",
};
const EPOCH: Parameter = Parameter {
    name: "epoch",
    allowed: "0, a whole number; goes with seed",
    description: "Shuffle the samples differently in each epoch.",
    ..SEED
};
const WORLD: Parameter = Parameter {
    name: "world",
    allowed: "1, a whole number up to 65536",
    form: Form::Integer { min: 1, max: MOST_READERS as i64 },
    description: "Number of readers that share the samples: each gets every world-th one, beginning with its rank.",
    example: "2",
};
const RANK: Parameter = Parameter {
    name: "rank",
    allowed: "0, a whole number below world",
    form: Form::Integer { min: 0, max: MOST_READERS as i64 - 1 },
    description: "Number of this reader among those that share the samples.",
    example: "0",
};
const SHARE: Parameter = Parameter {
    name: "share",
    allowed: "all (some readers get one sample more than others), drop (the last samples, so that all get equally many), pad (the \
              first samples again, so that all get equally many)",
    form: Form::Choice(Share::VARIANTS),
    description: "What becomes of the samples that cannot be shared equally.",
    example: "pad",
};
const AFTER: Parameter = Parameter {
    name: "after",
    allowed: "0, a whole number",
    form: Form::Integer { min: 0, max: MOST_SAMPLES as i64 },
    description: "Samples at the front of the order that are used up: the readers share those after them, however many \
                  readers used the first ones.",
    example: "2",
};
const WORKERS: Parameter = Parameter {
    name: "workers",
    description: "Number of processes that divide the samples of this reader: each gets every workers-th of them.",
    ..WORLD
};
const WORKER: Parameter = Parameter {
    name: "worker",
    allowed: "0, a whole number below workers",
    description: "Number of this process among those that divide the samples of this reader.",
    ..RANK
};
const START: Parameter = Parameter {
    name: "start",
    allowed: "0, a whole number",
    form: Form::Integer { min: 0, max: MOST_SAMPLES as i64 },
    description: "Samples of this stream that are left out at its front: where the reader was cut off.",
    example: "3",
};

/// The parameters that order and share samples.
pub(super) const PARAMETERS: [Parameter; 9] = [SEED, EPOCH, RANK, WORLD, SHARE, AFTER, WORKER, WORKERS, START];

/// A sample: a scan and the number of its slice, canonical.
pub type Sample = (ScanId, usize);

/// What becomes of the samples that cannot be shared equally.
#[derive(Debug, Clone, Copy, PartialEq, Eq, EnumString, VariantNames)]
#[strum(serialize_all = "snake_case")]
enum Share {
    All,
    Drop,
    Pad,
}

/// One of several that divide a sequence among them: every `of`-th item, beginning with `index`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Turn {
    index: usize,
    of: usize,
}

impl Turn {
    /// Reads the two parameters.
    fn read(pairs: &Pairs<'_>, index: &str, of: &str) -> Result<Self, ParameterError> {
        let count = pairs.parsed(of)?.unwrap_or(1);
        let index = pairs.value(index, |text| plain(text).filter(|&n: &usize| n < count))?.unwrap_or(0);
        Ok(Self { index, of: count })
    }
}

/// Which samples of the chosen ones a stream has, in which order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct SampleOrder {
    shuffle: Option<(u32, u32)>,
    after: usize,
    reader: Turn,
    share: Share,
    worker: Turn,
    start: usize,
}

impl SampleOrder {
    /// Reads the parameters.
    ///
    /// # Errors
    /// Names the parameter that cannot be read, or an epoch without a seed.
    pub(super) fn read(pairs: &Pairs<'_>) -> Result<Self, ParameterError> {
        let seed = pairs.parsed("seed")?;
        let epoch = pairs.parsed::<u32>("epoch")?;
        if let (None, Some(_)) = (seed, epoch) {
            return Err(ParameterError::conflict("epoch", "epoch goes with seed; without one the order never changes"));
        }
        Ok(Self {
            shuffle: seed.map(|seed| (seed, epoch.unwrap_or(0))),
            after: pairs.parsed("after")?.unwrap_or(0),
            reader: Turn::read(pairs, "rank", "world")?,
            share: pairs.parsed("share")?.unwrap_or(Share::All),
            worker: Turn::read(pairs, "worker", "workers")?,
            start: pairs.parsed("start")?.unwrap_or(0),
        })
    }

    /// The samples of the stream. Each of the chosen ones has a place that depends on nothing but itself, the seed and the epoch,
    /// so that a sample more or less leaves the others in their order.
    pub(super) fn of(&self, mut chosen: Vec<Sample>) -> Vec<Sample> {
        if let Some((seed, epoch)) = self.shuffle {
            chosen.sort_by_cached_key(|(scan, slice)| {
                let digest = Sha256::digest(format!("{seed} {epoch} {scan} {slice}"));
                digest.first_chunk::<16>().copied()
            });
        }
        let positions = self.after..self.end(chosen.len());
        let shared = positions.skip(self.reader.index).step_by(self.reader.of);
        let own = shared.skip(self.worker.index).step_by(self.worker.of).skip(self.start);
        // Beyond the last sample the first ones come again.
        own.filter_map(|position| chosen.get(position % chosen.len()).copied()).collect()
    }

    /// Where the order ends that the readers share: with the last sample, or where all of them have equally many.
    fn end(&self, samples: usize) -> usize {
        let (left, world) = (samples.saturating_sub(self.after), self.reader.of);
        let shared = match self.share {
            Share::All => left,
            Share::Drop => left / world * world,
            Share::Pad => left.next_multiple_of(world),
        };
        self.after.min(samples) + shared
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As many samples, in their natural order.
    fn chosen(count: usize) -> Vec<Sample> {
        let scan: ScanId = "1_t1".parse().unwrap();
        (0..count).map(|slice| (scan, slice)).collect()
    }

    fn order(query: &str) -> Result<SampleOrder, ParameterError> {
        SampleOrder::read(&Pairs::new(&crate::params::decode(query), &PARAMETERS)?)
    }

    /// Numbers of the samples that a reader gets of so many.
    fn got(query: &str, count: usize) -> Vec<usize> {
        order(query).unwrap().of(chosen(count)).into_iter().map(|(_, slice)| slice).collect()
    }

    #[test]
    fn readers_get_equally_many_or_as_they_come() {
        for (share, counts) in [("all", [4, 3, 3]), ("drop", [3, 3, 3]), ("pad", [4, 4, 4])] {
            let lens = [0, 1, 2].map(|rank| got(&format!("world=3&rank={rank}&share={share}"), 10).len());
            assert_eq!(lens, counts, "{share}");
        }
        assert_eq!(got("world=3&rank=1&share=pad", 10), [1, 4, 7, 0]);
        assert_eq!(got("world=3&rank=2&share=pad", 10), [2, 5, 8, 1]);
        assert_eq!(got("world=3&rank=2&share=drop", 9), got("world=3&rank=2&share=pad", 9));
    }

    #[test]
    fn more_readers_than_samples_share_them_too() {
        assert_eq!(
            (0..5).map(|rank| got(&format!("world=5&rank={rank}&share=pad"), 2)).collect::<Vec<_>>().concat(),
            [0, 1, 0, 1, 0]
        );
        assert!(got("world=5&rank=0&share=drop", 2).is_empty());
        for share in ["all", "drop", "pad"] {
            assert!(got(&format!("world=5&rank=0&share={share}"), 0).is_empty());
            assert!(got(&format!("after=9&share={share}"), 9).is_empty());
            assert!(got(&format!("after=12&share={share}&world=2"), 9).is_empty());
        }
    }

    #[test]
    fn other_readers_go_on_where_some_stopped() {
        // Each of eight has read five of a hundred.
        let read = (0..8).flat_map(|rank| got(&format!("seed=3&world=8&rank={rank}"), 100).into_iter().take(5));
        let rest = (0..6).flat_map(|rank| got(&format!("seed=3&world=6&rank={rank}&after=40"), 100));
        let mut all: Vec<_> = read.chain(rest).collect();
        assert_ne!(all, (0..100).collect::<Vec<_>>());
        all.sort_unstable();
        assert_eq!(all, (0..100).collect::<Vec<_>>());
    }

    #[test]
    fn workers_divide_what_their_reader_gets() {
        for share in ["all", "drop", "pad"] {
            let reader = format!("seed=1&world=3&rank=2&share={share}&after=4");
            let whole = got(&reader, 50);
            let parts = [0, 1].map(|worker| got(&format!("{reader}&workers=2&worker={worker}"), 50));
            let taken: Vec<_> = (0..whole.len()).map(|n| parts[n % 2][n / 2]).collect();
            assert_eq!(taken, whole, "{share}");
            assert_eq!(parts[0].len() + parts[1].len(), whole.len());
            assert_eq!(got(&format!("{reader}&workers=2&worker=1&start=3"), 50), parts[1][3..]);
        }
    }

    #[test]
    fn what_cannot_be_a_reader_is_refused() {
        for (query, parameter) in [
            ("rank=1", "rank"),
            ("world=2&rank=2", "rank"),
            ("world=0", "world"),
            ("world=65537", "world"),
            ("worker=1", "worker"),
            ("workers=0", "workers"),
            ("share=some", "share"),
            ("after=-1", "after"),
            ("after=1000000001", "after"),
            ("start=1000000001", "start"),
            ("epoch=1", "epoch"),
        ] {
            assert_eq!(order(query).unwrap_err().parameter, parameter, "{query}");
        }
    }
}
