use super::*;
use proptest::prelude::*;

fn decode(text: &str) -> Result<Command<'_>, DecodeError> {
    static LIMITS: std::sync::LazyLock<Limits> = std::sync::LazyLock::new(Limits::default);
    let mut commands = Commands::decode(text, &LIMITS)?;
    let first = commands.next().expect("one command");
    assert!(commands.next().is_none());
    first
}

fn bad(text: &str) -> BadCommand {
    match decode(text) {
        Err(DecodeError::Command(bad)) => bad,
        other => panic!("{text}: {other:?}"),
    }
}

fn fatal(text: &str) -> FrameError {
    match decode(text) {
        Err(DecodeError::Frame(error)) => error,
        other => panic!("{text}: {other:?}"),
    }
}

#[test]
fn frames_that_end_the_connection() {
    assert_eq!(fatal("nonsense"), FrameError::NotJson);
    assert_eq!(fatal(""), FrameError::NotJson);
    assert_eq!(fatal("{\"type\":\"ping\""), FrameError::NotJson);
    assert_eq!(fatal("{\"type\":\"ping\"} x"), FrameError::NotJson);
    assert_eq!(fatal("[{\"type\":\"ping\"}"), FrameError::NotJson);
    assert_eq!(fatal("1"), FrameError::NotObject);
    assert_eq!(fatal("[1]"), FrameError::NotObject);
    assert_eq!(fatal("[[]]"), FrameError::NotObject);
    assert_eq!(fatal("{}"), FrameError::NoType);
    assert_eq!(fatal("{\"type\":7}"), FrameError::NoType);
    assert_eq!(
        fatal("{\"type\":\"hello\"}"),
        FrameError::Hello("\"client\" is missing".into())
    );
    assert!(matches!(
        fatal(r#"{"type":"hello","client":""}"#),
        FrameError::Hello(_)
    ));
    assert!(matches!(
        fatal(r#"{"type":"hello","client":"c","channels":[{}]}"#),
        FrameError::Hello(_)
    ));
    let info = format!(
        r#"{{"type":"hello","client":"c","info":{{"a":"{}"}}}}"#,
        "x".repeat(1024)
    );
    assert_eq!(fatal(&info).close_code(), CloseCode::TOO_LARGE);
}

#[test]
fn nesting_is_told_apart_and_costs_no_stack() {
    let deep = "[".repeat(400_000) + &"]".repeat(400_000);
    assert_eq!(
        fatal(&format!(r#"{{"type":"ping","x":{deep}}}"#)),
        FrameError::TooDeep
    );
    let publish = format!(r#"{{"type":"publish","id":1,"channel":"a","data":{deep}}}"#);
    assert_eq!(bad(&publish).code, ErrorCode::TooLarge);
    assert_eq!(fatal(&deep), FrameError::NotObject);
    let allowed = "[".repeat(64) + &"]".repeat(64);
    assert!(
        decode(&format!(
            r#"{{"type":"publish","channel":"a","data":{allowed}}}"#
        ))
        .is_ok()
    );
}

#[test]
fn bad_members_are_answered() {
    assert_eq!(
        bad(r#"{"type":"later","id":8}"#).code,
        ErrorCode::UnknownType
    );
    assert_eq!(
        bad(r#"{"type":"subscribe","id":1,"channel":"no spaces"}"#).code,
        ErrorCode::BadChannel
    );
    assert_eq!(bad(r#"{"type":"subscribe","channel":"a"}"#).id, None);
    assert_eq!(
        bad(r#"{"type":"subscribe","id":-1,"channel":"a"}"#).id,
        None
    );
    assert_eq!(
        bad(r#"{"type":"subscribe","id":9007199254740992,"channel":"a"}"#).id,
        None
    );
    assert!(!bad(r#"{"type":"publish","channel":"a"}"#).answer);
    for text in [
        r#"{"type":"subscribe","id":1,"channel":7}"#,
        r#"{"type":"subscribe","id":1,"channel":"a","epoch":"e"}"#,
        r#"{"type":"subscribe","id":1,"channel":"a","epoch":"","offset":1}"#,
        r#"{"type":"subscribe","id":1,"channel":"a","epoch":"a b","offset":1}"#,
        r#"{"type":"subscribe","id":1,"channel":"a","from":"then"}"#,
        r#"{"type":"subscribe","id":1,"channel":"a","from":{"rewind":0}}"#,
        r#"{"type":"subscribe","id":1,"channel":"a","presence":"yes"}"#,
        r#"{"type":"publish","id":1,"channel":"a"}"#,
        r#"{"type":"publish","id":1,"channel":"a","seq":0,"data":1}"#,
        r#"{"type":"publish","id":1,"channel":"a","again":0,"data":1}"#,
        r#"{"type":"history","id":1,"channel":"a","limit":0}"#,
        r#"{"type":"call","id":1}"#,
        r#"{"type":"token","id":1}"#,
    ] {
        assert_eq!(bad(text).code, ErrorCode::BadRequest, "{text}");
    }
}

#[test]
fn unknown_and_repeated_members_do_no_harm() {
    assert!(matches!(
        decode(r#"{"type":"later","x":{"y":[1]}}"#),
        Ok(Command::Unknown)
    ));
    assert!(matches!(
        decode(r#"{"":1,"type":"bye","type":"pong"}"#),
        Ok(Command::Pong)
    ));
    assert!(matches!(
        decode(r#"{"t\u0079pe":"pong"}"#),
        Ok(Command::Pong)
    ));
    assert!(matches!(
        decode(r#"{"\ud800":1,"type":"pong"}"#),
        Ok(Command::Pong)
    ));
}

#[test]
fn a_hello_keeps_good_entries_beside_bad_ones() {
    let text = r#"{"type":"hello","client":"c","channels":[{"channel":"a","epoch":"e","offset":3},{"channel":"b c"},{"channel":"a"}]}"#;
    let Ok(Command::Hello(hello)) = decode(text) else {
        panic!()
    };
    assert_eq!(hello.channels.len(), 1);
    assert_eq!(
        hello.channels[0].start(),
        Start::After(Position {
            epoch: "e".into(),
            offset: 3
        })
    );
    assert_eq!(hello.refused[0].code, ErrorCode::BadChannel);
}

#[test]
fn data_is_the_very_text() {
    let text = r#"{"type":"publish","channel":"a","data": {"n": 1.000000000000000000001 , "s":"\ud800"} }"#;
    let Ok(Command::Publish(publish)) = decode(text) else {
        panic!()
    };
    assert_eq!(
        publish.data.get(),
        r#"{"n": 1.000000000000000000001 , "s":"\ud800"}"#
    );
}

fn name() -> impl Strategy<Value = String> {
    "[A-Za-z0-9_:./-]{1,40}"
}

fn entry() -> impl Strategy<Value = Entry<'static>> {
    let from = prop_oneof![
        Just(From::Now),
        Just(From::Last),
        (1u64..1 << 53).prop_map(From::Rewind)
    ];
    (
        name(),
        proptest::option::of(("[A-Za-z0-9_-]{1,64}", 0u64..1 << 53)),
        from,
        any::<bool>(),
    )
        .prop_map(|(channel, position, from, presence)| {
            let (epoch, offset) = position.unzip();
            Entry {
                channel: channel.into(),
                epoch: epoch.map(Cow::Owned),
                offset,
                from,
                token: None,
                presence,
            }
        })
}

proptest! {
    #[test]
    fn subscribe_survives_encode_and_decode(id in 0u64..1 << 53, entry in entry()) {
        let text = Command::Subscribe(Subscribe { id, entry: entry.clone() }).encode();
        let Ok(Command::Subscribe(back)) = decode(&text) else { panic!("{text}") };
        prop_assert_eq!(back, Subscribe { id, entry });
    }

    #[test]
    fn hello_survives_encode_and_decode(client in "\\PC{1,20}", entries in proptest::collection::vec(entry(), 0..4)) {
        let hello = Hello {
            client: client.clone().into(), producer: Some("p".into()), channels: entries, refused: vec![],
            info: None, token: None, why: Some(Why { cause: Some("lost".into()), code: Some(1006), ms: Some(1), attempts: Some(2) }),
        };
        let text = Command::Hello(Box::new(hello.clone())).encode();
        let Ok(Command::Hello(back)) = decode(&text) else { panic!("{text}") };
        prop_assert_eq!(&back.client, &client);
        prop_assert_eq!(back.why, hello.why);
        for entry in &back.channels {
            prop_assert!(hello.channels.contains(entry));
        }
    }

    #[test]
    fn history_survives_encode_and_decode(
        channel in name(), after in proptest::option::of(0u64..1 << 53), limit in 1u64..=1000, reverse: bool
    ) {
        let history = History { id: 1, channel: channel.into(), epoch: None, after, before: None, limit, reverse };
        let text = Command::History(history.clone()).encode();
        let Ok(Command::History(back)) = decode(&text) else { panic!("{text}") };
        prop_assert_eq!(back, history);
    }

    #[test]
    fn no_input_panics(text in "\\PC{0,60}") {
        let limits = Limits::default();
        if let Ok(commands) = Commands::decode(&text, &limits) { commands.for_each(drop); }
    }

    #[test]
    fn no_json_like_input_panics(text in r#"[\[\]{}:,"a-z0-9. ]{0,80}"#) {
        let limits = Limits::default();
        if let Ok(commands) = Commands::decode(&text, &limits) { commands.for_each(drop); }
    }
}
