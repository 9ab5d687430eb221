//! Who issued a certificate: just enough DER (X.690) and X.509 (RFC 5280) for that.

use crate::text::printable;

/// Longer names than this are cut: RFC 5280, appendix A.1 allows 64 characters each.
const SHOWN_NAME: usize = 64;

const SEQUENCE: u8 = 0x30;
const SET: u8 = 0x31;
const INTEGER: u8 = 0x02;
const OBJECT_IDENTIFIER: u8 = 0x06;
/// `[0] EXPLICIT`, which holds the version in a certificate.
const CONTEXT_0: u8 = 0xa0;

/// `id-at-commonName`, 2.5.4.3 (RFC 5280, appendix A.1).
const COMMON_NAME: &[u8] = &[0x55, 0x04, 0x03];
const ORGANIZATION: &[u8] = &[0x55, 0x04, 0x0a];
const UNIT: &[u8] = &[0x55, 0x04, 0x0b];

/// The issuer's common name, else its organization or unit, safe for a terminal. `None` where the certificate has none or
/// cannot be read: this is for a message, and nothing is decided by it.
pub fn issuer(certificate: &[u8]) -> Option<String> {
    let attributes = attributes(issuer_name(certificate)?);
    let shown = [COMMON_NAME, ORGANIZATION, UNIT]
        .iter()
        .find_map(|wanted| {
            attributes
                .iter()
                .find(|(kind, _)| kind == wanted)
                .map(|(_, text)| printable(text, SHOWN_NAME))
        })?;
    (!shown.is_empty()).then_some(shown)
}

/// The content of the issuer's name.
fn issuer_name(certificate: &[u8]) -> Option<&[u8]> {
    let (tbs, _) = content_of(SEQUENCE, content_of(SEQUENCE, certificate)?.0)?;
    let rest = match element(tbs)? {
        (CONTEXT_0, _, rest) => rest,
        _ => tbs,
    };
    let (_, rest) = content_of(INTEGER, rest)?;
    let (_, rest) = content_of(SEQUENCE, rest)?;
    content_of(SEQUENCE, rest).map(|(name, _)| name)
}

/// The attributes of a name, RFC 5280 §4.1.2.4, as far as they can be read.
fn attributes(mut name: &[u8]) -> Vec<(&[u8], String)> {
    let mut found = Vec::new();
    while let Some((mut set, rest)) = content_of(SET, name) {
        name = rest;
        while let Some((attribute, more)) = content_of(SEQUENCE, set) {
            set = more;
            found.extend(kind_and_text(attribute));
        }
    }
    found
}

fn kind_and_text(attribute: &[u8]) -> Option<(&[u8], String)> {
    let (kind, rest) = content_of(OBJECT_IDENTIFIER, attribute)?;
    let (_, text, _) = element(rest)?;
    let text = String::from_utf8_lossy(text).into_owned();
    Some((kind, text))
}

/// The content of the first element, which must have the `wanted` tag, and what follows it.
fn content_of(wanted: u8, input: &[u8]) -> Option<(&[u8], &[u8])> {
    element(input)
        .filter(|(tag, _, _)| *tag == wanted)
        .map(|(_, content, rest)| (content, rest))
}

/// Tag and content of the first element, and what follows it. X.690 §8.1; tags above 30 do not occur in a name.
fn element(input: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&tag, rest) = input.split_first()?;
    let (&first, rest) = rest.split_first()?;
    let (length, rest) = if first < 0x80 {
        (usize::from(first), rest)
    } else {
        // More than four bytes of length is no certificate.
        let count = usize::from(first & 0x7f);
        let (bytes, rest) = rest.split_at_checked(count).filter(|_| count <= 4)?;
        let length = bytes.iter().try_fold(0_usize, |sum, byte| {
            sum.checked_mul(256)?.checked_add(usize::from(*byte))
        })?;
        (length, rest)
    };
    let (content, rest) = rest.split_at_checked(length)?;
    Some((tag, content, rest))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// An element with this tag around these parts.
    fn der(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
        let content = parts.concat();
        let mut bytes = vec![tag];
        match content.len() {
            short @ 0..0x80 => bytes.push(short as u8),
            long => bytes.extend([0x82, (long >> 8) as u8, long as u8]),
        }
        bytes.extend(content);
        bytes
    }

    fn attribute(kind: &[u8], tag: u8, text: &[u8]) -> Vec<u8> {
        let pair = der(
            SEQUENCE,
            &[&der(OBJECT_IDENTIFIER, &[kind]), &der(tag, &[text])],
        );
        der(SET, &[&pair])
    }

    fn certificate(version: bool, issuer: &[&[u8]]) -> Vec<u8> {
        let version = if version {
            der(CONTEXT_0, &[&der(INTEGER, &[&[2]])])
        } else {
            Vec::new()
        };
        let padding = der(0x03, &[&[0; 300]]);
        let tbs = der(
            SEQUENCE,
            &[
                &version,
                &der(INTEGER, &[&[7]]),
                &der(SEQUENCE, &[]),
                &der(SEQUENCE, issuer),
                &padding,
            ],
        );
        der(SEQUENCE, &[&tbs])
    }

    #[test]
    fn the_common_name_goes_first() {
        let organization = attribute(ORGANIZATION, 0x13, b"Example GmbH");
        let name = attribute(COMMON_NAME, 0x0c, "Prüfstelle \u{1b}[1mCA".as_bytes());
        for version in [true, false] {
            assert_eq!(
                issuer(&certificate(version, &[&organization, &name])).as_deref(),
                Some("Prüfstelle [1mCA")
            );
        }
        assert_eq!(
            issuer(&certificate(true, &[&organization])).as_deref(),
            Some("Example GmbH")
        );
        assert_eq!(issuer(&certificate(true, &[])), None);
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..64), cut in 0_usize..400) {
            issuer(&bytes);
            let name = attribute(COMMON_NAME, 0x0c, b"CA");
            let mut whole = certificate(true, &[&name]);
            whole.truncate(cut);
            issuer(&whole);
        }
    }
}
