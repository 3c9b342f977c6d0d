//! A proxy before a server that can swallow an answer: the server has done what was asked, and nobody hears
//! of it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

pub(super) struct Proxy {
    port: u16,
    state: Arc<State>,
}

#[derive(Default)]
struct State {
    swallow: AtomicBool,
    swallowed: AtomicU64,
}

impl Proxy {
    /// Starts one on a free port.
    pub(super) fn start(server: u16) -> Self {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let port = listener.local_addr().unwrap().port();
        let state = Arc::new(State::default());
        let shared = Arc::clone(&state);
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async move {
                let listener = TcpListener::from_std(listener).unwrap();
                while let Ok((client, _)) = listener.accept().await {
                    let shared = Arc::clone(&shared);
                    tokio::spawn(async move {
                        let server = TcpStream::connect(("127.0.0.1", server)).await.unwrap();
                        pass(client, server, &shared).await;
                    });
                }
            });
        });
        Self { port, state }
    }

    pub(super) fn port(&self) -> u16 {
        self.port
    }

    /// The next thing the server says ends its session and reaches nobody.
    pub(super) fn swallow_next_answer(&self) {
        self.state.swallow.store(true, Ordering::SeqCst);
    }

    /// Answers swallowed so far.
    pub(super) fn swallowed(&self) -> u64 {
        self.state.swallowed.load(Ordering::SeqCst)
    }
}

async fn pass(client: TcpStream, server: TcpStream, state: &State) {
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = server.into_split();
    let asked = async { tokio::io::copy(&mut from_client, &mut to_server).await.map(|_| ()) };
    let told = async {
        let mut buffer = vec![0; 65_536];
        loop {
            let count = from_server.read(&mut buffer).await?;
            if count == 0 {
                return Ok::<_, std::io::Error>(());
            }
            if state.swallow.swap(false, Ordering::SeqCst) {
                state.swallowed.fetch_add(1, Ordering::SeqCst);
                return Ok(());
            }
            to_client.write_all(&buffer[..count]).await?;
        }
    };
    tokio::select! {
        _ = asked => {}
        _ = told => {}
    }
}
