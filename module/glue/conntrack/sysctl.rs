// SPDX-License-Identifier: GPL-2.0
//! Settings as files: `/proc/sys/net/netfilter/nf_conntrack_*`, in each network namespace for itself.
//!
//! They are there while connections are tracked in the namespace. nf_conntrack has files of the same names, and is not loaded
//! where it finds them: a module of ours that only holds rules without states would be in its way.

use super::super::bindings;
use super::super::refusal::Refusal;
use super::Tracker;
use crate::alloc::{Arc, KBox, GFP_KERNEL};
use crate::engine::conntrack::Setting;

use core::mem::size_of;
use core::ptr::{self, NonNull};
use kernel::ffi::{c_int, c_void};
use kernel::str::{CStr, CStrExt as _};

/// Settings, and what can be read beside them: how many connections and buckets there are.
const FILES: usize = Setting::ALL.len() + 2;

/// The files of one namespace.
///
/// # Invariants
///
/// `header` is the registration of `table`, whose entries point into `tracker` and `ranges`.
pub(in super::super) struct Sysctl {
    header: NonNull<bindings::ctl_table_header>,
    _table: KBox<[bindings::ctl_table; FILES]>,
    _ranges: KBox<[[u32; 2]; Setting::ALL.len()]>,
    _tracker: Arc<Tracker>,
}

// SAFETY: The registration may be undone on any thread.
unsafe impl Send for Sysctl {}
// SAFETY: There is nothing to do with a shared reference.
unsafe impl Sync for Sysctl {}

impl Sysctl {
    /// Makes the files. May sleep.
    ///
    /// # Errors
    ///
    /// Memory is short.
    ///
    /// # Safety
    ///
    /// `net` is the tracker's namespace, and stays until this is dropped.
    pub(in super::super) unsafe fn register(
        net: *mut bindings::net,
        tracker: &Arc<Tracker>,
    ) -> Result<Self, Refusal> {
        let ranges = Setting::ALL.map(|setting| [setting.least(), setting.most()]);
        let ranges = KBox::new(ranges, GFP_KERNEL)?;
        let empty = [const {
            bindings::ctl_table {
                procname: ptr::null(),
                data: ptr::null_mut(),
                maxlen: size_of::<u32>() as c_int,
                mode: 0o444,
                proc_handler: None,
                poll: ptr::null_mut(),
                extra1: ptr::null_mut(),
                extra2: ptr::null_mut(),
            }
        }; FILES];
        let mut table = KBox::new(empty, GFP_KERNEL)?;
        let mut files = table.iter_mut();
        for ((setting, [least, most]), file) in
            Setting::ALL.into_iter().zip(&*ranges).zip(&mut files)
        {
            file.procname = setting.c_name().as_char_ptr();
            file.data = tracker
                .settings
                .cell(setting)
                .map_or(ptr::null_mut(), |cell| cell.as_ptr().cast());
            file.mode = 0o644;
            file.proc_handler = Some(match setting {
                Setting::LogInvalid => set_log,
                _ => bindings::proc_douintvec_minmax,
            });
            file.extra1 = ptr::from_ref(least).cast_mut().cast();
            file.extra2 = ptr::from_ref(most).cast_mut().cast();
        }
        let whole = Arc::as_ptr(tracker).cast_mut().cast();
        let more: [(&CStr, _, bindings::proc_handler); 2] = [
            (
                c"nf_conntrack_count",
                tracker.count.as_ptr().cast(),
                Some(bindings::proc_douintvec),
            ),
            (c"nf_conntrack_buckets", whole, Some(buckets)),
        ];
        for ((name, data, handler), file) in more.into_iter().zip(files) {
            file.procname = name.as_char_ptr();
            file.data = data;
            file.proc_handler = handler;
        }
        // SAFETY: The table and what it points to stay where they are until `drop` has undone this, and the caller keeps
        // the namespace. The names end with a zero byte.
        let header = unsafe {
            bindings::register_net_sysctl_sz(
                net,
                c"net/netfilter".as_char_ptr(),
                table.as_mut_ptr(),
                FILES,
            )
        };
        let refused = || {
            Refusal::new(
                bindings::ENOMEM,
                "can't make files in /proc/sys/net/netfilter",
            )
        };
        // INVARIANT: It was registered.
        Ok(Self {
            header: NonNull::new(header).ok_or_else(refused)?,
            _table: table,
            _ranges: ranges,
            _tracker: tracker.clone(),
        })
    }
}

impl Drop for Sysctl {
    /// Waits for who is reading or writing. May sleep.
    fn drop(&mut self) {
        // SAFETY: By the invariants it is registered.
        unsafe { bindings::unregister_net_sysctl_table(self.header.as_ptr()) };
    }
}

/// Reads how many buckets the table has.
///
/// # Safety
///
/// Called by the kernel only, for a file whose data is a tracker.
unsafe extern "C" fn buckets(
    file: *const bindings::ctl_table,
    direction: c_int,
    buffer: *mut c_void,
    length: *mut usize,
    position: *mut bindings::loff_t,
) -> c_int {
    // SAFETY: The kernel keeps the table during the call.
    let file = unsafe { &*file };
    // SAFETY: The tracker outlives the file.
    let tracker = unsafe { &*file.data.cast::<Tracker>() };
    let mut value = tracker.stats().buckets;
    let shown = bindings::ctl_table {
        data: (&raw mut value).cast(),
        ..*file
    };
    // SAFETY: The kernel lends the rest; the value outlives the call.
    unsafe { bindings::proc_douintvec(&raw const shown, direction, buffer, length, position) }
}

/// Reads or sets which packets are written to the log.
///
/// # Safety
///
/// Called by the kernel only, for the file of this setting.
unsafe extern "C" fn set_log(
    file: *const bindings::ctl_table,
    direction: c_int,
    buffer: *mut c_void,
    length: *mut usize,
    position: *mut bindings::loff_t,
) -> c_int {
    // SAFETY: All is the kernel's.
    let result =
        unsafe { bindings::proc_douintvec_minmax(file, direction, buffer, length, position) };
    if direction != 0 && result == 0 {
        super::prepare_log();
    }
    result
}
