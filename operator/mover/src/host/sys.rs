//! The calls of libvirt that the crate `virt` has not, or not whole. They block.

#![expect(unsafe_code, reason = "libvirt is a C library")]

use std::ffi::{CStr, CString, c_char, c_int, c_uint, c_void};
use std::path::Path;
use std::ptr;

use virt::connect::Connect;
use virt::domain::Domain;
use virt::error::Error;
use virt_sys as c;

use super::fault::Fault;

unsafe extern "C" {
    /// What libvirt allocates for its callers is freed with this.
    fn free(memory: *mut c_void);
}

/// A domain with what it does.
pub(super) struct Seen {
    pub name: String,
    pub uuid: String,
    pub state: c_uint,
    pub reason: c_uint,
}

/// A job on a disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct BlockJob {
    pub is_commit: bool,
    pub done: u64,
    pub of: u64,
}

/// All domains with their states, in one round trip.
pub(super) fn states(connect: &Connect) -> Result<Vec<Seen>, Error> {
    let mut records = ptr::null_mut();
    // SAFETY: the connection is open as long as it is borrowed, and `records` outlives the call.
    let count = unsafe {
        c::virConnectGetAllDomainStats(
            connect.as_ptr(),
            c::VIR_DOMAIN_STATS_STATE,
            &raw mut records,
            0,
        )
    };
    let count = counted(count)?;
    // SAFETY: libvirt gave an array of so many records, which is not used after it is freed.
    unsafe {
        let seen = (0..count).map(|at| seen(*records.add(at))).collect();
        c::virDomainStatsRecordListFree(records);
        Ok(seen)
    }
}

/// One domain with its state.
pub(super) fn state(domain: &Domain) -> Result<(c_uint, c_uint), Error> {
    let (mut state, mut reason) = (0, 0);
    // SAFETY: the domain is valid as long as it is borrowed, and both numbers outlive the call.
    done(unsafe { c::virDomainGetState(domain.as_ptr(), &raw mut state, &raw mut reason, 0) })?;
    Ok((state.cast_unsigned(), reason.cast_unsigned()))
}

/// # Safety
/// The record is one that libvirt gave, not freed.
unsafe fn seen(record: c::virDomainStatsRecordPtr) -> Seen {
    let number = |name: &CStr| {
        let mut value = 0;
        // SAFETY: the record's parameters are valid as long as it is.
        unsafe {
            c::virTypedParamsGetInt(
                (*record).params,
                (*record).nparams,
                name.as_ptr(),
                &raw mut value,
            );
        }
        value.cast_unsigned()
    };
    let mut uuid = [0; 37];
    // SAFETY: the record's domain is valid as long as it is, and a UUID takes 36 characters and a zero.
    unsafe {
        c::virDomainGetUUIDString((*record).dom, uuid.as_mut_ptr());
        Seen {
            name: borrowed(c::virDomainGetName((*record).dom)),
            uuid: borrowed(uuid.as_ptr()),
            state: number(c"state.state"),
            reason: number(c"state.reason"),
        }
    }
}

/// Addresses of a running guest, each with the name of its interface.
pub(super) fn addresses(
    domain: &Domain,
    source: c::virDomainInterfaceAddressesSource,
) -> Result<Vec<(String, String)>, Error> {
    let mut interfaces = ptr::null_mut();
    // SAFETY: the domain is valid as long as it is borrowed, and `interfaces` outlives the call.
    let count =
        unsafe { c::virDomainInterfaceAddresses(domain.as_ptr(), &raw mut interfaces, source, 0) };
    let mut addresses = Vec::new();
    // SAFETY: libvirt gave an array of so many interfaces, each with so many addresses; each is freed once.
    unsafe {
        for at in 0..counted(count)? {
            let interface = *interfaces.add(at);
            let name = borrowed((*interface).name);
            for at in 0..(*interface).naddrs as usize {
                addresses.push((name.clone(), borrowed((*(*interface).addrs.add(at)).addr)));
            }
            c::virDomainInterfaceFree(interface);
        }
        free(interfaces.cast());
    }
    Ok(addresses)
}

