use std::fmt;
use std::io;
use std::path::Path;

use md5::{Digest, Md5};
use tokio::fs::File;
use tokio::io::AsyncReadExt;

const BLOCK: usize = 1 << 20;

/// An MD5 checksum. It tells damage from the real thing; it is no proof against someone who forges files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Md5Sum([u8; 16]);

impl Md5Sum {
    /// Reads 32 hexadecimal digits.
    pub(super) fn from_hex(text: &str) -> Option<Self> {
        if text.len() != 32 || !text.bytes().all(|digit| digit.is_ascii_hexdigit()) {
            return None;
        }
        u128::from_str_radix(text, 16).ok().map(|number| Self(number.to_be_bytes()))
    }

    pub(super) fn of(hash: &Md5) -> Self {
        Self(hash.clone().finalize().into())
    }

    /// Reads a whole file; `progress` is called with the bytes that were read so far.
    pub(super) async fn of_file(path: &Path, progress: impl Fn(u64)) -> io::Result<Self> {
        let mut hash = Md5::new();
        feed(&mut File::open(path).await?, &mut hash, progress).await?;
        Ok(Self::of(&hash))
    }
}

/// Reads to the end of a file, a block at a time, so that it can be given up in between. Returns how much there was.
pub(super) async fn feed(file: &mut File, hash: &mut Md5, progress: impl Fn(u64)) -> io::Result<u64> {
    let (mut block, mut length) = (vec![0; BLOCK], 0);
    loop {
        let count = file.read(&mut block).await?;
        if count == 0 {
            return Ok(length);
        }
        hash.update(&block[..count]);
        length += count as u64;
        progress(length);
    }
}

impl fmt::Display for Md5Sum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", u128::from_be_bytes(self.0))
    }
}
