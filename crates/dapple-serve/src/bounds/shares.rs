//! The resources that requests share: connections, slots for in-flight requests, and memory, with a share that one address
//! can hold.
//!
//! Every permit is taken twice, from the address's share and from all. Memory is counted in KiB.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::config::Limits;
use crate::error::ServeError;

/// Images that are fetched from other servers at a time.
const FETCHES: usize = 8;

/// Amounts of what is shared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Amounts {
    connections: usize,
    requests: usize,
    fetches: usize,
    bodies_kib: usize,
    work_kib: usize,
}

impl Amounts {
    fn share(self, share: f64) -> Self {
        let of = |amount: usize| ((amount as f64 * share).ceil() as usize).clamp(1, amount);
        Self {
            connections: of(self.connections),
            requests: of(self.requests),
            fetches: of(self.fetches),
            bodies_kib: of(self.bodies_kib),
            work_kib: of(self.work_kib),
        }
    }
}

/// The rest of the amounts.
#[derive(Debug)]
struct Left {
    connections: Arc<Semaphore>,
    requests: Arc<Semaphore>,
    fetches: Arc<Semaphore>,
    bodies: Arc<Semaphore>,
    work: Arc<Semaphore>,
}

impl Left {
    fn new(amounts: Amounts) -> Self {
        let of = |amount: usize| Arc::new(Semaphore::new(amount));
        Self {
            connections: of(amounts.connections),
            requests: of(amounts.requests),
            fetches: of(amounts.fetches),
            bodies: of(amounts.bodies_kib),
            work: of(amounts.work_kib),
        }
    }
}

/// A permit of the address and one of all, for as long as it lives.
#[derive(Debug)]
pub(crate) struct Permit {
    peer: OwnedSemaphorePermit,
    all: OwnedSemaphorePermit,
}

impl Permit {
    fn now(peer: &Arc<Semaphore>, all: &Arc<Semaphore>, amount: u32) -> Option<Self> {
        let peer = Arc::clone(peer).try_acquire_many_owned(amount).ok()?;
        Some(Self { peer, all: Arc::clone(all).try_acquire_many_owned(amount).ok()? })
    }
}

/// The amounts that all addresses share.
#[derive(Debug)]
pub(crate) struct Shares {
    left: Left,
    amounts: Amounts,
    peer: Amounts,
    peers: Mutex<HashMap<IpAddr, Weak<Peer>>>,
}

/// An address with its share.
#[derive(Debug)]
pub(crate) struct Peer {
    left: Left,
    all: Arc<Shares>,
    address: IpAddr,
}

impl Drop for Peer {
    fn drop(&mut self) {
        let mut peers = self.all.peers.lock().unwrap_or_else(PoisonError::into_inner);
        // Another connection may have come from the address meanwhile.
        if peers.get(&self.address).is_some_and(|peer| peer.strong_count() == 0) {
            peers.remove(&self.address);
        }
    }
}

impl Shares {
    /// # Errors
    /// [`ServeError::Settings`] if the memory does not suffice for the largest body.
    pub fn new(limits: &Limits) -> Result<Self, ServeError> {
        let kib = |bytes: u64| ((bytes >> 10) as usize).clamp(1, u32::MAX as usize);
        let (bodies, work) = limits.memory_parts()?;
        let most = |count: usize| count.clamp(1, Semaphore::MAX_PERMITS);
        let amounts = Amounts {
            connections: most(limits.connections),
            requests: most(limits.queue),
            fetches: FETCHES,
            bodies_kib: kib(bodies),
            work_kib: kib(work),
        };
        let peer = amounts.share(limits.peer_share);
        Ok(Self { left: Left::new(amounts), amounts, peer, peers: Mutex::default() })
    }

    /// The address's entry, the same for all of its connections.
    pub fn peer(self: &Arc<Self>, address: IpAddr) -> Arc<Peer> {
        let address = holder(address);
        let mut peers = self.peers.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(peer) = peers.get(&address).and_then(Weak::upgrade) {
            return peer;
        }
        let peer = Arc::new(Peer { left: Left::new(self.peer), all: Arc::clone(self), address });
        peers.insert(address, Arc::downgrade(&peer));
        peer
    }

    /// Waits until a further connection may be accepted.
    pub async fn has_room_for_a_connection(&self) {
        // Never closed. The permit goes back at once: that of the connection is taken with its address's.
        drop(self.left.connections.acquire().await);
    }

    /// Whether all slots for requests are taken.
    pub fn is_full(&self) -> bool {
        self.left.requests.available_permits() == 0
    }

    /// The number of slots for requests.
    pub fn slots(&self) -> usize {
        self.amounts.requests
    }

    /// The memory that requests hold, in bytes.
    pub fn held_bytes(&self) -> u64 {
        let Left { bodies, work, .. } = &self.left;
        let left = bodies.available_permits() + work.available_permits();
        ((self.amounts.bodies_kib + self.amounts.work_kib).saturating_sub(left) as u64) << 10
    }
}

impl Peer {
    /// A further connection, unless too many are open.
    pub fn connection(&self) -> Option<Permit> {
        Permit::now(&self.left.connections, &self.all.left.connections, 1)
    }

    /// A slot for a request, unless too many are in flight.
    pub fn slot(&self) -> Option<Permit> {
        Permit::now(&self.left.requests, &self.all.left.requests, 1)
    }

