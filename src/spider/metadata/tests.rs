use std::collections::HashSet;

use super::*;

/// A row in which only the named field has a cell.
fn only(name: &str, cell: &str) -> Result<Metadata, InvalidCell> {
    let position = FIELDS.iter().position(|field| field.name == name).unwrap();
    Metadata::from_cells(std::array::from_fn(|n| if n == position { cell } else { "" }))
}

fn cleaned(name: &str, cell: &str) -> Option<Value> {
    only(name, cell).unwrap().get(name).cloned()
}

#[test]
fn names_and_columns_are_unique_and_snake_case() {
    assert_eq!(FIELDS.iter().map(|field| field.name).collect::<HashSet<_>>().len(), FIELDS.len());
    assert_eq!(FIELDS.iter().map(|field| field.column).collect::<HashSet<_>>().len(), FIELDS.len());
    for field in &FIELDS {
        assert!(field.name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_'), "{}", field.name);
        // The letters are those of the column, but for the two columns whose header says something else.
        let same = field.name.replace('_', "") == field.column.replace('_', "").to_lowercase();
        assert_eq!(same, !["age", "orig_subset"].contains(&field.name), "{}", field.name);
    }
}

/// The types as the Hugging Face edition declares them.
#[test]
fn types_are_those_of_the_hugging_face_edition() {
    let of = |wanted| {
        FIELDS.iter().filter(|f| f.hugging_face_type == wanted).map(|f| f.column).collect::<Vec<_>>().join(" ")
    };
    let int32 = "num_vertebrae num_discs NumberOfPhaseEncodingSteps PixelBandwidth SamplesPerPixel";
    assert_eq!(of(HuggingFaceType::Int32), int32);
    let float32 = "EchoNumbers EchoTime EchoTrainLength FlipAngle ImagingFrequency MagneticFieldStrength SliceThickness \
        SpacingBetweenSlices WindowCenter WindowWidth";
    assert_eq!(of(HuggingFaceType::Float32), float32);
    assert_eq!(of(HuggingFaceType::Float64), "PercentPhaseFieldOfView PercentSampling RepetitionTime SAR");
}

#[test]
fn cells_are_cleaned() {
    let text = |text: &str| Some(Value::Text(text.to_owned()));
    let texts = |texts: &[&str]| Some(Value::Texts(texts.iter().map(ToString::to_string).collect()));
    assert_eq!(cleaned("sex", "F "), text("F"));
    assert_eq!(cleaned("age", "59.0"), Some(Value::Real(59.0)));
    assert_eq!(cleaned("age", " "), None);
    assert_eq!(cleaned("num_discs", "7"), Some(Value::Integer(7)));
    assert_eq!(cleaned("echo_time", "13.837"), Some(Value::Real(13.837)));
    assert_eq!(cleaned("device_serial_number", "170042.0"), text("170042"));
    assert_eq!(cleaned("device_serial_number", "AB 1.0"), text("AB 1.0"));
    assert_eq!(cleaned("sequence_name", "1.0"), text("1.0"));
    assert_eq!(cleaned("pixel_spacing", "[0.5, 0.625]"), Some(Value::Reals(vec![0.5, 0.625])));
    assert_eq!(cleaned("pixel_spacing", "[]"), Some(Value::Reals(vec![])));
    assert_eq!(cleaned("software_versions", "['5.3.0', '5.3.0.3']"), texts(&["5.3.0", "5.3.0.3"]));
    assert_eq!(cleaned("software_versions", "syngo MR B17"), texts(&["syngo MR B17"]));
    assert_eq!(cleaned("software_versions", r#"["it's", 'a, b']"#), texts(&["it's", "a, b"]));
    assert_eq!(cleaned("scanning_sequence", "['SE', 'IR']"), texts(&["SE", "IR"]));
}

#[test]
fn cells_that_cannot_be_are_refused() {
    let cases = [
        ("num_vertebrae", "7.5"),
        ("num_vertebrae", "4294967296"),
        ("age", "unknown"),
        ("echo_time", "NaN"),
        ("sar", "inf"),
        ("pixel_spacing", "[0.5, x]"),
        ("pixel_spacing", "[0.5, 0.5"),
        ("pixel_spacing", "[0.5,, 0.5]"),
        ("software_versions", "['a' 'b']"),
        ("software_versions", "['a', ]"),
        ("software_versions", "['a]"),
        ("software_versions", r"['a\'b']"),
        ("software_versions", "['é', \"]"),
    ];
    for (name, cell) in cases {
        let invalid = only(name, cell).unwrap_err();
        let column = FIELDS.iter().find(|field| field.name == name).unwrap().column;
        assert_eq!((invalid.column, invalid.cell.as_str()), (column, cell));
    }
}

#[test]
fn raw_cells_are_kept_and_clean_to_the_same() {
    let metadata = only("sex", " M ").unwrap();
    assert_eq!(metadata.raw("sex"), Some(" M "));
    assert_eq!((metadata.text("sex"), metadata.raw("age"), metadata.raw("shoe_size")), (Some("M"), Some(""), None));
    let raw: Vec<&str> = metadata.iter().map(|(_, _, raw)| raw).collect();
    assert_eq!(Metadata::from_cells(raw.try_into().unwrap()).unwrap(), metadata);
}

#[test]
fn json_has_every_field_and_nulls() {
    let json = serde_json::to_string(&only("pixel_spacing", "[0.5, 0.625]").unwrap()).unwrap();
    assert!(json.starts_with(r#"{"num_vertebrae":null,"num_discs":null,"sex":null,"age":null,"#), "{json}");
    assert!(json.contains(r#""pixel_spacing":[0.5,0.625]"#), "{json}");
    assert_eq!(json.matches("null").count(), FIELDS.len() - 1);
    let json = serde_json::to_value(only("echo_time", "13.837").unwrap()).unwrap();
    assert_eq!(json["echo_time"].to_string(), "13.837");
}

#[test]
fn numbers_and_texts_are_not_mixed_up() {
    assert_eq!(only("num_discs", "7").unwrap().number("num_discs"), Some(7.0));
    assert_eq!(only("window_width", "370.56").unwrap().number("window_width"), Some(370.56));
    assert_eq!(only("sex", "F").unwrap().number("sex"), None);
    assert_eq!(only("num_discs", "7").unwrap().text("num_discs"), None);
}
