//! Whatever was refused, sent again and replaced before: the server has each message once, and its
//! model is given what was said.

use h2ogpt::{Attachment, Conversation, Prompt, Result};

use support::client::{builder, text};
use support::service::{Dialect, Fault, Model, Service};

#[derive(Clone, Copy, Debug, PartialEq)]
enum Operation {
    Send,
    /// The server refuses it.
    SendRefused,
    Retry,
    RetryRefused,
}

use Operation::{Retry, RetryRefused, Send, SendRefused};

impl Operation {
    fn is_refused(self) -> bool {
        matches!(self, SendRefused | RetryRefused)
    }

    fn is_send(self) -> bool {
        matches!(self, Send | SendRefused)
    }
}

/// All sequences of so many operations; there is nothing to retry at first.
fn sequences(length: usize) -> Vec<Vec<Operation>> {
    let mut sequences = vec![vec![Send], vec![SendRefused]];
    for _ in 1..length {
        let longer = |sequence: &Vec<Operation>| {
            let next = [Send, SendRefused, Retry, RetryRefused];
            next.map(|operation| [sequence.as_slice(), &[operation]].concat())
        };
        sequences = sequences.iter().flat_map(longer).collect();
    }
    sequences
}

/// Does all of it, and returns the prompts that the server is to have then.
fn perform(
    sequence: &[Operation],
    conversation: &mut Conversation,
    service: &Service,
    prompt: &dyn Fn(&str) -> Prompt,
) -> Vec<String> {
    let mut expected = Vec::new();
    let mut last = String::new();
    for (number, operation) in sequence.iter().enumerate() {
        if operation.is_refused() {
            let refusal = Fault::Status(429, None);
            service.fail_next(1, "POST /conversation/{id}", refusal);
        }
        if operation.is_send() {
            last = format!("p{number}");
        }
        if !operation.is_refused() && expected.last() != Some(&last) {
            expected.push(last.clone());
        }
        let said: Result<String> = if operation.is_send() {
            text(conversation.send(prompt(&last)))
        } else {
            text(conversation.retry())
        };
        assert_eq!(
            said.is_err(),
            operation.is_refused(),
            "{operation:?}: {said:?}"
        );
    }
    expected
}

/// What users have said, without what came before the prompt.
fn prompts(service: &Service, id: &str) -> Vec<String> {
    let history = service.history(id).expect("the conversation").into_iter();
    let said = history
        .filter(|(who, _)| who == "user")
        .map(|(_, text)| text);
    said.map(|text| text.rsplit("\n\n").next().unwrap_or_default().to_owned())
        .collect()
}

fn assert_kept(
    dialect: Dialect,
    service: &Service,
    system_prompt: &str,
    prompt: &dyn Fn(&str) -> Prompt,
) {
    let client = builder(service.url()).system_prompt(system_prompt);
    let client = client.build().unwrap();
    for sequence in sequences(3) {
        let mut conversation = client.conversation().unwrap();
        let expected = perform(&sequence, &mut conversation, service, prompt);
        let found = prompts(service, conversation.id());
        assert_eq!(found, expected, "{dialect}: {sequence:?}");
    }
}

#[test]
fn each_message_is_stored_once() {
    for dialect in Dialect::ALL {
        let service = Service::builder().dialect(dialect).start().unwrap();
        assert_kept(dialect, &service, "", &|text| Prompt::new(text));
        assert_kept(dialect, &service, "Be brief.", &|text| Prompt::new(text));
    }
}

#[test]
fn so_is_one_with_a_file() {
    let takes_none = [Dialect::V0_3, Dialect::V0_5, Dialect::V0_6];
    for dialect in Dialect::ALL {
        if takes_none.contains(&dialect) {
            continue;
        }
        let mut able = Model::new("m");
        able.multimodal = true;
        let service = Service::builder().dialect(dialect).able_models(vec![able]);
        let service = service.start().unwrap();
        let image = b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR\0\0\0\x01\0\0\0\x01".to_vec();
        let image = Attachment::new("dot.png", "image/png", image);
        assert_kept(dialect, &service, "", &|text| {
            Prompt::new(text).attach(image.clone())
        });
    }
}
