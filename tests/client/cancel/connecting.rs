//! Connections that are being made: the wait for them ends like any other.

use std::net::{Ipv4Addr, TcpListener};
use std::thread;
use std::time::{Duration, Instant};

use h2ogpt::{Canceller, Client, TimeLimit};

use support::client::expired;
#[cfg(target_os = "linux")]
use support::listener::FullQueue;

use super::clients::{SHORT, SOON, assert_cancelled, builder};

/// Asks a server for its models that never gets as far as HTTP.
fn assert_connecting_ends(url: &str) {
    let client = builder(url).model("m").build().expect("a client");
    let canceller = Canceller::new();
    let cancelled = client.cancelled_by(&canceller);
    thread::scope(|scope| {
        let acting = scope.spawn(|| (cancelled.conversation().unwrap_err(), Instant::now()));
        // Nothing tells when a connection has begun to be made. If it has not, the outcome has to
        // be the same.
        thread::sleep(Duration::from_millis(100));
        let at = Instant::now();
        canceller.cancel();
        let (error, ended) = acting.join().unwrap();
        assert_cancelled(url, &error, ended.saturating_duration_since(at));
    });
    let started = Instant::now();
    let error = client.until(started + SHORT).models().unwrap_err();
    assert_eq!(expired(&error), Some(TimeLimit::Until), "{url}: {error:?}");
    let elapsed = started.elapsed();
    assert!(
        elapsed >= SHORT && elapsed < SHORT + SOON,
        "{url}: {elapsed:?}"
    );
}

#[cfg(target_os = "linux")]
#[test]
fn a_connection_that_is_not_accepted_is_given_up() {
    let queue = FullQueue::start();
    assert_connecting_ends(&format!("http://{}", queue.address));
}

/// The system accepts the connection, and nobody reads from it.
#[test]
fn a_connection_that_nobody_reads_from_is_given_up() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = listener.local_addr().unwrap();
    assert_connecting_ends(&format!("http://{address}"));
    #[cfg(any(feature = "rustls", feature = "native-tls"))]
    assert_connecting_ends(&format!("https://{address}"));
}

/// So is one through a proxy that does not respond.
#[test]
fn a_connection_through_a_silent_proxy_is_given_up() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = listener.local_addr().unwrap();
    for scheme in ["http", "socks5h"] {
        let client = Client::builder()
            .url("http://chat.test")
            .model("m")
            .proxy(format!("{scheme}://{address}"));
        let client = client.build().unwrap();
        let started = Instant::now();
        let error = client.until(started + SHORT).models().unwrap_err();
        assert_eq!(
            expired(&error),
            Some(TimeLimit::Until),
            "{scheme}: {error:?}"
        );
        assert!(started.elapsed() < SHORT + SOON, "{scheme}");
    }
}
