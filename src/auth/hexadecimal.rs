pub(super) fn encode(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The 32 bytes that 64 digits stand for, in capitals or not.
pub(super) fn decode(digits: &str) -> Option<[u8; 32]> {
    let mut bytes = [0; 32];
    if digits.len() != 2 * bytes.len() || !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        return None;
    }
    for (byte, at) in bytes.iter_mut().zip((0..).step_by(2)) {
        *byte = u8::from_str_radix(&digits[at..at + 2], 16).ok()?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_read_back_and_nothing_else_is_read() {
        let bytes: [u8; 32] = std::array::from_fn(|n| (n * 8) as u8);
        assert_eq!(decode(&encode(&bytes)), Some(bytes));
        assert_eq!(decode(&encode(&bytes).to_uppercase()), Some(bytes));
        let zeros = |count| "0".repeat(count);
        for wrong in [String::new(), zeros(63), zeros(65), zeros(62) + "é", zeros(63) + "g", zeros(63) + "+"] {
            assert_eq!(decode(&wrong), None, "{wrong}");
        }
    }
}
