//! One request and the way to answer it.

use std::net::TcpStream;
use std::time::{Duration, SystemTime};

use uuid::Uuid;

use super::answer;
use super::date;
use super::dialect::{Messages, Rules, SameOrigin};
use super::fault::Fault;
use super::http::Request;
use super::response::{Response, Stream};
use super::server::{Origin, Shared};

/// What becomes of the connection.
pub(super) enum After {
    KeepAlive,
    Close,
    Reset,
}

pub(super) struct Exchange<'a> {
    pub shared: &'a Shared,
    pub request: &'a Request,
    pub fault: Option<Fault>,
    /// The session of the cookie; a new one if there is none.
    pub session: String,
    socket: &'a TcpStream,
    index: usize,
}

impl<'a> Exchange<'a> {
    pub(super) fn new(
        shared: &'a Shared,
        socket: &'a TcpStream,
        index: usize,
        request: &'a Request,
        fault: Option<Fault>,
    ) -> Exchange<'a> {
        let session = email(shared, request)
            .or_else(|| request.cookie(&shared.config.cookie_name))
            .filter(|value| !value.is_empty())
            .map_or_else(|| Uuid::new_v4().to_string(), str::to_owned);
        Exchange {
            shared,
            request,
            fault,
            session,
            socket,
            index,
        }
    }

    pub(super) fn rules(&self) -> &'static Rules {
        self.shared.config.rules
    }

    /// Scheme and host of the server, as it or the client says.
    pub(super) fn origin(&self) -> String {
        match &self.shared.config.origin {
            Origin::Is(origin) => origin.clone(),
            Origin::Any | Origin::Unset => format!("http://{}", self.host()),
        }
    }

    /// Whether the server takes that for its own origin.
    pub(super) fn is_own_origin(&self, origin: &str) -> bool {
        let by_referer = self.rules().same_origin == SameOrigin::Referer;
        let http = origin.strip_prefix("http://");
        let https = origin.strip_prefix("https://");
        match &self.shared.config.origin {
            Origin::Is(own) => origin == own,
            Origin::Unset if by_referer => https == Some(self.host()),
            Origin::Any | Origin::Unset => http.or(https) == Some(self.host()),
        }
    }

    fn host(&self) -> &str {
        self.request.header("host").unwrap_or_default()
    }

    /// Answers and renews the session cookie.
    pub(super) fn reply(&self, response: Response) -> After {
        self.reply_bare(self.with_cookie(response))
    }

    /// Answers without a cookie.
    pub(super) fn reply_bare(&self, response: Response) -> After {
        let response = self.for_all(self.with_vary(response));
        self.shared.answered(self.index, response.status);
        let head = self.request.method == "HEAD";
        match response.write(self.socket, head, self.request.close) {
            Ok(()) => After::KeepAlive,
            Err(_) => After::Close,
        }
    }

    /// Begins a streamed response and renews the cookie; the body of the response is not used.
    pub(super) fn stream(&self, response: Response) -> Stream<'a> {
        self.stream_bare(self.with_cookie(response))
    }

    /// The same without a cookie.
    pub(super) fn stream_bare(&self, response: Response) -> Stream<'a> {
        let response = self.with_vary(response);
        self.shared.answered(self.index, response.status);
        let stopping = &self.shared.stopping;
        Stream::start(self.socket, stopping, &response, self.request.close)
    }

    /// An error of the framework: JSON only for those who accept it, a page for all others.
    pub(super) fn error(&self, status: u16, message: &str) -> After {
        let accept = self.request.header("accept").unwrap_or("text/html");
        let json = preferred(accept, &["application/json", "text/html"]);
        let response = match json {
            Some("application/json") => Response::message(status, message),
            _ => Response::page(status, message),
        };
        match self.renews_cookie() {
            true => self.reply(response),
            false => self.reply_bare(response),
        }
    }

    /// The error of everything the server did not expect.
    pub(super) fn internal_error(&self) -> After {
        let accept = self.request.header("accept").unwrap_or("text/html");
        let json = preferred(accept, &["application/json", "text/html"]);
        if !self.rules().error_ids || json != Some("application/json") {
            return self.error(500, "Internal Error");
        }
        let id = Uuid::new_v4();
        let body = format!("{{\"message\":\"An error occurred\",\"errorId\":\"{id}\"}}");
        let response = Response::sized(500, "application/json", body);
        match self.renews_cookie() {
            true => self.reply(response),
            false => self.reply_bare(response),
        }
    }

    /// An error of the checks before everything else: JSON if JSON was asked for or sent, text
    /// for all others, never a cookie.
    pub(super) fn refuse(&self, status: u16, message: &str) -> After {
        let says_json = |name| {
            let value = self.request.header(name).unwrap_or_default();
            value.contains("application/json")
        };
        let (content_type, body) = if says_json("accept") || says_json("content-type") {
            let body = format!("{{\"error\":{}}}", answer::string(message));
            ("application/json", body)
        } else {
            ("text/plain", message.to_owned())
        };
        self.reply_bare(Response::chunked(status, content_type, body))
    }

    /// Old versions renew the cookie with every response, later ones only when something is posted.
    pub(super) fn renews_cookie(&self) -> bool {
        self.rules().messages == Messages::Options || self.request.method == "POST"
    }

    fn with_cookie(&self, response: Response) -> Response {
        let lifetime = Duration::from_secs(self.rules().cookie_days * 24 * 60 * 60);
        let value = format!(
            "{}={}; Path=/; Expires={}; HttpOnly; Secure; SameSite=None",
            self.shared.config.cookie_name,
            self.session,
            date::http(SystemTime::now() + lifetime)
        );
        response.header("set-cookie", value)
    }

    /// Lets other sites read what `/api` says, where the version does.
    fn for_all(&self, response: Response) -> Response {
        let base = self.shared.config.base_path.as_str();
        let inside = self.request.path().strip_prefix(base).unwrap_or_default();
        if !self.rules().api_for_all || !inside.starts_with("/api/") {
            return response;
        }
        let methods = "GET, POST, PUT, PATCH, DELETE, OPTIONS";
        response
            .header(
                "access-control-allow-headers",
                "Content-Type, Authorization",
            )
            .header("access-control-allow-methods", methods)
            .header("access-control-allow-origin", "*")
    }

    fn with_vary(&self, response: Response) -> Response {
        match self.rules().vary {
            true => response.header("Vary", "Accept-Encoding"),
            false => response,
        }
    }
}

