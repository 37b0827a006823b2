//! The side of a SOCKS5 proxy that comes before the tunnel: RFC 1928 and RFC 1929.

use std::io::{self, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};

use super::super::http1::invalid;
use super::{Address, Gate, Target};

const VERSION: u8 = 5;
const AUTH_VERSION: u8 = 1;

const NO_AUTHENTICATION: u8 = 0x00;
const USERNAME_PASSWORD: u8 = 0x02;
const NO_ACCEPTABLE_METHOD: u8 = 0xff;

const COMMAND_CONNECT: u8 = 1;

const ADDRESS_IPV4: u8 = 1;
const ADDRESS_NAME: u8 = 3;
const ADDRESS_IPV6: u8 = 4;

const SUCCEEDED: u8 = 0;
const HOST_UNREACHABLE: u8 = 4;
const CONNECTION_REFUSED: u8 = 5;
const COMMAND_NOT_SUPPORTED: u8 = 7;
const ADDRESS_NOT_SUPPORTED: u8 = 8;

const UNSPECIFIED: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0);

/// `None` if the client was refused, and told so.
pub fn handshake(
    reader: &mut impl Read,
    writer: &mut impl Write,
    gate: &Gate,
) -> io::Result<Option<TcpStream>> {
    if !authenticate(reader, writer, gate)? {
        return Ok(None);
    }
    let [version, command, _reserved, kind] = array(reader)?;
    if version != VERSION {
        return Err(invalid("not SOCKS version 5"));
    }
    let address = match kind {
        ADDRESS_IPV4 => Address::Ip(Ipv4Addr::from(array::<4>(reader)?).into()),
        ADDRESS_IPV6 => Address::Ip(Ipv6Addr::from(array::<16>(reader)?).into()),
        ADDRESS_NAME => Address::Name(text(reader)?),
        _ => {
            writer.write_all(&reply(ADDRESS_NOT_SUPPORTED, UNSPECIFIED))?;
            return Ok(None);
        }
    };
    let port = u16::from_be_bytes(array(reader)?);
    if command != COMMAND_CONNECT {
        writer.write_all(&reply(COMMAND_NOT_SUPPORTED, UNSPECIFIED))?;
        return Ok(None);
    }
    match gate.pass(Target { address, port }) {
        Ok(upstream) => {
            writer.write_all(&reply(SUCCEEDED, upstream.local_addr()?))?;
            Ok(Some(upstream))
        }
        Err(error) => {
            let code = match error.kind() {
                io::ErrorKind::ConnectionRefused => CONNECTION_REFUSED,
                _ => HOST_UNREACHABLE,
            };
            writer.write_all(&reply(code, UNSPECIFIED))?;
            Ok(None)
        }
    }
}

/// Agrees on a method and carries it out. As a proxy that asks for credentials has to know whom
/// it lets in, it accepts no other method then.
fn authenticate(reader: &mut impl Read, writer: &mut impl Write, gate: &Gate) -> io::Result<bool> {
    let [version, count] = array(reader)?;
    if version != VERSION {
        return Err(invalid("not SOCKS version 5"));
    }
    let mut methods = vec![0; usize::from(count)];
    reader.read_exact(&mut methods)?;
    let method = match gate.credentials {
        Some(_) => USERNAME_PASSWORD,
        None => NO_AUTHENTICATION,
    };
    if !methods.contains(&method) {
        gate.refuse();
        writer.write_all(&[VERSION, NO_ACCEPTABLE_METHOD])?;
        return Ok(false);
    }
    writer.write_all(&[VERSION, method])?;

    let Some((user, password)) = &gate.credentials else {
        return Ok(true);
    };
    let [version] = array(reader)?;
    if version != AUTH_VERSION {
        return Err(invalid("not version 1 of the authentication"));
    }
    // Both are read, right or wrong: what is left unread turns the close into a reset.
    let given = (text(reader)?, text(reader)?);
    let accepted = (&given.0, &given.1) == (user, password);
    if !accepted {
        gate.refuse();
    }
    writer.write_all(&[AUTH_VERSION, u8::from(!accepted)])?;
    Ok(accepted)
}

fn reply(code: u8, bound: SocketAddr) -> Vec<u8> {
    let mut reply = vec![VERSION, code, 0];
    match bound.ip() {
        IpAddr::V4(ip) => {
            reply.push(ADDRESS_IPV4);
            reply.extend_from_slice(&ip.octets());
        }
        IpAddr::V6(ip) => {
            reply.push(ADDRESS_IPV6);
            reply.extend_from_slice(&ip.octets());
        }
    }
    reply.extend_from_slice(&bound.port().to_be_bytes());
    reply
}

fn array<const N: usize>(reader: &mut impl Read) -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    reader.read_exact(&mut bytes)?;
    Ok(bytes)
}

/// A string after one byte with its length.
fn text(reader: &mut impl Read) -> io::Result<String> {
    let [length] = array(reader)?;
    let mut bytes = vec![0; usize::from(length)];
    reader.read_exact(&mut bytes)?;
    String::from_utf8(bytes).map_err(|_| invalid("a string that is not UTF-8"))
}
