//! Running the program on a few synthetic pictures.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use dapple::data::synthetic;

/// A folder to run the program in, with `data/`, ten synthetic pictures.
pub struct Bench(tempfile::TempDir);

/// The output of the program and its exit code.
pub struct Said {
    pub code: Option<i32>,
    pub out: String,
    pub err: String,
}

#[cfg(target_os = "linux")]
impl Said {
    /// That of a process that may have ended in the midst of a word.
    pub fn of(output: Output) -> Self {
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        Self { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) }
    }
}

impl Bench {
    pub fn new() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        synthetic::write(folder.path().join("data"), 3, 10, 32, 32).expect("the folder is writable");
        Self(folder)
    }

    /// Without pictures.
    pub fn empty() -> Self {
        Self(tempfile::tempdir().expect("a temporary folder"))
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// The program with these arguments, separated by spaces, not started.
    pub fn command(&self, arguments: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_dapple"));
        command.current_dir(self.0.path()).args(arguments.split_whitespace());
        // No test depends on what this machine has or can fetch.
        command.env("DAPPLE_CACHE", self.path("cache")).env("DAPPLE_OFFLINE", "1");
        command
    }

    pub fn run(&self, arguments: &str) -> Said {
        let Output { status, stdout, stderr } = self.command(arguments).output().expect("the program starts");
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("the program writes UTF-8");
        Said { code: status.code(), out: text(stdout), err: text(stderr) }
    }

    /// Runs and expects success.
    pub fn succeed(&self, arguments: &str) -> Said {
        let said = self.run(arguments);
        assert_eq!(said.code, Some(0), "dapple {arguments}\n{}{}", said.out, said.err);
        said
    }

    /// Runs and expects exit code 2 with one message that has all the words.
    pub fn refuse(&self, arguments: &str, words: &[&str]) {
        let said = self.run(arguments);
        assert_eq!(said.code, Some(2), "dapple {arguments}\n{}{}", said.out, said.err);
        assert!(said.err.starts_with("error: "), "dapple {arguments}\n{}", said.err);
        for word in words {
            assert!(said.err.contains(word), "dapple {arguments}: no `{word}` in\n{}", said.err);
        }
    }

    /// Trains the smallest U-Net for two epochs into `run`.
    pub fn train(&self, run: &str) -> Said {
        self.succeed(&format!(
            "train --data data --model unet --width 2 --size 32 --epochs 2 --batch 2 --threads 2 --out {run}"
        ))
    }

    pub fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap_or_else(|e| panic!("{name}: {e}"))
    }
}

/// The program as a server, ended with the test.
pub struct Listening {
    pub child: Child,
    /// Host and port.
    pub address: String,
}

impl Drop for Listening {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Listening {
    /// Starts the program and waits until it says where it listens.
    pub fn open(bench: &Bench, arguments: &str) -> Self {
        let mut child = bench.command(arguments).stdout(Stdio::piped()).spawn().expect("the program starts");
        let mut line = String::new();
        let out = child.stdout.as_mut().expect("piped above");
        BufReader::new(out).read_line(&mut line).expect("the program says where it listens");
        let address =
            line.trim().rsplit_once("http://").map(|(_, rest)| rest.trim_end_matches('/').to_owned());
        Self { child, address: address.unwrap_or_else(|| panic!("no address in {line}")) }
    }
}

/// Asserts that a run under a limit of memory did its work, or ended with one message about it. Whether it did.
#[cfg(target_os = "linux")]
pub fn is_done_or_explained(said: &Said, limit: &str) -> bool {
    let Said { code, err, .. } = said;
    match code {
        Some(0) => return true,
        Some(1 | 2) => {}
        other => panic!("{limit}: {other:?}\n{err}"),
    }
    let errors = err.lines().filter(|line| line.starts_with("error: ")).count();
    let is_about_memory = ["memory", "threads", "would fit"].iter().any(|word| err.contains(word));
    assert!(errors == 1 && is_about_memory, "{limit}, code {code:?}:\n{err}");
    assert!(!err.contains("backtrace") && !err.contains("bug"), "{limit}:\n{err}");
    false
}

/// Rows of `metrics.csv` without the last two columns, which are times.
#[cfg(unix)]
pub fn rows(csv: &str) -> Vec<String> {
    csv.lines().map(|line| line.rsplitn(3, ',').last().expect("there is a first part").to_owned()).collect()
}

/// All names in a folder, also of hidden files such as the record of results.
pub fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(folder)
        .unwrap_or_else(|e| panic!("{}: {e}", folder.display()))
        .map(|entry| entry.expect("the folder can be read").file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}
