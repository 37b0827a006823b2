//! Files that go with a message: as the versions want them, refused where they would be lost, and
//! read back.

use h2ogpt::{Attachment, Client, Error, Prompt, StoredFile};
use serde_json::{Value, json};

use support::client::{DEADLINE, Outcome, builder, text};
use support::http1::percent_decode;
use support::service::{Builder, Dialect, Model, Purpose, Seen, Service};

const EYES: &str = "org/eyes";
const BLIND: &str = "org/blind";

/// A server with a model that takes images and one that does not, the latter first.
fn service(dialect: Dialect) -> Builder {
    let eyes = Model {
        multimodal: true,
        ..Model::new(EYES)
    };
    let models = vec![Model::new(BLIND), eyes];
    Service::builder()
        .dialect(dialect)
        .terms(false)
        .able_models(models)
}

fn client(service: &Service, model: &str) -> Client {
    builder(service.url())
        .model(model)
        .build()
        .expect("a client")
}

/// As much of an image as tells its size, and bytes of every value.
fn png(side: u32) -> Vec<u8> {
    let mut bytes = b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR".to_vec();
    bytes.extend(side.to_be_bytes());
    bytes.extend(side.to_be_bytes());
    bytes.extend(0..=u8::MAX);
    bytes
}

fn image(name: &str) -> Attachment {
    Attachment::new(name, "image/png", png(64))
}

fn decoded(base64: &str) -> Vec<u8> {
    const DIGITS: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let (mut bytes, mut bits, mut count) = (Vec::new(), 0_u32, 0);
    for digit in base64.trim_end_matches('=').chars() {
        let value = DIGITS.find(digit).expect("a digit of base64");
        bits = bits << 6 | u32::try_from(value).expect("below 64");
        count += 6;
        if count >= 8 {
            count -= 8;
            bytes.push((bits >> count & 0xff) as u8);
        }
    }
    assert_eq!(base64.len() % 4, 0, "padded");
    bytes
}

fn messages(service: &Service) -> Vec<Seen> {
    let requests = service.requests().into_iter();
    requests.filter(Seen::is_message).collect()
}

/// The images that the model was given for the last reply.
fn seen_images(service: &Service) -> Vec<(String, String, Vec<u8>)> {
    let calls = service.model_calls().into_iter();
    let mut replies = calls.filter(|call| call.purpose == Purpose::Reply);
    let images = replies.next_back().expect("a reply").images.into_iter();
    images
        .map(|file| (file.name, file.mime, file.bytes))
        .collect()
}

#[test]
fn an_image_is_a_string_of_the_json_up_to_v0_8() {
    for dialect in [Dialect::V0_7, Dialect::V0_8] {
        let service = service(dialect).start().unwrap();
        let mut conversation = client(&service, EYES).conversation().unwrap();
        let prompt = Prompt::new("What is this?").attach(image("dot.png"));
        text(conversation.send(prompt)).unwrap();
        let message = messages(&service).pop().expect("a message");
        assert_eq!(message.header("content-type"), Some("application/json"));
        let json: Value = serde_json::from_slice(&message.body).unwrap();
        let files = json["files"].as_array().expect("files");
        assert_eq!(files.len(), 1, "{dialect}");
        assert_eq!(decoded(files[0].as_str().expect("base64")), png(64));
        let images = seen_images(&service);
        assert_eq!(images.len(), 1, "{dialect}");
        assert_eq!(images[0].2, png(64), "{dialect}");
        conversation.close().unwrap();
    }
}

#[test]
fn an_image_is_an_object_of_the_json_on_v0_9_0() {
    let service = service(Dialect::V0_9_0).start().unwrap();
    let mut conversation = client(&service, EYES).conversation().unwrap();
    let prompt = Prompt::new("What is this?").attach(image("a \"dot\".png"));
    text(conversation.send(prompt)).unwrap();
    let message = messages(&service).pop().expect("a message");
    let json: Value = serde_json::from_slice(&message.body).unwrap();
    let file = &json["files"][0];
    assert_eq!(file["type"], "base64");
    assert_eq!(file["name"], "a \"dot\".png");
    assert_eq!(file["mime"], "image/png");
    assert_eq!(decoded(file["value"].as_str().expect("base64")), png(64));
    let expected = ("a \"dot\".png".to_owned(), "image/png".to_owned(), png(64));
    assert_eq!(seen_images(&service), [expected]);
    conversation.close().unwrap();
}

