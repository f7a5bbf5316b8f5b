//! Parts of files, one after the other, some of them rendered before the client reads them. However long the file, memory holds
//! a few renderings; of a range, only the parts in it are rendered.

use std::ops::Range;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use futures_util::stream::{self, BoxStream, FuturesOrdered, Stream, StreamExt};

use crate::renderer::{Renderer, RendererError};

/// Bytes of a file, in their order.
pub type Chunks = BoxStream<'static, Result<Bytes, RendererError>>;

/// How much of a file is rendered before the client reads it: enough to keep every thread busy.
#[derive(Debug, Clone, Copy)]
pub(super) struct ReadAhead {
    /// Parts that are being rendered, or that are rendered and not yet read.
    renderings: usize,
    /// Their bytes, unless one alone has more.
    bytes: u64,
}

/// Parts ahead for each thread: while one is rendered, the next one's slice is read and the one before is sent.
const RENDERINGS_PER_THREAD: usize = 3;
/// Bytes ahead for each thread: as many images of 512 × 512, 16 bits, with room for larger ones.
const BYTES_PER_THREAD: u64 = 3 << 20;

impl ReadAhead {
    /// As much as keeps the threads of a renderer busy.
    pub(super) fn of(renderer: &Renderer) -> Self {
        Self::of_threads(renderer.pool().threads())
    }

    fn of_threads(threads: usize) -> Self {
        Self { renderings: threads * RENDERINGS_PER_THREAD, bytes: threads as u64 * BYTES_PER_THREAD }
    }
}

/// A part of a file. Nothing is made until it is needed.
pub struct Part {
    len: Option<u64>,
    is_ready: bool,
    bytes: BoxFuture<'static, Result<Bytes, RendererError>>,
}

impl std::fmt::Debug for Part {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Part").field("len", &self.len).finish_non_exhaustive()
    }
}

impl Part {
    /// Bytes that are there.
    pub fn ready(bytes: impl Into<Bytes>) -> Self {
        let bytes = bytes.into();
        Self { len: Some(bytes.len() as u64), is_ready: true, bytes: Box::pin(async { Ok(bytes) }) }
    }

    /// Bytes that are made when they are needed; `len` if it is known before.
    pub fn later(len: Option<u64>, bytes: impl Future<Output = Result<Bytes, RendererError>> + Send + 'static) -> Self {
        Self { len, is_ready: false, bytes: Box::pin(bytes) }
    }

    /// Its length, if it is known before it is made.
    #[must_use]
    pub fn len(&self) -> Option<u64> {
        self.len
    }

    /// Whether it is known to hold nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == Some(0)
    }
}

/// The bytes of these parts, one after the other.
pub(super) fn assembled(
    ahead: ReadAhead,
    parts: impl Iterator<Item = Part> + Send + 'static,
) -> impl Stream<Item = Result<Bytes, RendererError>> + Send {
    made_ahead(ahead, parts.map(|part| (Size::of(&part), part.bytes)))
}

/// What a part counts among those that are made ahead.
#[derive(Debug, Clone, Copy)]
struct Size {
    renderings: usize,
    bytes: u64,
}

impl Size {
    fn of(part: &Part) -> Self {
        Self { renderings: usize::from(!part.is_ready), bytes: part.len.unwrap_or(0) }
    }
}

/// What these futures give, in their order. Some are begun before they are requested, as many as `ahead` allows; at least
/// one.
fn made_ahead<F: Future<Output = Result<Bytes, RendererError>> + Send>(
    ahead: ReadAhead,
    parts: impl Iterator<Item = (Size, F)> + Send,
) -> impl Stream<Item = Result<Bytes, RendererError>> + Send {
    let state = (parts.peekable(), FuturesOrdered::new(), Size { renderings: 0, bytes: 0 });
    stream::unfold(state, move |(mut parts, mut begun, mut sum): (_, FuturesOrdered<_>, Size)| async move {
        while sum.renderings < ahead.renderings {
            let fits = |size: &Size| begun.is_empty() || sum.bytes + size.bytes <= ahead.bytes;
            let Some((size, part)) = parts.next_if(|(size, _)| fits(size)) else { break };
            sum = Size { renderings: sum.renderings + size.renderings, bytes: sum.bytes + size.bytes };
            begun.push_back(async move { (size, part.await) });
        }
        let (size, part) = begun.next().await?;
        sum = Size { renderings: sum.renderings - size.renderings, bytes: sum.bytes - size.bytes };
        Some((part, (parts, begun, sum)))
    })
}

