//! The disk of a host: what survives its crash.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// A host's disk: files by name, in memory. It lives as long as the run: what a program has written and
/// [synced](Disk::sync) is there when the host starts again after a crash, and everything else that the host
/// had is gone.
///
/// A crash undoes every change to a file since its last sync; a kill does not, since the operating system
/// goes on. Calls take no time and do not fail. A task that outlives its incarnation (in a lab) changes
/// nothing, and finds the disk empty.
///
/// ```
/// use faultwire_sim::prelude::*;
///
/// # fn main() {
/// faultwire_sim::scenario("a counter that survives")
///     .client(|net: Net| async move {
///         let disk = net.disk();
///         let starts = disk.read("starts").map_or(0, |bytes| bytes[0]);
///         disk.write("starts", [starts + 1]);
///         disk.sync("starts");
///         assert_eq!(u32::from(starts), net.incarnation());
///         Ok(())
///     })
///     .check();
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Disk {
    platter: Arc<Mutex<Platter>>,
    incarnation: u32,
}

/// What is on a disk.
#[derive(Debug, Default)]
pub(crate) struct Platter {
    /// How often the host's programs ended before their time.
    deaths: u32,
    /// What programs read.
    files: BTreeMap<String, Vec<u8>>,
    /// What survives a loss of power.
    synced: BTreeMap<String, Vec<u8>>,
}

impl Platter {
    /// The host's programs have ended; the host too, if it loses power.
    pub(crate) fn died(&mut self, loses_power: bool) {
        self.deaths += 1;
        if loses_power {
            self.files = self.synced.clone();
        }
    }
}

impl Disk {
    pub(crate) fn new(platter: Arc<Mutex<Platter>>, incarnation: u32) -> Disk {
        Disk { platter, incarnation }
    }

    /// The disk, unless the incarnation that this is for has ended.
    fn alive(&self) -> Option<MutexGuard<'_, Platter>> {
        let platter = self.platter.lock().unwrap_or_else(PoisonError::into_inner);
        (platter.deaths == self.incarnation).then_some(platter)
    }

    /// The whole of a file; `None` if no file has the name.
    pub fn read(&self, file: &str) -> Option<Vec<u8>> {
        self.alive()?.files.get(file).cloned()
    }

    /// Replaces the whole of a file, or makes it.
    pub fn write(&self, file: &str, bytes: impl AsRef<[u8]>) {
        if let Some(mut disk) = self.alive() {
            disk.files.insert(file.to_owned(), bytes.as_ref().to_vec());
        }
    }

    /// Writes behind the end of a file, or makes it.
    pub fn append(&self, file: &str, bytes: impl AsRef<[u8]>) {
        if let Some(mut disk) = self.alive() {
            disk.files.entry(file.to_owned()).or_default().extend_from_slice(bytes.as_ref());
        }
    }

    /// Removes a file. This too is lost in a crash before the file's sync.
    pub fn remove(&self, file: &str) {
        if let Some(mut disk) = self.alive() {
            disk.files.remove(file);
        }
    }

    /// Makes what a file is now survive a crash: `fsync(2)` of the file and of its folder.
    pub fn sync(&self, file: &str) {
        if let Some(mut disk) = self.alive() {
            let Platter { files, synced, .. } = &mut *disk;
            match files.get(file) {
                Some(bytes) => drop(synced.insert(file.to_owned(), bytes.clone())),
                None => drop(synced.remove(file)),
            }
        }
    }

    /// The names of all files, in order.
    pub fn files(&self) -> Vec<String> {
        self.alive().map(|disk| disk.files.keys().cloned().collect()).unwrap_or_default()
    }
}
