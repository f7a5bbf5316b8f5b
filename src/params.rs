//! What a query string may say: parameters with their documentation, the reading of pairs, and what is said when one is
//! wrong. Knows neither images nor tables; those list their parameters here and read their values themselves.

use std::str::FromStr;

/// One parameter, as it is documented.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Parameter {
    /// Its name in the query.
    pub name: &'static str,
    /// What it may be, for people; the default first.
    pub allowed: &'static str,
    /// What it may be, for programs.
    pub form: Form,
    /// What it does.
    pub description: &'static str,
    /// A value that works.
    pub example: &'static str,
}

/// What the text of a value looks like.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Form {
    /// One of these.
    Choice(&'static [&'static str]),
    /// A whole number within bounds.
    Integer {
        /// The smallest.
        min: i64,
        /// The largest.
        max: i64,
    },
    /// A number within bounds.
    Number {
        /// The smallest.
        min: f64,
        /// The largest.
        max: f64,
    },
    /// Text that matches a regular expression (ECMA-262), which is anchored at both ends.
    Pattern(&'static str),
    /// Texts separated by commas, each of which matches.
    ListOf(&'static str),
    /// Any text.
    Text,
}

impl Form {
    /// Whether a text may be a value of this form, as far as that can be said here: a choice is one of its texts, and a
    /// number lies within its bounds. The others are read by the modules that define them.
    fn permits(&self, text: &str) -> bool {
        match self {
            Self::Choice(choices) => choices.contains(&text),
            Self::Integer { min, max } => plain(text).is_some_and(|number: i64| (*min..=*max).contains(&number)),
            Self::Number { min, max } => text.parse().is_ok_and(|number: f64| (*min..=*max).contains(&number)),
            Self::Pattern(_) | Self::ListOf(_) | Self::Text => true,
        }
    }
}

/// What can be wrong with a parameter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ParameterErrorKind {
    /// There is no parameter of this name.
    Unknown,
    /// It is given twice.
    Repeated,
    /// Its value cannot be read.
    InvalidValue,
    /// It contradicts another parameter.
    Conflicting,
    /// The cursor is not one of this listing.
    InvalidCursor,
    /// The scan does not have this window.
    WindowUnavailable,
    /// The output would be too large.
    OutputTooLarge,
}

/// A parameter is wrong, or wrong for what it is applied to.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct ParameterError {
    /// What kind of error it is.
    pub kind: ParameterErrorKind,
    /// Which parameter.
    pub parameter: String,
    /// What is wrong with it and what to do.
    pub message: String,
    /// What it may be.
    pub allowed: Vec<String>,
}

/// The pairs of a query, percent-decoded; every name is known and given once, and every value is what its form permits.
#[derive(Debug, Clone, Copy)]
pub struct Pairs<'a> {
    pairs: &'a [(String, String)],
    valid: &'a [Parameter],
}

/// The pairs of a query string, percent-decoded, in their order.
#[must_use]
pub fn decode(query: &str) -> Vec<(String, String)> {
    form_urlencoded::parse(query.as_bytes()).into_owned().collect()
}

impl<'a> Pairs<'a> {
    /// Compares a query with the parameters that are valid.
    ///
    /// # Errors
    /// `unknown_parameter`, with the nearest valid name if one is near, `repeated_parameter`, and `invalid_value` for a choice
    /// or a number that is not one of the parameter's.
    pub fn new(pairs: &'a [(String, String)], valid: &'a [Parameter]) -> Result<Self, ParameterError> {
        for (n, (name, text)) in pairs.iter().enumerate() {
            let Some(parameter) = valid.iter().find(|parameter| parameter.name == name) else {
                return Err(ParameterError::unknown(name, valid));
            };
            if pairs[..n].iter().any(|(earlier, _)| earlier == name) {
                return Err(ParameterError::repeated(name));
            }
            if !parameter.form.permits(text) {
                return Err(ParameterError::invalid(name, text, parameter.allowed));
            }
        }
        Ok(Self { pairs, valid })
    }

    /// The text of a value; `None` when it is not given.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<&'a str> {
        self.pairs.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// A value, read; `None` when it is not given.
    ///
    /// # Errors
    /// `invalid_value` when it cannot be read, with what the parameter may be.
    pub fn value<T>(&self, name: &str, read: impl Fn(&str) -> Option<T>) -> Result<Option<T>, ParameterError> {
        let Some(text) = self.text(name) else { return Ok(None) };
        read(text).map(Some).ok_or_else(|| ParameterError::invalid(name, text, self.allowed(name)))
    }

    /// A value, read as its type reads text.
    ///
    /// # Errors
    /// As of [`Pairs::value`].
    pub fn parsed<T: FromStr>(&self, name: &str) -> Result<Option<T>, ParameterError> {
        self.value(name, |text| text.parse().ok())
    }

    /// What a parameter may be, for people.
    #[must_use]
    pub fn allowed(&self, name: &str) -> &'static str {
        self.valid.iter().find(|parameter| parameter.name == name).map_or("", |parameter| parameter.allowed)
    }
}

