//! Many slices as one file, stacked along a new first axis.

use std::sync::Arc;

use bytes::Bytes;

use super::bundle::Bundle;
use super::pair::Pair;
use super::section::{Images, Section, Stack};
use crate::formats::npy;
use crate::renderer::{Keep, Renderer};
use crate::volume::ElementType;
use crate::worker_pool::{Flow, Reservation};

/// These pairs, whose images have one shape and one type: `.npz` with `image`, `mask`, `scan_id`, `slice` and `affine`, or
/// `.npy` of the images alone. What is reserved for the list lasts as long as the list. `None` without pairs.
#[must_use]
pub fn batch(renderer: &Arc<Renderer>, pairs: Vec<Pair>, held: Reservation, only_images: bool) -> Option<Bundle> {
    let (first, count) = (pairs.first()?, pairs.len());
    let (channels, image_axes) = (first.channels(), [Some(count), first.channel_axis()]);
    let image_axes: Vec<usize> = image_axes.into_iter().flatten().collect();
    let (first_image, first_mask) = (first.image().clone(), first.mask().clone());
    let facts = facts(&pairs);
    let pairs = Arc::new((pairs, held));
    let stack = |first, count, image| {
        let (renderer, keep, flow) = (Arc::clone(renderer), Keep::Yes, Flow::bulk());
        Stack { renderer, flow, keep, first, count, image }
    };
    let of_images = Arc::clone(&pairs);
    let image = move |n: usize| of_images.0[n / channels].channel(n % channels);
    let images = stack(first_image, count * channels, Box::new(image) as Images);
    let images = images.npy(&image_axes);
    if only_images {
        return Some(Bundle::plain(renderer, "application/octet-stream", Vec::new(), images));
    }
    let mask = move |n: usize| pairs.0[n].mask().clone();
    let masks = stack(first_mask, count, Box::new(mask)).npy(&[count]);
    let members = [("image.npy", images), ("mask.npy", masks)].into_iter().chain(facts);
    Some(Bundle::npz(renderer, Vec::new(), members.collect()))
}

/// Arrays that name each of the slices and place it: `scan_id`, `slice`, and `affine` as a pair has it.
fn facts(pairs: &[Pair]) -> [(&'static str, Section); 3] {
    let count = pairs.len();
    let scans: Vec<_> = pairs.iter().map(|pair| pair.image().scan().to_string()).collect();
    let slices = pairs.iter().flat_map(|pair| (pair.image().slice() as i64).to_le_bytes());
    let affines = pairs.iter().flat_map(|pair| pair.image().affine_lps().into_iter().flatten());
    let slices: Vec<_> = npy::header(ElementType::Int64, &[count]).into_iter().chain(slices).collect();
    let affine_header = npy::header(ElementType::Float64, &[count, 4, 4]);
    let affines: Vec<_> = affine_header.into_iter().chain(affines.flat_map(f64::to_le_bytes)).collect();
    [("scan_id.npy", npy::texts(&scans)), ("slice.npy", slices), ("affine.npy", affines)]
        .map(|(name, file)| (name, Section::ready(vec![Bytes::from(file)])))
}
