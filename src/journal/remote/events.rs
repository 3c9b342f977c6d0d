//! The events of a run as a server sends them: each once and in order, also when the connection breaks or the
//! server is away for a while. Whoever listens no more ends it.

use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;
use tokio::sync::mpsc;

use super::link::{Link, Speaker};
use super::stream::Reader;
use crate::engine::event::Event;
use crate::model::id::RunId;
use crate::model::time::Timestamp;
use crate::ports::Refusal;

/// Events that wait for a listener who is slow.
const WAITING: usize = 256;
/// A server sends something every 15 s: one that is silent for longer is gone.
const SILENCE: Duration = Duration::from_secs(40);
/// The pauses between attempts to reach a server that is gone; the last one is repeated.
const PAUSES: [Duration; 5] = [
    Duration::from_millis(100),
    Duration::from_millis(400),
    Duration::from_secs(1),
    Duration::from_secs(2),
    Duration::from_secs(3),
];
/// How long a server may be gone before that is the end of it.
const GIVE_UP: Duration = Duration::from_mins(10);

/// An event of a run.
#[derive(Debug, Clone, PartialEq)]
pub struct Fact {
    /// Sequence in the run's stream.
    pub sequence: u64,
    /// When it was recorded.
    pub at: Timestamp,
    /// What happened.
    pub event: Event,
}

/// What is heard from a server.
#[derive(Debug, Clone, PartialEq)]
pub enum Heard {
    /// An event.
    Fact(Box<Fact>),
    /// The server is gone, and why that is believed; it is tried to be reached again.
    Lost(String),
    /// It is there again.
    Back,
}

/// The events of a run.
pub struct Events {
    heard: mpsc::Receiver<Result<Heard, Refusal>>,
    /// Whoever listens keeps the connection.
    _link: Arc<Link>,
}

impl Events {
    pub(super) fn of(link: &Arc<Link>, run: &RunId, after: u64) -> Self {
        let (sender, heard) = mpsc::channel(WAITING);
        let listener = Listener {
            speaker: link.speaker(),
            path: format!("runs/{run}/events"),
            after,
            lost: false,
            sender,
        };
        drop(link.spawn(listener.listen()));
        Self { heard, _link: Arc::clone(link) }
    }

    /// The next thing that is heard; absent when no more comes.
    ///
    /// # Errors
    /// When the server refuses, sends what nobody understands, or is gone for too long.
    pub async fn next(&mut self) -> Option<Result<Heard, Refusal>> {
        self.heard.recv().await
    }

    /// What was heard already.
    ///
    /// # Errors
    /// As [`Self::next`].
    pub fn waiting(&mut self) -> Option<Result<Heard, Refusal>> {
        self.heard.try_recv().ok()
    }
}

/// An event as the server writes it: `drctl schema event`.
#[derive(Deserialize)]
struct Written {
    sequence: u64,
    at: Timestamp,
    data: serde_json::Value,
}

/// Why a connection ended.
enum Ended {
    /// Nobody listens.
    Unheard,
    /// It broke; whether anything came over it.
    Broken(Refusal, bool),
    /// For good.
    Refused(Refusal),
}

struct Listener {
    speaker: Speaker,
    path: String,
    /// The last sequence that was passed on.
    after: u64,
    /// Whoever listens was told that the server is gone.
    lost: bool,
    sender: mpsc::Sender<Result<Heard, Refusal>>,
}

impl Listener {
    async fn listen(mut self) {
        let (mut attempt, mut gone) = (0, tokio::time::Instant::now());
        loop {
            match self.connection().await {
                Ended::Unheard => return,
                Ended::Refused(refusal) => {
                    // Nobody listens: then nobody need know.
                    let _ = self.sender.send(Err(refusal)).await;
                    return;
                }
                Ended::Broken(refusal, heard) => {
                    if heard {
                        (attempt, gone) = (0, tokio::time::Instant::now());
                    } else if gone.elapsed() > GIVE_UP {
                        let _ = self.sender.send(Err(refusal)).await;
                        return;
                    } else if !self.lost {
                        self.lost = true;
                        if self.sender.send(Ok(Heard::Lost(refusal.message))).await.is_err() {
                            return;
                        }
                    }
                }
            }
            let pause = PAUSES.get(attempt).or(PAUSES.last()).copied().unwrap_or(SILENCE);
            attempt += 1;
            tokio::select! {
                () = self.sender.closed() => return,
                () = tokio::time::sleep(pause) => {}
            }
        }
    }

    /// One connection, for as long as it holds. What is said is passed on.
    async fn connection(&mut self) -> Ended {
        let mut response = match self.speaker.stream(self.path.clone(), self.after).await {
            Ok(response) => response,
            Err((refusal, true)) => return Ended::Broken(refusal, false),
            Err((refusal, false)) => return Ended::Refused(refusal),
        };
        if std::mem::take(&mut self.lost) && self.sender.send(Ok(Heard::Back)).await.is_err() {
            return Ended::Unheard;
        }
        let (mut reader, mut heard) = (Reader::default(), false);
        loop {
            let chunk = tokio::select! {
                () = self.sender.closed() => return Ended::Unheard,
                chunk = tokio::time::timeout(SILENCE, response.chunk()) => chunk,
            };
            let part = match chunk {
                Ok(Ok(Some(part))) => part,
                Ok(Ok(None)) => return Ended::Broken(self.speaker.gone("it has ended the stream"), heard),
                Ok(Err(_)) => return Ended::Broken(self.speaker.gone("the connection broke"), heard),
                Err(_) => return Ended::Broken(self.speaker.gone("it is silent"), heard),
            };
            heard = true;
            let Ok(events) = reader.take(&part) else {
                return Ended::Refused(self.speaker.garbled("an event is larger than any there is"));
            };
            for text in events {
                if let Err(ended) = self.pass_on(&text).await {
                    return ended;
                }
            }
        }
    }

    /// Passes an event on that has not been yet.
    async fn pass_on(&mut self, text: &str) -> Result<(), Ended> {
        let garbled = |what: String| Ended::Refused(self.speaker.garbled(&what));
        let written: Written = serde_json::from_str(text).map_err(|error| garbled(error.to_string()))?;
        if written.sequence <= self.after {
            return Ok(());
        }
        if written.sequence != self.after.saturating_add(1) {
            return Err(garbled(format!("event {} is missing", self.after.saturating_add(1))));
        }
        let event = serde_json::from_value(written.data)
            .map_err(|error| garbled(format!("event {}: {error}", written.sequence)))?;
        self.after = written.sequence;
        let fact = Fact { sequence: written.sequence, at: written.at, event };
        self.sender.send(Ok(Heard::Fact(Box::new(fact)))).await.map_err(|_| Ended::Unheard)
    }
}
