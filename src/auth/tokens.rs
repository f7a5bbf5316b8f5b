use std::fmt;
use std::sync::Arc;

use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use hex::FromHex;

const TOKEN_BYTES: usize = 32;

/// A token's name and digest: who sent a request.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Principal {
    name: Arc<str>,
    digest: [u8; 32],
}

/// The accepted tokens. Lines of text: a name, a space, the SHA-256 of the token in hexadecimal; `#` begins a comment.
///
/// A digest of 256 random bits cannot be turned back, so anyone who reads the file can neither send a token nor sign a URL. Several
/// lines may have the same name, so that a token can be replaced without a gap.
#[derive(Default, Clone, PartialEq, Eq)]
pub struct Tokens {
    principals: Vec<Principal>,
    skipped_lines: Vec<usize>,
}

/// A new token.
#[derive(Debug)]
pub struct NewToken {
    /// For its user, and nobody else.
    pub token: String,
    /// For the token file.
    pub line: String,
}

/// No token could be made.
#[derive(Debug, thiserror::Error)]
pub enum NewTokenError {
    /// The name would not read back.
    #[error("{0:?} is not a name: use 1 to 64 letters, digits, points, dashes and underscores")]
    Name(String),
    /// The operating system has no random numbers.
    #[error("the operating system gave no random numbers: {0}")]
    Random(getrandom::Error),
}

impl fmt::Debug for Principal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

impl fmt::Debug for Tokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(&self.principals).finish()
    }
}

impl Principal {
    /// The name in the token file.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The digest in hexadecimal.
    pub(super) fn digest(&self) -> String {
        hex::encode(self.digest)
    }

    fn parse(line: &[u8]) -> Option<Self> {
        let mut words = std::str::from_utf8(line).ok()?.split_ascii_whitespace();
        let (name, digest) = (words.next()?, words.next()?);
        let is_whole = words.next().is_none() && is_name(name);
        Some(Self { name: name.into(), digest: FromHex::from_hex(digest).ok()? }).filter(|_| is_whole)
    }
}

impl Tokens {
    /// Reads the contents of a token file. Lines that are none of a token are skipped, see [`Tokens::skipped_lines`].
    #[must_use]
    pub fn parse(file: &[u8]) -> Self {
        let file = file.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(file);
        let mut tokens = Self::default();
        for (n, line) in file.split(|byte| *byte == b'\n').enumerate() {
            let line = line.split(|byte| *byte == b'#').next().unwrap_or_default().trim_ascii();
            match Principal::parse(line) {
                Some(principal) => tokens.principals.push(principal),
                None if line.is_empty() => {}
                None => tokens.skipped_lines.push(n + 1),
            }
        }
        tokens
    }

    /// Makes a token of 256 random bits for `name`.
    ///
    /// # Errors
    /// [`NewTokenError`]
    pub fn generate(name: &str) -> Result<NewToken, NewTokenError> {
        if !is_name(name) {
            return Err(NewTokenError::Name(name.to_owned()));
        }
        let mut random = [0; TOKEN_BYTES];
        getrandom::fill(&mut random).map_err(NewTokenError::Random)?;
        let token = format!("sagittal_{}", hex::encode(random));
        let line = format!("{name} {}", hex::encode(Sha256::digest(&token)));
        Ok(NewToken { token, line })
    }

    /// Who has this token. Takes as long for a token that is nearly right as for one that is not.
    #[must_use]
    pub fn principal_of(&self, token: &str) -> Option<&Principal> {
        let digest = Sha256::digest(token);
        self.principals.iter().fold(None, |found, principal| {
            let is_same: bool = principal.digest[..].ct_eq(&digest[..]).into();
            if is_same { Some(principal) } else { found }
        })
    }

    /// Those with this name: several while a token is being replaced.
    pub(super) fn named<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Principal> {
        self.principals.iter().filter(move |principal| &*principal.name == name)
    }

    /// Whether the principal's token is still accepted.
    #[must_use]
    pub fn contains(&self, principal: &Principal) -> bool {
        self.principals.iter().any(|other| other.digest == principal.digest)
    }

    /// How many tokens there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.principals.len()
    }

    /// Whether nobody is authenticate.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.principals.is_empty()
    }

    /// Numbers, from 1, of the lines that are neither a token nor a comment.
    #[must_use]
    pub fn skipped_lines(&self) -> &[usize] {
        &self.skipped_lines
    }
}