/// How alike two names must be for one to be offered in place of the other (Jaro–Winkler).
const ALIKE: f64 = 0.75;

/// "did you mean …? ", or nothing when no candidate is near.
#[must_use]
pub fn did_you_mean<'a>(name: &str, candidates: impl Iterator<Item = &'a str>) -> String {
    let likeness = |candidate: &&str| strsim::jaro_winkler(candidate, name);
    let nearest = candidates.max_by(|a, b| likeness(a).total_cmp(&likeness(b)));
    match nearest.filter(|candidate| likeness(candidate) >= ALIKE) {
        Some(candidate) => format!("did you mean {candidate}? "),
        None => String::new(),
    }
}

impl ParameterError {
    fn unknown(name: &str, valid: &[Parameter]) -> Self {
        let names: Vec<_> = valid.iter().map(|parameter| parameter.name).collect();
        let message = if names.is_empty() {
            format!("unknown parameter {name}: this URL takes none")
        } else {
            let hint = did_you_mean(name, names.iter().copied());
            format!("unknown parameter {name}: {hint}this URL takes {}", names.join(", "))
        };
        let allowed = names.into_iter().map(str::to_owned).collect();
        Self { kind: ParameterErrorKind::Unknown, parameter: name.to_owned(), message, allowed }
    }

    fn repeated(name: &str) -> Self {
        let message = format!("{name} is given twice; give it once");
        Self { kind: ParameterErrorKind::Repeated, parameter: name.to_owned(), message, allowed: Vec::new() }
    }

    /// A value is not what the parameter may be.
    #[must_use]
    pub fn invalid(name: &str, value: &str, expected: &str) -> Self {
        let message = format!("{name}={value} is not valid: {name} is {expected}");
        Self {
            kind: ParameterErrorKind::InvalidValue,
            parameter: name.to_owned(),
            message,
            allowed: vec![expected.to_owned()],
        }
    }

    /// Two parameters contradict each other.
    #[must_use]
    pub fn conflict(name: &str, message: impl Into<String>) -> Self {
        Self::other(ParameterErrorKind::Conflicting, name, message)
    }

    /// Anything else that is wrong with a parameter.
    #[must_use]
    pub fn other(kind: ParameterErrorKind, name: &str, message: impl Into<String>) -> Self {
        Self { kind, parameter: name.to_owned(), message: message.into(), allowed: Vec::new() }
    }
}

/// `true`, `1` or nothing at all; `false` or `0`.
#[must_use]
pub fn flag(text: &str) -> Option<bool> {
    match text {
        "" | "1" | "true" => Some(true),
        "0" | "false" => Some(false),
        _ => None,
    }
}

/// A whole number in digits only: no sign, no exponent, no blank.
#[must_use]
pub fn plain<T: FromStr>(text: &str) -> Option<T> {
    text.bytes().all(|b| b.is_ascii_digit()).then(|| text.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIZE: Parameter = Parameter {
        name: "size",
        allowed: "a number",
        form: Form::Integer { min: 1, max: 9 },
        description: "",
        example: "3",
    };

    #[test]
    fn values_are_read_once_and_names_are_compared_with_the_list() {
        let given = decode("size=3");
        let read = Pairs::new(&given, &[SIZE]).unwrap();
        assert_eq!((read.parsed("size").unwrap(), read.text("other")), (Some(3u8), None));
        assert_eq!(read.value("size", |_| None::<()>).unwrap_err().message, "size=3 is not valid: size is a number");
        assert_eq!(Pairs::new(&decode("size=3&size=3"), &[SIZE]).unwrap_err().kind, ParameterErrorKind::Repeated);
    }

    #[test]
    fn a_value_that_its_documented_form_does_not_permit_is_refused() {
        let kind = Parameter { name: "kind", form: Form::Choice(&["a", "b"]), ..SIZE };
        let share = Parameter { name: "share", form: Form::Number { min: 0.0, max: 0.5 }, ..SIZE };
        let error = |query: &str| Pairs::new(&decode(query), &[SIZE, kind, share]).err().map(|error| error.message);
        for query in ["size=1&kind=a", "size=9&kind=b", "", "size=09", "share=0", "share=.5", "share=5e-1"] {
            assert_eq!(error(query), None, "{query}");
        }
        for query in ["size=0", "size=10", "size=-1", "size=%2B1", "size=1.0", "size=", "kind=c", "kind=", "kind=A"] {
            assert!(error(query).is_some(), "{query}");
        }
        for query in ["share=0.51", "share=-0.1", "share=nan", "share=inf", "share=", "share=a"] {
            assert!(error(query).is_some(), "{query}");
        }
    }

    #[test]
    fn a_misspelt_name_is_responded_with_the_nearest_one() {
        let of = |name: &str| Pairs::new(&decode(&format!("{name}=3")), &[SIZE]).unwrap_err().message;
        assert_eq!(of("szie"), "unknown parameter szie: did you mean size? this URL takes size");
        assert_eq!(of("bogus"), "unknown parameter bogus: this URL takes size");
    }
}
