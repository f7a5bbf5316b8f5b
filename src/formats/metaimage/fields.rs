use super::error::{MetaImageError, shortened};

/// Where the list of header lines must end.
const LAST_KEY: &str = "ElementDataFile";

/// The header as lines of `key = value`, in file order.
pub(super) struct Fields<'a> {
    lines: Vec<(&'a str, &'a str)>,
}

impl<'a> Fields<'a> {
    /// Splits `file` into its header lines and the offset of the first byte after them.
    ///
    /// As in MetaIO keys are case-sensitive, the separator is the first `=` or `:`, white space around key and value
    /// does not count, and the line that names the data file ends the header. Blank lines are skipped.
    pub(super) fn parse(file: &'a [u8], limit: usize) -> Result<(Self, usize), MetaImageError> {
        let window = &file[..file.len().min(limit)];
        let mut lines = Vec::new();
        let mut end = 0;
        for (number, line) in window.split_inclusive(|&byte| byte == b'\n').enumerate() {
            let complete = line.ends_with(b"\n");
            // A line that the end of the file or of the window cuts says nothing, but that it is not a header at all.
            if !complete && number > 0 {
                break;
            }
            end += line.len();
            let Some((key, value)) = split(line).map_err(|text| refuse_line(number, text))? else { continue };
            lines.push((key, value));
            if key == LAST_KEY && complete {
                return Ok((Self { lines }, end));
            }
        }
        let too_long = file.len() > window.len();
        Err(if too_long { MetaImageError::HeaderTooLong { limit } } else { MetaImageError::HeaderTruncated })
    }

    /// The value of a key, or of any one of several keys that mean the same.
    ///
    /// MetaIO lets one of several win, and which one has changed between its versions: values that differ are an error.
    pub(super) fn get(&self, keys: &[&'static str]) -> Result<Option<(&'static str, &'a str)>, MetaImageError> {
        let mut found: Option<(&'static str, &'a str)> = None;
        for (line_key, value) in &self.lines {
            let Some(key) = keys.iter().find(|key| *key == line_key) else { continue };
            if let Some((first, first_value)) = found {
                if first_value == *value {
                    continue;
                }
                return Err(MetaImageError::Ambiguous { first: first.to_owned(), second: (*key).to_owned() });
            }
            found = Some((key, value));
        }
        Ok(found)
    }

    /// The value of a key that must be there.
    pub(super) fn require(&self, key: &'static str) -> Result<&'a str, MetaImageError> {
        self.get(&[key])?.map(|(_, value)| value).ok_or(MetaImageError::Missing { key })
    }

    /// A yes or no; MetaIO looks at the first character only: `T`, `t` and `1` are yes, everything else is no.
    pub(super) fn flag(&self, keys: &[&'static str], default: bool) -> Result<bool, MetaImageError> {
        Ok(self.get(keys)?.map_or(default, |(_, value)| value.starts_with(['T', 't', '1'])))
    }

    /// Exactly `N` numbers, separated by white space.
    pub(super) fn numbers<const N: usize, T: std::str::FromStr>(
        &self,
        keys: &[&'static str],
        expected: &'static str,
    ) -> Result<Option<[T; N]>, MetaImageError> {
        let Some((key, value)) = self.get(keys)? else { return Ok(None) };
        let numbers: Vec<T> = value.split_ascii_whitespace().map_while(|word| word.parse().ok()).take(N + 1).collect();
        let complete = value.split_ascii_whitespace().nth(N).is_none();
        match <[T; N]>::try_from(numbers) {
            Ok(numbers) if complete => Ok(Some(numbers)),
            _ => Err(MetaImageError::Value { key, value: shortened(value), expected }),
        }
    }
}

/// Key and value of a line; `None` for a blank one, the line itself when it has no separator.
fn split(line: &[u8]) -> Result<Option<(&str, &str)>, &[u8]> {
    // Free text such as `Comment` may be in any encoding; only its line is lost then, not the file.
    let text = match std::str::from_utf8(line) {
        Ok(text) => text.trim_ascii(),
        Err(_) if line.iter().any(|b| matches!(b, b'=' | b':')) => return Ok(None),
        Err(_) => return Err(line),
    };
    if text.is_empty() {
        return Ok(None);
    }
    let (key, value) = text.split_once(['=', ':']).ok_or(line)?;
    Ok(Some((key.trim_ascii_end(), value.trim_ascii_start())))
}

fn refuse_line(number: usize, text: &[u8]) -> MetaImageError {
    if number == 0 {
        return MetaImageError::NotMetaImage;
    }
    MetaImageError::Line { line: number + 1, text: shortened(String::from_utf8_lossy(text).trim_ascii()) }
}
