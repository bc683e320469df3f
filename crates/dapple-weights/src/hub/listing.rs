//! The files of a repository at a commit, as the hub lists them.

use super::name::{HubName, is_commit, is_word};
use crate::checksum::Proof;
use serde_json::{Value, json};

/// Most entries of a listing that are looked at.
const MOST_FILES: usize = 10_000;

/// Most bytes of a file.
const LARGEST: u64 = 1 << 40;

/// The files of a repository at a commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    /// The repository.
    pub name: HubName,
    /// The commit, 40 hexadecimal digits.
    pub commit: String,
    /// The licence in the repository's card, if it names one.
    pub licence: Option<String>,
    /// The files of its first level.
    pub files: Vec<HubFile>,
}

/// A file of a repository.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HubFile {
    /// File name.
    pub name: String,
    /// Size in bytes.
    pub bytes: u64,
    sum: Sum,
}

/// The checksum of a file, in lower-case hexadecimal digits.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Sum {
    Sha256(String),
    GitSha1(String),
}

impl Snapshot {
    /// The file of that name.
    pub fn file(&self, name: &str) -> Option<&HubFile> {
        self.files.iter().find(|file| file.name == name)
    }

    /// Reads the hub's answer, or what [`Snapshot::kept`] made of one.
    pub(super) fn read(name: &HubName, answer: &[u8]) -> Result<Self, String> {
        let answer: Value = serde_json::from_slice(answer).map_err(|_| "it is no JSON".to_owned())?;
        let commit = answer["sha"].as_str().filter(|commit| is_commit(commit)).ok_or("it names no commit")?;
        let listed = answer["siblings"].as_array().ok_or("it lists no files")?;
        if listed.len() > MOST_FILES {
            return Err(format!("it lists {} files, more than {MOST_FILES}", listed.len()));
        }
        let licence = ["license_name", "license"].iter().find_map(|key| answer["cardData"][*key].as_str());
        Ok(Self {
            name: name.clone(),
            commit: commit.to_owned(),
            licence: licence.map(|licence| licence.chars().filter(|c| !c.is_control()).take(64).collect()),
            files: listed.iter().filter_map(HubFile::read).collect(),
        })
    }

    /// The same as JSON, to be kept.
    pub(super) fn kept(&self) -> String {
        let siblings: Vec<Value> = self.files.iter().map(HubFile::kept).collect();
        let kept = json!({"sha": self.commit, "cardData": {"license": self.licence}, "siblings": siblings});
        format!("{kept:#}\n")
    }
}

impl HubFile {
    /// An entry of a listing; `None` for files in folders, and for one whose name, size or checksum is not as it should be.
    fn read(entry: &Value) -> Option<Self> {
        let digits = |value: &Value, count: usize| {
            let text = value.as_str()?.to_ascii_lowercase();
            let is_sum = text.len() == count && text.bytes().all(|byte| byte.is_ascii_hexdigit());
            is_sum.then_some(text)
        };
        let name = entry["rfilename"].as_str().filter(|name| is_word(name))?;
        let large = &entry["lfs"];
        let (bytes, sum) = match large["sha256"].is_null() {
            true => (&entry["size"], Sum::GitSha1(digits(&entry["blobId"], 40)?)),
            false => (&large["size"], Sum::Sha256(digits(&large["sha256"], 64)?)),
        };
        let bytes = bytes.as_u64().filter(|&bytes| bytes <= LARGEST)?;
        Some(Self { name: name.to_owned(), bytes, sum })
    }

    fn kept(&self) -> Value {
        match &self.sum {
            Sum::GitSha1(sum) => json!({"rfilename": self.name, "size": self.bytes, "blobId": sum}),
            Sum::Sha256(sum) => json!({"rfilename": self.name, "lfs": {"sha256": sum, "size": self.bytes}}),
        }
    }

    /// What its content must agree with.
    pub(super) fn proof(&self) -> Proof<'_> {
        match &self.sum {
            Sum::Sha256(sum) => Proof::Sha256(sum),
            Sum::GitSha1(sum) => Proof::GitSha1(sum),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";

    fn name() -> HubName {
        HubName::parse("hf://a/b").expect("it begins so").expect("a name")
    }

    #[test]
    fn a_listing_is_kept_as_it_was_read() {
        let sum = "ab".repeat(32);
        let answer = json!({"sha": COMMIT, "cardData": {"license": "apache-2.0"}, "siblings": [
            {"rfilename": "config.json", "size": 12, "blobId": COMMIT},
            {"rfilename": "model.safetensors", "size": 400, "blobId": COMMIT, "lfs": {"sha256": sum, "size": 400}},
            {"rfilename": "onnx/model.onnx", "size": 1, "blobId": COMMIT},
            {"rfilename": "../../escape", "size": 1, "blobId": COMMIT},
            {"rfilename": "no-sum", "size": 1},
            {"rfilename": "wrong-sum", "size": 1, "blobId": "12"},
            {"rfilename": "negative", "size": -1, "blobId": COMMIT},
            {"rfilename": "huge", "size": u64::MAX, "blobId": COMMIT},
            {"rfilename": 4, "size": 1, "blobId": COMMIT},
            "text"
        ]});
        let read = Snapshot::read(&name(), answer.to_string().as_bytes()).expect("a listing");
        let names: Vec<&str> = read.files.iter().map(|file| file.name.as_str()).collect();
        assert_eq!(names, ["config.json", "model.safetensors"]);
        assert!(matches!(read.files[1].proof(), Proof::Sha256(there) if there == sum));
        assert_eq!(read.licence.as_deref(), Some("apache-2.0"));
        assert_eq!(Snapshot::read(&name(), read.kept().as_bytes()), Ok(read));
    }

    #[test]
    fn answers_of_other_kinds_are_refused() {
        for wrong in ["", "[]", "{}", r#"{"sha": "main"}"#, r#"{"sha": "../..", "siblings": []}"#] {
            Snapshot::read(&name(), wrong.as_bytes()).expect_err(wrong);
        }
        let without = format!(r#"{{"sha": "{COMMIT}", "siblings": {{}}}}"#);
        Snapshot::read(&name(), without.as_bytes()).expect_err("it lists no files");
    }
}
