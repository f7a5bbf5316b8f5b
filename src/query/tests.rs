use super::*;
use crate::params::ParameterErrorKind;
use crate::params::{Pairs, ParameterError, decode};

fn listing(table: Table, query: &str) -> Result<Listing, ParameterError> {
    let pairs = decode(query);
    Listing::parse(table, Shown::InItems, &Pairs::new(&pairs, &table.listing_parameters())?)
}

fn tests(query: &str) -> Option<Vec<Test>> {
    let listing = listing(Table::Slices, query).ok()?;
    listing.filter.conditions.first().map(|condition| condition.any_of.clone())
}

#[test]
fn values_ranges_and_lists_are_read() {
    let text = |text: &str| Test::Text(text.to_owned());
    assert_eq!(tests("scan_type=t1,t2_SPACE").unwrap(), [text("t1"), text("t2_SPACE")]);
    assert_eq!(tests("age=40..60").unwrap(), [Test::Reals { low: Some(40.0), high: Some(60.0) }]);
    assert_eq!(tests("age=..-0.5,7").unwrap(), [Test::Reals { low: None, high: Some(-0.5) }, Test::Real(7.0)]);
    assert_eq!(tests("patient_id=7,9..").unwrap(), [Test::Integer(7), Test::Integers { low: Some(9), high: None }]);
    assert_eq!(tests("sex=null,F").unwrap(), [Test::Null, text("F")]);
    assert_eq!(tests("sar=!null").unwrap(), [Test::Known]);
    assert_eq!(tests("slice=mid,best,3").unwrap(), [Test::Mid, Test::Best, Test::Integer(3)]);
    assert_eq!(tests(r#"series_description="a, ""b""",c"#).unwrap(), [text(r#"a, "b""#), text("c")]);
    assert_eq!(tests(r#"manufacturer="null""#).unwrap(), [text("null")]);
}

#[test]
fn what_cannot_be_meant_is_refused() {
    for query in [
        "age=60..40",
        "age=..",
        "age=",
        "age=old",
        "age=NaN",
        "age=inf..",
        "patient_id=1.5",
        "patient_id=1e3",
        "patient_id=+1",
        "patient_id=99999999999",
        "scan_type=T1",
        "split=dev",
        "sex=",
        "sex=F,",
        "sex=\"F",
        "sex=\"F\"x",
        "slice=first",
        "pfirrmann=x",
        "has=disc",
        "has=300",
        "min_pixels=50",
        "has=201&min_pixels=0",
    ] {
        let error = listing(Table::Slices, query).expect_err(query);
        assert!(
            [ParameterErrorKind::InvalidValue, ParameterErrorKind::Conflicting].contains(&error.kind),
            "{query}: {error}"
        );
    }
    let long = format!("patient_id={}", vec!["1"; 501].join(","));
    assert_eq!(listing(Table::Slices, &long).unwrap_err().kind, ParameterErrorKind::InvalidValue);
}

#[test]
fn columns_are_chosen_and_misspelt_ones_responded_with_the_nearest() {
    let names = |query: &str| listing(Table::Scans, query).unwrap().columns.iter().map(|c| c.name).collect::<Vec<_>>();
    assert_eq!(names("fields=age,scan_id"), ["age", "scan_id"]);
    assert_eq!(names("fields=all").len(), Table::Scans.columns().len());
    let default =
        ["scan_id", "patient_id", "scan_type", "split", "has_volume", "shape", "spacing_mm", "bytes", "orig_subset"];
    assert_eq!(names(""), default);
    let message = listing(Table::Scans, "fields=manufaturer").unwrap_err().message;
    assert!(message.contains("did you mean manufacturer?"), "{message}");
    let message = listing(Table::Scans, "manufaturer=x").unwrap_err().message;
    assert!(message.contains("did you mean manufacturer?"), "{message}");
}

#[test]
fn orders_are_read_and_cursors_belong_to_them() {
    let sorted = listing(Table::Scans, "sort=-age,scan_id").unwrap();
    assert_eq!(sorted.sort(), "-age,scan_id");
    for query in ["sort=shape", "sort=age,-age", "sort=", "sort=bogus"] {
        assert_eq!(listing(Table::Scans, query).unwrap_err().parameter, "sort", "{query}");
    }
    let cursor = Cursor { sorted_by: vec![Cell::Real(0.1), Cell::Null], key: vec![7] };
    let text = cursor.to_text("-age,scan_id");
    assert_eq!(Cursor::from_text(&text, "-age,scan_id", 2, 1), Some(cursor));
    assert_eq!(Cursor::from_text(&text, "age,scan_id", 2, 1), None);
    assert_eq!(Cursor::from_text("[]", "", 0, 1), None);
}

#[test]
fn every_table_has_its_columns_once() {
    for table in Table::ALL {
        let names: std::collections::HashSet<_> = table.columns().iter().map(|column| column.name).collect();
        assert_eq!(names.len(), table.columns().len(), "{table:?}");
        let parameters = table.listing_parameters();
        let names: std::collections::HashSet<_> = parameters.iter().map(|parameter| parameter.name).collect();
        assert_eq!(names.len(), parameters.len(), "{table:?}");
    }
}
