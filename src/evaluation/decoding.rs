//! From the bytes of a file to labels in the true grid's canonical order.

use super::file::{MaskFile, VoxelEncoding, Voxels};
use super::placement::Placement;
use super::result::Alignment;
use super::{EvaluationError, EvaluationOptions, PredictionMap};
use crate::volume::{Axis, ElementType, Geometry, Grid, Orientation, Volume};

/// Voxels of one step: some milliseconds.
const STEP_VOXELS: usize = 1 << 22;
/// Bytes that are converted at once; a multiple of every element's size.
const PIECE_BYTES: usize = 1 << 16;
/// Values of a mask lie below this.
const MOST_VALUES: usize = 1 << 16;
/// Distinct values of a mask besides 0.
const MOST_LABELS: usize = 255;
/// The largest value of a semantic mask.
pub(super) const MOST_CLASSES: u32 = 3;
/// How far a scaled value may be from a whole number.
const SCALING_TOLERANCE: f64 = 1e-3;

/// A predicted mask in the canonical order of the true grid.
#[derive(Debug)]
pub struct Prediction {
    /// One number per voxel: an index of `values`.
    pub(super) labels: Vec<u8>,
    /// The value of each number; 0 is background.
    pub(super) values: Vec<u32>,
    pub(super) alignment: Alignment,
    pub(super) hints: Vec<String>,
    /// Other ways to read the file, by the parameter that requests them.
    pub(super) alternatives: Vec<(String, Orientation)>,
}

/// A mask that is being read.
#[derive(Debug)]
pub struct Decoding {
    file: MaskFile,
    grid: Grid,
    map: PredictionMap,
    placement: Placement,
    labels: Vec<u8>,
    interner: Interner,
}

impl Decoding {
    /// Begins to read a file, once it is clear that it belongs to this grid.
    ///
    /// # Errors
    /// [`EvaluationError::OtherGrid`], [`EvaluationError::Conflict`].
    pub fn new(file: MaskFile, grid: Grid, options: &EvaluationOptions) -> Result<Self, EvaluationError> {
        let placement = Placement::new(&file, &grid, options)?;
        Ok(Self { file, grid, map: options.map, placement, labels: Vec::new(), interner: Interner::new() })
    }

    /// Bytes that reading and scoring take at most, the true mask included and the file itself not.
    #[must_use]
    pub fn memory(&self) -> u64 {
        let (own, grid) = (self.file.len() as u64, self.grid.canonical.voxels() as u64);
        // Read and turned; then two masks, and three bits per voxel of the box of a structure.
        (own + grid).max(2 * grid + grid / 2) + FIXED_BYTES
    }

    /// What a step takes at most, in nanoseconds, roughly.
    #[must_use]
    pub fn step_nanoseconds(&self) -> u64 {
        3 * self.file.len().min(STEP_VOXELS) as u64
    }

    /// Reads some voxels; whether all are read.
    ///
    /// # Errors
    /// [`EvaluationError::Unreadable`].
    pub fn advance(&mut self) -> Result<bool, EvaluationError> {
        let len = self.file.len();
        if self.labels.is_empty() {
            self.labels.reserve_exact(len);
        }
        let end = len.min(self.labels.len() + STEP_VOXELS);
        let encoding = self.file.encoding;
        let size = encoding.element.size();
        let mut piece = vec![0; PIECE_BYTES];
        while self.labels.len() < end {
            let room = &mut piece[..((end - self.labels.len()) * size).min(PIECE_BYTES)];
            let bytes = match &mut self.file.voxels {
                Voxels::Plain(bytes) => {
                    let start = self.labels.len() * size;
                    &bytes[start..start + room.len()]
                }
                Voxels::Compressed(inflater) => {
                    if inflater.read(room)? < room.len() {
                        let message = "the compressed voxels are fewer than the header says; the file is truncated";
                        return Err(EvaluationError::Unreadable(message.to_owned()));
                    }
                    &*room
                }
            };
            self.interner.convert(bytes, encoding, &mut self.labels)?;
        }
        if self.labels.len() < len {
            return Ok(false);
        }
        if let Voxels::Compressed(inflater) = &mut self.file.voxels {
            inflater.finish()?;
        }
        Ok(true)
    }

    /// The mask in the true grid.
    ///
    /// # Errors
    /// [`EvaluationError::Conflict`] when its values are not those of the map.
    pub fn finish(self) -> Result<Prediction, EvaluationError> {
        let Self { file, grid, map, placement, labels, interner } = self;
        let most = if map == PredictionMap::Native { u32::MAX } else { MOST_CLASSES };
        if let Some(value) = interner.values.iter().find(|&&value| value > most) {
            let message = format!(
                "the prediction holds {value}, and a semantic mask 1 to 3 only; leave out map to score instances"
            );
            return Err(EvaluationError::Conflict { parameter: "map", message });
        }
        // Only the shape of this geometry is of interest.
        let axes = grid.canonical.axes;
        let memory_axes = if file.is_fortran { [2, 1, 0] } else { [0, 1, 2] };
        let shaped = |len: usize, n: usize| Axis { len, ..axes[n] };
        let geometry = Geometry { axes: [0, 1, 2].map(|n| shaped(file.shape[memory_axes[n]], n)), ..grid.canonical };
        let volume = Volume { element: ElementType::Uint8, geometry, bytes: labels };
        let labels = placement.apply(volume, memory_axes, &grid);
        let Placement { alignment, hints, alternatives, .. } = placement;
        Ok(Prediction { labels, values: interner.values, alignment, hints, alternatives })
    }
}

