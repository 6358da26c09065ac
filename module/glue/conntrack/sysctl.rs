// SPDX-License-Identifier: GPL-2.0
//! Settings as files: `/proc/sys/net/netfilter/nf_conntrack_*`, in each network namespace for itself.
//!
//! They are there while connections are tracked in the namespace. nf_conntrack has files of the same names, and is not loaded
//! where it finds them: a module of ours that only holds rules without states would be in its way.

use super::super::bindings;
use super::super::refusal::Refusal;
use super::Tracker;
use crate::alloc::{Arc, KBox, KVec, GFP_KERNEL};
use crate::engine::conntrack::Setting;
use core::mem::size_of;
use core::ptr::{self, NonNull};
use kernel::ffi::{c_int, c_void};
use kernel::str::{CStr, CStrExt as _};

/// Settings, and what can be read beside them: how many connections and buckets there are.
const FILES: usize = Setting::ALL.len() + 2;

/// What the kernel calls to read a file or to write to it.
type Handler = unsafe extern "C" fn(
    *const bindings::ctl_table,
    c_int,
    *mut c_void,
    *mut usize,
    *mut bindings::loff_t,
) -> c_int;

/// The files of one namespace.
///
/// # Invariants
///
/// `header` is the registration of `table`, whose entries point into `tracker` and `ranges`.
pub(in super::super) struct Sysctl {
    header: NonNull<bindings::ctl_table_header>,
    _table: KVec<bindings::ctl_table>,
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
        let file = |name: &'static CStr, data, handler| bindings::ctl_table {
            procname: name.as_char_ptr(),
            data,
            maxlen: size_of::<u32>() as c_int,
            mode: 0o444,
            proc_handler: Some(handler),
            ..Default::default()
        };
        // Too large for the stack.
        let mut table = KVec::with_capacity(FILES, GFP_KERNEL)?;
        for (setting, [least, most]) in Setting::ALL.into_iter().zip(&*ranges) {
            let cell = tracker.settings.cell(setting);
            let data = cell.map_or(ptr::null_mut(), |cell| cell.as_ptr().cast());
            let handler: Handler = match setting {
                Setting::LogInvalid => set_log,
                _ => bindings::proc_douintvec_minmax,
            };
            let file = bindings::ctl_table {
                mode: 0o644,
                extra1: ptr::from_ref(least).cast_mut().cast(),
                extra2: ptr::from_ref(most).cast_mut().cast(),
                ..file(setting.c_name(), data, handler)
            };
            table.push(file, GFP_KERNEL)?;
        }
        let count = tracker.count.as_ptr().cast();
        let whole = Arc::as_ptr(tracker).cast_mut().cast();
        table.push(
            file(c"nf_conntrack_count", count, bindings::proc_douintvec),
            GFP_KERNEL,
        )?;
        table.push(file(c"nf_conntrack_buckets", whole, buckets), GFP_KERNEL)?;
        // SAFETY: The table and what it points to stay where they are until `drop` has undone this, and the caller keeps
        // the namespace. The names end with a zero byte.
        let header = unsafe {
            bindings::register_net_sysctl_sz(
                net,
                c"net/netfilter".as_char_ptr(),
                table.as_mut_ptr(),
                table.len(),
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
