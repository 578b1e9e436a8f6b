//! The thread that writes the recording file, so that a slow disk never holds up training.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crossbeam::channel::{Receiver, RecvTimeoutError, Sender, bounded};

use crate::record::file::{FileError, RecordingWriter};
use crate::record::{Fingerprint, Header, Intervention, Note, Outcome, Snapshot, TrackId, TrackInfo};

use super::keeper::Keeping;
use super::messages::Event;
use super::outbox::Wake;

/// Orders that may wait; past that the worker waits for the disk.
const QUEUE: usize = 4_096;
/// A quiet run's last rows are on disk after so long.
const FLUSH: Duration = Duration::from_millis(500);

/// A lab that is begun anew within this time, as it is at each knob while somebody looks for a setting, leaves no file.
const PASSING: Duration = Duration::from_secs(3);

/// What the recorder is told.
pub enum Order {
    Begin(Arc<Header>),
    Track(TrackInfo),
    Append(Arc<Snapshot>),
    Intervene(Intervention),
    Fingerprint(Fingerprint),
    Checkpoint(Keeping),
    Note(Note),
    End(TrackId, Outcome),
    SaveCopy(PathBuf),
}

impl Order {
    /// What an event means for the file.
    pub fn for_event(event: &Event) -> Option<Self> {
        Some(match event {
            Event::Started { header, .. } | Event::LabStarted { header, .. } => Self::Begin(header.clone()),
            Event::Track(info) => Self::Track(info.clone()),
            Event::Snapshot(snapshot) => Self::Append(snapshot.clone()),
            Event::Intervention { mark, .. } | Event::KnobTurned { mark, .. } => Self::Intervene(mark.clone()),
            Event::Fingerprint(fingerprint) => Self::Fingerprint(fingerprint.clone()),
            Event::Checkpoint(keeping) => Self::Checkpoint(keeping.clone()),
            Event::Note(note) => Self::Note(note.clone()),
            Event::Ended { track, outcome } => Self::End(*track, outcome.clone()),
            _ => return None,
        })
    }
}

/// The worker's handle; dropping it finishes the file and joins the thread.
pub struct Recorder {
    orders: Option<Sender<Order>>,
    thread: Option<JoinHandle<()>>,
}

impl Recorder {
    /// Starts the thread on a recording that exists: what comes is added to it.
    ///
    /// # Errors
    /// If the file can't be written (by this process: another may), or the thread can't be made.
    pub fn resume(path: &Path, events: Sender<Event>, wake: Wake) -> Result<Self, FileError> {
        let writer = RecordingWriter::reopen(path)?;
        let unwritable = |error: std::io::Error| FileError::Unwritable { path: path.into(), reason: error.to_string() };
        Self::spawn(path.into(), Some(writer), events, wake).map_err(unwritable)
    }

    /// Starts the thread. The first run it is told to begin goes to `path`, later ones (after a restart) beside it, with a number:
    /// no recording is ever overwritten.
    ///
    /// # Errors
    /// If the thread can't be made.
    pub fn start(path: PathBuf, events: Sender<Event>, wake: Wake) -> std::io::Result<Self> {
        Self::spawn(path, None, events, wake)
    }

    fn spawn(
        path: PathBuf,
        writer: Option<RecordingWriter>,
        events: Sender<Event>,
        wake: Wake,
    ) -> std::io::Result<Self> {
        let (sender, orders) = bounded(QUEUE);
        let body = move || {
            record(path, writer, &orders, &|event| {
                // The listener may be gone or full; the file matters more than the message.
                let _ = events.send_timeout(event, Duration::from_secs(1));
                wake();
            })
        };
        let thread = std::thread::Builder::new().name("recorder".into()).spawn(body)?;
        Ok(Self { orders: Some(sender), thread: Some(thread) })
    }

