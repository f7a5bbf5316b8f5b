//! Colours of indexed masks.

use super::label_table::LabelTable;
use crate::spider::Label;

/// How far apart on the circle of hues two successive values are; the golden section keeps any few of them apart.
const HUE_STEP: f64 = 0.618_033_988_749_895;

/// A colour for each mask value, after `table`. Labels have those of the scheme. Values that a map has made are no labels
/// any more: each of them gets a colour of its own, and background stays black.
pub(super) fn palette(table: Option<&LabelTable>) -> Vec<[u8; 3]> {
    let renamed = table.is_some_and(LabelTable::renames);
    let colour = |value| if renamed && value != 0 { distinct(value) } else { Label(value).colour() };
    (0..=u8::MAX).map(colour).collect()
}

fn distinct(value: u8) -> [u8; 3] {
    let hue = (f64::from(value) * HUE_STEP).fract();
    // A third of a turn between the channels: the brightest hues are at 0, 1/3 and 2/3.
    [0.0, 1.0 / 3.0, 2.0 / 3.0].map(|shift| {
        let turn = (hue + shift).fract() * std::f64::consts::TAU;
        (150.0 + 105.0 * turn.cos()).round() as u8
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn table(map: &str) -> Option<LabelTable> {
        LabelTable::new(None, &map.parse().unwrap())
    }

    #[test]
    fn values_of_a_map_have_colours_of_their_own() {
        let colours = palette(table("1-25:50,201:60").as_ref());
        assert_eq!(colours[0], [0; 3]);
        assert_eq!(colours.iter().collect::<BTreeSet<_>>().len(), 256);
    }

    #[test]
    fn what_is_only_selected_keeps_the_schemes_colours() {
        let selected = LabelTable::new(Some("discs".parse().unwrap()), &"native".parse().unwrap());
        assert_eq!(palette(selected.as_ref())[201], Label(201).colour());
        assert_eq!(palette(None)[30], Label(30).colour());
    }
}
