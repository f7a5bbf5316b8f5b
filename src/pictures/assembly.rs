//! Files made of many pictures — volumes, batches, streams — sent while they are made. However long the file, memory holds a
//! few pictures; whoever asks for a part of it has only that part drawn.

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use futures_util::stream::{self, FuturesOrdered, Stream, StreamExt};
use tokio::sync::OnceCell;

use super::draw::{Drawn, Prepared};
use super::{Order, PictureError, Pictures};
use crate::formats::npy;
use crate::pool::{Flow, Reservation, hold};

/// Parts that are made before they are asked for, so that threads draw while the client reads.
const AHEAD: usize = 6;
/// Bytes of those, unless one alone has more.
const AHEAD_BYTES: u64 = 4 << 20;

/// A part of a file. Nothing is made until it is needed.
pub struct Part {
    len: Option<u64>,
    bytes: BoxFuture<'static, Result<Bytes, PictureError>>,
}

/// Whether a picture is likely to be asked for again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keep {
    /// It goes into the cache.
    Yes,
    /// It is used once; if it is in the cache already, all the better.
    No,
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
        Self { len: Some(bytes.len() as u64), bytes: Box::pin(async { Ok(bytes) }) }
    }

    /// Bytes that are made when they are needed; `len` if it is known before.
    pub fn later(len: Option<u64>, bytes: impl Future<Output = Result<Bytes, PictureError>> + Send + 'static) -> Self {
        Self { len, bytes: Box::pin(bytes) }
    }

    /// The elements of an array picture, without its header: one part, or one for each band of a large picture, which is
    /// never in memory as a whole.
    pub fn elements(pictures: &Arc<Pictures>, order: Order, keep: Keep, flow: Flow) -> Vec<Self> {
        if order.is_large() {
            return Bands::new(pictures, order, flow).parts();
        }
        let pictures = Arc::clone(pictures);
        let len = order.elements_len();
        let elements = async move {
            let drawn = pictures.draw_for_file(order, keep, flow).await?;
            Ok(drawn.bytes.slice(npy::array_start(&drawn.bytes).unwrap_or(0)..))
        };
        vec![Self::later(Some(len), elements)]
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
pub fn assembled(
    parts: impl Iterator<Item = Part> + Send + 'static,
) -> impl Stream<Item = Result<Bytes, PictureError>> + Send {
    made_ahead(parts.map(|part| (part.len.unwrap_or(0), part.bytes)))
}

/// What these futures give, in their order. Some are begun before they are asked for, as many as `AHEAD` and `AHEAD_BYTES`
/// allow; at least one.
fn made_ahead<F: Future<Output = Result<Bytes, PictureError>> + Send>(
    parts: impl Iterator<Item = (u64, F)> + Send,
) -> impl Stream<Item = Result<Bytes, PictureError>> + Send {
    let state = (parts.peekable(), FuturesOrdered::new(), 0);
    stream::unfold(state, async |(mut parts, mut begun, mut bytes)| {
        while begun.len() < AHEAD {
            let Some((len, part)) = parts.next_if(|(len, _)| begun.is_empty() || bytes + len <= AHEAD_BYTES) else {
                break;
            };
            bytes += len;
            begun.push_back(async move { (len, part.await) });
        }
        let (len, part) = begun.next().await?;
        bytes -= len;
        Some((part, (parts, begun, bytes)))
    })
}

/// Some of the bytes of these parts, whose lengths are known. Parts outside the range are not made.
pub fn assembled_range(
    parts: impl Iterator<Item = Part> + Send + 'static,
    range: Range<u64>,
) -> impl Stream<Item = Result<Bytes, PictureError>> + Send {
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
            let cut = async move {
                let bytes = part.bytes.await?;
                let len = bytes.len() as u64;
                let (from, to) = (first.saturating_sub(start).min(len), (last - start).min(len));
                Ok(bytes.slice(from as usize..to as usize))
            };
            (part.len.unwrap_or(0), cut)
        });
    made_ahead(wanted)
}

