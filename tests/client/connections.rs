//! How many connections a client makes: as few as the service allows.

use std::thread;
use std::time::{Duration, Instant};

use h2ogpt::Client;

use support::client::{client, text};
use support::service::{Dialect, Service};

/// On a machine with too much to do, the end of a response can come later than a client waits for
/// it before it deletes the conversation, which then takes another connection. Where nothing takes
/// longer than this, it did not.
const PATIENCE: Duration = Duration::from_millis(400);

/// The life of a conversation, dropped instead of closed if it is to be.
fn live(client: &Client, prompts: &[&str], is_dropped: bool) {
    let mut conversation = client.conversation().expect("a conversation");
    for prompt in prompts {
        let reply = match *prompt {
            "again" => conversation.retry(),
            prompt => conversation.send(prompt),
        };
        text(reply).expect("a complete reply");
    }
    if is_dropped {
        drop(conversation);
    } else {
        conversation.close().expect("deleted");
    }
}

/// The response to a message of v0.7 never ends, so that the client hangs up after each reply and
/// goes on with a new connection. All others are kept alive.
fn expected(dialect: Dialect, replies: usize) -> usize {
    match dialect {
        Dialect::V0_7 => 1 + replies,
        _ => 1,
    }
}

#[test]
fn one_lifecycle_or_a_hundred_in_a_row_take_one_connection_where_responses_end() {
    thread::scope(|scope| {
        for dialect in Dialect::ALL {
            scope.spawn(move || {
                let service = Service::builder().dialect(dialect).start();
                let service = service.expect("a service");
                let client = client(service.url());
                // Some have no list; to be told so takes a request too.
                let _ = client.models();
                live(&client, &["One", "Two", "again"], false);
                assert_eq!(service.connections(), expected(dialect, 3), "{dialect}");
                let mut late = 0;
                for lifecycle in 2..=100 {
                    let started = Instant::now();
                    live(&client, &["Hello"], lifecycle % 2 == 0);
                    late += usize::from(started.elapsed() > PATIENCE);
                    let expected = expected(dialect, 2 + lifecycle);
                    let connections = service.connections();
                    let possible = expected..=expected + late;
                    let case = format!("{dialect}, lifecycle {lifecycle}: {connections}");
                    assert!(possible.contains(&connections), "{case}, not {possible:?}");
                }
                assert_eq!(service.conversations(), 0, "{dialect}");
            });
        }
    });
}

#[test]
#[cfg(any(feature = "rustls", feature = "native-tls"))]
fn twenty_lifecycles_over_tls_take_one_connection_and_so_one_handshake() {
    use support::client::builder;
    use support::script::{self, Endpoint};
    use support::server::Server;
    use support::tls::Identity;

    let identity = Identity::localhost();
    let server = Server::start_tls(&identity, script::replies(&["Hello", " there"]));
    let builder = builder(server.url()).model("model");
    let client = builder.root_certificates(identity.ca_pem()).build();
    let client = client.expect("a client");
    for lifecycle in 1..=20 {
        live(&client, &["One", "Two", "again"], lifecycle % 2 == 0);
        assert_eq!(server.listener.connections(), 1, "lifecycle {lifecycle}");
    }
    assert_eq!(server.requests_to(Endpoint::Delete).len(), 20);
}
