/// Words of state.
const WORDS: usize = 624;
/// Distance of the word that each word is mixed with.
const SHIFT: usize = 397;

/// The 32-bit Mersenne Twister MT19937 with the derived draws of numpy's legacy `RandomState`, which numpy promises never
/// to change (NEP 19, <https://numpy.org/neps/nep-0019-rng-policy.html>).
///
/// Source: Matsumoto and Nishimura, *Mersenne Twister: a 623-dimensionally equidistributed uniform pseudo-random number
/// generator*, ACM Trans. Model. Comput. Simul. 8 (1998), with the initialisation of 2002.
pub(super) struct MersenneTwister {
    state: [u32; WORDS],
    next: usize,
}

impl MersenneTwister {
    /// In the state that `numpy.random.seed(seed)` sets.
    pub(super) fn new(seed: u32) -> Self {
        let mut state = [seed; WORDS];
        let mut word = seed;
        for (index, place) in (1u32..).zip(state.iter_mut().skip(1)) {
            word = 1_812_433_253u32.wrapping_mul(word ^ (word >> 30)).wrapping_add(index);
            *place = word;
        }
        Self { state, next: WORDS }
    }

    /// 32 random bits.
    pub(super) fn next_u32(&mut self) -> u32 {
        if self.next == WORDS {
            self.renew();
        }
        let mut word = self.state[self.next];
        self.next += 1;
        word ^= word >> 11;
        word ^= (word << 7) & 0x9d2c_5680;
        word ^= (word << 15) & 0xefc6_0000;
        word ^ (word >> 18)
    }

    /// A number in [0, 1) of 53 random bits: `random_sample`.
    pub(super) fn next_f64(&mut self) -> f64 {
        let high = f64::from(self.next_u32() >> 5);
        let low = f64::from(self.next_u32() >> 6);
        (high * 67_108_864.0 + low) / 9_007_199_254_740_992.0
    }

    /// As `permutation` and `shuffle` do: from the last place down, each is swapped with a place not after it.
    pub(super) fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            let other = self.up_to(last);
            items.swap(last, other);
        }
    }

    /// A number from 0 to `max`: the lowest bits that can hold `max`, drawn again while they exceed it.
    fn up_to(&mut self, max: usize) -> usize {
        let mask = usize::MAX >> max.leading_zeros();
        loop {
            let drawn = self.next_u32() as usize & mask;
            if drawn <= max {
                return drawn;
            }
        }
    }

    fn renew(&mut self) {
        for n in 0..WORDS {
            let joined = (self.state[n] & 0x8000_0000) | (self.state[(n + 1) % WORDS] & 0x7fff_ffff);
            let twist = if joined & 1 == 0 { 0 } else { 0x9908_b0df };
            self.state[n] = self.state[(n + SHIFT) % WORDS] ^ (joined >> 1) ^ twist;
        }
        self.next = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `numpy.random.RandomState(seed).randint(0, 2**32, 2000, dtype=numpy.uint32)`
    #[test]
    fn words_are_numpys() {
        let mut generator = MersenneTwister::new(9999);
        let first = std::array::from_fn(|_| generator.next_u32());
        assert_eq!(first, [3_536_429_142, 3_463_652_605, 938_891_646, 3_214_828_401, 135_124_015, 581_399_917]);

        let mut generator = MersenneTwister::new(5489);
        let words: Vec<u32> = (0..2000).map(|_| generator.next_u32()).collect();
        let some = [0, 623, 624, 1999].map(|n| words[n]);
        assert_eq!(some, [3_499_211_612, 4_020_325_887, 4_178_893_912, 3_949_147_603]);
    }

    /// `numpy.random.RandomState(seed).random_sample(n)`, to the last bit.
    #[test]
    fn samples_are_numpys() {
        let cases: [(u32, &[f64]); 3] = [
            (
                9999,
                &[0.823_389_074_254_367_1, 0.218_602_744_851_340_01, 0.031_461_008_901_653_49, 0.545_926_166_718_858_7],
            ),
            (0, &[0.548_813_503_927_324_7, 0.715_189_366_372_419_5, 0.602_763_376_071_643_9]),
            (u32::MAX, &[0.097_632_028_994_013_8, 0.912_382_845_302_621_8]),
        ];
        for (seed, wanted) in cases {
            let mut generator = MersenneTwister::new(seed);
            let found: Vec<f64> = wanted.iter().map(|_| generator.next_f64()).collect();
            assert_eq!(found, wanted, "seed {seed}");
        }
    }

    /// `numpy.random.RandomState(seed).permutation(n)`
    #[test]
    fn permutations_are_numpys() {
        let permutation = |seed, n: usize| {
            let mut items: Vec<usize> = (0..n).collect();
            MersenneTwister::new(seed).shuffle(&mut items);
            items
        };
        assert_eq!(permutation(9999, 20), [7, 4, 2, 19, 18, 3, 16, 14, 1, 12, 10, 0, 8, 11, 6, 9, 5, 13, 15, 17]);
        assert_eq!(permutation(9999, 2), [1, 0]);
        let long = permutation(7, 218);
        assert_eq!((&long[..6], &long[212..]), (&[139, 65, 95, 22, 63, 46][..], &[151, 211, 67, 25, 196, 175][..]));
        assert!(permutation(1, 1) == [0] && permutation(1, 0).is_empty());
    }
}
