// SPDX-License-Identifier: GPL-2.0
//! `-j LOG`: the packet is written to the kernel's log, through nf_log and in its format.

use crate::engine::text::Str;
use crate::wire;

/// What stands before the packet in the log; iptables allows 29 bytes.
pub type Prefix = Str<29>;

wire! {
    /// The target.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct Log, "log-attrs" {
        /// `--log-level`: 0 (emergency) to 7 (debug), as in syslog.
        2 level: u8,
        /// What else is written; the bits are those of nf_log (NF_LOG_*).
        3 flags: u8,
        /// `--log-prefix`
        4 prefix: Prefix,
    }
}

impl Log {
    /// `--log-tcp-sequence`
    pub const TCP_SEQUENCE: u8 = 0x01;
    /// `--log-tcp-options`
    pub const TCP_OPTIONS: u8 = 0x02;
    /// `--log-ip-options`
    pub const IP_OPTIONS: u8 = 0x04;
    /// `--log-uid`
    pub const UID: u8 = 0x08;
    /// `--log-macdecode`
    pub const MAC_DECODE: u8 = 0x20;
    /// All flags that there are.
    const FLAGS: u8 =
        Self::TCP_SEQUENCE | Self::TCP_OPTIONS | Self::IP_OPTIONS | Self::UID | Self::MAC_DECODE;

    pub(super) fn check(&self) -> Result<(), &'static str> {
        if self.level > 7 {
            Err("log level must be 0 to 7")
        } else if self.flags & !Self::FLAGS != 0 {
            Err("unknown log flag")
        } else if self.prefix.as_bytes().contains(&b'\n') {
            // What follows would look like another line of the log.
            Err("log prefix must be one line")
        } else {
            Ok(())
        }
    }
}

#[cfg(any(test, MODULE))]
#[cfg_attr(MODULE, kernel::macros::kunit_tests(oxtables_target_log))]
mod tests {
    use super::*;

    #[test]
    fn refuses_what_the_log_could_not_show() {
        let check = |level, flags, prefix: &[u8]| {
            let prefix = Prefix::new(prefix).unwrap();
            Log {
                level,
                flags,
                prefix,
            }
            .check()
        };
        assert!(check(7, 0x2f, b"DROP: ").is_ok());
        assert!(check(8, 0, b"").is_err());
        assert!(check(0, 0x10, b"").is_err());
        assert!(check(0, 0, b"x\ny").is_err());
    }
}