/// The form as browsers send it, of which only the boundary is the client's own: recorded was
///
/// ```text
/// --BOUNDARY
/// Content-Disposition: form-data; name="data"
///
/// {"inputs": ...}
/// --BOUNDARY
/// Content-Disposition: form-data; name="files"; filename="base64;red dot.png"
/// Content-Type: image/png
///
/// iVBORw0KGgo...
/// --BOUNDARY--
/// ```
#[test]
fn files_are_parts_of_a_form_from_v0_9_2_on() {
    for dialect in [Dialect::V0_9_3, Dialect::V0_9_6, Dialect::Main] {
        let service = service(dialect).start().unwrap();
        let mut conversation = client(&service, EYES).conversation().unwrap();
        let prompt = Prompt::new("What are these?\r\n--")
            .attach(Attachment::new(
                "red dot.png",
                "image/png",
                b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR\0\0\0\x01\0\0\0\x01",
            ))
            .attach(image("b.png"));
        text(conversation.send(prompt)).unwrap();
        let message = messages(&service).pop().expect("a message");
        let content_type = message.header("content-type").expect("a content type");
        let boundary = content_type
            .strip_prefix("multipart/form-data; boundary=")
            .expect("a form");
        let length = message.header("content-length").expect("a length");
        assert_eq!(length, message.body.len().to_string());

        let body = String::from_utf8(message.body.clone()).expect("base64 is text");
        let parts: Vec<&str> = body.split(&format!("--{boundary}")).collect();
        let [before, data, first, second, end] = parts[..] else {
            panic!("{dialect}: {body}");
        };
        assert_eq!((before, end), ("", "--\r\n"));
        let head = "\r\nContent-Disposition: form-data; name=\"data\"\r\n\r\n";
        let data = data.strip_prefix(head).expect("the data");
        let data: Value = serde_json::from_str(data.strip_suffix("\r\n").unwrap()).unwrap();
        assert_eq!(data["inputs"], "What are these?\r\n--");
        assert_eq!(data["files"], json!([]), "not a second time");
        let red = "\r\nContent-Disposition: form-data; name=\"files\"; \
                   filename=\"base64;red dot.png\"\r\nContent-Type: image/png\r\n\r\n\
                   iVBORw0KGgoAAAANSUhEUgAAAAEAAAAB\r\n";
        assert_eq!(first, red, "{dialect}");
        let (_, content) = second.split_once("\r\n\r\n").expect("a head");
        assert_eq!(decoded(content.trim_end()), png(64));
        let names: Vec<String> = seen_images(&service)
            .into_iter()
            .map(|(name, ..)| name)
            .collect();
        assert_eq!(names, ["red dot.png", "b.png"]);
        conversation.close().unwrap();
    }
}

#[test]
fn a_name_arrives_as_it_is_and_breaks_nothing() {
    let names = [
        "a \"quoted\" name.png",
        "two\nlines.png",
        "a;b=c.png",
        "Größe 漢字 \u{1f980}.png",
        "x\"; name=\"data.png",
        "--boundary.png",
    ];
    for dialect in [Dialect::V0_9_0, Dialect::V0_9_3, Dialect::Main] {
        let service = service(dialect).start().unwrap();
        let mut conversation = client(&service, EYES).conversation().unwrap();
        for name in names {
            let prompt = Prompt::new("Look").attach(image(name));
            let reply = text(conversation.send(prompt)).unwrap();
            assert!(reply.contains(name), "{dialect}: {reply}");
            let (given, ..) = seen_images(&service).pop().expect("an image");
            assert_eq!(given, name, "{dialect}");
        }
        conversation.close().unwrap();
    }
}

/// The error of a prompt that must not be sent: nothing of it is in the conversation afterwards.
fn refused(service: &Service, model: &str, attachment: Attachment) -> String {
    let mut conversation = client(service, model).conversation().unwrap();
    let prompt = Prompt::new("What is this?").attach(attachment);
    let error = match conversation.send(prompt) {
        Ok(_) => panic!("it was sent"),
        Err(error) => error,
    };
    assert!(matches!(error, Error::Configuration { .. }), "{error:?}");
    assert_eq!(messages(service).len(), 0);
    // The conversation is as good as before.
    text(conversation.send("Hello")).unwrap();
    let said = service.history(conversation.id()).unwrap();
    assert!(said.iter().any(|(_, content)| content == "Hello"));
    conversation.close().unwrap();
    error.to_string()
}

