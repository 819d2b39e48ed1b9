//! One thread of the server: a current-thread runtime with its listener, its connections and its node. Connections never move.

use crate::config::limits;
use crate::connection::handle::End;
use crate::http;
use crate::node::{Inbox, InboxSender, Message, Node};
use crate::shared::Shared;
use rejoin_protocol::CloseCode;
use std::io;
use std::net::TcpListener as StdListener;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::runtime::Builder;
use tokio::task::{LocalSet, spawn_local};
use tokio::time::{sleep, timeout};

/// How long accepting rests when the process has no descriptors left.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// What a shard needs to begin.
#[derive(Debug)]
pub(crate) struct Parts {
    pub(crate) shard: usize,
    pub(crate) shared: Arc<Shared>,
    pub(crate) listener: StdListener,
    pub(crate) inbox: Inbox,
    /// The way to every shard, itself included.
    pub(crate) inboxes: Vec<InboxSender>,
}

/// Runs a shard on this thread until the server stops.
///
/// # Errors
/// The runtime or the listener could not be set up.
pub(crate) fn run(parts: Parts) -> io::Result<()> {
    let runtime = Builder::new_current_thread().enable_all().build()?;
    LocalSet::new().block_on(&runtime, serve(parts))
}

async fn serve(parts: Parts) -> io::Result<()> {
    let Parts {
        shard,
        shared,
        listener,
        inbox,
        inboxes,
    } = parts;
    let listener = TcpListener::from_std(listener)?;
    let node = Node::new(shard, shared);
    spawn_local(node.clone().flush_turns());
    spawn_local(node.clone().inbox_turns(inbox));
    spawn_local(node.clone().housekeeping_turns());
    for (other, sender) in inboxes
        .into_iter()
        .enumerate()
        .filter(|(other, _)| *other != shard)
    {
        spawn_local(node.clone().carry_turns(other, sender));
    }
    tokio::select! {
        () = accept(&node, &listener) => {}
        () = node.stopped() => {}
    }
    drop(listener);
    let window = Some(node.config.connection.restart_window);
    let end = End {
        window,
        ..End::new(CloseCode::RESTART, "restart")
    };
    if timeout(limits::STOP, node.end_all(&end)).await.is_err() {
        tracing::warn!(shard, "some connections did not end in time");
    }
    Ok(())
}

async fn accept(node: &Rc<Node>, listener: &TcpListener) {
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => {
                // Frames are joined before they are written; what is written should go at once.
                drop(stream.set_nodelay(true));
                spawn_local(http::serve(node.clone(), stream, peer));
            }
            Err(error) => {
                tracing::warn!(%error, "cannot accept a connection");
                sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

/// The message that makes a shard stop.
pub(crate) fn stop() -> Message {
    Message::Run(Box::new(|node| node.stop()))
}