/// Bands of a large array picture that may be in memory at once: those that are rendered ahead, and those that are being sent.
const BANDS_AT_ONCE: u64 = 4;

/// A large array picture that is sent band by band. What it takes is reserved once, so that no two of them wait for each
/// other.
struct Bands {
    pictures: Arc<Pictures>,
    order: Order,
    flow: Flow,
    prepared: OnceCell<(Arc<Prepared>, Arc<Reservation>)>,
}

impl Bands {
    fn new(pictures: &Arc<Pictures>, order: Order, flow: Flow) -> Arc<Self> {
        Arc::new(Self { pictures: Arc::clone(pictures), order, flow, prepared: OnceCell::new() })
    }

    fn parts(self: &Arc<Self>) -> Vec<Part> {
        let [height, width] = self.order.canvas();
        let (at_once, line) = (self.order.key.picture.rows_at_once(), width * self.order.element().size());
        let band = |first: usize| {
            let rows = first..(first + at_once).min(height);
            let bands = Arc::clone(self);
            Part::later(Some((rows.len() * line) as u64), async move { bands.band(rows).await })
        };
        (0..height).step_by(at_once).map(band).collect()
    }

    async fn band(&self, rows: Range<usize>) -> Result<Bytes, PictureError> {
        let pool = &self.pictures.pool;
        let prepared = self.prepared.get_or_try_init(|| async {
            let bytes = self.order.slice_bytes() + BANDS_AT_ONCE * self.order.key.picture.band_bytes();
            let reservation = pool.budget().reserve(self.flow, bytes).await?;
            let prepared = self.pictures.prepare(self.order.clone(), self.flow).await?;
            Ok::<_, PictureError>((Arc::new(prepared), Arc::new(reservation)))
        });
        let (prepared, reservation) = prepared.await?;
        let (prepared, reservation) = (Arc::clone(prepared), Arc::clone(reservation));
        let cost = self.order.key.picture.band_nanoseconds();
        let bytes = pool.run(self.flow, cost, move || prepared.rows(rows)).await??;
        Ok(hold(reservation, bytes.into()))
    }
}

impl Pictures {
    /// The picture of an order for a file that is being sent.
    ///
    /// # Errors
    /// [`PictureError`].
    pub async fn draw_for_file(
        self: &Arc<Self>,
        order: Order,
        keep: Keep,
        flow: Flow,
    ) -> Result<Arc<Drawn>, PictureError> {
        if keep == Keep::Yes {
            return self.draw_as(order, flow).await.map(|(drawn, _)| drawn);
        }
        if let Some(drawn) = self.cache.kept(&order.key).await {
            return Ok(drawn);
        }
        let (drawn, reservation) = self.draw_anew(order, flow).await?;
        Ok(Arc::new(Drawn { bytes: reservation.hold(drawn.bytes.clone()), ..drawn }))
    }
}

#[cfg(test)]
mod tests {
    use futures_util::TryStreamExt;

    use super::*;

    fn parts() -> impl Iterator<Item = Part> + Send + 'static {
        let later = Part::later(Some(4), async { Ok(Bytes::from_static(b"cdef")) });
        let never = Part::later(Some(3), async { Err(PictureError::Broken(crate::pool::Broken("made".to_owned()))) });
        [Part::ready(&b"ab"[..]), later, Part::ready(&b""[..]), Part::ready(&b"ghi"[..]), never].into_iter()
    }

    #[tokio::test]
    async fn every_range_is_that_of_the_whole_and_makes_nothing_else() {
        let whole = b"abcdefghi";
        for first in 0..9u64 {
            for last in first + 1..=9 {
                let chunks: Vec<Bytes> = assembled_range(parts(), first..last).try_collect().await.unwrap();
                assert_eq!(chunks.concat(), &whole[first as usize..last as usize], "{first}..{last}");
            }
        }
        let beyond: Result<Vec<Bytes>, _> = assembled_range(parts(), 8..10).try_collect().await;
        assert!(beyond.is_err());
    }
}
