//! Accepts connections, or refuses them, and connects each to the server.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::counts::Counts;
use super::link;
use super::network::Network;

/// A listener that refuses from the moment it is dropped.
///
/// Closing it is not enough: a child that is being started just now has a copy of it until it executes
/// its program, and the system goes on accepting for that copy.
pub(super) struct Listener(TcpListener);

impl Drop for Listener {
    fn drop(&mut self) {
        // It may have been shut by somebody else; then it refuses already.
        let _ = rustix::net::shutdown(&self.0, rustix::net::Shutdown::Both);
    }
}

impl Deref for Listener {
    type Target = TcpListener;

    fn deref(&self) -> &TcpListener {
        &self.0
    }
}

/// Listens on a port that we may hold already.
pub(super) fn listen(port: u16) -> io::Result<Listener> {
    let socket = TcpSocket::new_v4()?;
    socket.set_reuseaddr(true)?;
    socket.bind(SocketAddr::from((Ipv4Addr::LOCALHOST, port)))?;
    socket.listen(1024).map(Listener)
}

impl Network {
    /// Accepts until it is aborted, which ends its connections too.
    pub(super) async fn serve(self, port: u16, listener: Listener) {
        let mut links = JoinSet::new();
        let mut plan = self.plan.subscribe();
        let mut listener = Some(listener);
        let mut number = 0;
        loop {
            let refuse = plan.borrow_and_update().refuse;
            match (&listener, refuse) {
                // Dropping it is the only way to have the system refuse.
                (Some(_), true) => listener = None,
                (None, false) => listener = listen(port).ok(),
                _ => {}
            }
            let accepting = listener.as_ref();
            let accepted = tokio::select! {
                biased;
                _ = plan.changed() => continue,
                Some(_) = links.join_next() => continue,
                // Somebody took the port by force: try again, a free port cannot be awaited.
                () = tokio::time::sleep(Duration::from_millis(20)), if listener.is_none() && !refuse => continue,
                accepted = accept(accepting) => accepted,
            };
            // It may have been gone before it was accepted.
            let Ok((client, _)) = accepted else { continue };
            // Now: whoever sees it counted may cut it at once.
            let cuts_before = self.plan.borrow().cuts.0;
            self.counts.send_modify(|counts| {
                counts.accepted += 1;
                counts.open += 1;
            });
            let link = self.clone().link(client, number, cuts_before);
            number += 1;
            links.spawn(link);
        }
    }

    async fn link(self, client: TcpStream, number: u64, cuts_before: u64) {
        let open = Open(self.counts.clone());
        let target = {
            let plan = self.plan.borrow();
            // There, nobody knows whether the server lives.
            if plan.is_black_hole() { None } else { Some(plan.target) }
        };
        match target {
            None => link::swallow(client, &self, cuts_before).await,
            Some(target) => match TcpStream::connect(target).await {
                Ok(server) => link::join(client, server, &self, number, cuts_before).await,
                Err(_) => {
                    link::reset(&client);
                    self.counts.send_modify(|counts| counts.unreachable += 1);
                }
            },
        }
        drop(open);
    }
}

async fn accept(listener: Option<&Listener>) -> io::Result<(TcpStream, SocketAddr)> {
    match listener {
        Some(listener) => listener.accept().await,
        None => std::future::pending().await,
    }
}

/// Counts a connection as open for as long as it lives, however it ends.
struct Open(Arc<watch::Sender<Counts>>);

impl Drop for Open {
    fn drop(&mut self) {
        self.0.send_modify(|counts| counts.open -= 1);
    }
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsFd as _;

    use super::*;

    #[tokio::test]
    async fn a_dropped_listener_refuses_although_somebody_has_a_copy_of_it() {
        let listener = listen(0).unwrap();
        let address = listener.local_addr().unwrap();
        let copy = listener.as_fd().try_clone_to_owned().unwrap();
        drop(listener);
        assert!(TcpStream::connect(address).await.is_err());
        drop(listen(address.port()).expect("the port is free for us"));
        drop(copy);
    }
}
