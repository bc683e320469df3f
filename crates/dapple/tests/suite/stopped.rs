//! A prediction that is stopped leaves only complete files, and can be resumed.

use std::fs;
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::Duration;

use crate::common::{Bench, names};
use dapple::data::{Raster, encode_png};

/// A picture of so many pixels a side.
fn write_picture(bench: &Bench, name: &str, side: usize) {
    let data = (0..3 * side * side).map(|i| ((i * 2_654_435_761) >> 20) as u8).collect();
    let bytes = encode_png(&Raster::new(side, side, 3, data)).expect("a PNG");
    fs::write(bench.path(name), bytes).expect("a file");
}

#[test]
fn ctrl_c_in_the_midst_of_a_large_image_leaves_nothing_of_it() {
    let bench = Bench::new();
    bench.train("run");
    fs::create_dir(bench.path("photos")).expect("a folder");
    write_picture(&bench, "photos/a.png", 40);
    write_picture(&bench, "photos/b.png", 1000);
    let arguments =
        "predict run photos --out out --kind mask,contours,cutout --tile 64 --overlap 32 --workers 1";
    let mut child = bench.command(arguments).stderr(Stdio::piped()).spawn().expect("it starts");
    // Until the small one is done and the large one is begun.
    let begun = |names: &[String]| {
        names.iter().any(|name| name == "a-cutout.png")
            && names.iter().filter(|name| name.contains("b")).count() == 3
    };
    while !bench.path("out").is_dir() || !begun(&names(&bench.path("out"))) {
        assert!(child.try_wait().expect("the child is ours").is_none(), "it ended early");
        sleep(Duration::from_millis(5));
    }
    let interrupt = format!("kill -INT {}", child.id());
    assert!(Command::new("sh").args(["-c", &interrupt]).status().expect("there is a shell").success());
    let output = child.wait_with_output().expect("the child is ours");
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("stopped with 1 images left; run the same command to resume"), "{said}");
    let record = ".dapple-results";
    assert_eq!(names(&bench.path("out")), [record, "a-contours.geojson", "a-cutout.png", "a.png"]);

    let said = bench.succeed(arguments);
    assert!(said.out.contains("1 of 2 images predicted") && said.out.contains("1 existed"), "{}", said.out);
    let wanted = [
        record,
        "a-contours.geojson",
        "a-cutout.png",
        "a.png",
        "b-contours.geojson",
        "b-cutout.png",
        "b.png",
    ];
    assert_eq!(names(&bench.path("out")), wanted);
}
