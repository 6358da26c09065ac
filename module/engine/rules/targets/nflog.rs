// SPDX-License-Identifier: GPL-2.0
//! `-j NFLOG`: the packet is handed to nf_log for programs in user space, by nfnetlink_log.

use crate::engine::text::Str;
use crate::wire;

/// What stands before the packet; iptables allows 63 bytes.
pub type NflogPrefix = Str<63>;

wire! {
    /// The target.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct Nflog, "nflog-attrs" {
        /// `--nflog-group`: the group whose listeners get the packet.
        2 group: u16,
        /// `--nflog-threshold`: how many packets the kernel collects before it sends them; zero leaves that to the
        /// listener.
        3 threshold: u16,
        /// `--nflog-prefix`
        4 prefix: NflogPrefix,
        /// `--nflog-size`: how many bytes of the packet are copied; all that the listener wants without it.
        5 size: Option<u32>,
        /// `--nflog-range`: kept as it was written, though the kernel never heeded it.
        6 range: Option<u32>,
    }
}

impl Nflog {
    pub(super) fn check(&self) -> Result<(), &'static str> {
        if self.prefix.as_bytes().contains(&b'\n') {
            Err("nflog prefix must be one line")
        } else if self.size.is_some() && self.range.is_some() {
            Err("NFLOG has a size or a range, not both")
        } else {
            Ok(())
        }
    }
}

#[cfg(any(test, MODULE))]
#[cfg_attr(MODULE, kernel::macros::kunit_tests(oxtables_target_nflog))]
mod tests {
    use super::*;

    #[test]
    fn refuses_what_iptables_does() {
        let check = |prefix: &[u8], size, range| {
            let prefix = NflogPrefix::new(prefix).unwrap();
            Nflog {
                group: 0,
                threshold: 0,
                prefix,
                size,
                range,
            }
            .check()
        };
        assert!(check(&[b'x'; 63], Some(0), None).is_ok());
        assert!(check(b"", None, Some(1)).is_ok());
        assert!(check(b"x\ny", None, None).is_err());
        assert!(check(b"", Some(1), Some(1)).is_err());
        assert!(NflogPrefix::new(&[b'x'; 64]).is_none());
    }
}
