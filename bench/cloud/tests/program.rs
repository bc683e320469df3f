//! The program itself, built with the feature `cloud`, against the server:
//!     cargo build --release --features cloud
//!     DAPPLE=$PWD/target/release/dapple cargo test --manifest-path bench/cloud/Cargo.toml -- --ignored
use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use dapple_bench_cloud::{KEY, Kind, SECRET, Server};

fn run(server: &Server, folder: &Path, arguments: &str) -> Output {
    let program = std::env::var("DAPPLE").expect("DAPPLE names a program built with the feature cloud");
    Command::new(program)
        .args(arguments.split(' '))
        .current_dir(folder)
        .env("AWS_ENDPOINT_URL", format!("http://{}", server.address))
        .envs([("AWS_ACCESS_KEY_ID", KEY), ("AWS_SECRET_ACCESS_KEY", SECRET), ("DAPPLE_OFFLINE", "1")])
        .output()
        .expect("the program starts")
}

fn succeed(server: &Server, folder: &Path, arguments: &str) -> String {
    let Output { status, stdout, stderr } = run(server, folder, arguments);
    let text = format!("{}{}", String::from_utf8_lossy(&stdout), String::from_utf8_lossy(&stderr));
    assert!(status.success(), "dapple {arguments}\n{text}");
    assert!(!text.contains(SECRET), "{text}");
    text
}

#[test]
#[ignore = "needs DAPPLE, a program built with the feature cloud"]
fn shares_at_addresses_make_the_tables_of_one_machine() {
    let server = Server::start();
    let folder = tempfile::tempdir().expect("a folder");
    let local = folder.path();
    fs::create_dir_all(local.join("photos")).expect("a folder");
    for number in 0..6_usize {
        let pixels = (0..48 * 40 * 3).map(|i| (i * (number + 3) % 251) as u8);
        let file: Vec<u8> = b"P6 48 40 255\n".iter().copied().chain(pixels).collect();
        fs::write(local.join(format!("photos/{number}.ppm")), &file).expect("a file");
        server.put(&format!("photos/{number}.ppm"), &file);
    }
    let kinds = "--kind mask,areas,coco --threads 1";
    succeed(&server, local, &format!("predict horse photos --out whole {kinds}"));
    // Faults on the way change nothing.
    server.fail("GET", "/photos/1.ppm", Kind::Status(503), 1);
    server.fail("GET", "/photos/2.ppm", Kind::Truncated(700), 1);
    server.fail("PUT", "/masks/3.png", Kind::Status(500), 1);
    for number in [1, 2] {
        let shard =
            format!("predict horse s3://bucket/photos/ --out s3://bucket/masks --shard {number}/2 {kinds}");
        succeed(&server, local, &shard);
        // Begun again, it keeps what is there.
        let text = succeed(&server, local, &shard);
        assert!(text.contains("0 of") && text.contains("are kept"), "{text}");
    }
    assert!(server.has_failed());
    succeed(&server, local, "merge s3://bucket/masks");
    for name in ["areas.csv", "coco.json", "0.png", "5.png"] {
        let there = fs::read(server.file(&format!("masks/{name}"))).expect("an object");
        assert!(there == fs::read(local.join("whole").join(name)).expect("a file"), "{name}");
    }
    // One image, and a result of somebody else's that is not replaced.
    server.put("other/0.png", b"my own");
    let refused =
        run(&server, local, "predict horse s3://bucket/photos/0.ppm --out s3://bucket/other --threads 1");
    assert_eq!(refused.status.code(), Some(2));
    assert_eq!(fs::read(server.file("other/0.png")).expect("an object"), b"my own");
}
