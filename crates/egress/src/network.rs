//! A network in the notation of CIDR, for the addresses that an operator permits.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr};
use std::str::FromStr;

/// An address and the number of its leading bits that count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Network {
    address: IpAddr,
    prefix: u8,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidNetwork {
    #[error("a network is an address and a prefix length, such as 10.0.0.0/8 or fd00::/8")]
    Form,
    #[error("the prefix of a network is at most 32 for IPv4 and 128 for IPv6")]
    Prefix,
    #[error("the bits of a network's address behind its prefix are zero")]
    HostBits,
}

impl Network {
    pub fn new(address: IpAddr, prefix: u8) -> Result<Self, InvalidNetwork> {
        if prefix > width(address) {
            return Err(InvalidNetwork::Prefix);
        }
        let network = Self { address, prefix };
        if bits(address) & !network.mask() != 0 {
            return Err(InvalidNetwork::HostBits);
        }
        Ok(network)
    }

    pub(crate) const fn v4(a: u8, b: u8, c: u8, d: u8, prefix: u8) -> Self {
        Self {
            address: IpAddr::V4(Ipv4Addr::new(a, b, c, d)),
            prefix,
        }
    }

    /// An IPv4 address inside IPv6 counts as the IPv4 address.
    pub fn contains(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        address.is_ipv4() == self.address.is_ipv4()
            && bits(address) & self.mask() == bits(self.address)
    }

    pub(crate) fn address(&self) -> IpAddr {
        self.address
    }

    /// How many addresses it has; capped for networks of IPv6.
    pub(crate) fn size(&self) -> u64 {
        let host_bits = u32::from(width(self.address) - self.prefix);
        1_u64.checked_shl(host_bits).unwrap_or(u64::MAX)
    }

    fn mask(&self) -> u128 {
        let width = u32::from(width(self.address));
        let all = u128::MAX >> (128 - width);
        let host_bits = width - u32::from(self.prefix);
        all & all.checked_shl(host_bits).unwrap_or(0)
    }
}

fn width(address: IpAddr) -> u8 {
    if address.is_ipv4() { 32 } else { 128 }
}

fn bits(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => u128::from(address.to_bits()),
        IpAddr::V6(address) => address.to_bits(),
    }
}

impl FromStr for Network {
    type Err = InvalidNetwork;

    fn from_str(text: &str) -> Result<Self, InvalidNetwork> {
        let (address, prefix) = text.split_once('/').ok_or(InvalidNetwork::Form)?;
        let address = address.parse().map_err(|_| InvalidNetwork::Form)?;
        let plain = !prefix.is_empty() && prefix.bytes().all(|byte| byte.is_ascii_digit());
        if !plain {
            return Err(InvalidNetwork::Form);
        }
        let prefix = prefix.parse().map_err(|_| InvalidNetwork::Prefix)?;
        Self::new(address, prefix)
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.prefix)
    }
}
