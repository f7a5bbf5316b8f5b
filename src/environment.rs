//! Values of environment variables.

/// A variable says neither yes nor no. Guessing could open a server to everyone.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{variable}={value:?} is neither yes nor no: use true, yes, on or 1; or false, no, off or 0")]
pub(crate) struct InvalidBoolean {
    variable: String,
    value: String,
}

/// Reads the value of a variable that says yes or no. An empty value is that of a variable which is not set.
///
/// # Errors
/// [`InvalidBoolean`]
pub(crate) fn boolean(variable: &str, value: &str) -> Result<bool, InvalidBoolean> {
    match value.to_ascii_lowercase().as_str() {
        "true" | "yes" | "on" | "1" => Ok(true),
        "false" | "no" | "off" | "0" | "" => Ok(false),
        _ => Err(InvalidBoolean { variable: variable.to_owned(), value: value.to_owned() }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_yes_or_no_or_an_error_that_names_the_variable() {
        for value in ["true", "yes", "on", "1", "True", "YES"] {
            assert_eq!(boolean("X", value), Ok(true), "{value}");
        }
        for value in ["false", "no", "off", "0", "", "False", "NO"] {
            assert_eq!(boolean("X", value), Ok(false), "{value}");
        }
        for value in ["never", "y", "n", "t", "2", "01", " true", "true ", "/srv/spider", "ＹＥＳ"] {
            let error = boolean("SAGITTAL_X", value).unwrap_err().to_string();
            assert!(error.starts_with(&format!("SAGITTAL_X={value:?} is neither")), "{error}");
        }
    }
}