    /// Waits for a turn to fetch an image from another server.
    pub async fn fetch(&self) -> Option<Permit> {
        let peer = Arc::clone(&self.left.fetches).acquire_owned().await.ok()?;
        let all = Arc::clone(&self.all.left.fetches).acquire_owned().await.ok()?;
        Some(Permit { peer, all })
    }

    /// The shares of all.
    pub fn shares(&self) -> &Shares {
        &self.all
    }

    /// Memory for a body, at first none.
    pub fn body_memory(&self) -> Memory<'_> {
        Memory { peer: &self.left.bodies, all: &self.all.left.bodies, held: None }
    }

    /// The most memory that work on one request can take, in bytes.
    pub fn most_work_bytes(&self) -> u64 {
        (self.all.peer.work_kib as u64) << 10
    }

    /// Waits for memory to work in, at most [`Peer::most_work_bytes`]; requests get theirs in the order in which they came.
    pub async fn work_memory(&self, bytes: u64) -> Option<HeldMemory> {
        let amount = kib(bytes.min(self.most_work_bytes()));
        let peer = Arc::clone(&self.left.work).acquire_many_owned(amount).await.ok()?;
        let all = Arc::clone(&self.all.left.work).acquire_many_owned(amount).await.ok()?;
        Some(HeldMemory(Permit { peer, all }))
    }
}

/// Memory that grows.
pub(crate) struct Memory<'a> {
    peer: &'a Arc<Semaphore>,
    all: &'a Arc<Semaphore>,
    held: Option<Permit>,
}

impl Memory<'_> {
    /// Grows to so many bytes; `false` if there is no memory for it now.
    #[must_use]
    pub fn grow_to(&mut self, bytes: u64) -> bool {
        let held = self.held.as_ref().map_or(0, |permit| permit.all.num_permits());
        let more = (kib(bytes) as usize).saturating_sub(held);
        let Some(more) = Permit::now(self.peer, self.all, more as u32) else { return false };
        match &mut self.held {
            Some(held) => {
                held.peer.merge(more.peer);
                held.all.merge(more.all);
            }
            None => self.held = Some(more),
        }
        true
    }

    /// Memory that is held from now on, if there is any.
    pub fn hold(self) -> Option<HeldMemory> {
        self.held.map(HeldMemory)
    }
}

/// Memory that is held until it is dropped.
#[derive(Debug)]
pub(crate) struct HeldMemory(Permit);

impl HeldMemory {
    /// Gives back all but so many bytes.
    pub fn shrink_to(&mut self, bytes: u64) {
        let surplus = self.0.all.num_permits().saturating_sub(kib(bytes) as usize);
        drop(self.0.peer.split(surplus));
        drop(self.0.all.split(surplus));
    }
}

/// Bytes as KiB, rounded up.
fn kib(bytes: u64) -> u32 {
    u32::try_from(bytes.div_ceil(1 << 10)).unwrap_or(u32::MAX)
}

/// The address that stands for a holder: of IPv6, the network of 64 bits that a subscriber has as a whole.
fn holder(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
        }
        address => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shares() -> Arc<Shares> {
        let limits = Limits {
            connections: 4,
            queue: 2,
            memory_bytes: 4 << 20,
            body_bytes: 1 << 10,
            peer_share: 0.5,
            ..Limits::default()
        };
        Arc::new(Shares::new(&limits).expect("they fit"))
    }

    #[test]
    fn one_address_cannot_hold_everything() {
        let shares = shares();
        let [one, other] = ["10.0.0.1", "10.0.0.2"].map(|a| shares.peer(a.parse().expect("an address")));
        let first = one.slot();
        assert!(first.is_some() && one.slot().is_none() && !shares.is_full());
        let second = other.slot();
        assert!(second.is_some() && shares.is_full());
        drop(first);
        assert!(one.slot().is_some());
        let held: Vec<_> =
            [one.connection(), one.connection(), one.connection()].into_iter().flatten().collect();
        assert_eq!(held.len(), 2);
    }

    #[test]
    fn an_address_is_the_same_on_all_of_its_connections() {
        let shares = shares();
        let peer = |text: &str| shares.peer(text.parse().expect("an address"));
        let one = peer("2001:db8::1");
        assert!(Arc::ptr_eq(&one, &peer("2001:db8::ffff:2")) && !Arc::ptr_eq(&one, &peer("2001:db8:0:1::1")));
        assert!(Arc::ptr_eq(&peer("::ffff:10.0.0.1"), &peer("10.0.0.1")));
        drop(one);
        assert!(shares.peers.lock().expect("no panic").is_empty(), "addresses that left are forgotten");
    }

    #[test]
    fn memory_is_counted_and_given_back() {
        let shares = shares();
        let peer = shares.peer(IpAddr::from([10, 0, 0, 1]));
        let mut body = peer.body_memory();
        assert!(body.grow_to(1) && body.grow_to(300 << 10) && !body.grow_to(600 << 10));
        assert_eq!(shares.held_bytes(), 300 << 10);
        let mut held = body.hold().expect("some is held");
        held.shrink_to(10 << 10);
        assert_eq!(shares.held_bytes(), 10 << 10);
        drop(held);
        assert_eq!(shares.held_bytes(), 0);
    }
}
