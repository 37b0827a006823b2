//! What goes wrong on the server of `--serve` and `--demo`, by name.

use std::time::Duration;

use crate::failure::Failure;
use crate::service::{Fault, Seen};

/// Something that goes wrong with every request of a kind.
#[derive(Clone, Debug)]
pub struct NamedFault {
    at: At,
    fault: Fault,
}

#[derive(Clone, Copy, Debug)]
enum At {
    Models,
    Settings,
    Create,
    Message,
    Delete,
}

const NAMES: &str = "status=CODE, reset, hangup, delay=SECONDS, and with a number of tokens cut, \
                     cut-mid-event, stall, error, no-final, disconnect, length";

impl NamedFault {
    /// Reads `[WHERE:]NAME[=N]`; a message is where, if nothing else is said.
    pub fn parse(text: &str) -> Result<NamedFault, Failure> {
        let (at, fault) = match text.split_once(':') {
            Some((at, fault)) => (at, fault),
            None => ("message", text),
        };
        let at = match at {
            "models" => At::Models,
            "settings" => At::Settings,
            "create" => At::Create,
            "message" => At::Message,
            "delete" => At::Delete,
            _ => {
                return Err(Failure::usage(format!(
                    "a fault can be at models, settings, create, message or delete, not at {at:?}"
                )));
            }
        };
        let unknown = || Failure::usage(format!("there is no fault {fault:?}: there are {NAMES}"));
        Ok(NamedFault {
            at,
            fault: parse_fault(fault).ok_or_else(unknown)?,
        })
    }

    /// The fault, if it concerns the request.
    pub fn of(&self, request: &Seen) -> Option<Fault> {
        self.at.is(request).then(|| self.fault.clone())
    }
}

fn parse_fault(text: &str) -> Option<Fault> {
    let (name, number) = text.split_once('=').unwrap_or((text, "0"));
    let tokens = || number.parse().ok();
    Some(match name {
        "status" => Fault::Status(number.parse().ok().filter(|code| *code >= 300)?, None),
        "reset" => Fault::Reset,
        "hangup" => Fault::Hangup,
        "delay" => Fault::Delay(Duration::try_from_secs_f64(number.parse().ok()?).ok()?),
        "cut" => Fault::Cut(tokens()?),
        "cut-mid-event" => Fault::CutMidEvent(tokens()?),
        "stall" => Fault::Stall(tokens()?),
        "error" => Fault::ErrorEvent(tokens()?),
        "no-final" => Fault::NoFinal(tokens()?),
        "disconnect" => Fault::Disconnect(tokens()?),
        "length" => Fault::Length(tokens()?),
        _ => return None,
    })
}

impl At {
    fn is(self, request: &Seen) -> bool {
        let path = request.path.split('?').next().unwrap_or_default();
        match (self, request.method.as_str()) {
            (At::Models, "GET") => path.ends_with("/api/models"),
            (At::Settings, "POST") => path.ends_with("/settings"),
            (At::Create, "POST") => path.ends_with("/conversation"),
            (At::Message, _) => request.is_message(),
            (At::Delete, "DELETE") => path.contains("/conversation/"),
            _ => false,
        }
    }
}
