use bytes::Bytes;
use futures_util::stream::{self, Stream, StreamExt};

use super::assembly::{Chunks, ReadAhead, assembled};
use super::section::Section;
use crate::formats::zip;
use crate::renderer::RendererError;

/// An archive of these members, sent while they are made.
pub(super) fn archived(
    ahead: ReadAhead,
    members: Vec<(zip::Member, Section)>,
) -> impl Stream<Item = Result<Bytes, RendererError>> {
    let state = (zip::Archive::default(), members.into_iter(), None::<Chunks>, false);
    stream::try_unfold(state, move |(mut archive, mut members, mut current, ended)| async move {
        if ended {
            return Ok(None);
        }
        if let Some(chunks) = &mut current {
            let bytes = match chunks.next().await.transpose()? {
                Some(chunk) => {
                    archive.update(&chunk);
                    chunk
                }
                None => {
                    current = None;
                    archive.finish_member().into()
                }
            };
            return Ok(Some((bytes, (archive, members, current, false))));
        }
        match members.next() {
            Some((member, section)) => {
                let header = archive.begin(member);
                let chunks = assembled(ahead, section.parts()).boxed();
                Ok(Some((header.into(), (archive, members, Some(chunks), false))))
            }
            None => {
                let end = std::mem::take(&mut archive).finish();
                Ok(Some((end.into(), (archive, members, None, true))))
            }
        }
    })
}
