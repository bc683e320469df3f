//! Who may ask, and for what.

use std::fs;

use crate::common::{Running, folder};

#[test]
fn nothing_is_told_without_the_key() {
    let folder = folder(1);
    let studio = Running::start(folder.path(), false);
    for path in ["/", "/app.js", "/api/state", "/api/events", "/runs/a/report.html", "/nothing"] {
        assert_eq!(studio.send_plainly(&format!("GET {path}"), &[]).status, 401, "{path}");
    }
    for key in ["", "0", &studio.token[1..], &format!("{}0", studio.token)] {
        assert_eq!(studio.send_plainly(&format!("GET /?token={key}"), &[]).status, 401, "{key}");
        let head = format!("GET /api/state\nAuthorization: Bearer {key}");
        assert_eq!(studio.send_plainly(&head, &[]).status, 401, "{key}");
    }
}

#[test]
fn the_printed_address_gives_a_cookie_that_scripts_cannot_read() {
    let folder = folder(1);
    let studio = Running::start(folder.path(), false);
    let answer = studio.send_plainly(&format!("GET /?token={}", studio.token), &[]);
    assert!(answer.status == 303 && answer.has("location: /"), "{}", answer.head);
    let cookie = answer.head.lines().find_map(|line| line.strip_prefix("set-cookie: ")).expect("a cookie");
    assert!(cookie.contains("httponly") && cookie.contains("samesite=strict"), "{cookie}");
    let pair = cookie.split(';').next().unwrap_or_default();
    assert_eq!(studio.send_plainly(&format!("GET /api/state\nCookie: a=b; {pair}"), &[]).status, 200);
}

#[test]
fn other_sites_cannot_use_the_studio() {
    let folder = folder(1);
    let studio = Running::start(folder.path(), false);
    for header in ["Host: evil.example", "Origin: https://evil.example", "Sec-Fetch-Site: cross-site"] {
        let answer = studio.send(&format!("GET /api/state\n{header}"), &[]);
        assert_eq!(answer.status, 403, "{header}");
    }
    let answer = studio.get("/api/state");
    assert!(answer.has("content-security-policy: default-src 'none'"), "{}", answer.head);
    assert!(answer.has("x-content-type-options: nosniff") && answer.has("referrer-policy: no-referrer"));
}

#[test]
fn files_outside_of_the_folder_are_not_reached() {
    let folder = folder(1);
    fs::create_dir_all(folder.path().join("runs/run-1")).unwrap();
    fs::write(folder.path().join("runs/run-1/report.html"), "a report").unwrap();
    fs::write(folder.path().join("runs/run-1/config.toml"), "a secret").unwrap();
    fs::write(folder.path().join("secret.png"), "a secret").unwrap();
    let studio = Running::start(folder.path(), true);
    let report = studio.get("/runs/run-1/report.html");
    assert!(report.status == 200 && report.has("content-security-policy: default-src 'none'; img-src"));
    for path in [
        "/runs/run-1/config.toml",
        "/runs/run-1/../../secret.png",
        "/runs/run-1/..%2F..%2Fsecret.png",
        "/runs/..%2Fsecret.png",
        "/runs/%2E%2E/secret.png",
        "/runs/..%2F..%2F/etc/passwd.png",
        "/api/images/..%2Fsecret.png/picture",
        "/api/images/%2Fetc%2Fpasswd/picture",
        "/api/images/..%2F..%2Fetc%2Fpasswd/mask",
        "/..%2f..%2fetc%2fpasswd",
    ] {
        let answer = studio.get(path);
        assert_eq!(answer.status, 404, "{path}");
        assert!(!String::from_utf8_lossy(&answer.body).contains("a secret"), "{path}");
    }
    #[cfg(unix)]
    {
        std::os::unix::fs::symlink(
            folder.path().join("secret.png"),
            folder.path().join("runs/run-1/link.png"),
        )
        .unwrap();
        assert_eq!(studio.get("/runs/run-1/link.png").status, 404);
    }
}

#[test]
fn large_bodies_are_refused() {
    let folder = folder(1);
    let studio = Running::start(folder.path(), false);
    let body = vec![0; (64 << 20) + 1];
    let answer = studio.send("PUT /api/images/photo-0.png/mask\nIf-Match: \"0\"", &body);
    assert_eq!(answer.status, 413);
}
