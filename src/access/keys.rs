use hmac::{Hmac, Mac};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use super::signature::{Signature, SignatureError};

/// Holders of one file, at most: more are a mistake.
const MOST: usize = 10_000;
const DIGEST_BYTES: usize = 32;
const TOKEN_BYTES: usize = 32;

/// Who holds a token. Lines of text: a name, a space, the SHA-256 of the token in hexadecimal; `#` begins a comment.
///
/// A digest of 256 random bits cannot be turned back, so whoever reads the file cannot log in. It is, however, what signatures
/// are made with: keep the file to yourself.
#[derive(Default, Clone, PartialEq, Eq)]
pub struct Keys {
    holders: Vec<Holder>,
}

#[derive(Clone, PartialEq, Eq)]
struct Holder {
    name: String,
    digest: [u8; DIGEST_BYTES],
}

/// A line is not what it should be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidKeys {
    /// Which line, counted from 1.
    #[error("line {0} is not a name, a space and 64 hexadecimal digits; `sagittal token NAME` makes such a line")]
    Line(usize),
    /// A name stands for one token.
    #[error("line {0} has a name that an earlier line has too")]
    Repeated(usize),
    /// Nobody could ask.
    #[error("there is no token in it; `sagittal token NAME` makes one")]
    Empty,
    /// More than anybody has.
    #[error("there are more than {MOST} tokens in it")]
    TooMany,
}

/// A new token.
#[derive(Debug)]
pub struct Minted {
    /// For its holder, and nobody else.
    pub token: String,
    /// For the file.
    pub line: String,
}

/// No token could be made.
#[derive(Debug, thiserror::Error)]
pub enum MintError {
    /// The name would not read back.
    #[error("{0:?} is not a name: use 1 to 64 letters, digits, points, dashes and underscores")]
    Name(String),
    /// The operating system has no random numbers.
    #[error("the operating system gave no random numbers: {0}")]
    Random(getrandom::Error),
}

impl std::fmt::Debug for Keys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.holders.iter().map(|holder| &holder.name)).finish()
    }
}

impl Keys {
    /// Reads the lines of a file.
    ///
    /// # Errors
    /// [`InvalidKeys`], which names the line.
    pub fn parse(text: &str) -> Result<Self, InvalidKeys> {
        let mut holders: Vec<Holder> = Vec::new();
        let lines = text.lines().map(|line| line.split('#').next().unwrap_or_default().trim());
        for (n, line) in lines.enumerate().filter(|(_, line)| !line.is_empty()) {
            let holder = Holder::parse(line).ok_or(InvalidKeys::Line(n + 1))?;
            if holders.iter().any(|other| other.name == holder.name) {
                return Err(InvalidKeys::Repeated(n + 1));
            }
            if holders.len() == MOST {
                return Err(InvalidKeys::TooMany);
            }
            holders.push(holder);
        }
        if holders.is_empty() { Err(InvalidKeys::Empty) } else { Ok(Self { holders }) }
    }

    /// Makes a token of 256 random bits for `name`.
    ///
    /// # Errors
    /// [`MintError`]
    pub fn mint(name: &str) -> Result<Minted, MintError> {
        if !is_name(name) {
            return Err(MintError::Name(name.to_owned()));
        }
        let mut random = [0; TOKEN_BYTES];
        getrandom::fill(&mut random).map_err(MintError::Random)?;
        let token = format!("sagittal_{}", hexadecimal(&random));
        let line = format!("{name} {}", hexadecimal(&Sha256::digest(&token)));
        Ok(Minted { token, line })
    }

    /// Whose token this is. Takes as long for a token that is nearly right as for one that is not.
    #[must_use]
    pub fn holder_of(&self, token: &str) -> Option<&str> {
        let digest = Sha256::digest(token);
        let mut found = None;
        for holder in &self.holders {
            if holder.digest[..].ct_eq(&digest[..]).into() {
                found = Some(holder.name.as_str());
            }
        }
        found
    }

    /// The signature of `name` under `target` (path and query) that is good until `expires` (seconds since 1970); `None` when
    /// nobody of this name has a token.
    #[must_use]
    pub fn sign(&self, name: &str, target: &str, expires: u64) -> Option<Signature> {
        let code = self.code(name, target, expires)?.finalize().into_bytes();
        Some(Signature { holder: name.to_owned(), expires, code: hexadecimal(&code) })
    }

    /// Whether a signature under `target` is good at `now` (seconds since 1970).
    ///
    /// # Errors
    /// [`SignatureError`]
    pub fn verify(&self, signature: &Signature, target: &str, now: u64) -> Result<(), SignatureError> {
        let code = self.code(&signature.holder, target, signature.expires).ok_or(SignatureError::Wrong)?;
        let sent = bytes_of(&signature.code).ok_or(SignatureError::Wrong)?;
        code.verify_slice(&sent).map_err(|_| SignatureError::Wrong)?;
        if now <= signature.expires { Ok(()) } else { Err(SignatureError::Expired) }
    }

