//! Helpers that read and write JSON as text: nesting, batches, strings, pasting.

use serde_json::value::RawValue;
use std::borrow::Cow;

/// How deep arrays and objects are nested in a valid JSON text: `1` has 0, `[]` has 1.
pub fn nesting(text: &str) -> usize {
    let (mut depth, mut deepest, mut in_string, mut escaped) = (0usize, 0usize, false, false);
    for byte in text.bytes() {
        if in_string {
            match byte {
                _ if escaped => escaped = false,
                b'\\' => escaped = true,
                b'"' => in_string = false,
                _ => {}
            }
            continue;
        }
        match byte {
            b'"' => in_string = true,
            b'[' | b'{' => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            b']' | b'}' => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    deepest
}

/// Appends `text` as a JSON string, quotes included.
pub fn push_string(out: &mut Vec<u8>, text: &str) {
    if text
        .bytes()
        .all(|byte| byte >= 0x20 && byte != b'"' && byte != b'\\')
    {
        out.push(b'"');
        out.extend_from_slice(text.as_bytes());
        out.push(b'"');
    } else {
        serde_json::to_writer(out, text).expect("a string always serialises");
    }
}

/// Appends `number` in decimal.
pub fn push_integer(out: &mut Vec<u8>, number: u64) {
    use std::io::Write;
    write!(out, "{number}").expect("a Vec takes all that is written");
}

/// The text of a JSON string; borrowed unless it holds escapes. `None` if `raw` is no string.
pub(crate) fn as_string(raw: &RawValue) -> Option<Cow<'_, str>> {
    let inner = raw.get().strip_prefix('"')?.strip_suffix('"')?;
    if inner.contains('\\') {
        // Fails for a lone surrogate, which JSON allows and a string cannot hold.
        serde_json::from_str(raw.get()).ok().map(Cow::Owned)
    } else {
        Some(Cow::Borrowed(inner))
    }
}

/// The value of a JSON integer from 0 to 2^53 − 1, written without fraction and exponent.
pub(crate) fn as_integer(raw: &RawValue) -> Option<u64> {
    let text = raw.get();
    if !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    text.parse()
        .ok()
        .filter(|&number| number <= crate::limits::INTEGER_MAX)
}

/// How a frame's text begins, which decides how to read it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    Object,
    Array,
    Other,
}

impl Shape {
    pub(crate) fn of(text: &str) -> Self {
        match text
            .trim_start_matches([' ', '\t', '\n', '\r'])
            .as_bytes()
            .first()
        {
            Some(b'{') => Self::Object,
            Some(b'[') => Self::Array,
            _ => Self::Other,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nesting_counts_brackets_outside_strings() {
        for (text, depth) in [
            ("1", 0),
            ("[]", 1),
            (r#""[[[""#, 0),
            (r#"{"a":[1,{"b\"[":2}]}"#, 3),
            ("[[],[[]]]", 3),
        ] {
            assert_eq!(nesting(text), depth, "{text}");
        }
        let deep = "[".repeat(100_000) + &"]".repeat(100_000);
        assert_eq!(nesting(&deep), 100_000);
    }

    #[test]
    fn strings_are_escaped_when_they_must() {
        for text in ["plain", "quote\"", "back\\slash", "line\nfeed", "ünï"] {
            let mut out = Vec::new();
            push_string(&mut out, text);
            assert_eq!(serde_json::from_slice::<String>(&out).unwrap(), text);
        }
    }
}
