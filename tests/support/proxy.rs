//! Real forward proxies: CONNECT, over TCP or TLS, and SOCKS5.

mod connect;
mod socks5;

use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Shutdown, SocketAddr, TcpStream, ToSocketAddrs};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use super::listener::{Connection, Listener, lock};
use super::tls::Identity;
use super::transport;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// How a client talks to the proxy.
#[derive(Clone, Copy)]
pub enum Protocol<'a> {
    /// `CONNECT` over plain TCP, `http://`.
    Http,
    /// `CONNECT` over TLS, `https://`.
    Https(&'a Identity),
    /// RFC 1928, with the user names and passwords of RFC 1929.
    Socks5,
}

/// Forwards connections until it is dropped.
///
/// Host names under `.test`, which exist nowhere (RFC 6761), are 127.0.0.1 to it: a client that
/// gets through by such a name left its resolution to the proxy.
pub struct Proxy {
    pub listener: Listener,
    log: Arc<Log>,
    scheme: &'static str,
}

/// Where a client asked to be connected to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    pub address: Address,
    pub port: u16,
}

/// The kind of address matters: a SOCKS client that resolves names itself sends another one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Address {
    Ip(IpAddr),
    Name(String),
}

#[derive(Default)]
struct Log {
    tunnels: Mutex<Vec<Target>>,
    refused: Mutex<usize>,
}

/// What the two protocols share: whom to let in, and what to tell of it.
struct Gate {
    credentials: Option<(String, String)>,
    log: Arc<Log>,
}

impl Proxy {
    pub fn start(protocol: Protocol<'_>) -> Proxy {
        Proxy::listen(protocol, None)
    }

    /// Lets nobody in without this user name and password.
    pub fn start_with_credentials(protocol: Protocol<'_>, user: &str, password: &str) -> Proxy {
        Proxy::listen(protocol, Some((user.to_owned(), password.to_owned())))
    }

    fn listen(protocol: Protocol<'_>, credentials: Option<(String, String)>) -> Proxy {
        let log = Arc::new(Log::default());
        let gate = Gate {
            credentials,
            log: Arc::clone(&log),
        };
        let (scheme, identity) = match protocol {
            Protocol::Http => ("http", None),
            Protocol::Https(identity) => ("https", Some(identity)),
            Protocol::Socks5 => ("socks5", None),
        };
        let is_socks = matches!(protocol, Protocol::Socks5);
        let listener = Listener::start_duplex(identity, move |connection| {
            serve(connection, is_socks, &gate)
        });
        Proxy {
            listener,
            log,
            scheme,
        }
    }

    pub fn url(&self) -> String {
        format!("{}://{}", self.scheme, self.listener.authority())
    }

    /// The same with a user name and password, which must not need escaping.
    pub fn url_with(&self, user: &str, password: &str) -> String {
        let authority = self.listener.authority();
        format!("{}://{user}:{password}@{authority}", self.scheme)
    }

    /// The targets that clients were let through to, in order, reachable or not.
    pub fn tunnels(&self) -> Vec<Target> {
        lock(&self.log.tunnels).clone()
    }

    /// How many clients were refused because of their credentials, or for having none.
    pub fn refused(&self) -> usize {
        *lock(&self.log.refused)
    }
}

impl Gate {
    fn refuse(&self) {
        *lock(&self.log.refused) += 1;
    }

    /// Notes the target and connects to it.
    fn pass(&self, target: Target) -> io::Result<TcpStream> {
        lock(&self.log.tunnels).push(target.clone());
        target.connect()
    }
}

impl Target {
    fn connect(&self) -> io::Result<TcpStream> {
        let addresses: Vec<SocketAddr> = match &self.address {
            Address::Ip(ip) => vec![(*ip, self.port).into()],
            Address::Name(name) if name.ends_with(".test") => {
                vec![(Ipv4Addr::LOCALHOST, self.port).into()]
            }
            Address::Name(name) => (name.as_str(), self.port).to_socket_addrs()?.collect(),
        };
        let mut failure = io::ErrorKind::NotFound.into();
        for address in addresses {
            match TcpStream::connect_timeout(&address, CONNECT_TIMEOUT) {
                Ok(stream) => return Ok(stream),
                Err(error) => failure = error,
            }
        }
        Err(failure)
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.address {
            Address::Ip(ip) => SocketAddr::new(*ip, self.port).fmt(f),
            Address::Name(name) => write!(f, "{name}:{}", self.port),
        }
    }
}

fn serve(mut connection: Connection, is_socks: bool, gate: &Gate) -> io::Result<()> {
    let Connection { reader, writer, .. } = &mut connection;
    let upstream = if is_socks {
        socks5::handshake(reader, writer, gate)?
    } else {
        connect::handshake(reader, writer, gate)?
    };
    match upstream {
        Some(upstream) => tunnel(connection, &upstream),
        None => {
            connection.writer.finish()?;
            transport::drain(connection.reader)
        }
    }
}

/// Copies both ways until either side ends, which ends the other one.
fn tunnel(connection: Connection, upstream: &TcpStream) -> io::Result<()> {
    let Connection {
        mut reader,
        mut writer,
        ..
    } = connection;
    upstream.set_nodelay(true)?;
    thread::scope(|scope| {
        scope.spawn(move || {
            let mut upstream = upstream;
            let _ = io::copy(&mut reader, &mut upstream);
            let _ = upstream.shutdown(Shutdown::Both);
        });
        let mut upstream = upstream;
        let copied = io::copy(&mut upstream, &mut writer);
        // With all that was copied, as the target may have closed right after its last byte.
        let finished = copied.and_then(|_| writer.finish());
        let _ = writer.shutdown();
        let _ = upstream.shutdown(Shutdown::Both);
        finished
    })
}
