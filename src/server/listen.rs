//! Accepts connections, with TLS or without, until told to end; then lets the open ones finish.

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::{Extension, Router};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tower::Layer;
use tower::util::MapRequest;

use super::state::Server;
use super::supervisor::BEAT;
use super::tls::Certificate;
use crate::app::{Error, exit};

/// How long a client may take for its handshake, and for the headers of a request.
const HEADERS_WITHIN: Duration = Duration::from_secs(10);
/// How long a client may take for its first request, its handshake included.
const FIRST_REQUEST_WITHIN: Duration = Duration::from_secs(15);
/// How often a client that speaks HTTP/2 is asked whether it is still there.
const ALIVE_EVERY: Duration = Duration::from_secs(30);
/// How long open requests are waited for at the end.
const LAST_REQUESTS_WITHIN: Duration = Duration::from_secs(5);

/// Who is at the other end of a connection.
#[derive(Debug, Clone, Copy)]
pub(super) struct Peer(pub SocketAddr);

/// A socket that listens.
pub(super) struct Listener {
    socket: TcpListener,
    address: SocketAddr,
    certificate: Option<Arc<Certificate>>,
    permits: Arc<Semaphore>,
    server: Arc<Server>,
}

impl Listener {
    /// Begins to listen.
    ///
    /// # Errors
    /// When the address cannot be used, or the certificate cannot be read.
    pub(super) async fn bind(server: &Arc<Server>) -> Result<Self, Error> {
        let section = server.config();
        let certificate = section.tls.as_ref().map(Certificate::read).transpose()?.map(Arc::new);
        let refuse = |error: std::io::Error| {
            Error::new(exit::UNREACHABLE, format!("cannot listen on {}: {error}", section.listen))
                .help("[server] listen of drctl.toml, or --listen, names address and port")
        };
        let socket = TcpListener::bind(&section.listen).await.map_err(refuse)?;
        let address = socket.local_addr().map_err(refuse)?;
        if certificate.is_none() && !address.ip().is_loopback() {
            tracing::warn!(%address, "listens beyond this machine without TLS: tokens can be read on the way");
        }
        let permits = Arc::new(Semaphore::new(section.max_connections));
        Ok(Self { socket, address, certificate, permits, server: Arc::clone(server) })
    }

    /// Where it listens.
    pub(super) const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves until the future ends, and then what is open.
    ///
    /// # Errors
    /// Never; connections that fail end alone.
    pub(super) async fn serve(self, router: Router, end: impl Future<Output = ()>) -> Result<(), Error> {
        let graceful = GracefulShutdown::new();
        let mut beat = tokio::time::interval(BEAT);
        tokio::pin!(end);
        loop {
            let accepted = tokio::select! {
                () = &mut end => break,
                _ = beat.tick() => {
                    self.server.pulse.beat();
                    continue;
                }
                accepted = self.accept() => accepted,
            };
            let Some((stream, address, permit)) = accepted else { continue };
            let (router, watcher) = (router.clone(), graceful.watcher());
            tokio::spawn(connection(
                stream,
                Peer(address),
                self.certificate.clone(),
                router,
                watcher,
                permit,
            ));
        }
        drop(self.socket);
        self.server.end();
        if tokio::time::timeout(LAST_REQUESTS_WITHIN, graceful.shutdown()).await.is_err() {
            tracing::warn!("some connections did not end in time");
        }
        Ok(())
    }

    async fn accept(&self) -> Option<(TcpStream, SocketAddr, OwnedSemaphorePermit)> {
        // Nobody is refused: who comes when all are taken waits in the queue of the system.
        let permit = Arc::clone(&self.permits).acquire_owned().await.ok()?;
        match self.socket.accept().await {
            Ok((stream, address)) => Some((stream, address, permit)),
            Err(error) => {
                tracing::warn!(%error, "a connection cannot be accepted");
                // Too many open files does not go away by asking again at once.
                tokio::time::sleep(Duration::from_millis(100)).await;
                None
            }
        }
    }
}

async fn connection(
    stream: TcpStream,
    peer: Peer,
    certificate: Option<Arc<Certificate>>,
    router: Router,
    watcher: Watcher,
    _permit: OwnedSemaphorePermit,
) {
    let _ = stream.set_nodelay(true);
    let asked = Arc::new(AtomicBool::new(false));
    let seen = Arc::clone(&asked);
    let noted = MapRequest::new(Extension(peer).layer(router), move |request| {
        seen.store(true, Ordering::Relaxed);
        request
    });
    let service = TowerToHyperService::new(noted);
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder.http1().timer(TokioTimer::new()).header_read_timeout(HEADERS_WITHIN);
    let mut h2 = builder.http2();
    h2.timer(TokioTimer::new()).max_concurrent_streams(256);
    h2.keep_alive_interval(ALIVE_EVERY).keep_alive_timeout(HEADERS_WITHIN);
    let serving = async {
        match certificate {
            None => watcher.watch(builder.serve_connection(TokioIo::new(stream), service)).await,
            Some(certificate) => {
                let handshake = certificate.acceptor().accept(stream);
                let Ok(Ok(stream)) = tokio::time::timeout(HEADERS_WITHIN, handshake).await else {
                    return Ok(());
                };
                watcher.watch(builder.serve_connection(TokioIo::new(stream), service)).await
            }
        }
    };
    tokio::select! {
        ended = serving => if let Err(error) = ended {
            tracing::debug!(peer = %peer.0, error = %error, "connection ended");
        },
        // Whoever asks for nothing takes a place from those who do.
        () = silent(&asked) => tracing::debug!(peer = %peer.0, "connection without a request"),
    }
}

/// Ends when nothing was asked in time.
async fn silent(asked: &AtomicBool) {
    tokio::time::sleep(FIRST_REQUEST_WITHIN).await;
    if asked.load(Ordering::Relaxed) {
        std::future::pending::<()>().await;
    }
}

/// Ends when the process is told to end.
pub(super) async fn told_to_end() {
    let (Ok(mut terminate), Ok(mut interrupt)) =
        (signal(SignalKind::terminate()), signal(SignalKind::interrupt()))
    else {
        return std::future::pending().await;
    };
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    tracing::info!("told to end: no new runs, running steps are recorded");
}
