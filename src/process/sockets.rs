//! Which of our children has a TCP port: on Linux the system says which sockets a process has.

use std::collections::BTreeMap;

/// The process groups that have these local ports on IPv4 or IPv6; a port that is not found is left
/// out, and outside Linux all are. A child of ours has a group of its own, named after its pid.
#[cfg(target_os = "linux")]
pub fn groups_of_ports(ports: &[u16]) -> BTreeMap<u16, u32> {
    let mut of_socket = BTreeMap::new();
    for table in ["/proc/net/tcp", "/proc/net/tcp6"] {
        let table = std::fs::read_to_string(table).unwrap_or_default();
        of_socket.extend(table.lines().filter_map(socket).filter(|(_, port)| ports.contains(port)));
    }
    let mut found = BTreeMap::new();
    if of_socket.is_empty() {
        return found;
    }
    let processes = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    for process in processes {
        // Those of others cannot be looked at, and are not ours.
        let files = std::fs::read_dir(process.path().join("fd")).into_iter().flatten().flatten();
        for file in files {
            let link = std::fs::read_link(file.path()).unwrap_or_default();
            let inode = link.to_str().and_then(|link| link.strip_prefix("socket:["));
            let inode = inode.and_then(|inode| inode.strip_suffix(']')?.parse::<u64>().ok());
            if let Some(port) = inode.and_then(|inode| of_socket.get(&inode))
                && let Some(group) = group(&process.path())
            {
                found.insert(*port, group);
            }
        }
    }
    found
}

/// The same.
#[cfg(not(target_os = "linux"))]
pub fn groups_of_ports(_: &[u16]) -> BTreeMap<u16, u32> {
    BTreeMap::new()
}

/// The socket's number and its local port: proc(5), `/proc/net/tcp`.
#[cfg(target_os = "linux")]
fn socket(line: &str) -> Option<(u64, u16)> {
    let words: Vec<&str> = line.split_whitespace().collect();
    let (_, port) = words.get(1)?.rsplit_once(':')?;
    Some((words.get(9)?.parse().ok()?, u16::from_str_radix(port, 16).ok()?))
}

/// Behind the name, which may have anything in it: the state, the parent, then the group.
#[cfg(target_os = "linux")]
fn group(process: &std::path::Path) -> Option<u32> {
    let stat = std::fs::read_to_string(process.join("stat")).ok()?;
    stat.rsplit_once(") ")?.1.split(' ').nth(2)?.parse().ok()
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::net::{TcpListener, TcpStream};

    use super::*;

    #[test]
    fn a_port_of_ours_is_found_and_one_of_nobody_is_not() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let stream = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (ours, us) = (stream.local_addr().unwrap().port(), rustix::process::getpgrp());
        let found = groups_of_ports(&[ours]);
        assert_eq!(found.get(&ours).copied(), u32::try_from(us.as_raw_pid()).ok());
        let of_nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        assert!(groups_of_ports(&[of_nobody]).is_empty());
    }
}
