//! Two requests whose responses differ in any byte share neither a tag nor a cached rendering; two spellings of one request share
//! both. Over every parameter of renderings, volumes, pairs and patches.

use std::cell::Cell;
use std::sync::LazyLock;

use proptest::prelude::*;
use proptest::sample::{Index, subsequence};
use proptest::test_runner::{Config, TestRunner};

use crate::support::{Release, Service};

type Parameter = (&'static str, &'static [&'static str]);

/// Values that are near one another: so that two requests often differ in one thing only.
const SIZED: [Parameter; 5] = [
    ("size", &["16", "17", "24", "native"]),
    ("width", &["16", "17", "24"]),
    ("height", &["16", "24"]),
    ("spacing", &["1", "2", "2.5"]),
    ("fit", &["stretch", "contain", "cover"]),
];
const SHOWN: [Parameter; 2] = [("layout", &["canonical", "stored"]), ("preset", &["hf"])];
const OF_IMAGE: [Parameter; 2] = [
    ("filter", &["linear", "nearest", "cubic", "lanczos", "area"]),
    ("window", &["full", "auto", "dicom", "none", "hf", "2000,1000", "2000,1000.5", "p0,100", "p1,99", "p1,99.5"]),
];
const OF_MASK: [Parameter; 2] = [
    ("labels", &["vertebrae", "discs", "1-25", "1,2", "100"]),
    ("map", &["native", "semantic", "semantic_vdc", "binary", "1-25:1", "1:2"]),
];
const BITS: Parameter = ("bits", &["8", "16"]);
const DTYPE: Parameter = ("dtype", &["uint8", "int16", "uint16", "int32", "float32"]);
const PALETTE: Parameter = ("palette", &["true", "false"]);
const OVERLAY: [Parameter; 2] = [("alpha", &["0.5", "0.501", "1"]), ("outline", &["0", "1", "2"])];
const PATCH: [Parameter; 5] = [
    ("mm", &["10", "10.4", "20"]),
    ("margin", &["0", "4", "5"]),
    ("spacing", &["0.5", "1"]),
    ("dims", &["2", "3"]),
    ("of", &["image", "mask"]),
];
const CONTEXT: Parameter = ("context", &["0", "1", "2"]);

/// What can be requested of a slice, a scan or a disc, with its parameters.
fn resources() -> Vec<(&'static str, Vec<Parameter>)> {
    let shown = [&SIZED[..], &SHOWN].concat();
    let with = |others: &[&[Parameter]]| [&shown[..], &others.concat()].concat();
    let [patch, npy] = [&PATCH[..3], &PATCH[..]].map(|own| [own, &PATCH[4..], &OF_IMAGE, &OF_MASK].concat());
    vec![
        ("slices/{k}/image.png", with(&[&OF_IMAGE, &[BITS]])),
        ("slices/{k}/image.npy", with(&[&OF_IMAGE, &[DTYPE]])),
        ("slices/{k}/mask.png", with(&[&OF_MASK, &[PALETTE]])),
        ("slices/{k}/mask.npy", with(&[&OF_MASK, &[DTYPE]])),
        ("slices/{k}/overlay.png", with(&[&OF_IMAGE, &OF_MASK[..1], &OVERLAY])),
        ("montage.png", with(&[&OF_IMAGE, &OVERLAY])),
        ("image.npy", with(&[&OF_IMAGE, &[DTYPE]])),
        ("mask.npy", with(&[&OF_MASK, &[DTYPE]])),
        ("image.nii", vec![]),
        ("mask.nii", OF_MASK.to_vec()),
        ("mask.nii.gz", OF_MASK.to_vec()),
        ("image.mha", vec![]),
        ("mask.mha", OF_MASK.to_vec()),
        ("slices/{k}/pair.npz", with(&[&OF_IMAGE, &OF_MASK, &[DTYPE, CONTEXT]])),
        ("discs/{label}/patch.png", [&patch[..], &[BITS, PALETTE]].concat()),
        ("discs/{label}/patch.npy", [&npy[..], &[DTYPE]].concat()),
    ]
}

/// A request by its parts, none of which says the same as another.
#[derive(Debug, Clone, PartialEq)]
struct Asked {
    scan: &'static str,
    resource: String,
    pairs: Vec<(&'static str, &'static str)>,
}

impl Asked {
    fn url(&self) -> String {
        let query: Vec<_> = self.pairs.iter().map(|(name, value)| format!("{name}={value}")).collect();
        format!("/v1/scans/{}/{}?{}", self.scan, self.resource, query.join("&"))
    }
}

const SCANS: [&str; 3] = ["1_t1", "1_t2", "2_t2_SPACE"];
const SLICES: [&str; 5] = ["0", "1", "2", "mid", "best"];
const LABELS: [&str; 2] = ["201", "202"];

/// A request, and another that differs from it in a few things or none.
fn pairs_of_requests() -> impl Strategy<Value = (Asked, Asked)> {
    proptest::sample::select(resources()).prop_flat_map(|(resource, parameters)| {
        let few = 0..=parameters.len().min(4);
        let one = move |parameters: Vec<Parameter>| {
            let values = proptest::collection::vec(any::<Index>(), parameters.len());
            let choose = |(parameter, index): (&Parameter, &Index)| -> (&'static str, &'static str) {
                let values: &'static [&'static str] = parameter.1;
                (parameter.0, values[index.index(values.len())])
            };
            values.prop_map(move |values| parameters.iter().zip(&values).map(choose).collect::<Vec<_>>())
        };
        let place = || {
            let (scan, slice, label) = (any::<Index>(), any::<Index>(), any::<Index>());
            (scan, slice, label).prop_map(move |(scan, slice, label)| {
                let resource = resource.replace("{k}", SLICES[slice.index(SLICES.len())]);
                let resource = resource.replace("{label}", LABELS[label.index(LABELS.len())]);
                (SCANS[scan.index(SCANS.len())], resource)
            })
        };
        let chosen = subsequence(parameters, few).prop_flat_map(move |chosen| (one(chosen.clone()), one(chosen)));
        // Which parts the second one has in common with the first.
        let common = (any::<bool>(), any::<u8>(), any::<bool>());
        (place(), place(), chosen, common).prop_map(|(here, there, (own, others), (same_place, same, is_shuffled))| {
            let second = if same_place { here.clone() } else { there };
            type Pair = (&'static str, &'static str);
            let keep =
                |(n, (own, other)): (usize, (&Pair, &Pair))| if same >> (n % 8) & 1 == 1 { *own } else { *other };
            let mut pairs: Vec<_> = own.iter().zip(&others).enumerate().map(keep).collect();
            if is_shuffled {
                pairs.reverse();
            }
            (Asked { scan: here.0, resource: here.1, pairs: own }, Asked { scan: second.0, resource: second.1, pairs })
        })
    })
}

static DATA: LazyLock<tempfile::TempDir> = LazyLock::new(|| {
    let data = tempfile::tempdir().unwrap();
    Release::small().import(data.path());
    data
});

#[test]
fn different_bytes_never_share_a_tag_and_one_request_has_one() {
    let (keeping, forgetting) = (Service::over(DATA.path()), Service::uncached(DATA.path()));
    let [served, equal, different] = [const { Cell::new(0) }; 3];
    let mut runner = TestRunner::new(Config { failure_persistence: None, ..Config::with_cases(1500) });
    let outcome = runner.run(&pairs_of_requests(), |(one, other)| {
        let answers = [&one, &other].map(|asked| keeping.get(&asked.url()));
        if answers.iter().any(|answer| answer.status != 200) {
            return Ok(());
        }
        served.set(served.get() + 1);
        // A rendering that another request left in the cache is the one that would have been made.
        for (asked, answer) in [&one, &other].into_iter().zip(&answers) {
            let fresh = forgetting.get(&asked.url());
            prop_assert!(fresh.body == answer.body, "{} comes from the cache as something else", asked.url());
            prop_assert_eq!(fresh.header("etag"), answer.header("etag"));
        }
        let [first, second] = &answers;
        let same_tag = first.header("etag") == second.header("etag");
        prop_assert!(!same_tag || first.body == second.body, "{} and {} share a tag", one.url(), other.url());
        let sorted = |asked: &Asked| {
            let mut asked = asked.clone();
            asked.pairs.sort_unstable();
            asked
        };
        if sorted(&one) == sorted(&other) {
            equal.set(equal.get() + 1);
            prop_assert!(same_tag, "{} and {} are one request", one.url(), other.url());
        }
        different.set(different.get() + usize::from(first.body != second.body));
        Ok(())
    });
    outcome.unwrap();
    let [served, equal, different] = [served, equal, different].map(Cell::into_inner);
    assert!(served > 300 && equal > 20 && different > 100, "{served} served, {equal} equal, {different} different");
}