impl Prediction {
    /// A prediction without any structure: what is scored when there is none.
    #[must_use]
    pub fn empty(grid: &Grid) -> Self {
        Self {
            labels: vec![0; grid.canonical.voxels()],
            values: vec![0],
            alignment: Alignment::missing(),
            hints: Vec::new(),
            alternatives: Vec::new(),
        }
    }
}

/// Besides the masks: tables of counts, and what is needed of one plane.
const FIXED_BYTES: u64 = 2 << 20;

/// Numbers for the values of a mask, in the order in which they appear.
#[derive(Debug)]
struct Interner {
    /// The number of each value; 0 for those that did not appear, and for 0.
    numbers: Vec<u8>,
    values: Vec<u32>,
}

impl Interner {
    fn new() -> Self {
        Self { numbers: vec![0; MOST_VALUES], values: vec![0] }
    }

    fn convert(&mut self, bytes: &[u8], encoding: VoxelEncoding, out: &mut Vec<u8>) -> Result<(), EvaluationError> {
        match encoding.element {
            ElementType::Uint8 => self.each(bytes, encoding, |b: [u8; 1]| Stored::Whole(b[0].into()), out),
            ElementType::Int8 => self.each(bytes, encoding, |b| Stored::Whole(i8::from_le_bytes(b).into()), out),
            ElementType::Uint16 => self.each(bytes, encoding, |b| Stored::Whole(u16::from_le_bytes(b).into()), out),
            ElementType::Int16 => self.each(bytes, encoding, |b| Stored::Whole(i16::from_le_bytes(b).into()), out),
            ElementType::Uint32 => self.each(bytes, encoding, |b| Stored::Whole(u32::from_le_bytes(b).into()), out),
            ElementType::Int32 => self.each(bytes, encoding, |b| Stored::Whole(i32::from_le_bytes(b).into()), out),
            ElementType::Uint64 => self.each(bytes, encoding, |b| Stored::Whole(u64::from_le_bytes(b).into()), out),
            ElementType::Int64 => self.each(bytes, encoding, |b| Stored::Whole(i64::from_le_bytes(b).into()), out),
            ElementType::Float32 => self.each(bytes, encoding, |b| Stored::Real(f32::from_le_bytes(b).into()), out),
            ElementType::Float64 => self.each(bytes, encoding, |b| Stored::Real(f64::from_le_bytes(b)), out),
        }
    }

    fn each<const N: usize>(
        &mut self,
        bytes: &[u8],
        encoding: VoxelEncoding,
        stored: impl Fn([u8; N]) -> Stored,
        out: &mut Vec<u8>,
    ) -> Result<(), EvaluationError> {
        // Neighbours are mostly equal, above all in the background.
        let mut last: Option<([u8; N], u8)> = None;
        for &chunk in bytes.as_chunks::<N>().0 {
            let number = match last {
                Some((same, number)) if same == chunk => number,
                _ => {
                    let mut little = chunk;
                    if encoding.big_endian {
                        little.reverse();
                    }
                    self.number(stored(little).label(encoding.scaling)?)?
                }
            };
            last = Some((chunk, number));
            out.push(number);
        }
        Ok(())
    }

    fn number(&mut self, value: i64) -> Result<u8, EvaluationError> {
        let index = usize::try_from(value).ok().filter(|&index| index < MOST_VALUES).ok_or_else(|| {
            let message = format!("the mask holds {value}; labels are whole numbers from 0 to {}", MOST_VALUES - 1);
            EvaluationError::Unreadable(format!("{message}. Is it an image and not a mask?"))
        })?;
        if index == 0 || self.numbers[index] != 0 {
            return Ok(self.numbers[index]);
        }
        let number = u8::try_from(self.values.len()).map_err(|_| {
            let message = format!("the mask holds more than {MOST_LABELS} different labels");
            EvaluationError::Unreadable(format!("{message}. Is it an image and not a mask?"))
        })?;
        self.values.push(index as u32);
        self.numbers[index] = number;
        Ok(number)
    }
}

/// A voxel as its file has it.
enum Stored {
    Whole(i128),
    Real(f64),
}

impl Stored {
    /// The label that it stands for, once it is scaled by (slope, intercept).
    fn label(self, scaling: Option<(f64, f64)>) -> Result<i64, EvaluationError> {
        match (self, scaling) {
            (Self::Whole(value), None) => Ok(i64::try_from(value).unwrap_or(i64::MAX)),
            (Self::Real(value), None) => whole(value, 0.0),
            (stored, Some((slope, intercept))) => {
                let value = match stored {
                    Self::Whole(value) => value as f64,
                    Self::Real(value) => value,
                };
                whole(slope * value + intercept, SCALING_TOLERANCE)
            }
        }
    }
}

/// A number that is whole, but for rounding within `tolerance`.
fn whole(value: f64, tolerance: f64) -> Result<i64, EvaluationError> {
    let rounded = value.round();
    // Written so that what is not a number is refused as well.
    if (value - rounded).abs() <= tolerance && rounded.abs() < 1e15 {
        return Ok(rounded as i64);
    }
    Err(EvaluationError::Unreadable(format!(
        "the mask holds {value}; labels are whole numbers. Is it a probability map, or resampled with interpolation?"
    )))
}
