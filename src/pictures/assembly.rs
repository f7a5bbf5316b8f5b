//! Files made of many pictures — volumes, batches, streams — sent while they are made. However long the file, memory holds a
//! few pictures; whoever asks for a part of it has only that part drawn.

use std::ops::Range;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::future::BoxFuture;
use futures_util::stream::{self, Stream, StreamExt};

use super::draw::Drawn;
use super::{Order, PictureError, Pictures};
use crate::formats::npy;

/// Parts that are made before they are asked for, so that threads draw while the client reads.
const AHEAD: usize = 6;

/// How long a part waits for a place in the drawing queue: others are served in between.
const PATIENCE: Duration = Duration::from_secs(60);
const PAUSE: Duration = Duration::from_millis(5);

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

    /// The elements of an array picture, without its header.
    pub fn elements(pictures: &Arc<Pictures>, order: Order, keep: Keep) -> Self {
        let pictures = Arc::clone(pictures);
        let len = order.elements_len();
        Self::later(Some(len), async move {
            let drawn = pictures.draw_patiently(order, keep).await?;
            Ok(drawn.bytes.slice(npy::array_start(&drawn.bytes).unwrap_or(0)..))
        })
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
    stream::iter(parts.map(|part| part.bytes)).buffered(AHEAD)
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
        .map(move |(start, part)| async move {
            let bytes = part.bytes.await?;
            let len = bytes.len() as u64;
            let (from, to) = (first.saturating_sub(start).min(len), (last - start).min(len));
            Ok(bytes.slice(from as usize..to as usize))
        });
    stream::iter(wanted).buffered(AHEAD)
}

impl Pictures {
    /// The picture of an order for a file that is being sent: when the drawing queue is full, it waits.
    ///
    /// # Errors
    /// [`PictureError`]; [`PictureError::Full`] only after a minute.
    pub async fn draw_patiently(self: &Arc<Self>, order: Order, keep: Keep) -> Result<Arc<Drawn>, PictureError> {
        let start = Instant::now();
        loop {
            let drawn = match keep {
                Keep::Yes => self.draw(order.clone()).await.map(|(drawn, _)| drawn),
                Keep::No => self.draw_unkept(order.clone()).await,
            };
            match drawn {
                Err(PictureError::Full(_)) if start.elapsed() < PATIENCE => tokio::time::sleep(PAUSE).await,
                drawn => return drawn,
            }
        }
    }

    async fn draw_unkept(self: &Arc<Self>, order: Order) -> Result<Arc<Drawn>, PictureError> {
        match self.cache.kept(&order.key).await {
            Some(drawn) => Ok(drawn),
            None => self.draw_anew(order).await.map(Arc::new),
        }
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
