//! What all shards of a server share: small facts that change rarely. No connection or channel is here, and nothing on the path of a message.

use crate::clock::Millis;
use crate::config::Config;
use crate::http::pages::Pages;
use crate::random;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// Facts of the whole server.
#[derive(Debug)]
pub struct Shared {
    /// The configuration.
    pub config: Arc<Config>,
    /// Names this process.
    pub node: Arc<str>,
    /// Above so many connections upgrades are refused.
    pub connections_max: usize,
    /// The static pages.
    pub pages: Pages,
    epoch: Mutex<Arc<str>>,
    connections: AtomicUsize,
    not_ready: Mutex<Option<NotReady>>,
    stopping: AtomicBool,
}

/// The application is not ready.
#[derive(Clone, Copy, Debug)]
struct NotReady {
    until: Millis,
    retry_ms: u64,
}

/// A connection counted; dropping it counts it off.
#[derive(Debug)]
pub struct Counted(Arc<Shared>);

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.connections.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Shared {
    /// Of a server that starts. `descriptors`: how many files the process may open.
    pub fn new(config: Arc<Config>, pages: Pages, descriptors: u64) -> Arc<Self> {
        let allowed = usize::try_from(descriptors / 10 * 9).unwrap_or(usize::MAX);
        Arc::new(Self {
            connections_max: config.connections_max.unwrap_or(allowed),
            config,
            pages,
            node: random::name().into(),
            epoch: Mutex::new(random::name().into()),
            connections: AtomicUsize::new(0),
            not_ready: Mutex::new(None),
            stopping: AtomicBool::new(false),
        })
    }

    /// The application's epoch.
    pub fn epoch(&self) -> Arc<str> {
        self.epoch
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Begins a new application epoch, and returns it.
    pub fn renew_epoch(&self) -> Arc<str> {
        let epoch: Arc<str> = random::name().into();
        *self.epoch.lock().unwrap_or_else(PoisonError::into_inner) = epoch.clone();
        epoch
    }

    /// How many WebSockets are open.
    pub fn connections(&self) -> usize {
        self.connections.load(Ordering::Relaxed)
    }

    /// Counts a connection, or refuses it.
    pub fn count(self: &Arc<Self>) -> Option<Counted> {
        let before = self.connections.fetch_add(1, Ordering::Relaxed);
        let counted = Counted(self.clone());
        (before < self.connections_max).then_some(counted)
    }

    /// Whether another connection would be refused.
    pub fn is_full(&self) -> bool {
        self.connections() >= self.connections_max
    }

    /// For `duration`, every `hello` is sent away for `retry_ms`.
    pub fn set_not_ready(&self, duration: Duration, retry_ms: u64) {
        let until = Millis::now() + duration;
        *self
            .not_ready
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = Some(NotReady { until, retry_ms });
    }

    /// For how long to stay away, if the application is not ready.
    pub fn not_ready(&self) -> Option<u64> {
        let not_ready = *self
            .not_ready
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        not_ready
            .filter(|state| Millis::now() < state.until)
            .map(|state| state.retry_ms)
    }

    /// The server stops: nothing new is accepted.
    pub fn stop(&self) {
        self.stopping.store(true, Ordering::Relaxed);
    }

    /// Whether the server stops.
    pub fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Relaxed)
    }
}
