//! How stored values become pixel values.

use std::str::FromStr;

use super::facts::ScanFacts;
use crate::params::{ParameterError, ParameterErrorKind};
use crate::spider::dataset::MAPPED_RANGE;

/// A number that can be part of a key: no NaN, and one zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Finite(u64);

impl Finite {
    /// `None` for what is not finite.
    #[must_use]
    pub fn new(value: f64) -> Option<Self> {
        value.is_finite().then(|| Self((value + 0.0).to_bits()))
    }

    /// The number.
    #[must_use]
    pub fn get(self) -> f64 {
        f64::from_bits(self.0)
    }
}

/// The window of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Window {
    /// The scan's smallest to largest value.
    Full,
    /// The robust range of the foreground.
    Auto,
    /// The scan's DICOM `WindowCenter` and `WindowWidth`.
    Dicom,
    /// A centre and a width, in stored units.
    CenterWidth {
        /// The value that becomes mid-grey.
        center: Finite,
        /// Above 1.
        width: Finite,
    },
    /// From one quantile of the scan to another, in thousandths.
    Percentiles {
        /// The lower one.
        low: u16,
        /// The upper one, at most 1000.
        high: u16,
    },
    /// Stored values as they are.
    None,
    /// What `skimage.img_as_uint` gives.
    HuggingFace,
}

impl Window {
    /// What can be read, as a regular expression; percentiles rise from the first to the second, and a width is above 1.
    pub(super) const PATTERN: &str =
        "full|auto|dicom|none|hf|-?[0-9]+(\\.[0-9]+)?,[0-9]+(\\.[0-9]+)?|p[0-9]+(\\.[0-9])?,[0-9]+(\\.[0-9])?";
}

impl FromStr for Window {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        match text {
            "full" => return Ok(Self::Full),
            "auto" => return Ok(Self::Auto),
            "dicom" => return Ok(Self::Dicom),
            "none" => return Ok(Self::None),
            "hf" => return Ok(Self::HuggingFace),
            _ => {}
        }
        let (first, second) = text.split_once(',').ok_or(())?;
        if let Some(first) = first.strip_prefix('p') {
            let (low, high) = (per_mille(first).ok_or(())?, per_mille(second).ok_or(())?);
            return if low < high { Ok(Self::Percentiles { low, high }) } else { Err(()) };
        }
        let number = |text: &str| text.parse().ok().and_then(Finite::new).ok_or(());
        Self::centred(number(first)?, number(second)?).ok_or(())
    }
}

/// The scan does not have this window.
pub(super) fn unavailable(message: impl Into<String>) -> ParameterError {
    ParameterError::other(ParameterErrorKind::WindowUnavailable, "window", message)
}

/// A percentage with at most one decimal, in thousandths.
fn per_mille(text: &str) -> Option<u16> {
    let thousandths = text.parse::<f64>().ok()? * 10.0;
    let whole = thousandths.round();
    ((0.0..=1000.0).contains(&whole) && (thousandths - whole).abs() < 1e-6).then_some(whole as u16)
}

/// The stored values between which an image's pixel values lie.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Bounds {
    /// Becomes the smallest pixel value.
    pub low: f64,
    /// Becomes the largest; not below `low`.
    pub high: f64,
}

impl Window {
    /// A centre and a width; `None` unless the width is above 1 and the bounds are numbers whose difference is one.
    fn centred(center: Finite, width: Finite) -> Option<Self> {
        let Bounds { low, high } = linear(center.get(), width.get());
        let usable = width.get() > 1.0 && low.is_finite() && (high - low).is_finite();
        usable.then_some(Self::CenterWidth { center, width })
    }

    /// What the window is for one scan. A window that stands for two numbers of the table becomes those numbers: the table
    /// can be replaced without the voxels, and the image must not keep its name then.
    pub(super) fn resolve(self, facts: &ScanFacts) -> Result<Self, ParameterError> {
        match self {
            Self::Dicom if facts.remapped => {
                let (least, most) = (MAPPED_RANGE.start(), MAPPED_RANGE.end());
                Err(unavailable(format!(
                    "window=dicom does not apply to this scan: its values were mapped to {least}..{most} before the release, and \
                     WindowCenter and WindowWidth refer to the values before; use window=auto"
                )))
            }
            Self::Dicom => {
                let numbers = facts.dicom_window.and_then(|(c, w)| Finite::new(c).zip(Finite::new(w)));
                numbers.and_then(|(center, width)| Self::centred(center, width)).ok_or_else(|| {
                    unavailable(
                        "window=dicom does not apply to this scan: the table has no usable WindowCenter and WindowWidth for it; use window=auto",
                    )
                })
            }
            Self::Percentiles { low: 0, high: 1000 } => Ok(Self::Full),
            Self::HuggingFace if facts.element.integer_max().is_none() => Err(unavailable(
                "window=hf does not apply to this scan: img_as_uint takes floating-point values between -1 and 1 only; use window=full",
            )),
            _ => Ok(self),
        }
    }