/// Names stand in URLs and in logs.
fn is_name(name: &str) -> bool {
    let is_plain = |b: u8| b.is_ascii_alphanumeric() || b"._-".contains(&b);
    (1..=64).contains(&name.len()) && name.bytes().all(is_plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name_of<'a>(tokens: &'a Tokens, token: &NewToken) -> Option<&'a str> {
        tokens.principal_of(&token.token).map(Principal::name)
    }

    #[test]
    fn a_token_names_its_principal_and_nothing_else_does() {
        let [ann, ben] = ["ann", "ben"].map(|name| Tokens::generate(name).unwrap());
        let tokens = Tokens::parse(format!("# the team\n{}\n\n{} # until May\n", ann.line, ben.line).as_bytes());
        assert_eq!((name_of(&tokens, &ann), name_of(&tokens, &ben)), (Some("ann"), Some("ben")));
        assert!(tokens.skipped_lines().is_empty());
        let digest = ann.line.split_once(' ').unwrap().1;
        for wrong in ["", "ann", digest, &ann.token[..ann.token.len() - 1], &format!("{} ", ann.token)] {
            assert_eq!(tokens.principal_of(wrong), None, "{wrong:?}");
        }
        assert_ne!(ann.token, ben.token);
    }

    /// The digest is that of Python's hashlib.
    #[test]
    fn digests_are_sha_256() {
        let tokens = Tokens::parse(b"ann 3c469e9d6c5875d37a43f353d4f88e61fcf812c66eee3457465a40b0da4153e0");
        assert_eq!(tokens.principal_of("token").map(Principal::name), Some("ann"));
    }

    #[test]
    fn files_are_read_as_editors_write_them() {
        let [ann, ben] = ["ann", "ben"].map(|name| Tokens::generate(name).unwrap());
        let files = [
            format!("\u{feff}{}\n{}\n", ann.line, ben.line),
            format!("{}\r\n{}\r\n", ann.line, ben.line),
            format!("  {}\t\n\n\n{}", ann.line.replace(' ', "\t"), ben.line),
            format!("{}#\n{}  # für Ben", ann.line, ben.line),
        ];
        for file in files {
            let tokens = Tokens::parse(file.as_bytes());
            assert_eq!((name_of(&tokens, &ann), name_of(&tokens, &ben)), (Some("ann"), Some("ben")), "{file:?}");
            assert_eq!(tokens.skipped_lines(), [0; 0], "{file:?}");
        }
    }

    #[test]
    fn a_name_may_have_several_tokens() {
        let [old, new] = [(); 2].map(|()| Tokens::generate("ann").unwrap());
        let tokens = Tokens::parse(format!("{}\n{}", old.line, new.line).as_bytes());
        assert_eq!((name_of(&tokens, &old), name_of(&tokens, &new)), (Some("ann"), Some("ann")));
        let old_principal = tokens.principal_of(&old.token).unwrap();
        assert!(tokens.contains(old_principal));
        assert!(!Tokens::parse(new.line.as_bytes()).contains(old_principal));
    }

    #[test]
    fn bad_lines_are_skipped_by_number_and_the_others_are_read() {
        let ann = Tokens::generate("ann").unwrap();
        let digest = "0".repeat(64);
        let bad = [
            format!("ben {digest}0"),
            format!("ben  b {digest}"),
            format!("a/b {digest}"),
            format!("{} {digest}", "n".repeat(65)),
            digest.clone(),
            format!("\u{feff}ben {digest}"),
            "ben".to_owned(),
        ];
        let mut file = format!("{}\n{}\n", bad.join("\n"), ann.line).into_bytes();
        file.extend(b"\xFFben ");
        file.extend(digest.as_bytes());
        let tokens = Tokens::parse(&file);
        assert_eq!(name_of(&tokens, &ann), Some("ann"));
        assert_eq!((tokens.len(), tokens.skipped_lines()), (1, &[1, 2, 3, 4, 5, 6, 7, 9][..]));
    }

    #[test]
    fn a_file_without_tokens_admits_nobody() {
        for file in ["", "\n", "# nobody\n", "\u{feff}"] {
            let tokens = Tokens::parse(file.as_bytes());
            assert!(tokens.is_empty() && tokens.skipped_lines().is_empty(), "{file:?}");
        }
        assert!(matches!(Tokens::generate("a b"), Err(NewTokenError::Name(_))));
    }
}
