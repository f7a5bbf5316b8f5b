use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::stream::{Stream, StreamExt, TryStreamExt};

use super::archive::archived;
use super::assembly::{Chunks, ReadAhead, assembled, assembled_range};
use super::gzip::gzipped;
use super::section::{Section, Stack};
use crate::formats::zip;
use crate::renderer::{Keep, RenderRequest, Renderer, RendererError};
use crate::worker_pool::Flow;

/// A file made of many renderings. Nothing is rendered before its bytes are read.
#[derive(Clone)]
pub struct Bundle {
    renderer: Arc<Renderer>,
    media_type: &'static str,
    version: Vec<String>,
    content: Content,
}

#[derive(Clone)]
enum Content {
    /// Any range is made by itself.
    Plain(Section),
    /// A range is made from the beginning of the file: checksums stand behind what they are of.
    Zip(Vec<(zip::Member, Section)>),
    /// The length is not known before the end.
    Gzip(Section, Flow),
}

impl Bundle {
    /// A file of one section. `version` changes whenever the bytes do.
    #[must_use]
    pub fn plain(renderer: &Arc<Renderer>, media_type: &'static str, version: Vec<String>, section: Section) -> Self {
        Self { renderer: Arc::clone(renderer), media_type, version, content: Content::Plain(section) }
    }

    /// A `.npz` file: an archive of these members, whose lengths are known.
    #[must_use]
    pub fn npz(renderer: &Arc<Renderer>, version: Vec<String>, members: Vec<(&str, Section)>) -> Self {
        let member = |(name, section): (&str, Section)| {
            debug_assert!(section.len().is_some(), "{name} has no length");
            (zip::Member { name: name.to_owned(), len: section.len().unwrap_or(0) }, section)
        };
        let content = Content::Zip(members.into_iter().map(member).collect());
        Self { renderer: Arc::clone(renderer), media_type: "application/octet-stream", version, content }
    }

    /// The `.npy` file of one array image, which is not likely to be requested again.
    #[must_use]
    pub fn image(renderer: &Arc<Renderer>, render_request: RenderRequest) -> Self {
        let version = vec![render_request.validator()];
        let (first, media_type) = (render_request.clone(), render_request.file().0);
        let (flow, image) = (Flow::interactive(), Box::new(move |_| render_request.clone()));
        let stack = Stack { renderer: Arc::clone(renderer), flow, keep: Keep::No, first, count: 1, image };
        Self::plain(renderer, media_type, version, stack.npy(&[]))
    }

    /// A section, compressed as work of this flow.
    #[must_use]
    pub fn gzip(renderer: &Arc<Renderer>, version: Vec<String>, section: Section, flow: Flow) -> Self {
        let content = Content::Gzip(section, flow);
        Self { renderer: Arc::clone(renderer), media_type: "application/gzip", version, content }
    }

    /// The same file with bytes that were made before.
    #[must_use]
    pub fn with_bytes(self, bytes: Vec<Bytes>) -> Self {
        Self { content: Content::Plain(Section::ready(bytes)), ..self }
    }

    /// Media type of the file.
    #[must_use]
    pub fn media_type(&self) -> &'static str {
        self.media_type
    }

    /// Texts that change whenever the bytes do.
    #[must_use]
    pub fn version(&self) -> &[String] {
        &self.version
    }

    /// Length of the file, if it is known before the file is made.
    #[must_use]
    pub fn len(&self) -> Option<u64> {
        match &self.content {
            Content::Plain(section) => section.len(),
            Content::Zip(members) => Some(zip::len(members.iter().map(|(member, _)| member))),
            Content::Gzip(..) => None,
        }
    }

    /// Whether the file is known to hold nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == Some(0)
    }

    /// Length of what is compressed to make the file; of all others, that of the file.
    #[must_use]
    pub fn uncompressed_len(&self) -> Option<u64> {
        match &self.content {
            Content::Gzip(section, _) => section.len(),
            Content::Plain(_) | Content::Zip(_) => self.len(),
        }
    }

    /// The whole file.
    #[must_use]
    pub fn chunks(&self) -> Chunks {
        let ahead = ReadAhead::of(&self.renderer);
        match &self.content {
            Content::Plain(section) => assembled(ahead, section.parts()).boxed(),
            Content::Zip(members) => archived(ahead, members.clone()).boxed(),
            Content::Gzip(section, flow) => gzipped(&self.renderer, *flow, section.parts()),
        }
    }

    /// Some of the bytes of a file of known length.
    #[must_use]
    pub fn range(&self, range: Range<u64>) -> Chunks {
        match &self.content {
            Content::Plain(section) => assembled_range(ReadAhead::of(&self.renderer), section.parts(), range).boxed(),
            Content::Zip(_) | Content::Gzip(..) => cut(self.chunks(), range).boxed(),
        }
    }

    /// The whole file, in memory.
    ///
    /// # Errors
    /// [`RendererError`].
    pub async fn made(&self) -> Result<Vec<Bytes>, RendererError> {
        self.chunks().try_collect().await
    }
}

/// The bytes of a stream that lie in a range. What lies behind it is not made.
fn cut(chunks: Chunks, range: Range<u64>) -> impl Stream<Item = Result<Bytes, RendererError>> {
    let placed = chunks.scan(0, |end, chunk| {
        let start = *end;
        *end += chunk.as_ref().map_or(0, |bytes| bytes.len() as u64);
        std::future::ready(Some((start, chunk)))
    });
    let Range { start: first, end: last } = range;
    let wanted = placed.take_while(move |(start, _)| std::future::ready(*start < last));
    wanted.filter_map(move |(start, chunk)| {
        let within = |at: u64, len: usize| at.saturating_sub(start).min(len as u64) as usize;
        let cut = chunk.map(|bytes| bytes.slice(within(first, bytes.len())..within(last, bytes.len())));
        std::future::ready(Some(cut).filter(|cut| cut.as_ref().map_or(true, |bytes| !bytes.is_empty())))
    })
}

#[cfg(test)]
mod tests {
    use futures_util::stream;

    use super::*;

    #[tokio::test]
    async fn every_cut_is_that_part_of_the_whole() {
        let whole = b"abcdefghi";
        let chunks =
            || stream::iter([&b"ab"[..], b"", b"cdef", b"ghi"].map(|part| Ok(Bytes::from_static(part)))).boxed();
        for first in 0..9u64 {
            for last in first + 1..=9 {
                let found: Vec<Bytes> = cut(chunks(), first..last).try_collect().await.unwrap();
                assert_eq!(found.concat(), &whole[first as usize..last as usize], "{first}..{last}");
            }
        }
    }
}