    /// The bounds in stored units; `None` for the windows that have none (`none`, `hf`). `quantiles` are the scan's 1001.
    pub(super) fn bounds(self, facts: &ScanFacts, quantiles: &[f64]) -> Option<Bounds> {
        let quantile = |n: u16| quantiles.get(usize::from(n)).copied().unwrap_or(facts.min);
        Some(match self {
            Self::Full => Bounds { low: facts.min, high: facts.max },
            Self::Auto => Bounds { low: facts.auto_window.0, high: facts.auto_window.1 },
            Self::Percentiles { low, high } => Bounds { low: quantile(low), high: quantile(high) },
            Self::CenterWidth { center, width } => linear(center.get(), width.get()),
            // `resolve` has put numbers in the place of `dicom`.
            Self::Dicom | Self::None | Self::HuggingFace => return None,
        })
    }

    /// A short text that no other window has.
    pub(super) fn key(self) -> String {
        match self {
            Self::Full => "full".to_owned(),
            Self::Auto => "auto".to_owned(),
            Self::Dicom => "dicom".to_owned(),
            Self::None => "none".to_owned(),
            Self::HuggingFace => "hf".to_owned(),
            Self::CenterWidth { center, width } => format!("{},{}", center.get(), width.get()),
            Self::Percentiles { low, high } => format!("p{low},{high}"),
        }
    }
}

/// DICOM PS3.3 C.11.2.1.2.1, function LINEAR: values at or below centre − 0.5 − (width − 1)/2 are black, values above
/// centre − 0.5 + (width − 1)/2 are white.
fn linear(center: f64, width: f64) -> Bounds {
    let half = (width - 1.0) / 2.0;
    Bounds { low: center - 0.5 - half, high: center - 0.5 + half }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use proptest::string::string_regex;

    use super::*;

    proptest! {
        #[test]
        fn what_is_documented_is_read(text in string_regex(Window::PATTERN).unwrap()) {
            let numbers = text.trim_start_matches('p').split_once(',');
            let numbers = numbers.map(|(first, second)| (first.parse::<f64>().unwrap(), second.parse::<f64>().unwrap()));
            let is_meaningful = match numbers {
                Some((low, high)) if text.starts_with('p') => low < high && high <= 100.0,
                Some((_, width)) => width > 1.0,
                None => true,
            };
            prop_assert_eq!(text.parse::<Window>().is_ok(), is_meaningful);
        }
    }

    #[test]
    fn windows_are_read() {
        let finite = |value| Finite::new(value).unwrap();
        assert_eq!("40,400".parse(), Ok(Window::CenterWidth { center: finite(40.0), width: finite(400.0) }));
        assert_eq!("p0.5,99.5".parse(), Ok(Window::Percentiles { low: 5, high: 995 }));
        assert_eq!("-0,4e2".parse::<Window>(), "0.0,400".parse());
        for text in [
            "",
            "fulll",
            "40",
            "40,1",
            "40,-3",
            "nan,4",
            "inf,9",
            "-1.7e308,1.7e308",
            "p5,5",
            "p9,1",
            "p-1,50",
            "p0,101",
            "p0.05,50",
            "p1,",
            "1,2,3",
        ] {
            assert_eq!(text.parse::<Window>(), Err(()), "{text}");
        }
    }

    /// y = ((x − (c − 0.5)) / (w − 1) + 0.5) · 4095 of the standard, with c = 40, w = 400, x = 40.
    #[test]
    fn the_linear_function_is_dicoms() {
        let bounds = linear(40.0, 400.0);
        assert_eq!((bounds.low, bounds.high), (-160.0, 239.0));
        assert!(
            ((40.0 - bounds.low) / (bounds.high - bounds.low) * 4095.0 - (0.5 / 399.0 + 0.5) * 4095.0).abs() < 1e-9
        );
    }
}
