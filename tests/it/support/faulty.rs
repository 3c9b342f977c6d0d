//! A network that fails when it is told to: a proxy before a server on the loopback.

use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// What the network does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Weather {
    /// Passes everything on.
    Fair,
    /// Passes nothing on and says nothing. What was sent meanwhile arrives when it ends, as with TCP.
    Silent,
    /// Resets every connection, and each new one.
    Resets,
    /// Passes everything on, each time after a while.
    Slow(Duration),
}

/// The proxy.
pub(crate) struct Faulty {
    port: u16,
    weather: watch::Sender<Weather>,
}

impl Faulty {
    /// Starts one on a free port, before a port of the loopback.
    pub(crate) fn before(server: u16) -> Self {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let port = listener.local_addr().unwrap().port();
        let (weather, known) = watch::channel(Weather::Fair);
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(accept(listener, server, known));
        });
        Self { port, weather }
    }

    /// Port it listens on.
    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// Changes what the network does.
    pub(crate) fn turn(&self, weather: Weather) {
        self.weather.send_replace(weather);
    }
}

/// Accepts until the proxy is dropped.
async fn accept(listener: std::net::TcpListener, server: u16, mut weather: watch::Receiver<Weather>) {
    let listener = TcpListener::from_std(listener).unwrap();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            ended = dropped(weather.clone()) => return ended,
        };
        let Ok((client, _)) = accepted else { continue };
        if *weather.borrow_and_update() == Weather::Resets {
            let _ = client.set_zero_linger();
            continue;
        }
        let weather = weather.clone();
        tokio::spawn(async move {
            if let Ok(server) = TcpStream::connect(("127.0.0.1", server)).await {
                pass(client, server, weather).await;
            }
        });
    }
}

async fn dropped(mut weather: watch::Receiver<Weather>) {
    while weather.changed().await.is_ok() {}
}

async fn pass(client: TcpStream, server: TcpStream, weather: watch::Receiver<Weather>) {
    let _ = (client.set_nodelay(true), server.set_nodelay(true));
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = server.into_split();
    let mut resets = weather.clone();
    let reset = tokio::select! {
        () = one_way(&mut from_client, &mut to_server, weather.clone()) => false,
        () = one_way(&mut from_server, &mut to_client, weather) => false,
        _ = resets.wait_for(|weather| *weather == Weather::Resets) => true,
    };
    if reset {
        let _ = (to_client.as_ref().set_zero_linger(), to_server.as_ref().set_zero_linger());
    }
}

async fn one_way(from: &mut OwnedReadHalf, to: &mut OwnedWriteHalf, mut weather: watch::Receiver<Weather>) {
    let mut buffer = vec![0; 65_536];
    loop {
        let Ok(count @ 1..) = from.read(&mut buffer).await else { return };
        let Ok(now) = weather.wait_for(|weather| *weather != Weather::Silent).await.map(|now| *now) else {
            return;
        };
        if let Weather::Slow(by) = now {
            tokio::time::sleep(by).await;
        }
        if to.write_all(&buffer[..count]).await.is_err() {
            return;
        }
    }
}
