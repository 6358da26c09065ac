// SPDX-License-Identifier: GPL-2.0
//! What an administrator may set of how protocols are tracked, under the names that it has below
//! `/proc/sys/net/netfilter` and with the values that it has there until somebody sets it.

use core::ffi::CStr;

use crate::sync::{Atomic, Relaxed};

/// The longest timeout in seconds, almost 25 days: what a signed number of 32 bits counts in milliseconds.
const TIMEOUT: u32 = i32::MAX.unsigned_abs() / 1000;
/// Off or on.
const SWITCH: u32 = 1;
/// More connections than fit into the memory of any machine so far.
const CONNECTIONS: u32 = 1 << 30;
/// A number of one byte.
const BYTE: u32 = 255;

macro_rules! settings {
    ($(#[doc = $about:literal] $setting:ident $name:literal, $least:literal..=$most:ident, $default:literal;)*) => {
        /// Something that can be set. Timeouts are in seconds, and run from the last packet that was the connection's.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[repr(u8)]
        pub enum Setting {
            $(#[doc = $about] $setting,)*
        }

        impl Setting {
            /// All that can be set.
            pub const ALL: [Self; [$($name),*].len()] = [$(Self::$setting),*];

            /// The name.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$setting => $name,)*
                }
            }

            /// The name as C wants it.
            pub const fn c_name(self) -> &'static CStr {
                match self {
                    $(Self::$setting => const {
                        match CStr::from_bytes_with_nul(concat!($name, "\0").as_bytes()) {
                            Ok(name) => name,
                            Err(_) => c"",
                        }
                    },)*
                }
            }

            /// What it is, in a few words for people, with a blank before.
            pub const fn about(self) -> &'static str {
                match self {
                    $(Self::$setting => $about,)*
                }
            }

            /// The value until another is set.
            pub const fn default(self) -> u32 {
                match self {
                    $(Self::$setting => $default,)*
                }
            }

            /// The lowest value.
            pub const fn least(self) -> u32 {
                match self {
                    $(Self::$setting => $least,)*
                }
            }

            /// The highest value.
            pub const fn most(self) -> u32 {
                match self {
                    $(Self::$setting => $most,)*
                }
            }
        }
    };
}

settings! {
    /// How many connections there may be in a network namespace.
    Max "nf_conntrack_max", 1..=CONNECTIONS, 262_144;
    /// Whether packets that come in are INVALID where the checksum of their transport header is wrong.
    Checksum "nf_conntrack_checksum", 0..=SWITCH, 1;
    /// The protocol whose INVALID packets are written to the log; 255 for all, 0 for none.
    LogInvalid "nf_conntrack_log_invalid", 0..=BYTE, 0;
    /// Whether packets and bytes of connections are counted, besides where a rule asks for them.
    Acct "nf_conntrack_acct", 0..=SWITCH, 0;
    /// Of a protocol that nothing more is known of.
    GenericTimeout "nf_conntrack_generic_timeout", 0..=TIMEOUT, 600;
    /// Of TCP: a SYN was seen.
    TcpTimeoutSynSent "nf_conntrack_tcp_timeout_syn_sent", 0..=TIMEOUT, 120;
    /// Of TCP: the SYN was answered.
    TcpTimeoutSynRecv "nf_conntrack_tcp_timeout_syn_recv", 0..=TIMEOUT, 60;
    /// Of TCP: the connection is open.
    TcpTimeoutEstablished "nf_conntrack_tcp_timeout_established", 0..=TIMEOUT, 432_000;
    /// Of TCP: one side has sent its FIN.
    TcpTimeoutFinWait "nf_conntrack_tcp_timeout_fin_wait", 0..=TIMEOUT, 120;
    /// Of TCP: the FIN was acknowledged.
    TcpTimeoutCloseWait "nf_conntrack_tcp_timeout_close_wait", 0..=TIMEOUT, 60;
    /// Of TCP: both sides have sent their FIN.
    TcpTimeoutLastAck "nf_conntrack_tcp_timeout_last_ack", 0..=TIMEOUT, 30;
    /// Of TCP: both were acknowledged.
    TcpTimeoutTimeWait "nf_conntrack_tcp_timeout_time_wait", 0..=TIMEOUT, 120;
    /// Of TCP: the connection was reset.
    TcpTimeoutClose "nf_conntrack_tcp_timeout_close", 0..=TIMEOUT, 10;
    /// Of TCP, at most: a segment was repeated more often than nf_conntrack_tcp_max_retrans says.
    TcpTimeoutMaxRetrans "nf_conntrack_tcp_timeout_max_retrans", 0..=TIMEOUT, 300;
    /// Of TCP, at most: data was sent and not acknowledged.
    TcpTimeoutUnacknowledged "nf_conntrack_tcp_timeout_unacknowledged", 0..=TIMEOUT, 300;
    /// Of TCP: whether connections that were open before they were seen are taken up.
    TcpLoose "nf_conntrack_tcp_loose", 0..=SWITCH, 1;
    /// Of TCP: whether segments out of window are the connection's all the same, unless they reset it.
    TcpBeLiberal "nf_conntrack_tcp_be_liberal", 0..=SWITCH, 0;
    /// Of TCP: whether a RST out of window passes without an effect on the connection.
    TcpIgnoreInvalidRst "nf_conntrack_tcp_ignore_invalid_rst", 0..=SWITCH, 0;
    /// Of TCP: how often a segment is repeated before the connection's timeout is shortened.
    TcpMaxRetrans "nf_conntrack_tcp_max_retrans", 0..=BYTE, 3;
    /// Of UDP and UDP-Lite.
    UdpTimeout "nf_conntrack_udp_timeout", 0..=TIMEOUT, 30;
    /// Of UDP and UDP-Lite: packets have gone both ways for more than two seconds.
    UdpTimeoutStream "nf_conntrack_udp_timeout_stream", 0..=TIMEOUT, 120;
    /// Of queries of ICMP.
    IcmpTimeout "nf_conntrack_icmp_timeout", 0..=TIMEOUT, 30;
    /// Of queries of ICMPv6.
    Icmpv6Timeout "nf_conntrack_icmpv6_timeout", 0..=TIMEOUT, 30;
    /// Of SCTP: the association is closed, or never was open.
    SctpTimeoutClosed "nf_conntrack_sctp_timeout_closed", 0..=TIMEOUT, 10;
    /// Of SCTP: INIT or INIT ACK was seen.
    SctpTimeoutCookieWait "nf_conntrack_sctp_timeout_cookie_wait", 0..=TIMEOUT, 3;
    /// Of SCTP: COOKIE ECHO was seen.
    SctpTimeoutCookieEchoed "nf_conntrack_sctp_timeout_cookie_echoed", 0..=TIMEOUT, 3;
    /// Of SCTP: the association is open.
    SctpTimeoutEstablished "nf_conntrack_sctp_timeout_established", 0..=TIMEOUT, 210;
    /// Of SCTP: who began the connection has sent SHUTDOWN.
    SctpTimeoutShutdownSent "nf_conntrack_sctp_timeout_shutdown_sent", 0..=TIMEOUT, 3;
    /// Of SCTP: the other side has sent SHUTDOWN.
    SctpTimeoutShutdownRecd "nf_conntrack_sctp_timeout_shutdown_recd", 0..=TIMEOUT, 3;
    /// Of SCTP: SHUTDOWN was acknowledged.
    SctpTimeoutShutdownAckSent "nf_conntrack_sctp_timeout_shutdown_ack_sent", 0..=TIMEOUT, 3;
    /// Of SCTP: a path of an association that is open elsewhere is tried out.
    SctpTimeoutHeartbeatSent "nf_conntrack_sctp_timeout_heartbeat_sent", 0..=TIMEOUT, 30;
    /// Of GRE.
    GreTimeout "nf_conntrack_gre_timeout", 0..=TIMEOUT, 30;
    /// Of GRE: packets have gone both ways.
    GreTimeoutStream "nf_conntrack_gre_timeout_stream", 0..=TIMEOUT, 180;
}

