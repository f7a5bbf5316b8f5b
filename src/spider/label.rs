use std::ops::RangeInclusive;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::Serialize;

/// A value of a mask.
///
/// 0 background; 1–25 vertebrae counted from the bottom (L5 = 1); 100 spinal canal; 101–125 partially visible
/// vertebrae; 201–225 discs counted from the bottom (L5/S1 = 201). Everything else is outside the scheme.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, JsonSchema)]
#[serde(transparent)]
pub struct Label(pub u8);

/// What kind of structure a label stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum LabelClass {
    /// No structure.
    Background,
    /// A vertebra that is wholly in the image.
    Vertebra,
    /// The spinal canal.
    Canal,
    /// A vertebra that the edge of the image cuts.
    PartialVertebra,
    /// An intervertebral disc.
    Disc,
    /// A value that the label scheme does not know.
    Unknown,
}

/// Names of the vertebrae from the bottom, as long as the usual count of 5 lumbar, 12 thoracic and 7 cervical holds.
const VERTEBRAE: [&str; 25] = [
    "L5", "L4", "L3", "L2", "L1", "T12", "T11", "T10", "T9", "T8", "T7", "T6", "T5", "T4", "T3", "T2", "T1", "C7",
    "C6", "C5", "C4", "C3", "C2", "C1", "C0",
];

/// Colours of the nine lowest levels, which are all that the release has; higher ones are darker shades of them.
const VERTEBRA_COLOURS: [[u8; 3]; 9] = [
    [230, 86, 60],
    [246, 150, 60],
    [200, 60, 100],
    [250, 190, 120],
    [170, 90, 60],
    [254, 120, 160],
    [140, 36, 50],
    [254, 180, 190],
    [190, 130, 20],
];
const DISC_COLOURS: [[u8; 3]; 9] = [
    [60, 160, 230],
    [70, 210, 190],
    [90, 110, 220],
    [120, 220, 120],
    [40, 130, 160],
    [170, 130, 250],
    [30, 150, 80],
    [160, 210, 254],
    [110, 60, 180],
];

impl Label {
    /// Background.
    pub const BACKGROUND: Self = Self(0);
    /// The spinal canal.
    pub const CANAL: Self = Self(100);
    /// Values of discs.
    pub const DISCS: RangeInclusive<u8> = 201..=225;

    /// What kind of structure this is.
    #[must_use]
    pub fn class(self) -> LabelClass {
        match self.0 {
            0 => LabelClass::Background,
            1..=25 => LabelClass::Vertebra,
            100 => LabelClass::Canal,
            101..=125 => LabelClass::PartialVertebra,
            value if Self::DISCS.contains(&value) => LabelClass::Disc,
            _ => LabelClass::Unknown,
        }
    }

    /// The disc at a position from the bottom, 1 to 25; `None` for other positions.
    #[must_use]
    pub fn disc(level: u8) -> Option<Self> {
        let label = Self::DISCS.start().checked_add(level.checked_sub(1)?)?;
        Self::DISCS.contains(&label).then_some(Self(label))
    }

    /// Position from the bottom, 1 to 25, of a vertebra or disc.
    #[must_use]
    pub fn level(self) -> Option<u8> {
        match self.class() {
            LabelClass::Vertebra => Some(self.0),
            LabelClass::PartialVertebra => Some(self.0 - 100),
            LabelClass::Disc => Some(self.0 - 200),
            LabelClass::Background | LabelClass::Canal | LabelClass::Unknown => None,
        }
    }

    /// The anatomical name, e.g. `L5`, `L5/S1`, `spinal canal`. Assumes that the patient has no transitional vertebra,
    /// which the release does not say, so always show the number too. `None` outside the scheme.
    #[must_use]
    pub fn name(self) -> Option<String> {
        let level = usize::from(self.level().unwrap_or(0));
        Some(match self.class() {
            LabelClass::Background => "background".to_owned(),
            LabelClass::Vertebra => VERTEBRAE[level - 1].to_owned(),
            LabelClass::Canal => "spinal canal".to_owned(),
            LabelClass::PartialVertebra => format!("{} (partly visible)", VERTEBRAE[level - 1]),
            LabelClass::Disc if level == 1 => "L5/S1".to_owned(),
            LabelClass::Disc => format!("{}/{}", VERTEBRAE[level - 1], VERTEBRAE[level - 2]),
            LabelClass::Unknown => return None,
        })
    }

    /// The display colour, red, green, blue: one for each value. Vertebrae have warm hues and discs cool ones, so that
    /// neighbours differ; the canal is yellow. Unknown values are magenta, so that they are noticed.
    #[must_use]
    pub fn colour(self) -> [u8; 3] {
        let cycle = |palette: [[u8; 3]; 9], level: u8| {
            let (round, place) = ((level - 1) / 9, usize::from((level - 1) % 9));
            palette[place].map(|c| c / (round + 2) * 2)
        };
        match (self.class(), self.level()) {
            (LabelClass::Background, _) => [0, 0, 0],
            (LabelClass::Canal, _) => [250, 225, 70],
            (LabelClass::Vertebra, Some(level)) => cycle(VERTEBRA_COLOURS, level),
            (LabelClass::PartialVertebra, Some(level)) => cycle(VERTEBRA_COLOURS, level).map(|c| c / 2 + 40),
            (LabelClass::Disc, Some(level)) => cycle(DISC_COLOURS, level),
            _ => [255, 0, 255],
        }
    }

