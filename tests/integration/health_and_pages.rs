use rejoin_tests::{Profile, Server, request};
use serde_json::json;

#[tokio::test]
async fn health_is_open_to_everybody() {
    let server = Server::start(Profile::bare()).await;
    let answer = server.get("/health").await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.json(), json!({"status": "ok", "accepting": true}));
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    assert_eq!(answer.header("access-control-allow-origin"), Some("*"));
    let head = request(server.address(), "HEAD", "/health", &[], "").await;
    assert_eq!((head.status, head.body.as_str()), (200, ""));
    let post = request(server.address(), "POST", "/health", &[], "").await;
    assert_eq!(post.status, 405);
}

#[tokio::test]
async fn a_plain_request_for_the_socket_is_told_to_upgrade() {
    let server = Server::start(Profile::bare()).await;
    let answer = server.get("/ws").await;
    assert_eq!(answer.status, 426, "{answer:?}");
    assert_eq!(answer.header("upgrade"), Some("websocket"));
}

/// A directory of pages with a secret beside it.
struct Pages(std::path::PathBuf);

impl Pages {
    fn new(name: &str) -> Self {
        let root = std::env::temp_dir().join(format!("rejoin-{name}-{}", std::process::id()));
        let write = |path: &str, text: &str| {
            let path = root.join(path);
            std::fs::create_dir_all(path.parent().expect("below the root")).expect("made");
            std::fs::write(path, text).expect("written");
        };
        write("secret.txt", "the secret");
        write("pages/index.html", "<!doctype html><title>index</title>");
        write("pages/app.js", "export {};");
        write("pages/style.css", "body {}");
        write("pages/core.wasm", "\0asm");
        write("pages/with space.html", "spaced");
        write("pages/sub/index.html", "below");
        write("pages/.hidden", "hidden");
        Self(root)
    }

    fn directory(&self) -> String {
        self.0.join("pages").display().to_string()
    }
}

impl Drop for Pages {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

#[tokio::test]
async fn pages_are_served_with_their_types() {
    let pages = Pages::new("pages");
    let server = Server::start(Profile::bare().set("--pages", &pages.directory())).await;
    for (path, kind, body) in [
        ("/", "text/html", "<!doctype html><title>index</title>"),
        (
            "/index.html",
            "text/html",
            "<!doctype html><title>index</title>",
        ),
        (
            "/?theme=dark",
            "text/html",
            "<!doctype html><title>index</title>",
        ),
        ("/app.js", "text/javascript", "export {};"),
        ("/style.css", "text/css", "body {}"),
        ("/core.wasm", "application/wasm", "\0asm"),
        ("/with%20space.html", "text/html", "spaced"),
        ("/sub/", "text/html", "below"),
    ] {
        let answer = server.get(path).await;
        assert_eq!(
            (answer.status, answer.body.as_str()),
            (200, body),
            "{path}: {answer:?}"
        );
        let found = answer.header("content-type").unwrap_or_default();
        assert!(found.starts_with(kind), "{path}: {found}");
        assert_eq!(
            answer.header("x-content-type-options"),
            Some("nosniff"),
            "{path}"
        );
    }
    let head = request(server.address(), "HEAD", "/app.js", &[], "").await;
    assert_eq!((head.status, head.body.as_str()), (200, ""));
    assert_eq!(head.header("content-length"), Some("10"));
    assert_eq!(
        request(server.address(), "POST", "/app.js", &[], "")
            .await
            .status,
        405
    );
    assert_eq!(server.get("/nothing.html").await.status, 404);
}

#[tokio::test]
async fn nothing_outside_of_the_pages_is_served() {
    let pages = Pages::new("traversal");
    let server = Server::start(Profile::bare().set("--pages", &pages.directory())).await;
    for path in [
        "/../secret.txt",
        "/sub/../../secret.txt",
        "/%2e%2e/secret.txt",
        "/..%2fsecret.txt",
        "/%2e%2e%2fsecret.txt",
        "/..%5csecret.txt",
        "/sub/..%2f..%2fsecret.txt",
        "//etc/passwd",
        "/%2fetc/passwd",
        "/%00",
        "/index.html%00.js",
        "/%",
        "/%zz",
        "/.hidden",
    ] {
        let answer = server.get(path).await;
        assert!(
            matches!(answer.status, 400 | 403 | 404),
            "{path}: {answer:?}"
        );
        assert!(
            !answer.body.contains("secret") && !answer.body.contains("root:"),
            "{path}: {answer:?}"
        );
    }
}
