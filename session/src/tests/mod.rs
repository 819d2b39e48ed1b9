//! Scripts: one input after another, and what the session makes of it.

mod causes;
mod channels;
mod chaos;

mod rejoining;

use super::*;

pub(super) const SEED: u64 = 7;
pub(super) const STANDING: Window = Window { min: 0, max: 500 };
pub(super) const APP: Epoch = Epoch(1);
pub(super) const NODE: Epoch = Epoch(2);
pub(super) const HISTORY: Epoch = Epoch(3);

pub(super) fn config() -> Config {
    Config {
        backoff: Backoff {
            base: 100,
            cap: 1_000,
        },
        connect_timeout: 750,
        probe_timeout: 2_000,
        token: false,
        health: true,
        witness: false,
        outbox: OutboxLimits {
            count: 10,
            bytes: 1_000,
        },
    }
}

pub(super) fn welcome() -> Welcome {
    Welcome {
        epoch: APP,
        node: NODE,
        ping: 500,
        grace: 750,
        retry: STANDING,
    }
}

/// A session with a clock, and short words for what tests do with it.
pub(super) struct Script {
    pub(super) session: Session,
    pub(super) now: Millis,
    /// The last socket that was asked for, and the last probe.
    pub(super) socket: SocketId,
    pub(super) probe: u32,
}

impl Script {
    pub(super) fn new(config: Config) -> Self {
        Self {
            session: Session::new(config, SEED, true, true),
            now: Millis(1_000),
            socket: SocketId(0),
            probe: 0,
        }
    }

    /// Connected, with one channel at an offset of [`HISTORY`].
    pub(super) fn online(offset: u64) -> (Self, Slot) {
        Self::online_with(config(), offset)
    }

    pub(super) fn online_with(config: Config, offset: u64) -> (Self, Slot) {
        let mut script = Self::new(config);
        let slot = script.session.subscribe(script.now, 11);
        script.session.start(script.now);
        script.drain();
        script.connect(&[(slot, offset, offset)]);
        script.drain();
        (script, slot)
    }

    pub(super) fn drain(&mut self) -> Vec<Output> {
        let outputs: Vec<_> = core::iter::from_fn(|| self.session.poll_output()).collect();
        for output in &outputs {
            match output {
                Output::Open(socket) => self.socket = *socket,
                Output::Probe(probe) => self.probe = *probe,
                _ => {}
            }
        }
        outputs
    }

    pub(super) fn events(&mut self) -> Vec<Event> {
        let events = self.drain().into_iter().filter_map(|output| match output {
            Output::Event(event) => Some(event),
            _ => None,
        });
        events.collect()
    }

    /// The current dial is opened and welcomed; each channel with its `since` and `offset`.
    pub(super) fn connect(&mut self, channels: &[(Slot, u64, u64)]) {
        self.connect_as(welcome(), channels);
    }

    pub(super) fn connect_as(&mut self, welcome: Welcome, channels: &[(Slot, u64, u64)]) {
        let socket = self.socket;
        self.session.handle_opened(socket);
        assert!(self.session.handle_welcome(self.now, socket, welcome));
        for &(slot, since, offset) in channels {
            let joined = Joined {
                epoch: HISTORY,
                since,
                offset,
            };
            self.session.handle_joined(slot, joined);
        }
        self.session.handle_welcomed(self.now);
    }

    pub(super) fn close(&mut self, code: u16) {
        let socket = self.socket;
        self.session.handle_closed(self.now, socket, code);
    }

    pub(super) fn wait(&mut self, ms: u64) {
        self.now = self.now + ms;
        self.session.handle_timeout(self.now);
    }

    /// Goes to the next deadline. Returns how far it was.
    pub(super) fn wait_for_deadline(&mut self) -> u64 {
        let deadline = self.session.poll_timeout().expect("a deadline");
        let ms = deadline - self.now;
        self.wait(ms);
        ms
    }

    pub(super) fn cause(&self) -> (Cause, Confidence) {
        let outage = self.session.outage().expect("an outage");
        (outage.cause, outage.confidence)
    }
}

/// Where in `outputs` the dial is.
pub(super) fn dials(outputs: &[Output]) -> usize {
    let dial = |output: &&Output| matches!(output, Output::Open(_));
    outputs.iter().filter(dial).count()
}
