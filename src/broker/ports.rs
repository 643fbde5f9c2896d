//! Keeps a broker's port from being taken while its server is down.
//!
//! The port that the system chose lies in the range from which it also takes the source ports of
//! outgoing connections. While the server is down, a client that tries again and again can be given
//! that very port as its source port, and then connects to itself: the port is taken, by a connection
//! without an end. A socket that is bound to the port but does not listen prevents it (on Linux, the
//! kernel passes over such a port), and still lets the server bind, since both reuse the address.

use std::net::{Ipv4Addr, SocketAddr};

use tokio::net::TcpSocket;

/// A port that nobody is given as a source port while this lives.
#[derive(Debug)]
pub(super) struct Placeholder {
    _socket: TcpSocket,
}

impl Placeholder {
    /// `None` where it cannot be done: then the restart has to try until the port is free.
    pub(super) fn take(port: u16) -> Option<Placeholder> {
        // Elsewhere a bound socket would keep the server out.
        if !cfg!(target_os = "linux") {
            return None;
        }
        let socket = TcpSocket::new_v4().ok()?;
        socket.set_reuseaddr(true).ok()?;
        socket.bind(SocketAddr::from((Ipv4Addr::LOCALHOST, port))).ok()?;
        Some(Placeholder { _socket: socket })
    }
}
