//! The templates for clusters: their commands have options that exist, and their numbers of shares agree.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy")
}

fn read(name: &str) -> String {
    fs::read_to_string(root().join(name)).unwrap_or_else(|e| panic!("{name}: {e}"))
}

/// Runs the program with the arguments and `--help`, which checks the options before it.
fn check(arguments: &[&str]) {
    let output = Command::new(env!("CARGO_BIN_EXE_dapple")).args(arguments).arg("--help").output();
    let output = output.expect("the program starts");
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
}

fn documents(name: &str) -> Vec<Value> {
    let text = read(name);
    let of = |text: &str| serde_saphyr::from_str(text).unwrap_or_else(|e| panic!("{name}: {e}"));
    text.split("\n---\n").map(of).collect()
}

#[test]
fn manifests_of_kubernetes_agree_with_the_program_and_with_themselves() {
    for (name, kinds) in
        [("kubernetes/predict.yaml", &["Job"][..]), ("kubernetes/serve.yaml", &["Deployment", "Service"][..])]
    {
        let documents = documents(name);
        let found: Vec<&str> = documents.iter().filter_map(|document| document["kind"].as_str()).collect();
        assert_eq!(found, kinds, "{name}");
        let pod = &documents[0]["spec"]["template"];
        let container = &pod["spec"]["containers"][0];
        let arguments: Vec<&str> = container["args"]
            .as_array()
            .expect("arguments")
            .iter()
            .map(|word| word.as_str().expect("a text, in quotes where it is a number"))
            .collect();
        check(&arguments);
        // Nothing is written beside the volumes, and nothing runs as root.
        assert_eq!(container["securityContext"]["readOnlyRootFilesystem"], true, "{name}");
        assert_eq!(pod["spec"]["securityContext"]["runAsNonRoot"], true, "{name}");
        for field in ["requests", "limits"] {
            assert!(container["resources"][field]["memory"].is_string(), "{name}: {field}");
        }
        let mounted = container["volumeMounts"].as_array().expect("mounts");
        let volumes = pod["spec"]["volumes"].as_array().expect("volumes");
        assert!(mounted.iter().all(|mount| volumes.iter().any(|volume| volume["name"] == mount["name"])));
    }
    let job = &documents("kubernetes/predict.yaml")[0];
    let arguments = job["spec"]["template"]["spec"]["containers"][0]["args"].to_string();
    let wanted = format!("auto/{}", job["spec"]["completions"]);
    assert!(job["spec"]["completionMode"] == "Indexed" && arguments.contains(&wanted), "{arguments}");

    let serve = documents("kubernetes/serve.yaml");
    let container = &serve[0]["spec"]["template"]["spec"]["containers"][0];
    assert_eq!(container["livenessProbe"]["httpGet"]["path"], "/healthz");
    assert_eq!(container["readinessProbe"]["httpGet"]["path"], "/readyz");
    let labels = &serve[0]["spec"]["template"]["metadata"]["labels"];
    assert!(
        serve[1]["spec"]["selector"] == *labels && serve[0]["spec"]["selector"]["matchLabels"] == *labels
    );
}

#[cfg(unix)]
#[test]
fn the_script_for_slurm_runs_its_shares_and_joins_them() {
    use crate::common::Bench;
    use std::os::unix::fs::PermissionsExt;

    let bench = Bench::new();
    bench.train("run");
    // A step of Slurm without Slurm: the command itself.
    fs::create_dir(bench.path("bin")).expect("a folder");
    fs::write(bench.path("bin/srun"), "#!/bin/sh\nexec \"$@\"\n").expect("a file");
    fs::set_permissions(bench.path("bin/srun"), fs::Permissions::from_mode(0o755))
        .expect("a file of its own");
    let program = Path::new(env!("CARGO_BIN_EXE_dapple")).parent().expect("a folder");
    let paths = std::env::var("PATH").unwrap_or_default();
    let task = |number: &str| {
        let output = Command::new("bash")
            .arg(root().join("slurm/predict.sbatch"))
            .current_dir(bench.path("."))
            .env("PATH", format!("{}:{}:{paths}", bench.path("bin").display(), program.display()))
            .envs([("MODEL", "run"), ("IMAGES", "data/images"), ("OUT", "masks"), ("SHARES", "2")])
            .envs([("SLURM_ARRAY_TASK_ID", number), ("SLURM_CPUS_PER_TASK", "1")])
            .output();
        let output = output.expect("there is a bash");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    };
    task("2");
    assert!(!bench.path("masks/areas.csv").exists());
    task("1");
    let areas = bench.read("masks/areas.csv");
    assert_eq!(areas.lines().filter(|line| line.contains(",0,,")).count(), 10, "{areas}");
}
