//! Headers of tar archives (POSIX.1-1988 `ustar`), whose members follow them as plain bytes, filled up to whole blocks.

/// Everything in an archive is a multiple of this.
pub const BLOCK: u64 = 512;

/// Two empty blocks: the end of an archive.
pub const END: [u8; 1024] = [0; 1024];

/// Largest member: what eleven octal digits can say.
pub const LARGEST: u64 = (1 << 33) - 1;

/// The header of a file; `name` has at most 100 bytes, `len` is at most [`LARGEST`].
#[must_use]
pub fn header(name: &str, len: u64) -> [u8; BLOCK as usize] {
    let mut header = [0; BLOCK as usize];
    let mut put = |offset: usize, bytes: &[u8]| header[offset..offset + bytes.len()].copy_from_slice(bytes);
    put(0, name.as_bytes().get(..name.len().min(100)).unwrap_or_default());
    put(100, b"0000644\0");
    put(108, b"0000000\0");
    put(116, b"0000000\0");
    put(124, format!("{:011o}\0", len.min(LARGEST)).as_bytes());
    put(136, b"00000000000\0");
    put(148, b"        ");
    put(156, b"0");
    put(257, b"ustar\x0000");
    let checksum: u32 = header.iter().map(|&byte| u32::from(byte)).sum();
    header[148..156].copy_from_slice(format!("{checksum:06o}\0 ").as_bytes());
    header
}

/// Zeros between a member of `len` bytes and the next header.
#[must_use]
pub fn padding(len: u64) -> usize {
    (len.next_multiple_of(BLOCK) - len) as usize
}

/// Bytes of a member with its header and its padding.
#[must_use]
pub fn member_len(len: u64) -> u64 {
    BLOCK + len.next_multiple_of(BLOCK)
}
