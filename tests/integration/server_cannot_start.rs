//! A mistake of the operator: one readable line, and an exit code that is not 0.

use std::path::PathBuf;

use rejoin_tests::{Profile, Refusal, Server};

struct File(PathBuf);

impl File {
    fn new(name: &str, text: &str) -> Self {
        let directory = std::env::temp_dir().join(format!("rejoin-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&directory).expect("made");
        let path = directory.join("rejoin.toml");
        std::fs::write(&path, text).expect("written");
        Self(path)
    }

    fn path(&self) -> &str {
        self.0.to_str().expect("a path in UTF-8")
    }
}

impl Drop for File {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(self.0.parent().expect("in a directory"));
    }
}

/// One line, for a person: no backtrace, no log prefix, no debug output.
fn assert_readable(refusal: &Refusal) {
    let text = refusal.stderr.trim_end();
    assert!(
        !text.is_empty() && !text.contains('\n'),
        "one line: {text:?}"
    );
    for noise in ["panicked", "RUST_BACKTRACE", "Os {", "Error {"] {
        assert!(!text.contains(noise), "{text}");
    }
}

#[tokio::test]
async fn the_port_is_in_use() {
    let server = Server::start(Profile::bare()).await;
    let address = server.address().to_string();
    let another_program = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let other = another_program.local_addr().expect("bound").to_string();
    for (address, shards) in [
        (&address, "1"),
        (&address, "3"),
        (&other, "1"),
        (&other, "3"),
    ] {
        let refusal = Refusal::of(&["--listen", address, "--shards", shards]).await;
        assert_eq!(refusal.code, Some(1), "{refusal:?}");
        assert!(refusal.stderr.contains(address.as_str()), "{refusal:?}");
        assert_readable(&refusal);
    }
    assert_eq!(server.get("/health").await.status, 200);
}

#[tokio::test]
async fn a_flag_is_wrong() {
    for arguments in [
        &["--no-such-flag"][..],
        &["--connection-ping"],
        &["--connection-ping", "soon"],
        &["--connection-retry-window", "5s,1s"],
        &["--listen", "nowhere"],
        &["--shards", "0"],
        &["--shards", "many"],
    ] {
        let refusal = Refusal::of(arguments).await;
        assert_eq!(refusal.code, Some(2), "{arguments:?}: {refusal:?}");
        let flag = arguments[0];
        assert!(
            refusal.stderr.contains(flag),
            "{arguments:?} is named: {refusal:?}"
        );
        assert!(!refusal.stderr.contains("panicked"), "{refusal:?}");
    }
}

#[tokio::test]
async fn a_configuration_is_wrong() {
    for (name, text, line, field) in [
        (
            "duration",
            "listen = \"127.0.0.1:0\"\n\n[connection]\n\nping = \"abc\"\n",
            5,
            "connection.ping",
        ),
        (
            "number",
            "[connection]\ngrace = 10\n",
            2,
            "connection.grace",
        ),
        (
            "window",
            "[connection]\nretry_window = [\"5s\", \"1s\"]\n",
            2,
            "connection.retry_window",
        ),
        ("address", "listen = \"nowhere\"\n", 1, "listen"),
        ("unknown", "[connection]\npng = \"25s\"\n", 2, "png"),
        ("section", "[conection]\nping = \"25s\"\n", 1, "conection"),
        (
            "channel",
            "[[channel]]\npattern = \"*\"\n\n[[channel]]\npattern = \"b/*\"\nhistory = -1\n",
            6,
            "history",
        ),
        ("syntax", "listen = \"127.0.0.1:0\"\n[connection\n", 2, ""),
    ] {
        let file = File::new(name, text);
        let refusal = Refusal::of(&["--config", file.path()]).await;
        assert_eq!(refusal.code, Some(2), "{name}: {refusal:?}");
        assert!(
            refusal.stderr.contains(&format!("rejoin.toml:{line}:")),
            "{name}: {refusal:?}"
        );
        assert!(refusal.stderr.contains(field), "{name}: {refusal:?}");
        assert_readable(&refusal);
    }
}

#[tokio::test]
async fn a_file_cannot_be_read() {
    let directory = std::env::temp_dir();
    let missing = directory.join("rejoin-no-such-file.toml");
    for path in [missing, directory] {
        let path = path.to_str().expect("a path in UTF-8");
        let refusal = Refusal::of(&["--config", path]).await;
        assert!(matches!(refusal.code, Some(1 | 2)), "{path}: {refusal:?}");
        assert!(refusal.stderr.contains(path), "{refusal:?}");
        assert_readable(&refusal);
    }
    let refusal = Refusal::of(&["--pages", "/no/such/directory"]).await;
    assert!(matches!(refusal.code, Some(1 | 2)), "{refusal:?}");
    assert!(refusal.stderr.contains("/no/such/directory"), "{refusal:?}");
    assert_readable(&refusal);
}
