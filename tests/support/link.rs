//! A link with a delay between a client and a server on loopback.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use super::listener::Listener;

/// Delays what passes by half of its round trip in each direction, however much that is. Until it
/// is dropped.
///
/// A connection takes one round trip more before its first byte, as the handshake of TCP does.
/// Loopback accepts a connection at once, and the client sends at once: it is these first bytes
/// that are delayed for longer.
pub struct Link {
    listener: Listener,
}

impl Link {
    /// A link to a server at `authority`, which is `host:port`.
    pub fn start(authority: impl Into<String>, round_trip: Duration) -> Link {
        let authority = authority.into();
        let listener = Listener::start(move |client, _| {
            let connected = Instant::now() + round_trip;
            // Either side may go away, which ends the other one.
            let _ = TcpStream::connect(&authority)
                .and_then(|server| join(&client, &server, connected, round_trip / 2));
        });
        Link { listener }
    }

    /// The address of the server by way of this link.
    pub fn url(&self) -> String {
        format!("http://{}", self.listener.authority())
    }
}

/// Bytes, and when they are due at the other end.
type Delayed = (Instant, Vec<u8>);

fn join(
    client: &TcpStream,
    server: &TcpStream,
    connected: Instant,
    delay: Duration,
) -> io::Result<()> {
    server.set_nodelay(true)?;
    thread::scope(|scope| {
        for (from, to, not_before) in [(client, server, Some(connected)), (server, client, None)] {
            let (sender, receiver) = channel();
            scope.spawn(move || receive(from, &sender, not_before, delay));
            scope.spawn(move || deliver(&receiver, to));
        }
    });
    Ok(())
}

/// Reads what is sent, without waiting for what was sent before to arrive.
fn receive(
    mut from: &TcpStream,
    sender: &Sender<Delayed>,
    not_before: Option<Instant>,
    delay: Duration,
) {
    let mut buffer = vec![0; 64 << 10];
    loop {
        let length = from.read(&mut buffer).unwrap_or_default();
        let now = Instant::now();
        let sent = not_before.map_or(now, |earliest| earliest.max(now));
        let bytes = buffer.get(..length).unwrap_or_default().to_vec();
        if sender.send((sent + delay, bytes)).is_err() || length == 0 {
            return;
        }
    }
}

/// Writes what has been sent when it is due. Nothing is the end of the connection.
fn deliver(receiver: &Receiver<Delayed>, mut to: &TcpStream) {
    for (due, bytes) in receiver {
        thread::sleep(due.saturating_duration_since(Instant::now()));
        if bytes.is_empty() || to.write_all(&bytes).is_err() {
            break;
        }
    }
    let _ = to.shutdown(Shutdown::Both);
}
