//! The addresses that stand for names inside a sandbox: one table for each attachment.
//!
//! Such an address is only ever a key into this table; no packet is sent to one.

use std::collections::{BTreeMap, HashMap};
use std::net::{IpAddr, Ipv4Addr};

use crate::host_name::HostName;
use crate::limits::NAMES_MAX;
use crate::network::Network;

/// What an address means to a sandbox.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Meaning {
    Name(HostName),
    /// The one address that every denied name gets, so that the connection can be refused in words.
    Denied,
    /// Out of the names' network, but nothing (any more).
    Unknown,
    /// Not out of the names' network: the address itself is meant.
    Itself,
}

/// A name keeps its address as long as it is among the [`NAMES_MAX`] used last. Where it lies follows
/// from the name, so that a client that remembers one over a restart of the server, or after its
/// name was dropped, meets the same name or nothing, and hardly ever another one.
#[derive(Debug)]
pub(crate) struct Names {
    network: Network,
    /// Names that may be kept at once; a small network has room for fewer.
    room: usize,
    uses: u64,
    by_name: HashMap<HostName, (Ipv4Addr, u64)>,
    by_address: HashMap<Ipv4Addr, HostName>,
    by_use: BTreeMap<u64, HostName>,
}

/// The first address behind the network's own and the one for denied names.
const FIRST: u32 = 2;

impl Names {
    pub(crate) fn new(network: Network) -> Self {
        let usable = usize::try_from(network.size()).unwrap_or(usize::MAX) / 2;
        Self {
            network,
            room: usable.clamp(1, NAMES_MAX),
            uses: 0,
            by_name: HashMap::new(),
            by_address: HashMap::new(),
            by_use: BTreeMap::new(),
        }
    }

    pub(crate) fn denied(&self) -> Ipv4Addr {
        self.at(1)
    }

    pub(crate) fn address(&mut self, name: &HostName) -> Ipv4Addr {
        self.uses += 1;
        if let Some((address, used)) = self.by_name.get_mut(name) {
            let address = *address;
            self.by_use.remove(&std::mem::replace(used, self.uses));
            self.by_use.insert(self.uses, name.clone());
            return address;
        }
        if self.by_name.len() >= self.room {
            self.drop_oldest();
        }
        let address = self.free_address(name);
        self.by_name.insert(name.clone(), (address, self.uses));
        self.by_address.insert(address, name.clone());
        self.by_use.insert(self.uses, name.clone());
        address
    }

    pub(crate) fn meaning(&self, address: IpAddr) -> Meaning {
        if !self.network.contains(address) {
            return Meaning::Itself;
        }
        match address.to_canonical() {
            IpAddr::V4(address) if address == self.denied() => Meaning::Denied,
            IpAddr::V4(address) => match self.by_address.get(&address) {
                Some(name) => Meaning::Name(name.clone()),
                None => Meaning::Unknown,
            },
            IpAddr::V6(_) => Meaning::Unknown,
        }
    }

    fn drop_oldest(&mut self) {
        if let Some((_, name)) = self.by_use.pop_first()
            && let Some((address, _)) = self.by_name.remove(&name)
        {
            self.by_address.remove(&address);
        }
    }

    /// The first that is free from the name's own place on. There is one, because the network is
    /// larger than the room for names.
    fn free_address(&self, name: &HostName) -> Ipv4Addr {
        let last = u32::try_from(self.network.size() - 1).unwrap_or(u32::MAX);
        let places = last - FIRST;
        let start = hash(name) % places;
        (0..places)
            .map(|step| self.at(FIRST + (start + step) % places))
            .find(|address| !self.by_address.contains_key(address))
            .unwrap_or_else(|| self.denied())
    }

    fn at(&self, offset: u32) -> Ipv4Addr {
        match self.network.address() {
            IpAddr::V4(base) => Ipv4Addr::from_bits(base.to_bits().wrapping_add(offset)),
            // `Gateway::attach` refuses such a network.
            IpAddr::V6(_) => Ipv4Addr::UNSPECIFIED,
        }
    }
}

/// FNV-1a. It only spreads: whoever makes names meet does it to himself.
fn hash(name: &HostName) -> u32 {
    name.as_str().bytes().fold(0x811c_9dc5, |hash, byte| {
        (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193)
    })
}
