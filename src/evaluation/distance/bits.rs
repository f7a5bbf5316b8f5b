use super::{Connectivity, Labelled};
use crate::evaluation::overlap::Extent;

const WORD: usize = u64::BITS as usize;

/// No column.
pub(super) const NONE: u32 = u32::MAX;

/// One bit per voxel of a box, rows padded to whole words.
#[derive(Debug, Clone)]
pub(super) struct Bits {
    pub(super) slices: usize,
    pub(super) rows: usize,
    columns: usize,
    /// Words of a row.
    width: usize,
    words: Vec<u64>,
}

impl Bits {
    pub(super) fn of(structure: Labelled<'_>, shape: [usize; 3], extent: &Extent) -> Self {
        let [slices, rows, columns] = extent.shape();
        let width = columns.div_ceil(WORD);
        let mut words = Vec::with_capacity(slices * rows * width);
        for slice in extent.first[0]..=extent.last[0] {
            for row in extent.first[1]..=extent.last[1] {
                let start = (slice * shape[1] + row) * shape[2] + extent.first[2];
                let line = &structure.labels[start..start + columns];
                words.extend(line.chunks(WORD).map(|piece| packed(piece, structure.label)));
            }
        }
        Self { slices, rows, columns, width, words }
    }

    fn row(&self, slice: usize, row: usize) -> &[u64] {
        let start = (slice * self.rows + row) * self.width;
        &self.words[start..start + self.width]
    }

    /// The voxels that have a neighbour outside. What lies beyond the box is outside.
    pub(super) fn surface(&self, connectivity: Connectivity) -> Self {
        let mut surface = self.clone();
        let mut inner = vec![0; self.width];
        for slice in 0..self.slices {
            for row in 0..self.rows {
                self.inner(slice, row, connectivity, &mut inner);
                let start = (slice * self.rows + row) * self.width;
                let line = &mut surface.words[start..start + self.width];
                line.iter_mut().zip(&inner).for_each(|(bits, inner)| *bits &= !inner);
            }
        }
        surface
    }

    /// The voxels of a row all of whose neighbours are inside.
    fn inner(&self, slice: usize, row: usize, connectivity: Connectivity, inner: &mut [u64]) {
        if slice == 0 || row == 0 || slice + 1 == self.slices || row + 1 == self.rows {
            inner.fill(0);
            return;
        }
        along_row(self.row(slice, row), inner);
        let around = |slice: usize, row: usize| self.row(slice, row);
        match connectivity {
            Connectivity::Faces => {
                for line in
                    [around(slice - 1, row), around(slice + 1, row), around(slice, row - 1), around(slice, row + 1)]
                {
                    inner.iter_mut().zip(line).for_each(|(inner, bits)| *inner &= bits);
                }
            }
            Connectivity::Corners => {
                let mut eroded = vec![0; self.width];
                for slice in slice - 1..=slice + 1 {
                    for row in row - 1..=row + 1 {
                        along_row(self.row(slice, row), &mut eroded);
                        inner.iter_mut().zip(&eroded).for_each(|(inner, bits)| *inner &= bits);
                    }
                }
            }
        }
    }

    /// The first set bit of a row from `column` on; [`NONE`] when there is none.
    pub(super) fn next(&self, line: usize, column: usize) -> u32 {
        let words = &self.words[line * self.width..(line + 1) * self.width];
        // Bits before the column are cleared in its word.
        let mut mask = u64::MAX << (column % WORD);
        for (n, word) in words.iter().enumerate().skip(column / WORD) {
            if word & mask != 0 {
                return (n * WORD) as u32 + (word & mask).trailing_zeros();
            }
            mask = u64::MAX;
        }
        NONE
    }

    /// Whether the bit of a column is set in a row, given by its place among all rows.
    pub(super) fn has(&self, line: usize, column: usize) -> bool {
        self.words[line * self.width + column / WORD] >> (column % WORD) & 1 == 1
    }

    pub(super) fn count(&self) -> usize {
        self.words.iter().map(|word| word.count_ones() as usize).sum()
    }

    /// The columns in which any row has a set bit.
    pub(super) fn used_columns(&self) -> impl Iterator<Item = usize> + use<> {
        let mut all = vec![0u64; self.width];
        for line in self.words.chunks_exact(self.width) {
            all.iter_mut().zip(line).for_each(|(all, bits)| *all |= bits);
        }
        (0..self.columns).filter(move |column| all[column / WORD] >> (column % WORD) & 1 == 1)
    }
}

fn packed(piece: &[u8], label: u8) -> u64 {
    piece.iter().enumerate().fold(0, |word, (n, &voxel)| word | u64::from(voxel == label) << n)
}

/// The voxels of a row whose neighbours in it are inside, too.
fn along_row(line: &[u64], inner: &mut [u64]) {
    for (n, inner) in inner.iter_mut().enumerate() {
        let before = if n > 0 { line[n - 1] >> (WORD - 1) } else { 0 };
        let after = line.get(n + 1).map_or(0, |next| next << (WORD - 1));
        *inner = line[n] & (line[n] << 1 | before) & (line[n] >> 1 | after);
    }
}
