//! Random histories against a model server: whatever happens, order, no repeats, no silent hole, and an attempt
//! always follows.

use proptest::prelude::*;

use super::*;

/// One thing that happens.
#[derive(Clone, Debug)]
enum Step {
    /// The server publishes so many.
    Publish(u8),
    /// So much of what the server has sent arrives.
    Arrive(u8),
    /// One publication on its way is lost, which no TCP does: a server that skips.
    Skip,
    Close(u16),
    /// The server's history begins anew.
    Forget,
    /// The server forgets the oldest of its history.
    Trim(u8),
    Wait(u16),
    Page(u8),
    Retry,
    /// The dial is answered, if there is one.
    Welcome,
    Resubscribe,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let codes = prop::sample::select(vec![1000, 1001, 1006, 1011, 1013, 4101, 4201, 4203, 4310]);
    let step = prop_oneof![
        6 => (0..6u8).prop_map(Step::Publish),
        8 => (0..8u8).prop_map(Step::Arrive),
        1 => Just(Step::Skip),
        2 => codes.prop_map(Step::Close),
        1 => Just(Step::Forget),
        2 => (0..6u8).prop_map(Step::Trim),
        4 => (0..3_000u16).prop_map(Step::Wait),
        2 => (0..8u8).prop_map(Step::Page),
        1 => Just(Step::Retry),
        6 => Just(Step::Welcome),
        1 => Just(Step::Resubscribe),
    ];
    prop::collection::vec(step, 1..120)
}

/// What the server would send on one channel.
#[derive(Clone, Copy, Debug)]
enum Sent {
    Message(u64),
    Live,
    Answer(Id, Answer),
}

#[derive(Clone, Copy, Debug)]
enum Answer {
    Joined(Joined),
    /// `history` up to this offset, exclusive.
    History(u64, u64),
    Plain,
}

struct Model {
    script: Script,
    slot: Slot,
    epoch: u32,
    top: u64,
    /// First offset that history still has.
    oldest: u64,
    subscribed: bool,
    wire: std::collections::VecDeque<Sent>,
    held: Vec<u64>,
    /// What the page was given since it last was told of a gap that nobody knows the end of.
    delivered: u64,
    live_socket: Option<SocketId>,
    last_dial: Option<Millis>,
    state: State,
}

impl Model {
    fn new() -> Self {
        let mut script = Script::new(config());
        let slot = script.session.subscribe(script.now, 11);
        script.session.start(script.now);
        let mut model = Self {
            script,
            slot,
            epoch: 100,
            top: 0,
            oldest: 1,
            subscribed: false,
            wire: Default::default(),
            held: Vec::new(),
            delivered: 0,
            live_socket: None,
            last_dial: None,
            state: State::Connecting,
        };
        model.drain();
        model
    }

    fn drain(&mut self) {
        while let Some(output) = self.script.session.poll_output() {
            match output {
                Output::Open(socket) => {
                    assert_eq!(self.live_socket, None, "one socket at a time");
                    if let Some(last) = self.last_dial.replace(self.script.now) {
                        assert!(self.script.now - last >= ATTEMPT_FLOOR_MS);
                    }
                    self.live_socket = Some(socket);
                    self.script.socket = socket;
                }
                Output::Abandon(socket) => {
                    assert_eq!(self.live_socket.take(), Some(socket));
                    self.cut();
                }
                Output::Subscribe { id, .. } => {
                    let position = self.script.session.position(self.slot);
                    let joined = self.join(position);
                    self.wire
                        .push_back(Sent::Answer(id, Answer::Joined(joined)));
                    self.replay(joined);
                }
                Output::Unsubscribe { id, .. } => {
                    self.subscribed = false;
                    self.wire.push_back(Sent::Answer(id, Answer::Plain));
                }
                Output::History {
                    id, after, before, ..
                } => {
                    let from = (after + 1).max(self.oldest);
                    // The answer is cut short, as a real one is.
                    let until = before.min(from + 3);
                    self.wire
                        .push_back(Sent::Answer(id, Answer::History(from, until)));
                }
                Output::Release(_) => {
                    for offset in core::mem::take(&mut self.held) {
                        let now = self.script.now;
                        let verdict = self.script.session.accept_held(now, self.slot, offset);
                        self.judge(offset, verdict);
                    }
                }
                Output::Discard(_) => self.held.clear(),
                Output::Event(Event::Gap { slot, from, to, .. }) if slot == self.slot => {
                    assert_eq!(
                        from,
                        self.delivered + 1,
                        "a gap begins where delivery ended"
                    );
                    match to {
                        Some(to) => {
                            assert!(to >= from, "a gap has a range");
                            self.delivered = to;
                        }
                        // Of a new incarnation the session tells where it begins.
                        None => {
                            let position = self.script.session.position(slot);
                            self.delivered = position.expect("joined").offset;
                        }
                    }
                }
                Output::Event(Event::State {
                    state, previous, ..
                }) => {
                    assert_eq!(previous, self.state);
                    assert_ne!(state, previous, "transitions only");
                    self.state = state;
                }
                _ => {}
            }
        }
        assert!(
            self.script.session.poll_timeout().is_some(),
            "an attempt always follows"
        );
    }

    fn join(&mut self, position: Option<Position>) -> Joined {
        self.subscribed = true;
        let epoch = Epoch(self.epoch);
        let since = match position {
            Some(at) if at.epoch == epoch => at.offset.max(self.oldest - 1),
            Some(_) => self.oldest - 1,
            None => self.top,
        };
        Joined {
            epoch,
            since,
            offset: self.top,
        }
    }

