//! Keeps a broker's port from being taken while its server is down.
//!
//! The port that the system chose lies in the range from which it also takes the source ports of
//! outgoing connections. While the server is down, a client that tries again and again can be given
//! that very port as its source port, and then connects to itself: the port is taken, by a connection
//! without an end. A socket that is bound to the port but does not listen prevents it (on Linux, the
//! kernel passes over such a port), and still lets the server bind, since both reuse the address.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};

use tokio::net::TcpSocket;

/// A port that nobody is given, neither as a source port nor as a random one, while this lives.
#[derive(Debug)]
pub(super) struct Placeholder {
    port: u16,
    _socket: TcpSocket,
}

impl Placeholder {
    /// Elsewhere than on Linux, a bound socket would keep the server out.
    pub(super) const LETS_THE_SERVER_IN: bool = cfg!(target_os = "linux");

    /// `None` where it cannot be done: then the restart has to try until the port is free.
    pub(super) fn take(port: u16) -> Option<Placeholder> {
        if Self::LETS_THE_SERVER_IN { Self::bind(port).ok() } else { None }
    }

    /// Holds a free port that the system chooses.
    ///
    /// # Errors
    /// If the system has none.
    pub(super) fn any() -> io::Result<Placeholder> {
        Self::bind(0)
    }

    /// Holds this port.
    ///
    /// # Errors
    /// If it is another's.
    pub(super) fn bind(port: u16) -> io::Result<Placeholder> {
        let socket = TcpSocket::new_v4()?;
        socket.set_reuseaddr(true)?;
        socket.bind(SocketAddr::from((Ipv4Addr::LOCALHOST, port)))?;
        Ok(Placeholder { port: socket.local_addr()?.port(), _socket: socket })
    }

    pub(super) fn port(&self) -> u16 {
        self.port
    }
}
