//! Images that lie in a directory or a tar.

use std::fs;
use std::path::Path;

use serde_json::json;

use crate::packing::{Bench, Packed, Tar, contents, digest, image, write_layout};

/// A lower layer, and one that hides parts of it.
pub(crate) fn two_layers() -> Packed {
    let lower = Tar::new()
        .directory("etc")
        .file("etc/gone", "lower")
        .file("etc/kept", "lower")
        .file("opt/old/file", "lower")
        .file("opt/tree/deep/file", "lower")
        .directory("usr/lib")
        .symlink("lib", "usr/lib")
        .bytes();
    let upper = Tar::new()
        .file("opt/old/new", "upper")
        // After what the same layer puts there: it means the lower layers all the same.
        .file("opt/old/.wh..wh..opq", "")
        .file("etc/.wh.gone", "")
        .file("opt/.wh.tree", "")
        .file("opt/.wh..wh.plnk", "")
        .file("missing/.wh.nothing", "")
        .file("lib/library", "through a link of the lower layer")
        .bytes();
    image(&[lower, upper])
}

pub(crate) const MERGED: [&str; 10] = [
    "etc/",
    "etc/kept: lower",
    "lib -> usr/lib",
    "opt/",
    "opt/old/",
    "opt/old/new: upper",
    "usr/",
    "usr/lib/",
    "usr/lib/library: through a link of the lower layer",
    "",
];

pub(crate) fn merged() -> Vec<&'static str> {
    MERGED.into_iter().filter(|line| !line.is_empty()).collect()
}

fn source(path: &Path) -> String {
    format!("oci-layout:{}", path.display())
}

#[tokio::test]
async fn the_layers_of_a_layout_become_one_tree() {
    let bench = Bench::new();
    let place = bench.path("layout");
    write_layout(&place, &two_layers());
    let got = bench.get(&source(&place)).await.unwrap();
    assert_eq!(contents(&got.root), merged());
    assert_eq!(got.environment["GREETING"], "hello");
    assert_eq!(got.environment["PATH"], "/opt/own/bin:/usr/bin:/bin");
    // Packed as one file it is the same image.
    let mut packed = tar::Builder::new(Vec::new());
    packed.append_dir_all(".", &place).unwrap();
    let file = bench.path("layout.tar");
    fs::write(&file, packed.into_inner().unwrap()).unwrap();
    assert_eq!(bench.get(&source(&file)).await.unwrap(), got);
    bench.assert_trees(1);
}

#[tokio::test]
async fn what_docker_saved_long_ago_is_read_too() {
    let bench = Bench::new();
    let place = bench.path("saved");
    let layer = Tar::new().file("file", "old").bytes();
    let configuration = json!({"rootfs": {"type": "layers", "diff_ids": [digest(&layer)]}});
    fs::create_dir_all(place.join("1234")).unwrap();
    fs::write(place.join("1234/layer.tar"), &layer).unwrap();
    fs::write(place.join("config.json"), configuration.to_string()).unwrap();
    let manifest =
        json!([{"Config": "config.json", "RepoTags": null, "Layers": ["1234/layer.tar"]}]);
    fs::write(place.join("manifest.json"), manifest.to_string()).unwrap();
    let got = bench.get(&source(&place)).await.unwrap();
    assert_eq!(contents(&got.root), ["file: old"]);
    // A layer that is another one than the configuration says.
    fs::write(
        place.join("1234/layer.tar"),
        Tar::new().file("file", "new").bytes(),
    )
    .unwrap();
    let other = place.join("../saved");
    let refused = bench.get(&source(&other)).await.unwrap_err().to_string();
    assert!(refused.contains("turned out to be"), "{refused}");
}

#[tokio::test]
async fn a_layout_that_is_not_what_it_says_is_refused() {
    let hidden_climb = image(&[Tar::new().file("a/.wh...", "").bytes()]);
    let climbing = image(&[Tar::new().file("../x", "").bytes()]);
    let bench = Bench::new();
    let mut number = 0;
    let mut place = |packed: &Packed| {
        number += 1;
        let place = bench.path(&format!("layout{number}"));
        write_layout(&place, packed);
        place
    };
    let blob = |packed: &Packed, at: usize| {
        let digest = digest(&packed.blobs[at]);
        format!("blobs/sha256/{}", digest.strip_prefix("sha256:").unwrap())
    };
    let mut cases = vec![
        (place(&hidden_climb), "what is not a name"),
        (place(&climbing), "leads out of it"),
    ];
    let packed = two_layers();
    let changed = place(&packed);
    fs::write(changed.join(blob(&packed, 0)), "something else").unwrap();
    cases.push((changed, "turned out to be"));
    let linked = place(&packed);
    fs::remove_file(linked.join(blob(&packed, 0))).unwrap();
    std::os::unix::fs::symlink("/etc/passwd", linked.join(blob(&packed, 0))).unwrap();
    cases.push((linked, "of the image"));
    let elsewhere = place(&packed);
    let named = json!({"manifests": [{"digest": "sha256:../../../../etc/passwd", "size": 1}]});
    fs::write(elsewhere.join("index.json"), named.to_string()).unwrap();
    cases.push((elsewhere, "64 hexadecimal digits"));
    let foreign = place(&packed);
    let index = json!({"manifests": [{"digest": digest(b""), "size": 1,
        "platform": {"os": "linux", "architecture": "pdp11"}}]});
    fs::write(foreign.join("index.json"), index.to_string()).unwrap();
    cases.push((foreign, "it has nothing for linux/"));
    let empty = bench.path("empty");
    fs::create_dir(&empty).unwrap();
    cases.push((empty, "manifest.json"));
    for (place, words) in cases {
        let refused = bench
            .get(&source(&place))
            .await
            .expect_err(words)
            .to_string();
        assert!(refused.contains(words), "{refused}");
    }
    bench.assert_trees(0);
}
