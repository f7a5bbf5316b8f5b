//! Python wheels: ZIP files with the files of a package and its `.dist-info` folder. The same files make the same bytes.
//!
//! Format: <https://packaging.python.org/en/latest/specifications/binary-distribution-format/>, version 1.0.

use std::io::{Cursor, Write};

use ::zip::result::ZipResult;
use ::zip::write::SimpleFileOptions;
use ::zip::{CompressionMethod, DateTime, ZipWriter};
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};

/// A package of Python files alone, for every version 3 and platform.
#[derive(Debug, Clone, Copy)]
pub struct Package<'a> {
    /// Normalized: lower case, `_` for every other separator.
    pub name: &'a str,
    /// Its version.
    pub version: &'a str,
    /// Core metadata, as in `METADATA`.
    pub metadata: &'a str,
    /// Paths and contents.
    pub files: &'a [(&'a str, &'a str)],
}

impl Package<'_> {
    /// The name of its wheel.
    #[must_use]
    pub fn file_name(&self) -> String {
        format!("{}-{}-py3-none-any.whl", self.name, self.version)
    }

    /// Its wheel.
    ///
    /// # Errors
    /// As the ZIP writer's; a package of some files in memory has none.
    pub fn wheel(&self) -> ZipResult<Vec<u8>> {
        let folder = format!("{}-{}.dist-info", self.name, self.version);
        let tags = format!(
            "Wheel-Version: 1.0\nGenerator: sagittal {}\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
            env!("CARGO_PKG_VERSION")
        );
        let own = [("METADATA", self.metadata), ("WHEEL", &tags)];
        let files = self.files.iter().map(|&(path, text)| (path.to_owned(), text));
        let files = files.chain(own.map(|(name, text)| (format!("{folder}/{name}"), text)));
        let (mut archive, mut record) = (ZipWriter::new(Cursor::new(Vec::new())), String::new());
        for (path, text) in files {
            add(&mut archive, &path, text)?;
            let digest = BASE64_URL_SAFE_NO_PAD.encode(Sha256::digest(text));
            record.push_str(&format!("{path},sha256={digest},{}\n", text.len()));
        }
        let path = format!("{folder}/RECORD");
        record.push_str(&format!("{path},,\n"));
        add(&mut archive, &path, &record)?;
        Ok(archive.finish()?.into_inner())
    }
}

fn add(archive: &mut ZipWriter<Cursor<Vec<u8>>>, path: &str, text: &str) -> ZipResult<()> {
    let options = SimpleFileOptions::default()
        .compression_method(CompressionMethod::Deflated)
        .last_modified_time(DateTime::default())
        .unix_permissions(0o644);
    archive.start_file(path, options)?;
    Ok(archive.write_all(text.as_bytes())?)
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    #[test]
    fn a_wheel_has_its_files_and_their_digests() {
        let files = [("odd/__init__.py", "x = 1\n"), ("odd/py.typed", "")];
        let package = Package { name: "odd", version: "1.2", metadata: "Name: odd\n", files: &files };
        assert_eq!(package.file_name(), "odd-1.2-py3-none-any.whl");
        let wheel = package.wheel().unwrap();
        assert_eq!(wheel, package.wheel().unwrap());
        let mut archive = ::zip::ZipArchive::new(Cursor::new(wheel)).unwrap();
        let mut read = |path: &str| {
            let mut text = String::new();
            archive.by_name(path).unwrap().read_to_string(&mut text).unwrap();
            text
        };
        assert_eq!(read("odd/__init__.py"), "x = 1\n");
        assert_eq!(read("odd-1.2.dist-info/METADATA"), "Name: odd\n");
        let record = read("odd-1.2.dist-info/RECORD");
        let lines: Vec<_> = record.lines().collect();
        // `printf 'x = 1\n' | openssl dgst -sha256 -binary | basenc --base64url`
        assert_eq!(lines[0], "odd/__init__.py,sha256=nia_NpkRxFwkPGhBR7I_yeHc_PJX0pmhxjIBam_NM_Q,6");
        assert_eq!(lines[1], "odd/py.typed,sha256=47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU,0");
        assert_eq!(lines[4], "odd-1.2.dist-info/RECORD,,");
        assert_eq!(lines.len(), archive.len());
    }
}