    fn code(&self, name: &str, target: &str, expires: u64) -> Option<Hmac<Sha256>> {
        let holder = self.holders.iter().find(|holder| holder.name == name)?;
        let mut code = <Hmac<Sha256> as hmac::KeyInit>::new_from_slice(&holder.digest).ok()?;
        code.update(format!("sagittal address 1\n{expires}\n{target}").as_bytes());
        Some(code)
    }
}

impl Holder {
    fn parse(line: &str) -> Option<Self> {
        let (name, digest) = line.split_once(' ')?;
        let digest = bytes_of(digest.trim())?.try_into().ok()?;
        is_name(name).then(|| Self { name: name.to_owned(), digest })
    }
}

/// Names stand in addresses and in logs.
fn is_name(name: &str) -> bool {
    let is_plain = |b: u8| b.is_ascii_alphanumeric() || b"._-".contains(&b);
    (1..=64).contains(&name.len()) && name.bytes().all(is_plain)
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn bytes_of(digits: &str) -> Option<Vec<u8>> {
    let is_hexadecimal = digits.len() == 2 * DIGEST_BYTES && digits.bytes().all(|b| b.is_ascii_hexdigit());
    let pairs = is_hexadecimal.then(|| digits.as_bytes().chunks(2))?;
    pairs.map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn two() -> (Keys, [Minted; 2]) {
        let minted = [Keys::mint("ann").unwrap(), Keys::mint("ben").unwrap()];
        let file = format!("# who may ask\n{}\n\n{} # until May\n", minted[0].line, minted[1].line);
        (Keys::parse(&file).unwrap(), minted)
    }

    #[test]
    fn a_token_names_its_holder_and_nothing_else_does() {
        let (keys, [ann, ben]) = two();
        assert_eq!((keys.holder_of(&ann.token), keys.holder_of(&ben.token)), (Some("ann"), Some("ben")));
        let digest = ann.line.split_once(' ').unwrap().1;
        for wrong in ["", "ann", digest, &ann.token[..ann.token.len() - 1], &format!("{} ", ann.token)] {
            assert_eq!(keys.holder_of(wrong), None, "{wrong:?}");
        }
        assert_ne!(ann.token, ben.token);
    }

    /// The digest of a token and the code of a signature, as Python's hashlib and hmac have them.
    #[test]
    fn digests_and_codes_are_those_of_others() {
        let line = "ann 3c469e9d6c5875d37a43f353d4f88e61fcf812c66eee3457465a40b0da4153e0";
        let keys = Keys::parse(line).unwrap();
        assert_eq!(keys.holder_of("token"), Some("ann"));
        let signature = keys.sign("ann", "/v1/scans/1_t1/montage.png?size=64", 2_000_000_000).unwrap();
        assert_eq!(signature.code, CODE);
    }

    const CODE: &str = "f3614b57099d5c8e4096ed495a04a57f04a1b1557f74d2528523f27d280a1663";

    #[test]
    fn a_signature_is_good_for_its_address_its_holder_and_its_time() {
        let (keys, _) = two();
        let good = keys.sign("ann", "/v1/scans/1_t1/montage.png", 100).unwrap();
        let verify = |signature: &Signature, target, now| keys.verify(signature, target, now);
        assert_eq!(verify(&good, "/v1/scans/1_t1/montage.png", 100), Ok(()));
        assert_eq!(verify(&good, "/v1/scans/1_t1/montage.png", 101), Err(SignatureError::Expired));
        assert_eq!(verify(&good, "/v1/scans/1_t2/montage.png", 100), Err(SignatureError::Wrong));
        let changed = [
            Signature { expires: 1000, ..good.clone() },
            Signature { holder: "ben".to_owned(), ..good.clone() },
            Signature { holder: "eve".to_owned(), ..good.clone() },
            Signature { code: "00".repeat(32), ..good.clone() },
            Signature { code: String::new(), ..good.clone() },
        ];
        for signature in changed {
            assert_eq!(verify(&signature, "/v1/scans/1_t1/montage.png", 100), Err(SignatureError::Wrong));
        }
        assert_eq!(keys.sign("eve", "/v1/scans/1_t1/montage.png", 100), None);
    }

    #[test]
    fn a_bad_line_is_named() {
        let of = |text: &str| Keys::parse(text).unwrap_err();
        let digest = "0".repeat(64);
        assert_eq!(of("# nobody\n"), InvalidKeys::Empty);
        assert_eq!(of(&format!("\nann {digest}0")), InvalidKeys::Line(2));
        assert_eq!(of(&format!("ann  b {digest}")), InvalidKeys::Line(1));
        assert_eq!(of(&format!("a/b {digest}")), InvalidKeys::Line(1));
        assert_eq!(of(&format!("ann {digest}\nann {digest}")), InvalidKeys::Repeated(2));
        assert!(matches!(Keys::mint("a b"), Err(MintError::Name(_))));
    }
}