/// Freezes all file systems of the guest.
pub(super) fn freeze(domain: &Domain) -> Result<(), Error> {
    // SAFETY: the domain is valid as long as it is borrowed; no list means all.
    done(unsafe { c::virDomainFSFreeze(domain.as_ptr(), ptr::null_mut(), 0, 0) })
}

/// Thaws all file systems of the guest.
pub(super) fn thaw(domain: &Domain) -> Result<(), Error> {
    // SAFETY: as above.
    done(unsafe { c::virDomainFSThaw(domain.as_ptr(), ptr::null_mut(), 0, 0) })
}

/// Makes a checkpoint.
pub(super) fn create_checkpoint(domain: &Domain, xml: &str) -> Result<(), Fault> {
    let xml = CString::new(xml)?;
    // SAFETY: the domain is valid as long as it is borrowed; what is returned is a reference of our own.
    unsafe {
        let checkpoint = c::virDomainCheckpointCreateXML(domain.as_ptr(), xml.as_ptr(), 0);
        release(checkpoint)?;
    }
    Ok(())
}

/// The names of a domain's checkpoints, parents before their children.
pub(super) fn checkpoints(domain: &Domain) -> Result<Vec<String>, Error> {
    let mut checkpoints = ptr::null_mut();
    let order = c::VIR_DOMAIN_CHECKPOINT_LIST_TOPOLOGICAL;
    // SAFETY: the domain is valid as long as it is borrowed, and `checkpoints` outlives the call.
    let count =
        unsafe { c::virDomainListAllCheckpoints(domain.as_ptr(), &raw mut checkpoints, order) };
    let mut names = Vec::new();
    // SAFETY: libvirt gave an array of so many references; each is given back once.
    unsafe {
        for at in 0..counted(count)? {
            let checkpoint = *checkpoints.add(at);
            names.push(borrowed(c::virDomainCheckpointGetName(checkpoint)));
            release(checkpoint)?;
        }
        free(checkpoints.cast());
    }
    Ok(names)
}

/// A checkpoint, as libvirt describes it.
pub(super) fn checkpoint(domain: &Domain, name: &str) -> Result<String, Fault> {
    let name = CString::new(name)?;
    let only_disks = c::VIR_DOMAIN_CHECKPOINT_XML_NO_DOMAIN;
    // SAFETY: the domain is valid as long as it is borrowed; the checkpoint is a reference of our own, given
    // back once, and the text is ours, freed once.
    unsafe {
        let checkpoint = c::virDomainCheckpointLookupByName(domain.as_ptr(), name.as_ptr(), 0);
        if checkpoint.is_null() {
            return Err(Error::last_error().into());
        }
        let xml = c::virDomainCheckpointGetXMLDesc(checkpoint, only_disks);
        let told = if xml.is_null() {
            Err(Error::last_error())
        } else {
            let text = borrowed(xml);
            free(xml.cast());
            Ok(text)
        };
        release(checkpoint)?;
        Ok(told?)
    }
}

/// Deletes a checkpoint with its bitmaps, or only what libvirt knows of it.
pub(super) fn delete_checkpoint(
    domain: &Domain,
    name: &str,
    only_metadata: bool,
) -> Result<(), Fault> {
    let name = CString::new(name)?;
    let flags = if only_metadata {
        c::VIR_DOMAIN_CHECKPOINT_DELETE_METADATA_ONLY
    } else {
        0
    };
    // SAFETY: the domain is valid as long as it is borrowed; the checkpoint is a reference of our own,
    // given back once.
    unsafe {
        let checkpoint = c::virDomainCheckpointLookupByName(domain.as_ptr(), name.as_ptr(), 0);
        if checkpoint.is_null() {
            return Err(Error::last_error().into());
        }
        let deleted = done(c::virDomainCheckpointDelete(checkpoint, flags));
        release(checkpoint)?;
        Ok(deleted?)
    }
}

