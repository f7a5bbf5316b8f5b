//! What others wrote — names of files, cells of tables, keys of headers — on its way to a terminal.

use std::borrow::Cow;
use std::fmt::Write;

/// Most names of a kind that a line spells out.
const SHOWN: usize = 12;

/// The text without anything that a terminal would act on or that would pass for a line of its own: control characters and those
/// that change the direction of writing are shown as `\u{1b}`.
pub(super) fn printable(text: &str) -> Cow<'_, str> {
    if !text.contains(is_active) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        if is_active(c) {
            // A String takes everything.
            let _ = write!(shown, "{}", c.escape_unicode());
        } else {
            shown.push(c);
        }
    }
    Cow::Owned(shown)
}

fn is_active(c: char) -> bool {
    // Marks, embeddings, overrides and isolates of bidirectional text, and the separators of lines and paragraphs.
    c.is_control()
        || matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// The first few of some names.
pub(super) fn listed(items: &[impl ToString]) -> String {
    let shown: Vec<_> = items.iter().take(SHOWN).map(|item| printable(&item.to_string()).into_owned()).collect();
    let more = if items.len() > SHOWN { ", …" } else { "" };
    format!("{}{more}", shown.join(", "))
}

/// An error with everything that led to it, in one line.
pub(super) fn with_causes(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = printable(&error.to_string()).into_owned();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {}", printable(&cause.to_string()));
        source = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_a_terminal_acts_on_is_left() {
        assert!(matches!(printable("images/5_t2.mha – größer"), Cow::Borrowed(_)));
        let shown = printable("a\u{1b}[2J\u{9b}31m\r\nerror: b\u{202e}gpj\u{7}\u{2028}");
        assert_eq!(shown, r"a\u{1b}[2J\u{9b}31m\u{d}\u{a}error: b\u{202e}gpj\u{7}\u{2028}");
    }

    #[test]
    fn long_lists_are_cut() {
        let names: Vec<_> = (0..20).map(|n| format!("{n}\n")).collect();
        let shown = listed(&names);
        assert!(shown.starts_with(r"0\u{a}, 1\u{a}") && shown.ends_with("11\\u{a}, …"), "{shown}");
    }
}
