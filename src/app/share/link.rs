//! A state's text as one line that can be sent, pasted and opened: `landscope://1/` and the text, compressed (zlib, whose
//! checksum tells a damaged link) and written in the letters of URLs (base64url without padding).

use std::io::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use flate2::write::ZlibEncoder;
use flate2::{Compression, Decompress, FlushDecompress, Status};

/// What every link begins with.
pub const SCHEME: &str = "landscope://";
/// How the rest is packed.
const PACKING: &str = "1/";
/// Longest link that is looked at, in bytes.
const LONGEST: usize = 200_000;
/// Longest text in a link, in bytes: a small link must not unpack to more than memory holds.
const LONGEST_TEXT: usize = 1 << 20;

/// A line that is no link.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LinkError {
    #[error("this is no link of Landscope: it begins with {start:?}, not with landscope://; copy the whole link")]
    Scheme { start: String },
    #[error(
        "the link is packed in a way that this Landscope ({}) doesn't know; open it with a newer one",
        env!("CARGO_PKG_VERSION")
    )]
    Packing,
    #[error("the link has {length} characters; links have at most {LONGEST}")]
    TooLong { length: usize },
    #[error("the link is damaged or cut short ({what}); copy the whole link once more")]
    Damaged { what: &'static str },
}

/// Whether a text means to be a link.
pub fn is_one(text: &str) -> bool {
    let text = text.trim_start_matches(|c: char| c.is_whitespace() || c == '<');
    text.get(..SCHEME.len()).is_some_and(|start| start.eq_ignore_ascii_case(SCHEME))
}

/// The link of a text.
pub fn pack(text: &str) -> String {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::best());
    // Writing into memory doesn't fail.
    let bytes = encoder.write_all(text.as_bytes()).and_then(|()| encoder.finish()).unwrap_or_default();
    format!("{SCHEME}{PACKING}{}", URL_SAFE_NO_PAD.encode(bytes))
}

/// The text of a link. Spaces and line breaks, which mail programs put in, and angle brackets around it don't matter.
///
/// # Errors
/// [`LinkError`] says what is wrong and what to do.
pub fn unpack(link: &str) -> Result<String, LinkError> {
    if link.len() > LONGEST {
        return Err(LinkError::TooLong { length: link.len() });
    }
    let link: String = link.chars().filter(|c| !c.is_whitespace() && !"<>".contains(*c)).collect();
    if !is_one(&link) {
        return Err(LinkError::Scheme { start: link.chars().take(SCHEME.len()).collect() });
    }
    let Some(letters) = link[SCHEME.len()..].strip_prefix(PACKING) else {
        return Err(LinkError::Packing);
    };
    let damaged = |what| LinkError::Damaged { what };
    let bytes = URL_SAFE_NO_PAD.decode(letters).map_err(|_| damaged("letters that no link has"))?;
    let text = inflate(&bytes).map_err(damaged)?;
    String::from_utf8(text).map_err(|_| damaged("it holds no text"))
}

/// Unpacks a whole zlib stream; what is wrong with it otherwise. (The crate's readers take a stream that was cut short for a
/// whole one.)
fn inflate(bytes: &[u8]) -> Result<Vec<u8>, &'static str> {
    let mut text = Vec::with_capacity(8 * bytes.len() + 64);
    let mut state = Decompress::new(true);
    loop {
        let read = usize::try_from(state.total_in()).unwrap_or(usize::MAX).min(bytes.len());
        let before = (read, text.len());
        let status = state.decompress_vec(&bytes[read..], &mut text, FlushDecompress::None);
        if text.len() > LONGEST_TEXT {
            return Err("it unpacks to more than a megabyte");
        }
        match status {
            Err(_) => return Err("its checksum doesn't fit"),
            Ok(Status::StreamEnd) if state.total_in() == bytes.len() as u64 => return Ok(text),
            Ok(Status::StreamEnd) => return Err("it goes on behind its end"),
            Ok(_) if text.len() == text.capacity() => text.reserve(text.len().max(1_024)),
            // There is room and nothing moves.
            Ok(_) if (state.total_in(), text.len()) == (before.0 as u64, before.1) => return Err("its end is missing"),
            Ok(_) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn links_survive_mail_programs() {
        let link = pack("landscope = 1\n");
        let broken = format!("\n <{}\r\n {}>", &link[..25], &link[25..]);
        assert!(is_one(&broken));
        assert_eq!(unpack(&broken).unwrap(), "landscope = 1\n");
        assert_eq!(unpack(&link.replace("landscope://", "Landscope://")).unwrap(), "landscope = 1\n");
    }

    #[test]
    fn what_is_wrong_is_said() {
        let link = pack(&"lr = 0.1\n".repeat(30));
        assert!(unpack("https://example.org").unwrap_err().to_string().contains("https://exam"));
        assert_eq!(unpack("landscope://9/abc"), Err(LinkError::Packing));
        assert_eq!(unpack(&"x".repeat(LONGEST + 1)), Err(LinkError::TooLong { length: LONGEST + 1 }));
        for cut in SCHEME.len() + PACKING.len()..link.len() {
            assert!(matches!(unpack(&link[..cut]), Err(LinkError::Damaged { .. })), "cut at {cut}");
        }
        let bomb = pack(&"a".repeat(3 << 20));
        assert!(bomb.len() < LONGEST, "{}", bomb.len());
        assert!(unpack(&bomb).unwrap_err().to_string().contains("megabyte"));
    }

    proptest! {
        #[test]
        fn any_text_comes_back(text in any::<String>()) {
            let link = pack(&text);
            prop_assert!(link.bytes().all(|c| c.is_ascii_alphanumeric() || b":/-_".contains(&c)));
            prop_assert_eq!(unpack(&link), Ok(text));
        }

        #[test]
        fn one_wrong_letter_is_noticed(at in 0usize..60, letter in "[A-Za-z0-9_-]") {
            let link = pack("[spec.optimizer]\nlr = 0.1\nmomentum = 0.5\n");
            let at = SCHEME.len() + PACKING.len() + at % (link.len() - SCHEME.len() - PACKING.len());
            let mutated = format!("{}{letter}{}", &link[..at], &link[at + 1..]);
            // The first bytes name the window's size and level of compression, which mean nothing to the text.
            if mutated != link && let Ok(text) = unpack(&mutated) {
                prop_assert_eq!(text, unpack(&link).unwrap());
            }
        }
    }
}