/// Who the trusted proxy says it is, if there is such a proxy.
fn email<'r>(shared: &Shared, request: &'r Request) -> Option<&'r str> {
    let name = shared.config.email_header.as_ref()?;
    let trusts = shared.config.rules.trusts_email_header;
    request.header(name).filter(|_| trusts)
}

/// Which of the media types the `Accept` header likes best, if any; the algorithm of the
/// framework the original is written with, its treatment of `*` included.
pub(super) fn preferred<'t>(accept: &str, types: &[&'t str]) -> Option<&'t str> {
    let mut ranges: Vec<(&str, &str, f32)> = accept
        .split(',')
        .filter_map(|range| {
            let mut parameters = range.split(';').map(str::trim);
            let (kind, subtype) = parameters.next()?.split_once('/')?;
            let quality = parameters
                .find_map(|parameter| parameter.strip_prefix("q="))
                .map_or(1.0, |quality| quality.parse().unwrap_or(0.0));
            Some((kind.trim(), subtype.trim(), quality))
        })
        .collect();
    // A stable sort: the order of the header decides between equals.
    ranges.sort_by(|a, b| {
        let by_quality = b.2.total_cmp(&a.2);
        by_quality
            .then((a.1 == "*").cmp(&(b.1 == "*")))
            .then((a.0 == "*").cmp(&(b.0 == "*")))
    });
    types
        .iter()
        .filter_map(|media_type| {
            let (kind, subtype) = media_type.split_once('/').unwrap_or((media_type, ""));
            let place = ranges.iter().position(|range| {
                (range.0 == kind || range.0 == "*") && (range.1 == subtype || range.1 == "*")
            })?;
            Some((place, *media_type))
        })
        .min_by_key(|(place, _)| *place)
        .map(|(_, media_type)| media_type)
}
