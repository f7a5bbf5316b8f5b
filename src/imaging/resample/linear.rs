//! `skimage.transform.resize` with its defaults, float for float. It is `scipy.ndimage.gaussian_filter` (rows' axis
//! first) where an axis shrinks, then `scipy.ndimage.zoom(order=1, grid_mode=True, mode='mirror')`. Floating-point addition
//! is not associative, so the order of operations in `exact` is scipy's, and nothing may be contracted to fused
//! multiply-adds. A sink that rounds is first offered what `close` makes in half the operations, with a bound of how far it
//! lies from scipy's; it takes a row if no value within that bound rounds to another pixel, which is nearly always.

mod close;
mod exact;
mod line;
mod plan;
mod source_rows;

use super::{RowSink, Sampling, ValueScale};
use crate::volume::Slice;

use close::CloseRows;
use exact::ExactRows;
use line::Line;
use plan::Plan;
use source_rows::SourceRows;

/// Resizes with anti-aliasing.
pub(super) fn resample(slice: Slice<'_>, scale: ValueScale, sampling: &Sampling, sink: impl RowSink) {
    let plan = Plan::new(sampling);
    #[cfg(target_arch = "x86_64")]
    if has_avx512() {
        // SAFETY: the processor has just been found to have exactly these instructions. On 512 × 512 they halve the time.
        return unsafe { run_avx512(slice, scale, &plan, sink) };
    }
    #[cfg(target_arch = "x86_64")]
    if is_x86_feature_detected!("avx2") {
        // SAFETY: as above.
        return unsafe { run_avx2(slice, scale, &plan, sink) };
    }
    run::<HAS_FUSED>(slice, scale, &plan, sink);
}

/// Whether there are all the instructions that `run_avx512` is compiled for. The first processors with AVX-512 had not.
#[cfg(target_arch = "x86_64")]
fn has_avx512() -> bool {
    is_x86_feature_detected!("avx512f")
        && is_x86_feature_detected!("avx512dq")
        && is_x86_feature_detected!("avx512bw")
        && is_x86_feature_detected!("avx512vl")
}

/// Whether every processor of this architecture multiplies and adds in one instruction. Elsewhere that is a function call.
const HAS_FUSED: bool = cfg!(target_arch = "aarch64");

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512dq,avx512bw,avx512vl")]
fn run_avx512(slice: Slice<'_>, scale: ValueScale, plan: &Plan, sink: impl RowSink) {
    run::<true>(slice, scale, plan, sink);
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
fn run_avx2(slice: Slice<'_>, scale: ValueScale, plan: &Plan, sink: impl RowSink) {
    run::<HAS_FUSED>(slice, scale, plan, sink);
}

/// `FUSED`: whether close rows may multiply and add in one instruction.
#[inline(always)]
fn run<const FUSED: bool>(slice: Slice<'_>, scale: ValueScale, plan: &Plan, mut sink: impl RowSink) {
    let mut source = SourceRows::new(slice, scale, 2 * plan.row_blur.radius() + 2);
    let mut line = Line::new(slice.columns, &plan.column_blur);
    let mut out = vec![0.0; plan.column_taps.first.len()];
    let mut exact = ExactRows::new(plan);
    // Where rows grow, several of the result share a blurred row, and close ones take no fewer operations. Voxels of
    // floating-point types may be NaN or infinite, for which no margin holds.
    let may_be_close = !plan.rows_grow && sink.rounds() && slice.element.integer_max().is_some();
    let mut close = may_be_close.then(|| CloseRows::new(plan, scale));
    let (mut taken, mut refused) = (0, 0);
    for tap in &plan.row_taps {
        // Where weights are eighths, say, and pixels the integers that voxels are, every row has values halfway between two.
        if let Some(close) = close.as_mut().filter(|_| refused <= taken) {
            close.write::<FUSED>(tap, scale.range, &mut source, &mut line, &mut out);
            if sink.push_close(&out, close.margin) {
                taken += 1;
                continue;
            }
            refused += 1;
        }
        exact.write(tap, scale.range, &mut source, &mut line, &mut out);
        sink.push(&out);
    }
}

#[cfg(test)]
mod tests;
