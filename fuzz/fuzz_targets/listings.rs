//! Any text as the query string of every table, its `cursor` included. A cursor that is taken reads back as itself.

#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use sagittal::params::{Form, Pairs, Parameter, decode};
use sagittal::query::{Cursor, Listing, Shown, Table};

const TABLES: [Table; 5] = [Table::Patients, Table::Scans, Table::Slices, Table::Discs, Table::Gradings];

const CURSOR: Parameter = Parameter { name: "cursor", allowed: "", form: Form::Text, description: "", example: "" };

/// Once for all inputs: they are many.
static TABLES_WITH_PARAMETERS: LazyLock<Vec<(Table, Vec<Parameter>)>> = LazyLock::new(|| {
    let with_cursor = |table: Table| table.listing_parameters().into_iter().chain([CURSOR]).collect();
    TABLES.map(|table| (table, with_cursor(table))).into()
});

fuzz_target!(|query: &str| {
    let given = decode(query);
    for (table, parameters) in TABLES_WITH_PARAMETERS.iter() {
        let Ok(pairs) = Pairs::new(&given, parameters) else { continue };
        for shown in [Shown::InItems, Shown::InTables] {
            let Ok(listing) = Listing::parse(*table, shown, &pairs) else { continue };
            assert!(!listing.columns.is_empty());
            let read = |text: &str| Cursor::from_text(text, &listing.sort(), listing.order.len(), table.key_columns());
            if let Some(cursor) = pairs.text("cursor").and_then(read) {
                assert_eq!(read(&cursor.to_text(&listing.sort())), Some(cursor));
            }
        }
    }
});
