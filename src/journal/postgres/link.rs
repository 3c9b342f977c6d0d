//! Sessions with the server: opened when needed, opened again when lost. Never sends anything twice by
//! itself: what must be sent again, its caller sends.

use std::collections::HashMap;
use std::future::poll_fn;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::time::Instant;
use tokio_postgres::config::TargetSessionAttrs;
use tokio_postgres::tls::MakeTlsConnect;
use tokio_postgres::types::ToSql;
use tokio_postgres::{AsyncMessage, Client, Config, NoTls, Notification, Row, Socket, Statement};

use super::place::{Fault, Place};
use crate::dial::hosts;
use crate::ports::{BoxFuture, JournalError};

/// Pauses between two tries to reach a server that is gone.
const PAUSES: [u64; 5] = [20, 50, 100, 250, 500];

/// Which servers will do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Target {
    /// The primary.
    Primary,
    /// The primary; a standby where there is none.
    Any,
}

/// One session, kept open.
#[derive(Debug)]
pub(super) struct Link {
    place: Arc<Place>,
    target: Target,
    setup: &'static str,
    session: tokio::sync::Mutex<Option<Arc<Session>>>,
}

/// An open session. It ends when it is dropped.
pub(super) struct Session {
    client: Client,
    place: Arc<Place>,
    statements: Mutex<HashMap<&'static str, Statement>>,
}

impl Link {
    /// `setup`: settings of the session.
    pub(super) fn new(place: Arc<Place>, target: Target, setup: &'static str) -> Self {
        Self { place, target, setup, session: tokio::sync::Mutex::new(None) }
    }

    /// The session; opened where there is none.
    pub(super) async fn session(&self) -> Result<Arc<Session>, Fault> {
        let mut kept = self.session.lock().await;
        if let Some(session) = kept.as_ref().filter(|session| !session.client.is_closed()) {
            return Ok(Arc::clone(session));
        }
        let (session, _) = open(&self.place, self.target).await?;
        let ready = tokio::time::timeout(self.place.patience(), session.batch(self.setup)).await;
        ready.map_err(|_| self.place.silent())??;
        let session = Arc::new(session);
        *kept = Some(Arc::clone(&session));
        Ok(session)
    }

    /// Drops the session, if it is still this one.
    pub(super) async fn drop_session(&self, lost: &Arc<Session>) {
        let mut kept = self.session.lock().await;
        if kept.as_ref().is_some_and(|session| Arc::ptr_eq(session, lost)) {
            *kept = None;
        }
    }

    /// Does something that may be done twice, on a new session where the old one is lost, until it is
    /// answered or the time is over.
    pub(super) async fn retry<'w, T>(
        &self,
        patience: Duration,
        work: impl Fn(Arc<Session>) -> BoxFuture<'w, Result<T, Fault>>,
    ) -> Result<T, JournalError> {
        let end = Instant::now() + patience;
        let mut pauses = Pauses::new();
        loop {
            let fault = match self.session().await {
                Err(fault) => fault,
                Ok(session) => match tokio::time::timeout_at(end, work(Arc::clone(&session))).await {
                    Ok(Ok(value)) => return Ok(value),
                    Ok(Err(fault @ Fault::Refused(_))) => fault,
                    Ok(Err(fault)) => {
                        self.drop_session(&session).await;
                        fault
                    }
                    Err(_) => {
                        self.drop_session(&session).await;
                        Fault::Lost(format!("no answer within {} s", patience.as_secs()))
                    }
                },
            };
            match fault {
                Fault::Lost(_) if Instant::now() < end => pauses.wait(end).await,
                fault => return Err(self.place.explain(fault)),
            }
        }
    }
}

/// Pauses that grow.
pub(super) struct Pauses(std::iter::Peekable<std::array::IntoIter<u64, 5>>);

impl Pauses {
    pub(super) fn new() -> Self {
        Self(PAUSES.into_iter().peekable())
    }

    /// Waits, but not beyond a time.
    pub(super) async fn wait(&mut self, end: Instant) {
        let millis = if self.0.len() > 1 { self.0.next() } else { self.0.peek().copied() };
        let pause = Duration::from_millis(millis.unwrap_or(500));
        tokio::time::sleep_until(end.min(Instant::now() + pause)).await;
    }
}

