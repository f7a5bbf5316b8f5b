//! Where the data set comes from, who made it, and what they ask of users.

use std::ops::RangeInclusive;

use super::ScanType;

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
/// Who is not responsible for this service, and what users should do about it.
pub const DISCLAIMER: &str = "This service is not affiliated with the authors of the dataset, their institutions, Zenodo or \
    Hugging Face, and it is not a medical device. Validate findings against the original data.";
/// Who made the masks and the gradings, and how.
pub const ANNOTATION: &str = "The masks were made in iterations: a segmentation algorithm trained on a small part of the data \
    proposed masks for more of it, which were reviewed, corrected by hand and added to the training data. A medical \
    trainee made the corrections, supervised by a medical imaging expert and an experienced musculoskeletal radiologist. \
    The gradings are a musculoskeletal radiologist's.";
/// What is known of mask values outside the label scheme.
pub const MASK_VALUES: &str = "The card of the Hugging Face edition reports mask values that belong to no structure. They do \
    not occur here: masks are sampled by nearest neighbour only, so a rendered mask holds no value that its source does \
    not hold.";
/// Studies that the authors collected: the patients of the release, and those of the challenge's hidden test set.
pub const STUDIES: u32 = 257;
/// Studies of the hidden test set, which is not published.
pub const HIDDEN_STUDIES: u32 = 39;
/// DOI of the article.
pub const DOI: &str = "10.1038/s41597-024-03090-w";
/// DOI of the release.
pub const DATA_DOI: &str = "10.5281/zenodo.10159290";
/// The article's preprint on arXiv.
pub const ARXIV: &str = "2306.12217";
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

/// Millimetres per voxel of a kind of series, as the challenge describes them: from slice to slice, row to row, column to column.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Resolution {
    /// The kind of series.
    pub scan_types: &'static [ScanType],
    /// The finest.
    pub finest: [f64; 3],
    /// The coarsest.
    pub coarsest: [f64; 3],
}

/// Source: <https://spider.grand-challenge.org/data/>. Headers of single series lie outside of these ranges.
pub const RESOLUTIONS: [Resolution; 2] = [
    Resolution { scan_types: &[ScanType::T1, ScanType::T2], finest: [3.3, 0.33, 0.33], coarsest: [4.8, 0.9, 0.9] },
    Resolution { scan_types: &[ScanType::T2Space], finest: [0.9, 0.47, 0.47], coarsest: [0.9, 0.47, 0.47] },
];

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

/// What the 5 % and the 95 % quantile of a scan were mapped to, with everything between, before the release was published:
/// not documented, but so it is with every scan of its LPS kind. What a scan's DICOM window refers to are the values before.
pub const MAPPED_RANGE: RangeInclusive<i16> = -1000..=3096;

/// Whether a scan of signed 16-bit values was mapped to [`MAPPED_RANGE`], which its least and largest value show.
#[must_use]
pub fn was_mapped((min, max): (f64, f64)) -> bool {
    min >= f64::from(*MAPPED_RANGE.start()) && max == f64::from(*MAPPED_RANGE.end())
}

/// Further reading: what it is, where.
pub const LINKS: [(&str, &str); 6] = [
    ("article", "https://doi.org/10.1038/s41597-024-03090-w"),
    ("release", "https://zenodo.org/records/10159290"),
    ("preprint", "https://arxiv.org/abs/2306.12217"),
    ("earlier_release", "https://zenodo.org/records/8009680"),
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
        assert!(record.ends_with(DATA_DOI.strip_prefix("10.5281/zenodo.").unwrap()) && LINKS[2].1.ends_with(ARXIV));
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
