//! Certificate and key of the server, read again when their files change. A renewal that cannot be read
//! leaves the old certificate in force.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use rustls::ServerConfig;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::TlsAcceptor;

use crate::app::{Error, exit};
use crate::config::TlsFiles;

/// How often the files are looked at.
const LOOK: Duration = Duration::from_secs(5);

/// The certificate in force.
pub(super) struct Certificate {
    files: TlsFiles,
    state: Mutex<State>,
}

struct State {
    acceptor: TlsAcceptor,
    looked: Instant,
    changed: [Option<SystemTime>; 2],
}

impl Certificate {
    /// Reads certificate and key.
    ///
    /// # Errors
    /// When they cannot be read or do not fit each other.
    pub(super) fn read(files: &TlsFiles) -> Result<Self, Error> {
        let state = State { acceptor: acceptor(files)?, looked: Instant::now(), changed: changed(files) };
        Ok(Self { files: files.clone(), state: Mutex::new(state) })
    }

    /// What new connections are accepted with.
    pub(super) fn acceptor(&self) -> TlsAcceptor {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.looked.elapsed() >= LOOK {
            state.looked = Instant::now();
            let changed = changed(&self.files);
            if changed != state.changed {
                state.changed = changed;
                match acceptor(&self.files) {
                    Ok(acceptor) => {
                        tracing::info!("the certificate has changed and is in force");
                        state.acceptor = acceptor;
                    }
                    Err(error) => {
                        tracing::error!(error = %error.message, "the old certificate stays in force");
                    }
                }
            }
        }
        state.acceptor.clone()
    }
}

fn changed(files: &TlsFiles) -> [Option<SystemTime>; 2] {
    let of = |path: &Path| std::fs::metadata(path).and_then(|data| data.modified()).ok();
    [of(&files.certificate), of(&files.key)]
}

fn acceptor(files: &TlsFiles) -> Result<TlsAcceptor, Error> {
    let refuse = |path: &Path, error: &dyn std::fmt::Display| {
        Error::new(exit::USAGE, format!("[server] tls: {}: {error}", path.display()))
    };
    let chain = CertificateDer::pem_file_iter(&files.certificate)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|error| refuse(&files.certificate, &error))?;
    let key = PrivateKeyDer::from_pem_file(&files.key).map_err(|error| refuse(&files.key, &error))?;
    let _ = rustls::crypto::ring::default_provider().install_default();
    let mut config = ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .map_err(|error| refuse(&files.certificate, &error))?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(TlsAcceptor::from(Arc::new(config)))
}
