//! Archives whose length is known before their contents are: ZIP files with stored (not compressed) members, written from
//! front to end. A checksum stands behind its member's bytes, in a data descriptor, and in the directory at the end, so that
//! a member can be sent while it is made. `.npz` is such an archive.
//!
//! Format: APPNOTE.TXT 6.3.10, sections 4.3.7 to 4.3.16. Without ZIP64: an archive is smaller than 4 GiB.

use crc32fast::Hasher;

const LOCAL: u32 = 0x0403_4b50;
const DESCRIPTOR: u32 = 0x0807_4b50;
const CENTRAL: u32 = 0x0201_4b50;
const END: u32 = 0x0605_4b50;
/// Data descriptor, UTF-8 names.
const FLAGS: u16 = 0x0808;
const VERSION: u16 = 20;
/// 1980-01-01: the same contents are the same file, whenever they are requested.
const DATE: u16 = 0x0021;

const LOCAL_BYTES: u64 = 30;
const DESCRIPTOR_BYTES: u64 = 16;
const CENTRAL_BYTES: u64 = 46;
const END_BYTES: u64 = 22;

/// Largest archive, in bytes.
pub const LARGEST: u64 = u32::MAX as u64;

/// A file in an archive.
#[derive(Debug, Clone)]
pub struct Member {
    /// Its name.
    pub name: String,
    /// Its length in bytes.
    pub len: u64,
}

/// Bytes of an archive with these members.
#[must_use]
pub fn len<'a>(members: impl IntoIterator<Item = &'a Member>) -> u64 {
    let around = |member: &Member| LOCAL_BYTES + DESCRIPTOR_BYTES + CENTRAL_BYTES + 2 * member.name.len() as u64;
    members.into_iter().map(|member| around(member) + member.len).sum::<u64>() + END_BYTES
}

/// An archive being written. The caller sends, for each member: what [`Archive::begin`] gives, the member's bytes, each
/// passed to [`Archive::update`], what [`Archive::finish_member`] gives; and at the end what [`Archive::finish`] gives.
#[derive(Debug, Default)]
pub struct Archive {
    directory: Vec<u8>,
    written: u64,
    members: u16,
    current: Option<(Member, u64, Hasher)>,
}

impl Archive {
    /// What stands before a member's bytes.
    pub fn begin(&mut self, member: Member) -> Vec<u8> {
        let mut header = Vec::new();
        put32(&mut header, LOCAL);
        put16s(&mut header, [VERSION, FLAGS, 0, 0, DATE]);
        put32s(&mut header, [0, 0, 0]);
        put16s(&mut header, [name_len(&member), 0]);
        header.extend_from_slice(member.name.as_bytes());
        self.current = Some((member, self.written, Hasher::new()));
        self.written += header.len() as u64;
        header
    }

    /// Counts bytes of the current member.
    pub fn update(&mut self, bytes: &[u8]) {
        if let Some((_, _, checksum)) = &mut self.current {
            checksum.update(bytes);
        }
        self.written += bytes.len() as u64;
    }

    /// What stands behind a member's bytes.
    pub fn finish_member(&mut self) -> Vec<u8> {
        let Some((member, offset, checksum)) = self.current.take() else { return Vec::new() };
        let (checksum, size) = (checksum.finalize(), u32::try_from(member.len).unwrap_or(u32::MAX));
        let mut descriptor = Vec::new();
        put32s(&mut descriptor, [DESCRIPTOR, checksum, size, size]);
        self.written += descriptor.len() as u64;
        let entry = &mut self.directory;
        put32(entry, CENTRAL);
        put16s(entry, [VERSION, VERSION, FLAGS, 0, 0, DATE]);
        put32s(entry, [checksum, size, size]);
        put16s(entry, [name_len(&member), 0, 0, 0, 0]);
        put32s(entry, [0, u32::try_from(offset).unwrap_or(u32::MAX)]);
        entry.extend_from_slice(member.name.as_bytes());
        self.members += 1;
        descriptor
    }

    /// The directory.
    #[must_use]
    pub fn finish(self) -> Vec<u8> {
        let mut directory = self.directory;
        let len = directory.len() as u32;
        put32(&mut directory, END);
        put16s(&mut directory, [0, 0, self.members, self.members]);
        put32s(&mut directory, [len, u32::try_from(self.written).unwrap_or(u32::MAX)]);
        put16s(&mut directory, [0]);
        directory
    }
}

fn name_len(member: &Member) -> u16 {
    u16::try_from(member.name.len()).unwrap_or(u16::MAX)
}

fn put16s<const N: usize>(out: &mut Vec<u8>, values: [u16; N]) {
    values.iter().for_each(|value| out.extend_from_slice(&value.to_le_bytes()));
}

fn put32s<const N: usize>(out: &mut Vec<u8>, values: [u32; N]) {
    values.iter().for_each(|value| out.extend_from_slice(&value.to_le_bytes()));
}

fn put32(out: &mut Vec<u8>, value: u32) {
    put32s(out, [value]);
}

#[cfg(test)]
mod tests {
    use std::io::{Cursor, Read};

    use super::*;

    /// Read back by the `zip` crate, which checks checksums.
    #[test]
    fn members_read_back_and_the_length_is_foretold() {
        let contents = [("image.npy", vec![7u8; 1000]), ("é.json", b"{}".to_vec()), ("empty", Vec::new())];
        let member = |(name, bytes): &(&str, Vec<u8>)| Member { name: (*name).to_owned(), len: bytes.len() as u64 };
        let (mut archive, mut file) = (Archive::default(), Vec::new());
        for content in &contents {
            file.extend(archive.begin(member(content)));
            for part in content.1.chunks(300) {
                archive.update(part);
                file.extend_from_slice(part);
            }
            file.extend(archive.finish_member());
        }
        file.extend(archive.finish());
        assert_eq!(file.len() as u64, len(&contents.iter().map(member).collect::<Vec<_>>()));
        let mut read = zip::ZipArchive::new(Cursor::new(file)).unwrap();
        for (name, bytes) in contents {
            let mut found = Vec::new();
            read.by_name(name).unwrap().read_to_end(&mut found).unwrap();
            assert_eq!(found, bytes, "{name}");
        }
    }
}
