//! Any text as a set of labels and as a map of labels. A table made of both shows no value that neither holds.

#![no_main]

use libfuzzer_sys::fuzz_target;
use sagittal::imaging::{LabelMap, LabelTable};
use sagittal::spider::{Label, LabelSet};

fuzz_target!(|text: &str| {
    let (labels, map) = text.split_once('&').unwrap_or((text, text));
    let selection = labels.parse::<LabelSet>().ok();
    let map = map.parse::<LabelMap>().unwrap_or(LabelMap::Native);
    let Some(table) = LabelTable::new(selection, &map) else { return };
    let mut shown: Vec<u8> = (0..=u8::MAX).collect();
    table.apply(&mut shown);
    for (value, &shown) in (0..=u8::MAX).zip(&shown) {
        let is_kept = selection.is_none_or(|labels| labels.contains(Label(value)));
        let expected = match &map {
            _ if !is_kept => None,
            LabelMap::Native => Some(value),
            LabelMap::Custom(rules) => {
                Some(rules.iter().find(|(from, _)| from.contains(Label(value))).map_or(0, |(_, to)| *to))
            }
            _ => continue,
        };
        // What is left out is shown as the background is.
        let background = match &map {
            LabelMap::Custom(rules) => {
                rules.iter().find(|(from, _)| from.contains(Label::BACKGROUND)).map_or(0, |(_, to)| *to)
            }
            _ => 0,
        };
        assert_eq!(shown, expected.unwrap_or(background), "{value}");
    }
});
