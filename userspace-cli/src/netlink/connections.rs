// SPDX-License-Identifier: GPL-2.0
//! What the module knows of connections.

use oxtables_engine::uapi::attr::Reader;
use oxtables_engine::uapi::conntrack::{Entry, Filter, Stats};
use oxtables_engine::uapi::field::Field;
use oxtables_engine::uapi::settings::{SettingName, SettingValue};
use oxtables_engine::uapi::{message as attributes, Command, Writer};

use super::message::Answer;
use super::{Connection, Error};

fn request(filter: &Filter) -> Result<Writer, Error> {
    let mut request = Writer::new(1024);
    let written = filter.put(attributes::FILTER, &mut request);
    written.map_err(|_| Error::Garbled("request is too large"))?;
    Ok(request)
}

impl Connection {
    /// Hands each connection that is meant to `each`, in no order.
    ///
    /// # Errors
    ///
    /// When they can't be read.
    pub fn connections(
        &mut self,
        filter: &Filter,
        mut each: impl FnMut(Entry),
    ) -> Result<(), Error> {
        let request = request(filter)?;
        let command = Command::GetConnections as u8;
        self.ask(
            self.family,
            Answer::Dump,
            command,
            request.bytes(),
            |bytes| {
                for attribute in Reader::new(bytes) {
                    let attribute = attribute?;
                    if attribute.id == attributes::CONNECTION {
                        each(Entry::get(&attribute)?);
                    }
                }
                Ok(())
            },
        )
    }

    /// Has connections forgotten, and tells how many they were.
    ///
    /// # Errors
    ///
    /// When they can't be.
    pub fn delete_connections(&mut self, filter: &Filter) -> Result<u64, Error> {
        let request = request(filter)?;
        let count = self.ask_for(
            Command::DeleteConnections,
            request.bytes(),
            attributes::COUNT,
        )?;
        count.ok_or(Error::Garbled("connections went without a number"))
    }

    /// Asks how the table of connections is.
    ///
    /// # Errors
    ///
    /// When it can't be asked.
    pub fn connection_stats(&mut self) -> Result<Stats, Error> {
        let stats = self.ask_for(Command::GetConnectionStats, &[], attributes::STATS)?;
        Ok(stats.unwrap_or_default())
    }

    /// Asks how connections are tracked.
    ///
    /// # Errors
    ///
    /// When it can't be asked.
    pub fn settings(&mut self) -> Result<Vec<SettingValue>, Error> {
        let mut settings = Vec::new();
        let command = Command::GetSettings as u8;
        self.ask(self.family, Answer::Once, command, &[], |bytes| {
            for attribute in Reader::new(bytes) {
                let attribute = attribute?;
                if attribute.id == attributes::SETTING {
                    settings.push(SettingValue::get(&attribute)?);
                }
            }
            Ok(())
        })?;
        Ok(settings)
    }

    /// Sets some settings, all or none.
    ///
    /// # Errors
    ///
    /// When they can't be set.
    pub fn set_settings(&mut self, changes: &[(SettingName, u32)]) -> Result<(), Error> {
        let mut request = Writer::new(8192);
        for (name, value) in changes {
            let change = SettingValue {
                name: *name,
                value: *value,
                default: None,
                least: None,
                most: None,
            };
            let written = change.put(attributes::SETTING, &mut request);
            written.map_err(|_| Error::Garbled("request is too large"))?;
        }
        self.tell(Command::SetSettings, request.bytes())
    }
}
