use super::source::read_row;
use super::{AxisSampling, RowSink, Sampling, ValueScale};
use crate::volume::Slice;

/// The input sample of every wanted one: the float arithmetic of `scipy.ndimage.zoom(order=0, grid_mode=True)`, which
/// decides the cases that lie exactly between two samples.
fn indices(axis: AxisSampling) -> Vec<usize> {
    let index = |n| (axis.coordinate(n) + 0.5).floor().clamp(0.0, (axis.input - 1) as f64) as usize;
    (0..axis.len).map(index).collect()
}

/// Resizes an image without making new values.
pub(super) fn resample(slice: Slice<'_>, scale: ValueScale, sampling: &Sampling, mut sink: impl RowSink) {
    let columns = indices(sampling.columns);
    let (mut line, mut out) = (vec![0.0; slice.columns], vec![0.0; columns.len()]);
    for row in indices(sampling.rows) {
        read_row(slice, row, scale, &mut line);
        for (out, &column) in out.iter_mut().zip(&columns) {
            *out = line[column];
        }
        sink.push(&out);
    }
}

/// Resizes a mask: `skimage.transform.resize(order=0)`. `labels` has `rows.input` × `columns.input` values; the result has
/// `rows.len` × `columns.len`, none of which was not there before.
#[must_use]
pub fn resample_labels(labels: &[u8], rows: AxisSampling, columns: AxisSampling) -> Vec<u8> {
    let wanted = indices(columns);
    let mut out = Vec::with_capacity(rows.len * columns.len);
    let mut before: Option<usize> = None;
    for row in indices(rows) {
        if before == Some(row) {
            out.extend_from_within(out.len() - columns.len..);
        } else {
            let line = &labels[row * columns.input..(row + 1) * columns.input];
            if columns.is_whole() {
                out.extend_from_slice(line);
            } else {
                out.extend(wanted.iter().map(|&column| line[column]));
            }
        }
        before = Some(row);
    }
    out
}
