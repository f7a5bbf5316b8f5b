use std::collections::BTreeSet;

use super::*;
use crate::spider::{ScanId, ScanType};

/// Scan and `subset` of every row of the synthetic overview.csv, whose series are those of the release.
fn overview() -> Vec<(ScanId, String)> {
    let table = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/overview.csv"));
    // The first six columns hold no quoted cells.
    let row = |line: &str| {
        let cells: Vec<_> = line.split(',').take(6).collect();
        (cells[0].parse().unwrap(), cells[5].to_owned())
    };
    table.lines().skip(1).map(row).collect()
}

fn patients_to(last: u32) -> Vec<PatientId> {
    (1..=last).map(PatientId).collect()
}

/// One letter for each patient, by number: trai(n), (v)alidation, te(s)t.
fn letters(splits: &BTreeMap<PatientId, Split>) -> String {
    let letter = |split: &Split| match split {
        Split::Train => 'n',
        Split::Validation => 'v',
        Split::Test => 's',
    };
    splits.values().map(letter).collect()
}

/// The counts on the card of the Hugging Face edition.
#[test]
fn the_published_split_has_the_cards_counts() {
    let scans = overview();
    let patients: Vec<_> = scans.iter().map(|(scan, _)| scan.patient).collect();
    let splits = published(&patients);
    let of = |split| splits.values().filter(|found| **found == split).count();
    assert_eq!(Split::ALL.map(of), [149, 37, 32]);
    let cell = |split, kind| scans.iter().filter(|(s, _)| s.scan_type == kind && splits[&s.patient] == split).count();
    let table = Split::ALL.map(|split| ScanType::ALL.map(|kind| cell(split, kind)));
    assert_eq!(table, [[133, 145, 26], [34, 34, 7], [29, 31, 8]]);
}

/// `numpy.random.seed(seed)`, then `numpy.random.choice(["n", "v", "s"], p=[1 - v - s, v, s], size=40)` over
/// `numpy.unique([str(i) for i in range(1, 41)])`, listed by number.
#[test]
fn rendered_splits_are_numpys() {
    let cases = [
        (9999, 0.2, 0.2, "svnnvvnsnnnnnnnvnvsnnnnnnnnsnnvnnsnnnnvs"),
        (7, 0.1, 0.3, "nsnnssnnnsnssnnnnnvnnnsnnsnvsnsnnsvnnnnn"),
        (123456789, 0.0, 0.5, "ssnsssnnssssnssnssssnnnnnnsssnssnnsnsnns"),
        (1, 0.5, 0.5, "vsvsvssvssvvvvvvvsvvsvsvsvvsssssvvvsvvss"),
    ];
    for (seed, validation, test, wanted) in cases {
        let found = drawn(&patients_to(40), seed, validation, test).unwrap();
        assert_eq!(letters(&found), wanted, "seed {seed}");
    }
    assert_eq!(letters(&published(&patients_to(40))), cases[0].3);
}

#[test]
fn neither_order_nor_repetition_of_the_patients_matters() {
    let mut patients = patients_to(40);
    patients.reverse();
    patients.extend(patients_to(7));
    assert_eq!(published(&patients), published(&patients_to(40)));
    assert!(published(&[]).is_empty());
}

#[test]
fn shares_at_the_edge_are_allowed_and_beyond_it_refused() {
    let all = |v, t| drawn(&patients_to(40), 5, v, t).map(|splits| splits.into_values().collect::<BTreeSet<_>>());
    assert_eq!(all(0.0, 0.0), Ok(BTreeSet::from([Split::Train])));
    assert_eq!(all(1.0, 0.0), Ok(BTreeSet::from([Split::Validation])));
    // 1 − 0.8 − 0.2 is just below 0.
    assert_eq!(all(0.8, 0.2), Ok(BTreeSet::from([Split::Validation, Split::Test])));
    for (v, t) in [(-0.1, 0.2), (0.2, -0.1), (0.6, 0.5), (f64::NAN, 0.2), (0.2, f64::NAN), (f64::INFINITY, 0.0)] {
        assert!(matches!(all(v, t), Err(SplitError::Shares { .. })), "{v} {t}");
    }
}

/// `order = numpy.random.RandomState(3).permutation(40)`, `fold = {ids[i]: place % 5 for place, i in enumerate(order)}`
/// over `ids = numpy.unique([str(i) for i in range(1, 41)])`, listed by number.
#[test]
fn folds_are_numpys() {
    let found = folds(&patients_to(40), 5, 3).unwrap();
    let digits: String = found.values().map(ToString::to_string).collect();
    assert_eq!(digits, "1122132214134340223144313042004043102030");
}

#[test]
fn folds_differ_by_one_patient_at_most() {
    for count in [2, 3, 7, 40] {
        let found = folds(&patients_to(40), count, 11).unwrap();
        let sizes: Vec<_> = (0..count).map(|n| found.values().filter(|fold| **fold == n).count()).collect();
        assert_eq!(sizes.iter().sum::<usize>(), 40);
        assert!(sizes.iter().max().unwrap() - sizes.iter().min().unwrap() <= 1, "{sizes:?}");
    }
    for count in [0, 1, 41] {
        assert_eq!(folds(&patients_to(40), count, 11), Err(SplitError::Folds { folds: count, patients: 40 }));
    }
}

/// 179 and 39 patients: the paper's numbers.
#[test]
fn the_original_split_is_the_papers() {
    let scans = overview();
    let splits = original(scans.iter().map(|(scan, subset)| (scan.patient, subset.as_str()))).unwrap();
    let of = |split| splits.values().filter(|found| **found == split).count();
    assert_eq!(Split::ALL.map(of), [179, 39, 0]);
}

#[test]
fn an_original_split_that_is_none_is_refused() {
    let refused = |scans: &[(u32, &'static str)]| original(scans.iter().map(|&(p, s)| (PatientId(p), s))).unwrap_err();
    let error = |patient, subset: &str| SplitError::Subset { patient: PatientId(patient), subset: subset.to_owned() };
    assert_eq!(refused(&[(1, "training"), (2, "test")]), error(2, "test"));
    assert_eq!(refused(&[(1, "training"), (1, "validation")]), error(1, "validation"));
}

#[test]
fn names_read_back() {
    for split in Split::ALL {
        assert_eq!(split.name().parse(), Ok(split));
        assert_eq!(serde_json::to_value(split).unwrap(), split.name());
    }
    assert_eq!("dev".parse::<Split>(), Err(SplitError::Name("dev".to_owned())));
}
