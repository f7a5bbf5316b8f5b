//! A synthetic release: the same folders, file formats, tables and quirks as the real one, so that everything that works
//! on it works on the real one too. Its patients do not exist; its voxels are drawn from an anatomy in a few formulas.
//!
//! Every run writes the same bytes, as long as the machine's mathematical functions round alike.

mod anatomy;
mod curve;
mod noise;
mod patients;
mod plane;
mod scan;
mod shape;
mod signal;
mod soft_tissue;
mod spine;
mod tables;
#[cfg(test)]
mod tests;

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError, mpsc};
use std::thread;

use flate2::Compression;

use crate::formats::metaimage;
use crate::spider::{PatientId, ScanId};
use crate::volume::Volume;
use patients::{DemoPatient, DemoSeries, PATIENTS};

/// The synthetic release could not be written.
#[derive(Debug, thiserror::Error)]
#[error("could not write {path} of the synthetic release; choose a folder that you may write to, with 30 MB of space")]
pub struct DemoError {
    /// The file or folder.
    path: String,
    /// Why.
    source: io::Error,
}

/// Writes the synthetic release into a folder, which is made if it is not there: `images/`, `masks/`, `overview.csv` and
/// `radiological_gradings.csv`. Files of the same names are replaced.
///
/// `progress` is called with the number of scans written and of all scans, first with 0.
///
/// # Errors
/// [`DemoError`] names the file or folder that could not be written.
pub fn write_release(dir: &Path, mut progress: impl FnMut(usize, usize)) -> Result<(), DemoError> {
    for folder in ["images", "masks"] {
        let path = dir.join(folder);
        fs::create_dir_all(&path).map_err(failed(&path))?;
    }
    for (name, table) in [("overview.csv", tables::overview()), ("radiological_gradings.csv", tables::gradings())] {
        let path = dir.join(name);
        table.and_then(|table| fs::write(&path, table)).map_err(failed(&path))?;
    }
    let scans = scans();
    progress(0, scans.len());
    let todo = Mutex::new(scans.iter());
    let next = || todo.lock().unwrap_or_else(PoisonError::into_inner).next();
    let (send, receive) = mpsc::channel();
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(1, usize::from).min(scans.len()) {
            let send = send.clone();
            scope.spawn(move || {
                // Nobody receives any more once a file could not be written.
                while let Some((scan, patient, series)) = next() {
                    if send.send(write_scan(dir, *scan, patient, series)).is_err() {
                        break;
                    }
                }
            });
        }
        drop(send);
        let receive = receive;
        for (done, written) in receive.iter().enumerate() {
            written?;
            progress(done + 1, scans.len());
        }
        Ok(())
    })
}

fn scans() -> Vec<(ScanId, &'static DemoPatient, &'static DemoSeries)> {
    let of = |patient: &'static DemoPatient| {
        let id = |series: &DemoSeries| ScanId { patient: PatientId(patient.number), scan_type: series.scan_type };
        patient.series.iter().map(move |series| (id(series), patient, series))
    };
    PATIENTS.iter().flat_map(of).collect()
}

fn write_scan(dir: &Path, scan: ScanId, patient: &DemoPatient, series: &DemoSeries) -> Result<(), DemoError> {
    let made = scan::make(patient, series);
    for (folder, volume) in [("images", &made.image), ("masks", &made.mask)] {
        let path = dir.join(folder).join(format!("{scan}.mha"));
        write_volume(&path, volume).map_err(failed(&path))?;
    }
    Ok(())
}

fn write_volume(path: &Path, volume: &Volume) -> io::Result<()> {
    let mut file = BufWriter::new(File::create(path)?);
    metaimage::write(volume, Some(Compression::new(3)), &mut file)?;
    file.flush()
}

fn failed(path: &Path) -> impl FnOnce(io::Error) -> DemoError {
    let path = PathBuf::from(path).display().to_string();
    move |source| DemoError { path, source }
}
