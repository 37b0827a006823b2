//! The side of a `CONNECT` proxy that comes before the tunnel.

use std::io::{self, BufRead, Write};
use std::net::{IpAddr, TcpStream};

use super::super::http1::{Request, response};
use super::{Address, Gate, Target};

/// `None` if the client was refused, and told so.
pub fn handshake(
    reader: &mut impl BufRead,
    writer: &mut impl Write,
    gate: &Gate,
) -> io::Result<Option<TcpStream>> {
    let Some(request) = Request::read_head(reader, 0)? else {
        return Ok(None);
    };
    let mut refuse = |status: &str, headers: &[(&str, &str)]| {
        writer.write_all(&response(status, headers, ""))?;
        Ok(None)
    };
    if request.method != "CONNECT" {
        return refuse("405 Method Not Allowed", &[("Allow", "CONNECT")]);
    }
    if let Some((user, password)) = &gate.credentials {
        let expected = format!("Basic {}", base64(format!("{user}:{password}").as_bytes()));
        if request.header("proxy-authorization") != Some(expected.as_str()) {
            gate.refuse();
            let challenge = ("Proxy-Authenticate", "Basic realm=\"test\"");
            return refuse("407 Proxy Authentication Required", &[challenge]);
        }
    }
    let Some(target) = parse_authority(&request.path) else {
        return refuse("400 Bad Request", &[]);
    };
    match gate.pass(target) {
        Ok(upstream) => {
            writer.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n")?;
            Ok(Some(upstream))
        }
        Err(_) => refuse("502 Bad Gateway", &[]),
    }
}

/// `host:port`, with an IPv6 address in brackets.
fn parse_authority(authority: &str) -> Option<Target> {
    let (host, port) = authority.rsplit_once(':')?;
    let bare = host
        .strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'))
        .unwrap_or(host);
    if bare.is_empty() {
        return None;
    }
    let address = match bare.parse::<IpAddr>() {
        Ok(ip) => Address::Ip(ip),
        Err(_) => Address::Name(bare.to_owned()),
    };
    let port = port.parse().ok()?;
    Some(Target { address, port })
}

fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut encoded = String::new();
    for group in bytes.chunks(3) {
        let byte = |index: usize| u32::from(group.get(index).copied().unwrap_or(0));
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        for position in 0..4 {
            let sextet = bits >> (18 - 6 * position) & 63;
            let digit = char::from(ALPHABET[sextet as usize]);
            encoded.push(if position > group.len() { '=' } else { digit });
        }
    }
    encoded
}