#[test]
fn a_model_that_takes_no_images_is_not_sent_any() {
    for dialect in [
        Dialect::V0_8,
        Dialect::V0_9_3,
        Dialect::V0_9_6,
        Dialect::Main,
    ] {
        let service = service(dialect).start().unwrap();
        let error = refused(&service, BLIND, image("dot.png"));
        assert!(error.contains("dot.png") && error.contains(EYES), "{error}");
    }
    let blind = vec![Model::new(BLIND)];
    let service = service(Dialect::Main).able_models(blind).start().unwrap();
    let error = refused(&service, BLIND, image("dot.png"));
    assert!(error.contains("no model"), "{error}");
}

#[test]
fn what_a_version_would_lose_or_refuse_is_not_sent() {
    let text = || Attachment::new("a.txt", "text/plain", "text");
    let pdf = || Attachment::new("a.pdf", "application/pdf", "%PDF-1.4");
    let large = |length: usize| {
        let mut bytes = png(64);
        bytes.resize(length, 0);
        Attachment::new("a.png", "image/png", bytes)
    };
    let (small, limit) = (2_000_001, (10 << 20) + 1);
    for (dialect, attachment) in [
        (Dialect::V0_3, image("a.png")),
        (Dialect::V0_5, text()),
        (Dialect::V0_6, image("a.png")),
        (Dialect::V0_7, text()),
        (Dialect::V0_8, text()),
        (Dialect::V0_9_0, text()),
        (Dialect::V0_9_3, text()),
        (Dialect::V0_7, pdf()),
        (Dialect::V0_9_3, pdf()),
        (Dialect::Main, pdf()),
        (Dialect::V0_7, large(small)),
        (Dialect::V0_8, large(small)),
        (Dialect::V0_9_0, large(limit)),
        (Dialect::V0_9_3, large(limit)),
        (Dialect::Main, large(limit)),
    ] {
        let service = service(dialect).start().unwrap();
        let name = attachment_name(&attachment);
        let error = refused(&service, EYES, attachment);
        assert!(error.contains(&name), "{dialect}: {error}");
    }
}

fn attachment_name(attachment: &Attachment) -> String {
    let shown = format!("{attachment:?}");
    let (_, rest) = shown.split_once("name: \"").expect("a name");
    rest.split('"').next().unwrap_or_default().to_owned()
}

#[test]
fn what_is_as_large_as_allowed_is_sent_and_no_more_than_a_request_may_hold() {
    let sized = |length: usize| {
        let mut bytes = png(64);
        bytes.resize(length, 0);
        Attachment::new("a.png", "image/png", bytes)
    };
    let service = service(Dialect::Main).start().unwrap();
    // Ten megabytes take their time where nothing is optimized.
    let patient = builder(service.url())
        .model(EYES)
        .timeout_token(6 * DEADLINE);
    let mut conversation = patient.build().unwrap().conversation().unwrap();
    let one = Prompt::new("One").attach(sized(10 << 20));
    text(conversation.send(one)).unwrap();
    assert_eq!(seen_images(&service)[0].2.len(), 10 << 20);
    let two = Prompt::new("Two")
        .attach(sized(6 << 20))
        .attach(sized(6 << 20));
    let error = conversation.send(two).map(drop).unwrap_err();
    assert!(matches!(error, Error::Configuration { .. }), "{error:?}");
    assert_eq!(messages(&service).len(), 1);
    conversation.close().unwrap();
}

/// The server has a smaller limit for requests than the version ships with.
#[test]
fn a_request_that_is_too_large_for_this_server_is_its_refusal() {
    for dialect in [Dialect::V0_9_3, Dialect::Main] {
        let service = service(dialect).body_limit(4096).start().unwrap();
        let mut conversation = client(&service, EYES).conversation().unwrap();
        let image = Attachment::new("a.png", "image/png", [png(64), vec![0; 8000]].concat());
        let error = conversation
            .send(Prompt::new("Look").attach(image))
            .map(drop)
            .unwrap_err();
        assert!(
            matches!(
                error,
                Error::Http {
                    status: 413 | 500,
                    ..
                }
            ),
            "{dialect}: {error:?}"
        );
        let reply = Outcome::of(conversation.send("Hello"));
        assert_eq!(reply.failure, None, "{dialect}: it is not spoilt");
        conversation.close().unwrap();
    }
}

#[test]
fn texts_reach_the_model_on_main() {
    let service = service(Dialect::Main).start().unwrap();
    let mut conversation = client(&service, BLIND).conversation().unwrap();
    let prompt = Prompt::new("Sum up").attach(Attachment::new("a.txt", "text/plain", "one two"));
    let reply = text(conversation.send(prompt)).unwrap();
    assert!(reply.contains("I was given \"a.txt\"."), "{reply}");
    let calls = service.model_calls();
    let (_, said) = calls.last().unwrap().messages.last().unwrap();
    assert!(said.contains("one two"), "{said}");
    conversation.close().unwrap();
}