    pub fn send(&self, order: Order) {
        if let Some(orders) = &self.orders {
            // The thread ends only when this sender is dropped.
            let _ = orders.send(order);
        }
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        self.orders = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn record(first: PathBuf, resumed: Option<RecordingWriter>, orders: &Receiver<Order>, tell: &dyn Fn(Event)) {
    let mut runs = usize::from(resumed.is_some());
    let mut writer = resumed;
    let mut path = first.clone();
    // Since when there is a lab's run that nobody asked to keep.
    let mut passing: Option<Instant> = None;
    loop {
        let result = match orders.recv_timeout(FLUSH) {
            Ok(order) => {
                match &order {
                    Order::Begin(header) => {
                        runs += 1;
                        path = numbered(&first, runs);
                        let is_passing = passing.is_some_and(|since| since.elapsed() < PASSING);
                        if let Some(Err(error)) = writer.take_if(|_| is_passing).map(RecordingWriter::discard) {
                            tell(Event::SaveFailed(format!("A run of a moment stays on the disk: {error}")));
                        }
                        passing = header.lab.is_some().then(Instant::now);
                    }
                    Order::SaveCopy(_) | Order::Note(_) => passing = None,
                    _ => {}
                }
                obey(&path, &mut writer, order, tell)
            }
            Err(RecvTimeoutError::Timeout) => writer.as_mut().map_or(Ok(()), RecordingWriter::flush),
            Err(RecvTimeoutError::Disconnected) => break,
        };
        if let Err(error) = result {
            // A full disk mustn't end the run; say it once and go on without a file.
            tell(Event::SaveFailed(format!("Recording stopped: {error}")));
            writer = None;
        }
    }
    if let Some(Err(error)) = writer.as_mut().map(RecordingWriter::flush) {
        tell(Event::SaveFailed(format!("The end of the recording is missing: {error}")));
    }
}

/// Where the recorder puts the first, second, ... run: `runs/playground.landscope`, `runs/playground-2.landscope`, ...
pub fn numbered(first: &Path, run: usize) -> PathBuf {
    if run <= 1 {
        return first.to_owned();
    }
    let stem = first.file_stem().unwrap_or_default().to_string_lossy();
    let extension = first.extension().unwrap_or_default().to_string_lossy();
    first.with_file_name(format!("{stem}-{run}.{extension}"))
}

fn obey(path: &Path, slot: &mut Option<RecordingWriter>, order: Order, tell: &dyn Fn(Event)) -> Result<(), FileError> {
    if let Order::Begin(header) = &order {
        *slot = None;
        *slot = Some(RecordingWriter::create(path, header)?);
        return Ok(());
    }
    let Some(writer) = slot else {
        if let Order::SaveCopy(_) = &order {
            tell(Event::SaveFailed("Recording stopped earlier, so there is nothing to save".into()));
        }
        return Ok(());
    };
    match order {
        Order::Begin(_) => {}
        Order::Track(info) => writer.begin_track(&info)?,
        Order::Append(snapshot) => writer.append(&snapshot)?,
        Order::Intervene(mark) => writer.intervene(&mark)?,
        Order::Fingerprint(fingerprint) => writer.fingerprint(&fingerprint)?,
        Order::Checkpoint(Keeping::Kept(checkpoint)) => writer.checkpoint(&checkpoint)?,
        Order::Checkpoint(Keeping::Found(_)) => {}
        Order::Checkpoint(Keeping::Dropped { track, step }) => writer.drop_checkpoint(track, step)?,
        Order::Note(note) => writer.note(&note)?,
        Order::End(track, outcome) => writer.finish(track, &outcome)?,
        Order::SaveCopy(to) => match writer.save_copy(&to) {
            Ok(()) => tell(Event::Saved(to)),
            Err(error) => tell(Event::SaveFailed(error.to_string())),
        },
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::record::LabHeader;

    #[test]
    fn a_lab_that_is_begun_anew_at_once_leaves_no_file_and_other_runs_stay() {
        let folder = tempfile::tempdir().unwrap();
        let first = folder.path().join("r.landscope");
        let (events, told) = bounded(9);
        let recorder = Recorder::start(first.clone(), events, Arc::new(|| ())).unwrap();
        let lab = LabHeader { id: "l".into(), title: String::new(), seed: 0, knobs: BTreeMap::new() };
        let begin = |is_lab: bool| {
            let lab = is_lab.then(|| lab.clone());
            recorder.send(Order::Begin(Arc::new(Header { lab, ..Header::default() })));
        };
        begin(true);
        begin(true);
        recorder.send(Order::Note(Note { track: TrackId(0), step: 0, text: "keep".into() }));
        begin(false);
        begin(true);
        begin(true);
        drop(recorder);
        let kept = (1..=5).filter(|run| numbered(&first, *run).exists()).collect::<Vec<_>>();
        assert_eq!(kept, [2, 3, 5]);
        assert!(told.try_recv().is_err());
    }

    #[test]
    fn a_restarted_run_gets_a_file_of_its_own() {
        let first = Path::new("a/b.landscope");
        assert_eq!(numbered(first, 1), first);
        assert_eq!(numbered(first, 3), Path::new("a/b-3.landscope"));
    }
}
