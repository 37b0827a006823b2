//! Real forward proxies: CONNECT, over TCP or TLS, and SOCKS5.

mod connect;
mod socks5;

use std::fmt;
use std::io::{self, BufReader};
use std::net::{IpAddr, Ipv4Addr, Shutdown, SocketAddr, TcpStream, ToSocketAddrs};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use rustls::ServerConfig;

use super::listener::{Listener, lock};
use super::tls::Identity;
use super::transport::{self, Reader, Writer};

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
    listener: Listener,
    log: Arc<Log>,
    scheme: &'static str,
    host: &'static str,
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
        let (scheme, host, tls) = match protocol {
            Protocol::Http => ("http", "127.0.0.1", None),
            Protocol::Https(identity) => {
                let config = Arc::clone(identity.server_config());
                ("https", "localhost", Some(config))
            }
            Protocol::Socks5 => ("socks5", "127.0.0.1", None),
        };
        let is_socks = matches!(protocol, Protocol::Socks5);
        let listener = Listener::start(move |stream, _| {
            // An error is a client that went away, or one that was told what it did wrong.
            let _ = serve(stream, tls.as_ref(), is_socks, &gate);
        });
        Proxy {
            listener,
            log,
            scheme,
            host,
        }
    }

    pub fn port(&self) -> u16 {
        self.listener.port()
    }

    pub fn url(&self) -> String {
        format!("{}://{}:{}", self.scheme, self.host, self.port())
    }

    /// The same with a user name and password, which must not need escaping.
    pub fn url_with(&self, user: &str, password: &str) -> String {
        let (scheme, host, port) = (self.scheme, self.host, self.port());
        format!("{scheme}://{user}:{password}@{host}:{port}")
    }

    /// The targets that clients were let through to, in order, reachable or not.
    pub fn tunnels(&self) -> Vec<Target> {
        lock(&self.log.tunnels).clone()
    }

    /// How many clients were refused because of their credentials, or for having none.
    pub fn refused(&self) -> usize {
        *lock(&self.log.refused)
    }

    pub fn connections(&self) -> usize {
        self.listener.accepted()
    }

    pub fn open_connections(&self) -> usize {
        self.listener.open()
    }

    /// Waits until exactly `count` connections are open; `false` if that did not come in time.
    pub fn wait_for_open_connections(&self, count: usize, deadline: Duration) -> bool {
        self.listener.wait_for_open(count, deadline)
    }

    pub fn stop(&self) {
        self.listener.stop();
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

fn serve(
    stream: TcpStream,
    tls: Option<&Arc<ServerConfig>>,
    is_socks: bool,
    gate: &Gate,
) -> io::Result<()> {
    let socket = stream.try_clone()?;
    let (reader, mut writer) = transport::split(stream, tls)?;
    let mut reader = BufReader::new(reader);
    let upstream = if is_socks {
        socks5::handshake(&mut reader, &mut writer, gate)
    } else {
        connect::handshake(&mut reader, &mut writer, gate)
    };
    match upstream {
        Ok(Some(upstream)) => tunnel(reader, writer, &socket, &upstream),
        Ok(None) => {
            writer.finish()?;
            transport::drain(reader)
        }
        Err(error) => Err(error),
    }
}

/// Copies both ways until either side ends, which ends the other one.
fn tunnel(
    mut reader: BufReader<Reader>,
    mut writer: Writer,
    client: &TcpStream,
    upstream: &TcpStream,
) -> io::Result<()> {
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
        let _ = client.shutdown(Shutdown::Both);
        let _ = upstream.shutdown(Shutdown::Both);
        finished
    })
}
