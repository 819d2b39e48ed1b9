//! A TCP relay in front of the server, to cut and to mute what runs through it.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// A relay to one server. Dropping it ends everything that runs through it.
#[derive(Debug)]
pub struct Relay {
    address: SocketAddr,
    /// Counts the cuts; every connection watches it.
    cuts: watch::Sender<u64>,
    mute: watch::Sender<bool>,
    listener: JoinHandle<()>,
}

impl Relay {
    /// Listens on a free port for connections to `server`.
    pub async fn to(server: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("it is bound");
        let (cuts, _) = watch::channel(0);
        let (mute, _) = watch::channel(false);
        let (watched, muted) = (cuts.clone(), mute.clone());
        let listener = tokio::spawn(async move {
            while let Ok((near, _)) = listener.accept().await {
                let (mut cut, muted) = (watched.subscribe(), muted.subscribe());
                tokio::spawn(async move {
                    // The sockets are dropped with what loses, which closes them.
                    tokio::select! {
                        // First: nothing that comes in after a cut passes, although the mute may be over by then.
                        biased;
                        _ = cut.changed() => {}
                        () = relay(near, server, muted) => {}
                    }
                });
            }
        });
        Self {
            address,
            cuts,
            mute,
            listener,
        }
    }

    /// The URL of the server's socket through the relay.
    pub fn url(&self) -> String {
        format!("ws://{}/ws", self.address)
    }

    /// Ends every connection; new ones pass.
    pub fn cut(&self) {
        self.cuts.send_modify(|cuts| *cuts += 1);
    }

    /// While `on`, swallows what the server sends, the end of a connection too. What clients send still arrives.
    pub fn mute(&self, on: bool) {
        self.mute.send_replace(on);
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.listener.abort();
        self.cut();
    }
}

async fn relay(near: TcpStream, server: SocketAddr, mut mute: watch::Receiver<bool>) {
    let Ok(far) = TcpStream::connect(server).await else {
        return;
    };
    // Kept until the end: dropping a half says so to its peer.
    let (mut near_read, mut near_write) = near.into_split();
    let (mut far_read, mut far_write) = far.into_split();
    let (_always, never) = watch::channel(false);
    tokio::select! {
        () = pump(&mut near_read, &mut far_write, never) => {}
        () = pump(&mut far_read, &mut near_write, mute.clone()) => {}
    }
    // Fails when the relay is gone, and then there is nothing to hide any more.
    let _ = mute.wait_for(|on| !on).await;
}

async fn pump(from: &mut OwnedReadHalf, to: &mut OwnedWriteHalf, mute: watch::Receiver<bool>) {
    let mut buffer = vec![0; 64 * 1024];
    while let Ok(count @ 1..) = from.read(&mut buffer).await {
        let muted = *mute.borrow();
        if !muted && to.write_all(&buffer[..count]).await.is_err() {
            return;
        }
    }
}
