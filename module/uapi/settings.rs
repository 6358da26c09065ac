// SPDX-License-Identifier: GPL-2.0
//! Settings of connection tracking on netlink: reading them, and setting some, all or none.

use super::attr::{Errno, Error, Reader};
use super::field::Field;
use super::message;
use crate::engine::conntrack::{Setting, Settings};
use crate::engine::text::Str;
use crate::wire;

/// The name of a setting.
pub type SettingName = Str<48>;

wire! {
    /// A setting. A request to set it has its name and value alone.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct SettingValue, "setting-attrs" {
        /// Its name below /proc/sys/net/netfilter.
        2 name: SettingName,
        /// Its value.
        3 value: u32,
        /// The value until another is set.
        4 default: Option<u32>,
        /// The lowest value.
        5 least: Option<u32>,
        /// The highest value.
        6 most: Option<u32>,
    }
}

impl SettingValue {
    /// What is told of a setting.
    pub fn of(setting: Setting, settings: &Settings) -> Self {
        Self {
            // Names fit, as a test below shows.
            name: SettingName::new(setting.name().as_bytes()).unwrap_or_default(),
            value: settings.get(setting),
            default: Some(setting.default()),
            least: Some(setting.least()),
            most: Some(setting.most()),
        }
    }
}

/// Values to be set.
pub struct Changes([Option<u32>; Setting::ALL.len()]);

impl Changes {
    /// Reads the attributes of a request.
    ///
    /// # Errors
    ///
    /// Something that can't be set, or not to this value, or is given twice.
    pub fn decode(attributes: &[u8]) -> Result<Self, Error> {
        let mut changes = [None; Setting::ALL.len()];
        for attribute in Reader::new(attributes) {
            let attribute = attribute?;
            if attribute.id != message::SETTING {
                continue;
            }
            let given = SettingValue::get(&attribute)?;
            if given.default.is_some() || given.least.is_some() || given.most.is_some() {
                return Err(attribute.invalid("the value of a setting can be set, nothing else"));
            }
            let unknown = attribute.error(Errno::NotFound, "there is no setting of this name");
            let setting = Setting::from_name(given.name.as_bytes()).ok_or(unknown)?;
            if !setting.allows(given.value) {
                return Err(attribute.error(Errno::Range, "value is out of the setting's range"));
            }
            let place = changes.get_mut(setting as usize).ok_or(unknown)?;
            if place.replace(given.value).is_some() {
                return Err(attribute.error(Errno::Exists, "setting is given twice"));
            }
        }
        Ok(Self(changes))
    }

    /// The settings that get a value, and which.
    pub fn each(&self) -> impl Iterator<Item = (Setting, u32)> + '_ {
        let places = Setting::ALL.into_iter().zip(&self.0);
        places.filter_map(|(setting, value)| Some((setting, (*value)?)))
    }
}

#[cfg(any(test, MODULE))]
#[cfg_attr(MODULE, kernel::macros::kunit_tests(oxtables_uapi_settings))]
mod tests {
    use super::*;
    use crate::uapi::attr::Writer;

    fn value(name: &[u8], value: u32) -> SettingValue {
        SettingValue {
            name: SettingName::new(name).unwrap(),
            value,
            default: None,
            least: None,
            most: None,
        }
    }

    fn decode(values: &[SettingValue]) -> Result<Changes, Error> {
        let mut writer = Writer::new(1024);
        for value in values {
            value.put(message::SETTING, &mut writer).unwrap();
        }
        Changes::decode(writer.bytes())
    }

    #[test]
    fn what_is_told_can_be_read() {
        let settings = Settings::default();
        for setting in Setting::ALL {
            let told = SettingValue::of(setting, &settings);
            assert!(told.name.as_bytes() == setting.name().as_bytes());
            let mut writer = Writer::new(128);
            told.put(1, &mut writer).unwrap();
            let attribute = Reader::new(writer.bytes()).next().unwrap().unwrap();
            assert!(SettingValue::get(&attribute).ok() == Some(told));
        }
    }

    #[test]
    fn several_are_set() {
        let changes = decode(&[
            value(b"nf_conntrack_udp_timeout", 1),
            value(b"nf_conntrack_max", 7),
        ]);
        let changes = changes.ok().unwrap();
        let mut each = changes.each();
        assert!(each.next() == Some((Setting::Max, 7)));
        assert!(each.next() == Some((Setting::UdpTimeout, 1)));
        assert!(each.next().is_none());
        assert!(decode(&[]).is_ok_and(|changes| changes.each().next().is_none()));
    }

    #[test]
    fn what_can_not_be_set_is_refused() {
        let good = value(b"nf_conntrack_tcp_loose", 0);
        let limits = SettingValue {
            most: Some(7),
            ..good
        };
        for (wrong, errno) in [
            (value(b"nf_conntrack_udp", 1), Errno::NotFound),
            (value(b"nf_conntrack_max", 0), Errno::Range),
            (value(b"nf_conntrack_checksum", 2), Errno::Range),
            (good, Errno::Exists),
            (limits, Errno::Invalid),
        ] {
            let refused = decode(&[good, wrong]).err().unwrap();
            assert!(refused.errno == errno && refused.offset.is_some_and(|offset| offset > 0));
        }
    }
}