    /// Every value of the scheme, background first.
    pub fn scheme() -> impl Iterator<Item = Self> {
        (0..=u8::MAX).map(Self).filter(|label| label.class() != LabelClass::Unknown)
    }
}

/// A set of labels: one bit for each of the 256 values a mask can hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct LabelSet([u64; 4]);

impl LabelSet {
    /// What [`LabelSet::named`] reads, as a regular expression.
    pub const NAMES: &str =
        "(1?[0-9]{1,2}|2[0-4][0-9]|25[0-5])(-(1?[0-9]{1,2}|2[0-4][0-9]|25[0-5]))?|vertebrae|discs|canal|partial";

    /// Adds one label.
    pub fn insert(&mut self, label: Label) {
        self.0[usize::from(label.0 / 64)] |= 1 << (label.0 % 64);
    }

    /// Whether the set holds the label.
    #[must_use]
    pub fn contains(&self, label: Label) -> bool {
        self.0[usize::from(label.0 / 64)] & (1 << (label.0 % 64)) != 0
    }

    /// The labels, smallest first.
    pub fn iter(&self) -> impl Iterator<Item = Label> + '_ {
        (0..=u8::MAX).map(Label).filter(|label| self.contains(*label))
    }

    /// The labels of one class.
    #[must_use]
    pub fn of_class(class: LabelClass) -> Self {
        Label::scheme().filter(|label| label.class() == class).collect()
    }

    /// Labels by a value, a range of values (`1-25`), or the name of a class: `vertebrae`, `discs`, `canal`, `partial`.
    ///
    /// # Errors
    /// When the text is none of these.
    #[expect(clippy::result_unit_err, reason = "the caller knows what was expected")]
    pub fn named(text: &str) -> Result<Self, ()> {
        match text {
            "vertebrae" => return Ok(Self::of_class(LabelClass::Vertebra)),
            "discs" => return Ok(Self::of_class(LabelClass::Disc)),
            "canal" => return Ok(Self::of_class(LabelClass::Canal)),
            "partial" => return Ok(Self::of_class(LabelClass::PartialVertebra)),
            _ => {}
        }
        let digits = |text: &str| -> Result<u8, ()> {
            if text.bytes().all(|b| b.is_ascii_digit()) { text.parse().map_err(|_| ()) } else { Err(()) }
        };
        let (first, last) = text.split_once('-').unwrap_or((text, text));
        let (first, last) = (digits(first)?, digits(last)?);
        if first <= last { Ok((first..=last).map(Label).collect()) } else { Err(()) }
    }
}

impl FromStr for LabelSet {
    type Err = ();

    /// Names as of [`LabelSet::named`], separated by commas.
    fn from_str(text: &str) -> Result<Self, ()> {
        let mut labels = Self::default();
        for item in text.split(',') {
            Self::named(item)?.iter().for_each(|label| labels.insert(label));
        }
        Ok(labels)
    }
}

impl FromIterator<Label> for LabelSet {
    fn from_iter<I: IntoIterator<Item = Label>>(labels: I) -> Self {
        let mut set = Self::default();
        labels.into_iter().for_each(|label| set.insert(label));
        set
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use proptest::string::string_regex;

    use super::*;

    proptest! {
        #[test]
        fn names_that_are_documented_are_read(text in string_regex(LabelSet::NAMES).unwrap()) {
            let range = text.split_once('-').map(|(first, last)| (first.parse::<u8>(), last.parse::<u8>()));
            let is_reversed = range.is_some_and(|(first, last)| first.unwrap() > last.unwrap());
            prop_assert_eq!(LabelSet::named(&text).is_err(), is_reversed);
        }
    }

    #[test]
    fn names_follow_the_spine_upwards() {
        let names: Vec<_> = [1, 5, 6, 201, 202, 206, 100, 101].map(|v| Label(v).name().unwrap()).into();
        assert_eq!(names, ["L5", "L1", "T12", "L5/S1", "L4/L5", "T12/L1", "spinal canal", "L5 (partly visible)"]);
        assert_eq!(Label(26).name(), None);
    }

    #[test]
    fn discs_are_found_by_level() {
        let found = |level| Label::disc(level).map(|label| (label.0, label.level()));
        assert_eq!([0, 1, 25, 26, 255].map(found), [None, Some((201, Some(1))), Some((225, Some(25))), None, None]);
    }

    #[test]
    fn the_scheme_has_77_values() {
        assert_eq!(Label::scheme().count(), 1 + 25 + 1 + 25 + 25);
    }

    #[test]
    fn no_two_labels_share_a_colour() {
        let colours: std::collections::BTreeSet<_> = Label::scheme().map(Label::colour).collect();
        assert_eq!(colours.len(), Label::scheme().count());
        let apart = |a: [u8; 3], b: [u8; 3]| a.iter().zip(b).map(|(&a, b)| a.abs_diff(b)).max().unwrap();
        let release: Vec<_> = (1..=9).chain([100]).chain(201..=209).map(|value| Label(value).colour()).collect();
        for (n, &colour) in release.iter().enumerate() {
            assert!(release[..n].iter().all(|&other| apart(colour, other) >= 40), "{n} {colour:?}");
        }
    }

    #[test]
    fn a_set_holds_what_was_put_in() {
        let labels = [Label(0), Label(63), Label(64), Label(255)];
        assert_eq!(LabelSet::from_iter(labels).iter().collect::<Vec<_>>(), labels);
    }
}