/// Opens a session. What the server has to tell by itself comes out of the receiver, which ends with it.
pub(super) async fn open(
    place: &Arc<Place>,
    target: Target,
) -> Result<(Session, UnboundedReceiver<Notification>), Fault> {
    let primary = connect(place, TargetSessionAttrs::ReadWrite).await;
    match (primary, target) {
        (Err(Fault::Lost(_)), Target::Any) => connect(place, TargetSessionAttrs::Any).await,
        (opened, _) => opened,
    }
}

/// Tries the hosts in their order, so that all processes take the same of two that would both do.
async fn connect(
    place: &Arc<Place>,
    target: TargetSessionAttrs,
) -> Result<(Session, UnboundedReceiver<Notification>), Fault> {
    let mut last = Fault::Lost("no host is named".to_owned());
    for mut config in hosts::each(&place.config) {
        config.target_session_attrs(target);
        match dial(place, &config).await {
            Ok(opened) => return Ok(opened),
            Err(fault) => last = fault,
        }
    }
    Err(last)
}

async fn dial(
    place: &Arc<Place>,
    config: &Config,
) -> Result<(Session, UnboundedReceiver<Notification>), Fault> {
    let (told, receiver) = unbounded_channel();
    let connecting = async {
        match place.tls.clone() {
            Some(tls) => start(config, tls, told).await,
            None => start(config, NoTls, told).await,
        }
    };
    // The configured time covers the socket alone; a server that was frozen accepts and stays silent.
    match tokio::time::timeout(place.patience(), connecting).await {
        Ok(Ok(client)) => {
            let place = Arc::clone(place);
            Ok((Session { client, place, statements: Mutex::default() }, receiver))
        }
        Ok(Err(error)) => Err(place.fault(&error)),
        Err(_) => Err(place.silent()),
    }
}

async fn start<T>(
    config: &Config,
    tls: T,
    told: UnboundedSender<Notification>,
) -> Result<Client, tokio_postgres::Error>
where
    T: MakeTlsConnect<Socket>,
    T::Stream: Send + 'static,
{
    let (client, mut connection) = config.connect(tls).await?;
    tokio::spawn(async move {
        while let Some(message) = poll_fn(|context| connection.poll_message(context)).await {
            match message {
                Ok(AsyncMessage::Notification(notification)) => drop(told.send(notification)),
                Ok(_) => {}
                Err(_) => break, // Whoever waits for an answer is told.
            }
        }
    });
    Ok(client)
}

impl std::fmt::Debug for Session {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Session").field("place", &self.place).finish_non_exhaustive()
    }
}

impl Session {
    /// Runs some statements that return nothing.
    pub(super) async fn batch(&self, sql: &str) -> Result<(), Fault> {
        self.client.batch_execute(sql).await.map_err(|error| self.place.fault(&error))
    }

    /// Runs a statement, prepared once in a session.
    pub(super) async fn query(
        &self,
        sql: &'static str,
        values: &[&(dyn ToSql + Sync)],
    ) -> Result<Vec<Row>, Fault> {
        let fault = |error: tokio_postgres::Error| self.place.fault(&error);
        let known = self.statements.lock().unwrap_or_else(PoisonError::into_inner).get(sql).cloned();
        let statement = if let Some(known) = known {
            known
        } else {
            let new = self.client.prepare(sql).await.map_err(fault)?;
            let mut statements = self.statements.lock().unwrap_or_else(PoisonError::into_inner);
            statements.insert(sql, new.clone());
            new
        };
        self.client.query(&statement, values).await.map_err(fault)
    }

    /// Runs a statement that returns exactly one row.
    pub(super) async fn one(&self, sql: &'static str, values: &[&(dyn ToSql + Sync)]) -> Result<Row, Fault> {
        let mut rows = self.query(sql, values).await?;
        match (rows.pop(), rows.is_empty()) {
            (Some(row), true) => Ok(row),
            _ => Err(self.place.unavailable("the server did not answer with one row").into()),
        }
    }

    /// Reads a column.
    pub(super) fn get<'r, T>(&self, row: &'r Row, name: &str) -> Result<T, Fault>
    where
        T: tokio_postgres::types::FromSql<'r>,
    {
        row.try_get(name)
            .map_err(|_| self.place.damaged(&format!("column {name} of an answer has another type")).into())
    }

    /// Where it is.
    pub(super) fn place(&self) -> &Place {
        &self.place
    }
}