    fn replay(&mut self, joined: Joined) {
        if joined.since < joined.offset {
            self.wire
                .extend((joined.since + 1..=joined.offset).map(Sent::Message));
            self.wire.push_back(Sent::Live);
        }
    }

    fn cut(&mut self) {
        self.wire.clear();
        self.subscribed = false;
    }

    fn welcome(&mut self) {
        if self.script.session.state() == State::Connected || self.live_socket.is_none() {
            return;
        }
        let rejoining: Vec<_> = self.script.session.rejoining().collect();
        let socket = self.script.socket;
        self.script.session.handle_opened(socket);
        let now = self.script.now;
        if !self.script.session.handle_welcome(now, socket, welcome()) {
            return;
        }
        for (slot, position) in rejoining {
            let joined = self.join(position);
            let first = position.is_none();
            self.script.session.handle_joined(slot, joined);
            self.drain();
            if first {
                self.delivered = joined.since;
            }
            self.replay(joined);
        }
        self.script.session.handle_welcomed(now);
    }

    fn arrive(&mut self) {
        let Some(sent) = self.wire.pop_front() else {
            return;
        };
        let now = self.script.now;
        let socket = self.script.socket;
        self.script.session.handle_alive(now, socket);
        match sent {
            Sent::Message(offset) => {
                let verdict = self.script.session.accept(now, self.slot, offset);
                self.judge(offset, verdict);
            }
            Sent::Live => self.script.session.handle_live(now, self.slot),
            Sent::Answer(id, answer) => {
                let mut joined = None;
                match answer {
                    Answer::Joined(answer) => {
                        joined = Some(answer);
                        if self.script.session.position(self.slot).is_none() {
                            self.delivered = answer.since;
                        }
                    }
                    Answer::History(from, until) => {
                        for offset in from..until {
                            let verdict = self.script.session.accept_held(now, self.slot, offset);
                            self.judge(offset, verdict);
                        }
                    }
                    Answer::Plain => {}
                }
                self.script.session.handle_ok(now, id, joined, 0, false);
            }
        }
    }

    fn judge(&mut self, offset: u64, verdict: Verdict) {
        if verdict == Verdict::Hold {
            self.held.push(offset);
        }
        self.drain();
        if verdict == Verdict::Again {
            let verdict = self
                .script
                .session
                .accept_held(self.script.now, self.slot, offset);
            self.judge(offset, verdict);
        }
        if verdict == Verdict::Deliver {
            assert_eq!(
                offset,
                self.delivered + 1,
                "in order, without repeats or silent holes"
            );
            self.delivered = offset;
        }
    }

    fn run(&mut self, step: &Step) {
        let now = self.script.now;
        match *step {
            Step::Publish(count) => {
                for _ in 0..count {
                    self.top += 1;
                    if self.subscribed {
                        self.wire.push_back(Sent::Message(self.top));
                    }
                }
            }
            Step::Arrive(count) => (0..count).for_each(|_| self.arrive()),
            Step::Skip => {
                if let Some(Sent::Message(_)) = self.wire.front() {
                    self.wire.pop_front();
                }
            }
            Step::Close(code) => {
                if self.live_socket.take().is_some() {
                    self.cut();
                    self.script.close(code);
                }
            }
            Step::Forget => {
                if !self.subscribed {
                    self.epoch += 1;
                    self.top = 0;
                    self.oldest = 1;
                }
            }
            Step::Trim(count) => self.oldest = (self.oldest + u64::from(count)).min(self.top + 1),
            Step::Wait(ms) => self.script.wait(u64::from(ms)),
            Step::Page(event) => {
                let event = [
                    PageEvent::Online,
                    PageEvent::Offline,
                    PageEvent::Visible,
                    PageEvent::Hidden,
                    PageEvent::Freeze,
                    PageEvent::Resume,
                    PageEvent::Cached,
                    PageEvent::Restored,
                ][usize::from(event)];
                self.script.session.handle_page(now, event);
            }
            Step::Retry => self.script.session.retry(now),
            Step::Welcome => self.welcome(),
            Step::Resubscribe => {
                if self.script.session.is_joined(self.slot) {
                    self.script.session.unsubscribe(now, self.slot);
                    self.drain();
                    self.wire.retain(|sent| matches!(sent, Sent::Answer(..)));
                    self.held.clear();
                    self.slot = self.script.session.subscribe(now, 11);
                }
            }
        }
        self.drain();
    }

    /// Once faults stop: online, welcomed, everything arrived.
    fn settle(&mut self) {
        self.run(&Step::Page(0));
        for round in 0..200 {
            if round == 100 {
                // A skip at the very end shows with the next publication only.
                self.run(&Step::Publish(1));
            }
            let deadline = self.script.session.poll_timeout().expect("a deadline");
            if self.state != State::Connected {
                if self.live_socket.is_none() {
                    self.script.wait(deadline - self.script.now);
                    self.drain();
                }
                self.run(&Step::Welcome);
            }
            self.run(&Step::Arrive(200));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_500, ..ProptestConfig::default() })]

    #[test]
    fn nothing_is_lost_in_silence_and_nothing_comes_twice(steps in steps()) {
        let mut model = Model::new();
        for step in &steps {
            model.run(step);
        }
        model.settle();
        prop_assert_eq!(model.state, State::Connected);
        prop_assert_eq!(model.delivered, model.top, "all converge once faults stop");
        prop_assert!(model.script.session.outage().is_none());
    }
}