/// Begins a backup, with a checkpoint of the same instant.
pub(super) fn begin_backup(domain: &Domain, xml: &str, checkpoint: &str) -> Result<(), Fault> {
    let (xml, checkpoint) = (CString::new(xml)?, CString::new(checkpoint)?);
    // SAFETY: the domain is valid as long as it is borrowed, and both texts outlive the call.
    Ok(done(unsafe {
        c::virDomainBackupBegin(domain.as_ptr(), xml.as_ptr(), checkpoint.as_ptr(), 0)
    })?)
}

/// What the open backup is.
pub(super) fn backup(domain: &Domain) -> Result<String, Error> {
    // SAFETY: the domain is valid as long as it is borrowed; the text is ours, freed once.
    unsafe {
        let xml = c::virDomainBackupGetXMLDesc(domain.as_ptr(), 0);
        if xml.is_null() {
            return Err(Error::last_error());
        }
        let text = borrowed(xml);
        free(xml.cast());
        Ok(text)
    }
}

/// Aborts the job of a domain.
pub(super) fn abort_job(domain: &Domain) -> Result<(), Error> {
    // SAFETY: the domain is valid as long as it is borrowed.
    done(unsafe { c::virDomainAbortJob(domain.as_ptr()) })
}

/// Begins to commit what lies above `base` up to `top` into `base`.
pub(super) fn commit(
    domain: &Domain,
    disk: &str,
    (base, top): (&Path, &Path),
    flags: c::virDomainBlockCommitFlags,
) -> Result<(), Fault> {
    let path = |path: &Path| CString::new(path.as_os_str().as_encoded_bytes());
    let (disk, base, top) = (CString::new(disk)?, path(base)?, path(top)?);
    // SAFETY: the domain is valid as long as it is borrowed, and all texts outlive the call.
    Ok(done(unsafe {
        c::virDomainBlockCommit(
            domain.as_ptr(),
            disk.as_ptr(),
            base.as_ptr(),
            top.as_ptr(),
            0,
            flags,
        )
    })?)
}

/// The job on a disk, where there is one.
pub(super) fn block_job(domain: &Domain, disk: &str) -> Result<Option<BlockJob>, Fault> {
    let disk = CString::new(disk)?;
    let mut info = c::virDomainBlockJobInfo {
        type_: 0,
        bandwidth: 0,
        cur: 0,
        end: 0,
    };
    // SAFETY: the domain is valid as long as it is borrowed, and `info` outlives the call.
    let found =
        unsafe { c::virDomainGetBlockJobInfo(domain.as_ptr(), disk.as_ptr(), &raw mut info, 0) };
    Ok((counted(found)? > 0).then(|| BlockJob {
        is_commit: info.type_.cast_unsigned() == c::VIR_DOMAIN_BLOCK_JOB_TYPE_COMMIT,
        done: info.cur,
        of: info.end,
    }))
}

/// Gives a reference back.
///
/// # Safety
/// It is null, or a reference of our own that is not used any more.
unsafe fn release(checkpoint: c::virDomainCheckpointPtr) -> Result<(), Error> {
    if checkpoint.is_null() {
        return Err(Error::last_error());
    }
    // SAFETY: the caller's promise.
    done(unsafe { c::virDomainCheckpointFree(checkpoint) })
}

/// # Safety
/// It is null, or a text that ends with a zero.
unsafe fn borrowed(text: *const c_char) -> String {
    if text.is_null() {
        return String::new();
    }
    // SAFETY: the caller's promise.
    unsafe { CStr::from_ptr(text) }
        .to_string_lossy()
        .into_owned()
}

fn done(result: c_int) -> Result<(), Error> {
    counted(result).map(drop)
}

fn counted(result: c_int) -> Result<usize, Error> {
    usize::try_from(result).map_err(|_negative| Error::last_error())
}
