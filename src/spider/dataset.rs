//! Where the data set comes from, who made it, and what they ask of users.

/// Short name.
pub const NAME: &str = "SPIDER";
/// Title of the article that describes it.
pub const TITLE: &str = "Lumbar spine segmentation in MR images: a dataset and a public benchmark";
/// What it is, in a few sentences.
pub const DESCRIPTION: &str = "Sagittal T1- and T2-weighted MRI of the lumbar spine: 447 series of 218 patients with low \
    back pain, from four hospitals. Every series has a mask of its vertebrae, intervertebral discs and spinal canal, a row \
    of scanner and acquisition parameters, and a radiologist's grading of each disc of the patient.";
/// Licence of the data, as an SPDX identifier (<https://spdx.org/licenses/>).
pub const LICENCE: &str = "CC-BY-4.0";
/// Text of that licence.
pub const LICENCE_URL: &str = "https://creativecommons.org/licenses/by/4.0/";
/// DOI of the article.
pub const DOI: &str = "10.1038/s41597-024-03090-w";
/// The Zenodo record that holds the release.
pub const ZENODO_RECORD: u64 = 10_159_290;
/// That record's description for programs, as JSON.
pub const RECORD: &str = "https://zenodo.org/api/records/10159290";

/// The article, as text.
pub const CITATION: &str = "van der Graaf, J. W., van Hooff, M. L., Buckens, C. F. M., Rutten, M., van Susante, J. L. C., \
    Kroeze, R. J., de Kleuver, M., van Ginneken, B., Lessmann, N. Lumbar spine segmentation in MR images: a dataset and a \
    public benchmark. Scientific Data 11, 264 (2024). https://doi.org/10.1038/s41597-024-03090-w";

/// The article, for BibTeX.
pub const BIBTEX: &str = "@article{vandergraaf2024spider,
  author = {van der Graaf, Jasper W. and van Hooff, Miranda L. and Buckens, Constantinus F. M. and Rutten, Matthieu and van Susante, Job L. C. and Kroeze, Robert Jan and de Kleuver, Marinus and van Ginneken, Bram and Lessmann, Nikolas},
  title = {Lumbar spine segmentation in {MR} images: a dataset and a public benchmark},
  journal = {Scientific Data},
  volume = {11},
  pages = {264},
  year = {2024},
  doi = {10.1038/s41597-024-03090-w}
}
";

/// One file of the release.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
pub struct ReleaseFile {
    /// Its name in the record.
    pub name: &'static str,
    /// Its length.
    pub bytes: u64,
    /// Its MD5 checksum in hexadecimal, as Zenodo gives it.
    pub md5: &'static str,
    /// Where it can be fetched.
    pub url: &'static str,
}

/// The four files of the release: `images/<scan>.mha` and `masks/<scan>.mha` of every scan, and the two tables.
pub const FILES: [ReleaseFile; 4] = [
    ReleaseFile {
        name: "images.zip",
        bytes: 3_700_562_886,
        md5: "7a9fa44aac0c72e2937bdef62cff88db",
        url: "https://zenodo.org/records/10159290/files/images.zip?download=1",
    },
    ReleaseFile {
        name: "masks.zip",
        bytes: 58_222_897,
        md5: "49861ff25a0108b3b69d0ce808ae51dc",
        url: "https://zenodo.org/records/10159290/files/masks.zip?download=1",
    },
    ReleaseFile {
        name: "overview.csv",
        bytes: 119_856,
        md5: "f9a808d2cf67844baa32114a1a769fde",
        url: "https://zenodo.org/records/10159290/files/overview.csv?download=1",
    },
    ReleaseFile {
        name: "radiological_gradings.csv",
        bytes: 34_417,
        md5: "a5b7a6ad7fb4daa0bfa650b716f026f6",
        url: "https://zenodo.org/records/10159290/files/radiological_gradings.csv?download=1",
    },
];

/// Further reading: what it is, where.
pub const LINKS: [(&str, &str); 4] = [
    ("article", "https://doi.org/10.1038/s41597-024-03090-w"),
    ("release", "https://zenodo.org/records/10159290"),
    ("challenge", "https://spider.grand-challenge.org/"),
    ("hugging_face_edition", "https://huggingface.co/datasets/cdoswald/SPIDER"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reference_names_the_same_article_and_record() {
        assert!(CITATION.contains(DOI) && BIBTEX.contains(DOI) && LINKS[0].1.ends_with(DOI));
        assert!(CITATION.contains(TITLE) && BIBTEX.replace(['{', '}'], "").contains(TITLE));
        let record = format!("https://zenodo.org/records/{ZENODO_RECORD}");
        assert_eq!(LINKS[1].1, record);
        assert_eq!(RECORD, record.replace(".org/", ".org/api/"));
        for file in FILES {
            assert_eq!(file.url, format!("{record}/files/{}?download=1", file.name));
        }
    }

    #[test]
    #[ignore = "reads the real release: SAGITTAL_RELEASE"]
    fn lengths_are_those_of_the_releases_tables() {
        let release = std::env::var("SAGITTAL_RELEASE").expect("this test needs SAGITTAL_RELEASE");
        for file in &FILES[2..] {
            let path = format!("{release}/{}", file.name);
            let found =
                std::fs::metadata(&path).unwrap_or_else(|error| panic!("this test needs the file {path}: {error}"));
            assert_eq!(found.len(), file.bytes, "{}", file.name);
        }
    }
}
