//! Selections of labels and maps from labels to other values. Both become one table from mask value to mask value, which is
//! applied after resizing, so that no value can appear that the table does not hold.

use std::str::FromStr;

use crate::params::plain;
use crate::spider::{Label, LabelClass, LabelSet};

/// From each mask value to the value it is shown as.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct LabelTable(Box<[u8; 256]>);

/// Other values for labels.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LabelMap {
    /// The values as they are.
    Native,
    /// 1 vertebra (partly visible ones too), 2 canal, 3 disc.
    Semantic,
    /// 1 vertebra (partly visible ones too), 2 disc, 3 canal.
    SemanticVertebraDiscCanal,
    /// 1 for every label.
    Binary,
    /// Sets of labels and what they become; the others become background.
    Custom(Vec<(LabelSet, u8)>),
}

impl FromStr for LabelMap {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        match text {
            "native" => return Ok(Self::Native),
            "semantic" => return Ok(Self::Semantic),
            "semantic_vdc" => return Ok(Self::SemanticVertebraDiscCanal),
            "binary" => return Ok(Self::Binary),
            _ => {}
        }
        let rule = |item: &str| {
            // curl sends `>` as it is, which no HTTP server may take; `:` needs no escaping.
            let (from, to) = item.split_once(['>', ':']).ok_or(())?;
            Ok((LabelSet::named(from)?, plain(to).ok_or(())?))
        };
        let rules = text.split(',').map(rule).collect::<Result<Vec<_>, ()>>()?;
        let overlap = |(n, (labels, _)): (usize, &(LabelSet, u8))| {
            rules.iter().take(n).any(|(earlier, _)| labels.iter().any(|label| earlier.contains(label)))
        };
        // A label with two values would have the one that happens to stand last.
        if rules.iter().enumerate().any(overlap) { Err(()) } else { Ok(Self::Custom(rules)) }
    }
}

impl LabelMap {
    fn apply(&self, label: Label) -> u8 {
        use LabelClass::{Background, Canal, Disc, PartialVertebra, Unknown, Vertebra};
        match (self, label.class()) {
            (Self::Native, _) => label.0,
            (Self::Custom(rules), _) => rules.iter().find(|(from, _)| from.contains(label)).map_or(0, |(_, to)| *to),
            (Self::Binary, class) => u8::from(class != Background),
            (Self::Semantic | Self::SemanticVertebraDiscCanal, Background | Unknown) => 0,
            (Self::Semantic | Self::SemanticVertebraDiscCanal, Vertebra | PartialVertebra) => 1,
            (Self::Semantic, Canal) | (Self::SemanticVertebraDiscCanal, Disc) => 2,
            (Self::Semantic, Disc) | (Self::SemanticVertebraDiscCanal, Canal) => 3,
        }
    }
}

impl LabelTable {
    /// The selected labels, then mapped. `None` when every value stays as it is.
    #[must_use]
    pub fn new(selection: Option<LabelSet>, map: &LabelMap) -> Option<Self> {
        if selection.is_none() && *map == LabelMap::Native {
            return None;
        }
        let mut table = Box::new([0; 256]);
        for (value, to) in (0..=u8::MAX).zip(table.iter_mut()) {
            let label = Label(value);
            let kept = selection.is_none_or(|labels| labels.contains(label));
            *to = map.apply(if kept { label } else { Label::BACKGROUND });
        }
        let changes = table.iter().enumerate().any(|(value, &to)| value != usize::from(to));
        changes.then_some(Self(table))
    }

    /// Replaces every value.
    pub fn apply(&self, labels: &mut [u8]) {
        for label in labels {
            *label = self.0[usize::from(*label)];
        }
    }

    /// Whether some label becomes another one, rather than being kept or left out.
    pub(super) fn renames(&self) -> bool {
        self.0.iter().enumerate().any(|(value, &to)| to != 0 && value != usize::from(to))
    }

    /// A text that no other table has.
    pub(super) fn key(&self) -> String {
        hex::encode(*self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(selection: Option<&str>, map: &str) -> Vec<u8> {
        let mut labels = vec![0, 1, 9, 30, 100, 104, 201, 209];
        if let Some(table) = LabelTable::new(selection.map(|s| s.parse().unwrap()), &map.parse().unwrap()) {
            table.apply(&mut labels);
        }
        labels
    }

    #[test]
    fn maps_and_selections_mean_what_they_say() {
        assert_eq!(shown(None, "native"), [0, 1, 9, 30, 100, 104, 201, 209]);
        assert_eq!(shown(None, "semantic"), [0, 1, 1, 0, 2, 1, 3, 3]);
        assert_eq!(shown(None, "semantic_vdc"), [0, 1, 1, 0, 3, 1, 2, 2]);
        assert_eq!(shown(None, "binary"), [0, 1, 1, 1, 1, 1, 1, 1]);
        assert_eq!(shown(None, "1-25>7,209>8"), [0, 7, 7, 0, 0, 0, 0, 8]);
        assert_eq!(shown(None, "1-25:7,209:8"), [0, 7, 7, 0, 0, 0, 0, 8]);
        assert_eq!(shown(Some("discs,100"), "native"), [0, 0, 0, 0, 100, 0, 201, 209]);
        assert_eq!(shown(Some("partial"), "semantic"), [0, 0, 0, 0, 0, 1, 0, 0]);
        assert_eq!(shown(Some("vertebrae,canal"), "native"), [0, 1, 9, 0, 100, 0, 0, 0]);
    }

    #[test]
    fn nonsense_is_refused() {
        for text in ["", "1,", "256", "-1", "9-1", "spine", "1-", "+1", " 1"] {
            assert!(text.parse::<LabelSet>().is_err(), "{text:?}");
        }
        for text in ["", "1", "1>", ">1", "1>256", "1-5>1,5>2", "1>2>3"] {
            assert!(text.parse::<LabelMap>().is_err(), "{text:?}");
        }
    }
}
