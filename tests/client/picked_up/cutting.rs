//! A reverse proxy that cuts responses.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::Mutex;
use std::thread;

use support::http1::Request;
use support::listener::{Connection, Listener, lock};

/// Passes everything on, and cuts the responses to some requests.
pub(super) struct Cutting {
    listener: Listener,
}

/// How much of a response is left to be passed on, once its head is through.
struct Left {
    bytes: usize,
    /// How many bytes of the end of the head have come.
    head: usize,
}

const END_OF_HEAD: &[u8] = b"\r\n\r\n";

impl Cutting {
    /// `cut` says after how many bytes of its body a response is cut, if it is.
    pub(super) fn start(
        server: &str,
        cut: impl Fn(&Request) -> Option<usize> + Send + Sync + 'static,
    ) -> Cutting {
        let server = server.trim_start_matches("http://").to_owned();
        let listener =
            Listener::start_duplex(None, move |connection| serve(connection, &server, &cut));
        Cutting { listener }
    }

    pub(super) fn url(&self) -> String {
        format!("http://{}", self.listener.authority())
    }
}

fn serve(
    connection: Connection,
    server: &str,
    cut: &(impl Fn(&Request) -> Option<usize> + Sync),
) -> io::Result<()> {
    let Connection {
        number,
        mut reader,
        mut writer,
    } = connection;
    let upstream = TcpStream::connect(server)?;
    upstream.set_nodelay(true)?;
    let left = Mutex::new(None);
    thread::scope(|scope| {
        scope.spawn(|| {
            while let Ok(Some(request)) = Request::read(&mut reader, number) {
                let bytes = cut(&request);
                *lock(&left) = bytes.map(|bytes| Left { bytes, head: 0 });
                let message = [request.raw, request.body].concat();
                if (&upstream).write_all(&message).is_err() {
                    break;
                }
            }
            let _ = upstream.shutdown(Shutdown::Both);
        });
        let mut buffer = [0; 4096];
        while let Ok(length @ 1..) = (&upstream).read(&mut buffer) {
            let passed = match &mut *lock(&left) {
                Some(left) => left.pass(&buffer[..length]),
                None => length,
            };
            if writer.write_all(&buffer[..passed]).is_err() || passed < length {
                break;
            }
        }
        let finished = writer.finish();
        let _ = writer.shutdown();
        let _ = upstream.shutdown(Shutdown::Both);
        finished
    })
}

impl Left {
    /// How many of these bytes are passed on.
    fn pass(&mut self, bytes: &[u8]) -> usize {
        let mut passed = 0;
        for byte in bytes {
            if self.head < END_OF_HEAD.len() {
                let begins = usize::from(*byte == END_OF_HEAD[0]);
                let goes_on = *byte == END_OF_HEAD[self.head];
                self.head = if goes_on { self.head + 1 } else { begins };
            } else if self.bytes == 0 {
                break;
            } else {
                self.bytes -= 1;
            }
            passed += 1;
        }
        passed
    }
}
