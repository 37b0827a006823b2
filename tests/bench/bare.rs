//! The requests of `ask` as ureq alone makes them, without looking at what comes back: settings, a
//! conversation, a message. Prints the first event of the reply.

use std::env;
use std::error::Error;
use std::io::{BufRead, BufReader, Write, stdout};

const MODEL: &str = "h2oai/h2ogpt-gm-oasst1-en-2048-falcon-40b-v1";

fn main() -> Result<(), Box<dyn Error>> {
    let url = env::var("H2OGPT_URL")?;
    let config = ureq::Agent::config_builder().proxy(None);
    // The response to the settings is one.
    let config = config.max_redirects(0).max_redirects_will_error(false);
    let agent = ureq::Agent::new_with_config(config.build());
    let post = |path: &str, content_type: &str, cookie: &str| {
        agent
            .post(format!("{url}{path}"))
            .header("origin", &url)
            .header("referer", format!("{url}/"))
            .header("content-type", content_type)
            .header("cookie", cookie)
    };

    let form = "application/x-www-form-urlencoded";
    let settings = format!(
        "ethicsModalAccepted=true&shareConversationsWithModelAuthors=false&activeModel={MODEL}"
    );
    let mut response = post("/settings", form, "none=").send(settings)?;
    let cookie = response.headers().get("set-cookie").ok_or("no session")?;
    let cookie = cookie.to_str()?.split(';').next().unwrap_or_default();
    let cookie = cookie.to_owned();
    response.body_mut().read_to_string()?;

    let json = "application/json";
    let create = post("/conversation", json, &cookie);
    let mut response = create.send(format!("{{\"model\":\"{MODEL}\"}}"))?;
    let response = response.body_mut().read_to_string()?;
    let id = response.split('"').nth(3).ok_or("no conversation")?;

    let message = post(&format!("/conversation/{id}"), json, &cookie);
    let prompt: Vec<String> = env::args().skip(1).collect();
    let id = r#""id":"9c1e6f0a-2b7d-4f43-8a55-0d6a3e9b1c70""#;
    let options = format!(r#"{id},"is_retry":false,"use_cache":false,"web_search_id":"""#);
    let response = message.send(format!(
        r#"{{"inputs":"{}","parameters":{{}},"stream":true,"options":{{{options}}}}}"#,
        prompt.join(" ")
    ))?;
    let mut line = String::new();
    BufReader::new(response.into_body().into_reader()).read_line(&mut line)?;
    print!("{line}");
    Ok(stdout().flush()?)
}