/// The server has them, and gives them to the model again.
#[test]
fn a_retry_sends_no_file_again() {
    for dialect in [Dialect::V0_9_3, Dialect::V0_9_6, Dialect::Main] {
        let service = service(dialect).start().unwrap();
        let mut conversation = client(&service, EYES).conversation().unwrap();
        text(conversation.send(Prompt::new("Look").attach(image("dot.png")))).unwrap();
        let again = text(conversation.retry()).unwrap();
        assert!(
            again.contains("I was given \"dot.png\"."),
            "{dialect}: {again}"
        );
        assert_eq!(seen_images(&service)[0].2, png(64), "{dialect}");
        let retry = messages(&service).pop().expect("a message").text();
        let data = retry.strip_prefix("data=").expect("no parts");
        let data: Value = serde_json::from_slice(&percent_decode(data)).unwrap();
        assert_eq!(data["files"], json!([]), "{dialect}");
        assert_eq!(data["is_retry"], true, "{dialect}");
        conversation.close().unwrap();
    }
}

/// A message that was refused has left nothing on the server: its files go with it again.
#[test]
fn a_retry_of_a_message_that_was_not_stored_has_its_files() {
    use support::service::Fault;
    for dialect in [
        Dialect::V0_7,
        Dialect::V0_8,
        Dialect::V0_9_0,
        Dialect::V0_9_3,
        Dialect::Main,
    ] {
        let service = service(dialect).start().unwrap();
        let mut conversation = client(&service, EYES).conversation().unwrap();
        service.fail_next(1, "POST /conversation/{id}", Fault::Status(429, None));
        let prompt = Prompt::new("Look").attach(image("dot.png"));
        assert!(conversation.send(prompt).is_err());
        let reply = Outcome::of(conversation.retry());
        assert_eq!(reply.failure, None, "{dialect}");
        let images = seen_images(&service);
        assert_eq!(images.len(), 1, "{dialect}: {}", reply.text);
        assert_eq!(images[0].2, png(64), "{dialect}");
        conversation.close().unwrap();
    }
}

#[test]
fn files_are_read_back() {
    for dialect in [Dialect::V0_9_3, Dialect::V0_9_6, Dialect::Main] {
        let service = service(dialect).start().unwrap();
        let client = client(&service, EYES);
        let mut conversation = client.conversation().unwrap();
        let prompt = Prompt::new("Look")
            .attach(image("a;\"b\".png"))
            .attach(Attachment::new(
                "c.gif",
                "image/gif",
                b"GIF89a\x01\0\x01\0\xff\0\r\n",
            ));
        text(conversation.send(prompt)).unwrap();
        let messages = conversation.messages().unwrap();
        let files: Vec<StoredFile> = messages.into_iter().flat_map(|one| one.files).collect();
        let names: Vec<(&str, &str)> = files
            .iter()
            .map(|file| (file.name.as_str(), file.mime.as_str()))
            .collect();
        assert_eq!(
            names,
            [("a;\"b\".png", "image/png"), ("c.gif", "image/gif")],
            "{dialect}"
        );
        assert_eq!(conversation.download(&files[0]).unwrap(), png(64));
        assert_eq!(
            conversation.download(&files[1]).unwrap(),
            b"GIF89a\x01\0\x01\0\xff\0\r\n"
        );
        let id = conversation.keep();
        // From another conversation they are not to be had, and that is said.
        let mut other = client.conversation().unwrap();
        let error = other.download(&files[0]).unwrap_err();
        assert!(
            matches!(error, Error::Http { status: 404, .. }),
            "{error:?}"
        );
        client.delete(id).unwrap();
    }
}

#[test]
fn what_no_server_accepts_is_refused_without_a_request() {
    let service = service(Dialect::Main).start().unwrap();
    let client = client(&service, EYES);
    for attachment in [
        Attachment::new("", "image/png", png(1)),
        Attachment::new("a.png", "image/png", []),
        Attachment::new("a.png", "image", png(1)),
        Attachment::new("a.png", "image/png\r\nX: y", png(1)),
        Attachment::new("a.png", "", png(1)),
    ] {
        let prompt = Prompt::new("Look").attach(attachment.clone());
        let error = client.generate(prompt).map(drop).unwrap_err();
        assert!(
            matches!(error, Error::Configuration { .. }),
            "{attachment:?}: {error:?}"
        );
    }
    assert!(service.requests().is_empty());
}