impl Setting {
    /// What is set under this name.
    pub fn from_name(name: &[u8]) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|setting| setting.name().as_bytes() == name)
    }

    /// Whether this can be its value.
    pub const fn allows(self, value: u32) -> bool {
        self.least() <= value && value <= self.most()
    }
}

/// A value that is too low or too high for what is to be set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OutOfRange;

/// What is set. Each value can be changed while packets go by: they see the old one or the new.
pub struct Settings([Atomic<u32>; Setting::ALL.len()]);

impl Default for Settings {
    fn default() -> Self {
        Self(Setting::ALL.map(|setting| Atomic::<u32>::new(setting.default())))
    }
}

impl Settings {
    /// Where the value is kept.
    #[inline]
    pub fn cell(&self, setting: Setting) -> Option<&Atomic<u32>> {
        self.0.get(setting as usize)
    }

    /// The value.
    #[inline]
    pub fn get(&self, setting: Setting) -> u32 {
        self.cell(setting).map_or(0, |cell| cell.load(Relaxed))
    }

    /// Whether the switch is on.
    #[inline]
    pub fn is_on(&self, setting: Setting) -> bool {
        self.get(setting) != 0
    }

    /// Sets a value.
    ///
    /// # Errors
    ///
    /// [`OutOfRange`] where it is too low or too high, and nothing changes.
    pub fn set(&self, setting: Setting, value: u32) -> Result<(), OutOfRange> {
        match self.cell(setting) {
            Some(cell) if setting.allows(value) => {
                cell.store(value, Relaxed);
                Ok(())
            }
            _ => Err(OutOfRange),
        }
    }
}

#[cfg(any(test, MODULE))]
#[cfg_attr(MODULE, kernel::macros::kunit_tests(oxtables_conntrack_settings))]
mod tests {
    use super::*;

    #[test]
    fn each_is_found_by_its_name_and_has_a_place() {
        let settings = Settings::default();
        for (index, setting) in Setting::ALL.into_iter().enumerate() {
            assert_eq!(setting as usize, index);
            assert!(setting.name().starts_with("nf_conntrack_"));
            assert!(setting.c_name().to_bytes() == setting.name().as_bytes());
            assert!(Setting::from_name(setting.name().as_bytes()) == Some(setting));
            assert!(settings.get(setting) == setting.default());
            assert!(setting.allows(setting.default()));
        }
        assert!(Setting::from_name(b"nf_conntrack_udp").is_none());
        assert!(Setting::from_name(b"nf_conntrack_udp_timeout_").is_none());
    }

    #[test]
    fn one_is_set_and_no_other() {
        let settings = Settings::default();
        for setting in Setting::ALL {
            assert!(settings.set(setting, setting.most()).is_ok());
            assert!(settings.set(setting, setting.most() + 1) == Err(OutOfRange));
            assert!(settings.get(setting) == setting.most());
            assert!(settings.is_on(setting));
            let least = setting.least();
            assert!(settings.set(setting, least).is_ok());
            assert!(settings.is_on(setting) == (least != 0));
            assert!(least == 0 || settings.set(setting, least - 1) == Err(OutOfRange));
            assert!(settings.set(setting, setting.default()).is_ok());
            for other in Setting::ALL {
                assert!(settings.get(other) == other.default());
            }
        }
    }
}