/// Some of the bytes of these parts, whose lengths are known. Parts outside the range are not made.
pub(super) fn assembled_range(
    ahead: ReadAhead,
    parts: impl Iterator<Item = Part> + Send + 'static,
    range: Range<u64>,
) -> impl Stream<Item = Result<Bytes, RendererError>> + Send {
    let mut end = 0;
    let placed = parts.map(move |part| {
        let start = end;
        end += part.len.unwrap_or(0);
        (start, part)
    });
    let Range { start: first, end: last } = range;
    let wanted = placed
        .skip_while(move |(start, part)| start + part.len.unwrap_or(0) <= first)
        .take_while(move |(start, _)| *start < last)
        .map(move |(start, part)| {
            let size = Size::of(&part);
            let cut = async move {
                let bytes = part.bytes.await?;
                let len = bytes.len() as u64;
                let (from, to) = (first.saturating_sub(start).min(len), (last - start).min(len));
                Ok(bytes.slice(from as usize..to as usize))
            };
            (size, cut)
        });
    made_ahead(ahead, wanted)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use futures_util::TryStreamExt;

    use super::*;

    const AHEAD: ReadAhead = ReadAhead { renderings: 2, bytes: 6 };

    fn parts() -> impl Iterator<Item = Part> + Send + 'static {
        let later = Part::later(Some(4), async { Ok(Bytes::from_static(b"cdef")) });
        let never = Part::later(Some(3), async {
            Err(RendererError::Panicked(crate::worker_pool::Panicked("made".to_owned())))
        });
        [Part::ready(&b"ab"[..]), later, Part::ready(&b""[..]), Part::ready(&b"ghi"[..]), never].into_iter()
    }

    #[tokio::test]
    async fn every_range_is_that_of_the_whole_and_makes_nothing_else() {
        let whole = b"abcdefghi";
        for first in 0..9u64 {
            for last in first + 1..=9 {
                let chunks: Vec<Bytes> = assembled_range(AHEAD, parts(), first..last).try_collect().await.unwrap();
                assert_eq!(chunks.concat(), &whole[first as usize..last as usize], "{first}..{last}");
            }
        }
        let beyond: Result<Vec<Bytes>, _> = assembled_range(AHEAD, parts(), 8..10).try_collect().await;
        assert!(beyond.is_err());
    }

    /// How many images are begun when the first one is read, of files of samples: a header, an image, padding.
    async fn begun_first(ahead: ReadAhead, image_bytes: u64) -> usize {
        let begun = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&begun);
        let parts = (0..100).flat_map(move |_| {
            let counter = Arc::clone(&counter);
            let image = async move {
                counter.fetch_add(1, Ordering::Relaxed);
                tokio::task::yield_now().await;
                Ok(Bytes::from_static(b"image"))
            };
            [Part::ready(&b"header"[..]), Part::later(Some(image_bytes), image), Part::ready(&b""[..])]
        });
        let mut chunks = std::pin::pin!(assembled(ahead, parts));
        for expected in [&b"header"[..], b"image"] {
            assert_eq!(chunks.next().await.unwrap().unwrap(), expected);
        }
        begun.load(Ordering::Relaxed)
    }

    #[tokio::test]
    async fn renderings_are_begun_ahead_in_proportion_to_the_threads() {
        for threads in [1, 2, 16] {
            let ahead = ReadAhead::of_threads(threads);
            assert_eq!(begun_first(ahead, 1000).await, threads * RENDERINGS_PER_THREAD);
            // Large ones are bounded by their bytes.
            assert_eq!(begun_first(ahead, BYTES_PER_THREAD).await, (threads - 1).max(1));
        }
    }
}
