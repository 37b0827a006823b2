//! Servers that cannot be reached at all.

use std::io::Write;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use h2ogpt::Step::Settings;
use h2ogpt::TimeLimit;

use support::HAS_TLS;
#[cfg(target_os = "linux")]
use support::listener::FullQueue;
use support::listener::Listener;
use support::tls::Identity;

use crate::row::Outcome;
use crate::{HANDSHAKE, Limits, SECOND, client};

/// Asks for a conversation and checks how that fails, and when.
#[track_caller]
fn expect(url: &str, identity: Option<&Identity>, wanted: &Outcome) {
    if identity.is_some() && !HAS_TLS {
        return;
    }
    // TLS has its time, unless this is what comes of taking too long. Other limits come later.
    let patience = match wanted {
        Outcome::Timeout(..) => Duration::ZERO,
        _ => identity.map_or(Duration::ZERO, |_| HANDSHAKE),
    };
    let limits = Limits {
        connect: SECOND + patience,
        token: 10 * SECOND + patience,
        ..Limits::SHORT
    };
    let client = client(url, identity, &limits);
    let started = Instant::now();
    let error = client.conversation().expect_err("nobody is there");
    let elapsed = started.elapsed();
    println!("{error}, after {elapsed:?}");
    assert_eq!(Outcome::of(&error), *wanted, "{error:?}");
    let (from, to) = wanted.bounds();
    assert!(elapsed + Duration::from_millis(50) >= from, "{elapsed:?}");
    let slack = identity.map_or(Duration::ZERO, |_| HANDSHAKE);
    assert!(elapsed <= to + slack, "{elapsed:?}");
}

fn url(scheme: &str, address: SocketAddr) -> String {
    format!("{scheme}://{address}")
}

#[test]
fn nobody_listens() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    // The port of a connection belongs to nobody else meanwhile, and takes none itself.
    let taken = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let address = taken.local_addr().unwrap();
    let identity = Identity::localhost();
    expect(&url("http", address), None, &Outcome::Network(Settings));
    expect(
        &url("https", address),
        Some(&identity),
        &Outcome::Network(Settings),
    );
}

#[cfg(target_os = "linux")]
#[test]
fn connections_are_not_accepted() {
    let queue = FullQueue::start();
    let wanted = Outcome::Timeout(Settings, TimeLimit::Connect);
    let identity = Identity::localhost();
    thread::scope(|scope| {
        scope.spawn(|| expect(&url("http", queue.address), None, &wanted));
        scope.spawn(|| expect(&url("https", queue.address), Some(&identity), &wanted));
    });
}

#[test]
fn the_tls_handshake_is_not_answered() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let wanted = Outcome::Timeout(Settings, TimeLimit::Connect);
    let url = url("https", listener.local_addr().unwrap());
    expect(&url, Some(&Identity::localhost()), &wanted);
}

#[test]
fn the_tls_handshake_is_answered_byte_by_byte() {
    let listener = Listener::start(|mut stream, _| {
        // The beginning of a record that never ends.
        let mut record = [0x16, 3, 3, 0x3f, 0xff, 2, 0, 0x3f, 0xfb].iter().cycle();
        while stream.write_all(&[*record.next().unwrap()]).is_ok() {
            thread::sleep(SECOND / 10);
        }
    });
    let wanted = Outcome::Timeout(Settings, TimeLimit::Connect);
    let url = format!("https://127.0.0.1:{}", listener.port());
    expect(&url, Some(&Identity::localhost()), &wanted);
}

#[test]
fn the_tls_handshake_is_answered_in_plain_text() {
    let listener = Listener::start(|mut stream, _| {
        let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n");
        let _ = std::io::copy(&mut stream, &mut std::io::sink());
    });
    let url = format!("https://127.0.0.1:{}", listener.port());
    let wanted = Outcome::Network(Settings);
    expect(&url, Some(&Identity::localhost()), &wanted);
}

#[test]
fn the_certificate_is_of_somebody_else() {
    let (own, other) = (Identity::localhost(), Identity::localhost());
    let server = crate::Server::start_tls(&own, |_, _| crate::Then::Close);
    let wanted = Outcome::Network(Settings);
    expect(&server.url(), Some(&other), &wanted);
    assert!(server.requests().is_empty());
}
