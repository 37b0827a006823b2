//! What a server or its model refuses is told as it is.

use h2ogpt::{Error, FinishReason, Step};

use support::client::{client, read};
use support::service::{Dialect, Fault, Service};

use crate::dialects::is_of_2023;

fn messages(service: &Service) -> usize {
    let requests = service.requests();
    requests.iter().filter(|seen| seen.is_message()).count()
}

#[test]
fn a_list_of_models_that_fails_for_the_moment_is_the_error() {
    for dialect in [Dialect::V0_5, Dialect::V0_8, Dialect::Main] {
        for status in [429, 503] {
            let service = Service::builder().dialect(dialect).start().unwrap();
            service.fail_next(1, "GET /api/models", Fault::Status(status, None));
            let error = client(service.url()).conversation().unwrap_err();
            let is_it = matches!(error, Error::Http { status: found, step: Step::Models, .. } if found == status);
            assert!(is_it, "{dialect}: {error:?}");
            assert!(error.is_retryable());
            assert_eq!(service.conversations(), 0);
        }
    }
}

#[test]
fn a_model_that_is_gone_is_told_at_once() {
    for dialect in Dialect::ALL {
        let service = Service::builder().dialect(dialect).start().unwrap();
        service.fail_next(1, "POST /conversation/{id}", Fault::Status(410, None));
        let mut conversation = client(service.url()).conversation().unwrap();
        let error = conversation.send("Hello").unwrap_err();
        let Error::Http {
            status, message, ..
        } = &error
        else {
            panic!("{dialect}: {error:?}");
        };
        assert_eq!(*status, 410, "{dialect}");
        assert!(message.contains("not available"), "{dialect}: {message}");
        assert!(!error.is_retryable());
        assert_eq!(messages(&service), 1, "{dialect}");
    }
}

/// From v0.7 on it comes in the stream, up to v0.9.3 without its status.
#[test]
fn what_a_backend_refuses_has_its_status() {
    for dialect in Dialect::ALL {
        // It has no word for an error.
        if dialect == Dialect::V0_7 {
            continue;
        }
        for (status, is_retryable) in [(429, true), (503, true), (400, false)] {
            let service = Service::builder().dialect(dialect).start().unwrap();
            let fault = Fault::Backend(status, "slow down");
            service.fail_next(1, "POST /conversation/{id}", fault);
            let mut conversation = client(service.url()).conversation().unwrap();
            let error = read(conversation.send("Hello")).1.expect("an error");
            let found = match error {
                Error::Http { status, .. } => Some(status),
                Error::Server { status, .. } => status,
                _ => None,
            };
            assert_eq!(found, Some(status), "{dialect}: {error:?}");
            assert!(
                error.to_string().contains("slow down"),
                "{dialect}: {error}"
            );
            assert_eq!(error.is_retryable(), is_retryable, "{dialect}: {error:?}");
        }
    }
}

/// v0.9.3 calls it interrupted.
#[test]
fn a_reply_that_has_reached_its_length_was_not_stopped_by_anybody() {
    for dialect in Dialect::ALL {
        let service = Service::builder().dialect(dialect).start().unwrap();
        service.fail_next(1, "POST /conversation/{id}", Fault::Length(3));
        let mut conversation = client(service.url()).conversation().unwrap();
        let mut reply = conversation.send("Hello").unwrap();
        let expected = match dialect {
            _ if is_of_2023(dialect) => Some(FinishReason::Length),
            Dialect::V0_9_3 => Some(FinishReason::Length),
            _ => None,
        };
        let mut tokens = 0;
        while let Some(token) = reply.next() {
            token.unwrap();
            tokens += 1;
            // This may read the end ahead.
            while reply.ready().is_some() {
                tokens += 1;
            }
            let so_far = reply.finish_reason();
            assert!(
                so_far.is_none() || so_far == expected,
                "{dialect}: {so_far:?}"
            );
        }
        assert_eq!((tokens, reply.finish_reason()), (3, expected), "{dialect}");
        drop(reply);
        assert_eq!(messages(&service), 1, "{dialect}");
    }
}
