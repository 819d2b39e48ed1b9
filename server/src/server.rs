//! The server as a library: bind, start, tell, stop.

use crate::broker::ShardSet;
use crate::config::{Config, limits};
use crate::http::pages::Pages;
use crate::node::{InboxSender, Message};
use crate::shard::{self, Parts};
use crate::shared::Shared;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::thread::JoinHandle;
use tokio::net::TcpSocket;
use tokio::runtime::Builder;
use tokio::sync::mpsc;

/// A server whose port is taken and that accepts as soon as it is started.
#[derive(Debug)]
pub struct Server {
    shared: Arc<Shared>,
    listeners: Vec<TcpListener>,
    address: SocketAddr,
}

/// Why a server cannot begin.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// The address cannot be listened on; another server has it, or it is not this machine's.
    #[error("cannot listen on {address}: {}", explain(source))]
    Listen {
        /// What was asked for.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// A thread could not be started.
    #[error("cannot start a thread: {0}")]
    Thread(#[source] io::Error),
}

fn explain(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::AddrInUse => {
            "the port is in use, perhaps by another Rejoin; choose one by --listen".into()
        }
        io::ErrorKind::PermissionDenied => "not permitted; ports below 1024 need privileges".into(),
        _ => error.to_string(),
    }
}

impl Server {
    /// Takes the port. `descriptors`: how many files the process may open, which bounds the connections.
    ///
    /// # Errors
    /// [`StartError::Listen`] when the address cannot be had.
    pub fn bind(mut config: Config, pages: Pages, descriptors: u64) -> Result<Self, StartError> {
        config.shards = config.shards.clamp(1, ShardSet::MAX);
        let wrong = |source| StartError::Listen {
            address: config.listen,
            source,
        };
        let listeners = listen(config.listen, config.shards).map_err(wrong)?;
        let address = listeners[0].local_addr().map_err(wrong)?;
        let shared = Shared::new(Arc::new(config), pages, descriptors);
        Ok(Self {
            shared,
            listeners,
            address,
        })
    }

    /// Where it listens, with the real port.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Starts the threads.
    ///
    /// # Errors
    /// [`StartError::Thread`].
    pub fn start(self) -> Result<Running, StartError> {
        let count = self.listeners.len();
        let (inboxes, receivers): (Vec<_>, Vec<_>) = (0..count)
            .map(|_| mpsc::channel(limits::INBOX_BATCHES))
            .unzip();
        let mut threads = Vec::with_capacity(count);
        for (shard, (listener, inbox)) in self.listeners.into_iter().zip(receivers).enumerate() {
            let parts = Parts {
                shard,
                shared: self.shared.clone(),
                listener,
                inbox,
                inboxes: inboxes.clone(),
            };
            let thread = std::thread::Builder::new().name(format!("shard-{shard}"));
            threads.push(
                thread
                    .spawn(move || shard::run(parts))
                    .map_err(StartError::Thread)?,
            );
        }
        Ok(Running {
            shared: self.shared,
            address: self.address,
            inboxes,
            threads,
        })
    }
}

/// Binds one listener for each shard. They share the port by `SO_REUSEPORT`, which would also let a second server share it without a word: so
/// the port is first bound plainly.
fn listen(address: SocketAddr, count: usize) -> io::Result<Vec<TcpListener>> {
    let runtime = Builder::new_current_thread().enable_io().build()?;
    let _entered = runtime.enter();
    let plain = bind(address, false)?;
    if count == 1 {
        return Ok(vec![plain]);
    }
    let address = plain.local_addr()?;
    drop(plain);
    (0..count).map(|_| bind(address, true)).collect()
}

fn bind(address: SocketAddr, shared: bool) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() {
        TcpSocket::new_v4()?
    } else {
        TcpSocket::new_v6()?
    };
    socket.set_reuseaddr(true)?;
    socket.set_reuseport(shared)?;
    socket.bind(address)?;
    socket.listen(limits::BACKLOG)?.into_std()
}

/// A server that accepts connections.
#[derive(Debug)]
pub struct Running {
    shared: Arc<Shared>,
    address: SocketAddr,
    inboxes: Vec<InboxSender>,
    threads: Vec<JoinHandle<io::Result<()>>>,
}

impl Running {
    /// Where it listens, with the real port.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Announces a new application epoch to everybody, and returns it.
    pub async fn reinit(&self) -> Arc<str> {
        let epoch = self.shared.renew_epoch();
        let window = self.shared.config.connection.reinit_window;
        for inbox in &self.inboxes {
            let epoch = epoch.clone();
            let message = Message::Run(Box::new(move |node| {
                node.reinit(epoch, window);
            }));
            drop(inbox.send(vec![message]).await);
        }
        epoch
    }

    /// Stops politely: accepts nothing more, tells everybody when to come back, and waits until they are gone, 1.5 s at most.
    pub async fn stop(self) {
        self.shared.stop();
        for inbox in &self.inboxes {
            drop(inbox.send(vec![shard::stop()]).await);
        }
        drop(self.inboxes);
        let join = move || {
            for thread in self.threads {
                drop(thread.join());
            }
        };
        drop(tokio::task::spawn_blocking(join).await);
    }
}
