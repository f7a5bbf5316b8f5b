use std::net::IpAddr;

/// The other end of the connection that a request came on.
#[derive(Debug, Clone, Copy)]
pub(in crate::http) struct Peer {
    pub(in crate::http) address: IpAddr,
    /// A number that no other connection has.
    pub(in crate::http) connection: u64,
}
