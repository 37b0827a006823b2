//! The two halves of a connection, plain or TLS, that two threads can use at once.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::{Arc, Mutex};

use rustls::{ServerConfig, ServerConnection};

use super::listener::lock;

/// Splits an accepted connection; with a configuration it is TLS from its first byte. The TLS
/// handshake happens inside the first read.
pub fn split(stream: TcpStream, tls: Option<&Arc<ServerConfig>>) -> io::Result<(Reader, Writer)> {
    let socket = stream.try_clone()?;
    let incoming = Incoming::new(stream);
    let Some(config) = tls else {
        return Ok((Reader::Plain(incoming), Writer::Plain(socket)));
    };
    let connection = ServerConnection::new(Arc::clone(config)).map_err(io::Error::other)?;
    let session = Arc::new(Session {
        connection: Mutex::new(connection),
        socket: Mutex::new(socket),
    });
    let reader = TlsReader {
        incoming: BufReader::new(incoming),
        session: Arc::clone(&session),
    };
    Ok((Reader::Tls(reader), Writer::Tls(session)))
}

/// Reads until the peer closes the connection, or a stop of the listener does. Without this a close
/// with data unread would be a reset, which can overtake what was written last.
pub fn drain(mut reader: impl Read) -> io::Result<()> {
    io::copy(&mut reader, &mut io::sink())?;
    Ok(())
}

pub enum Reader {
    Plain(Incoming),
    Tls(TlsReader),
}

impl Reader {
    /// Makes the end of the connection a reset instead of an orderly close, once all handles of
    /// its socket are gone.
    pub fn reset(mut self) {
        match &mut self {
            Reader::Plain(incoming) => incoming.reset = true,
            Reader::Tls(reader) => reader.incoming.get_mut().reset = true,
        }
    }
}

impl Read for Reader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Reader::Plain(incoming) => incoming.read(buffer),
            Reader::Tls(reader) => reader.read(buffer),
        }
    }
}

pub enum Writer {
    Plain(TcpStream),
    Tls(Arc<Session>),
}

impl Writer {
    /// Says that nothing more will come: `close_notify` if it is TLS, then the end of the stream.
    pub fn finish(&mut self) -> io::Result<()> {
        match self {
            Writer::Plain(socket) => socket.shutdown(Shutdown::Write),
            Writer::Tls(session) => {
                lock(&session.connection).send_close_notify();
                session.flush()?;
                lock(&session.socket).shutdown(Shutdown::Write)
            }
        }
    }

    /// Ends the connection both ways, whoever reads it at the moment.
    pub fn shutdown(&self) -> io::Result<()> {
        match self {
            Writer::Plain(socket) => socket.shutdown(Shutdown::Both),
            Writer::Tls(session) => lock(&session.socket).shutdown(Shutdown::Both),
        }
    }
}

impl Write for Writer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Writer::Plain(socket) => socket.write(bytes),
            Writer::Tls(session) => {
                // Out at once, as on a plain socket, so that tests decide what arrives together.
                let written = lock(&session.connection).writer().write(bytes)?;
                session.flush()?;
                Ok(written)
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Reads a socket, but leaves the last byte that it handed out in the kernel until the next read.
///
/// Closing a socket that holds unread data is what makes the system send a reset. `SO_LINGER`,
/// the direct way, is not in the standard library.
pub struct Incoming {
    socket: TcpStream,
    held: bool,
    reset: bool,
}

impl Incoming {
    fn new(socket: TcpStream) -> Incoming {
        Incoming {
            socket,
            held: false,
            reset: false,
        }
    }

    fn release(&mut self) -> io::Result<()> {
        if self.held {
            self.held = false;
            self.socket.read_exact(&mut [0])?;
        }
        Ok(())
    }
}

impl Read for Incoming {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        self.release()?;
        let available = self.socket.peek(buffer)?;
        if available > 0 {
            self.socket.read_exact(&mut buffer[..available - 1])?;
            self.held = true;
        }
        Ok(available)
    }
}

impl Drop for Incoming {
    fn drop(&mut self) {
        if !self.reset {
            let _ = self.release();
        }
    }
}

/// The state of a TLS connection, which both halves need.
pub struct Session {
    connection: Mutex<ServerConnection>,
    /// The socket as written to. Locked before `connection` where both are.
    socket: Mutex<TcpStream>,
}

impl Session {
    /// Sends the records that wait, without keeping the reading half from its work meanwhile.
    fn flush(&self) -> io::Result<()> {
        let mut socket = lock(&self.socket);
        let mut records = Vec::new();
        let mut connection = lock(&self.connection);
        while connection.wants_write() {
            connection.write_tls(&mut records)?;
        }
        drop(connection);
        socket.write_all(&records)
    }
}

pub struct TlsReader {
    incoming: BufReader<Incoming>,
    session: Arc<Session>,
}

impl Read for TlsReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            match lock(&self.session.connection).reader().read(buffer) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                result => return result,
            }
            // No lock is held while this waits for the peer.
            let mut records = self.incoming.fill_buf()?;
            let mut connection = lock(&self.session.connection);
            let taken = connection.read_tls(&mut records)?;
            let processed = connection.process_new_packets();
            drop(connection);
            self.incoming.consume(taken);
            // Also after an error: it is an alert that tells the peer.
            let flushed = self.session.flush();
            processed.map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
            flushed?;
        }
    }
}
