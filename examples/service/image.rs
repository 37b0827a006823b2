//! As much of image formats as it takes to see that it is one, and how large.

/// Width and height; nothing if these bytes are no image.
pub(super) fn size(bytes: &[u8]) -> Option<(u32, u32)> {
    png(bytes).or_else(|| gif(bytes)).or_else(|| jpeg(bytes))
}

fn png(bytes: &[u8]) -> Option<(u32, u32)> {
    let header = bytes.strip_prefix(b"\x89PNG\r\n\x1a\n")?;
    let number = |at: usize| Some(u32::from_be_bytes(header.get(at..at + 4)?.try_into().ok()?));
    Some((number(8)?, number(12)?))
}

fn gif(bytes: &[u8]) -> Option<(u32, u32)> {
    let rest = bytes.strip_prefix(b"GIF8")?;
    let number = |at: usize| Some(u16::from_le_bytes(rest.get(at..at + 2)?.try_into().ok()?));
    Some((number(2)?.into(), number(4)?.into()))
}

/// The size stands in the first segment that begins a frame.
fn jpeg(bytes: &[u8]) -> Option<(u32, u32)> {
    let mut rest = bytes.strip_prefix(b"\xff\xd8")?;
    loop {
        let [0xff, kind, high, low, ..] = *rest else {
            return None;
        };
        if let (0xc0..=0xc3, Some(size)) = (kind, rest.get(5..9)) {
            let number = |at: usize| u32::from(u16::from_be_bytes([size[at], size[at + 1]]));
            return Some((number(2), number(0)));
        }
        let length = usize::from(u16::from_be_bytes([high, low]));
        rest = rest.get(2 + length..)?;
    }
}
