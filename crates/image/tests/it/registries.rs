//! Pulling from a registry, a good one and bad ones.

use std::fs;

use crate::layouts::{merged, two_layers};
use crate::packing::{Bench, contents, digest, index};
use crate::stub_registry::{Manners, StubRegistry};

#[tokio::test]
async fn an_image_is_pulled_and_unpacked() {
    let packed = two_layers();
    for manners in [
        Manners::Good,
        Manners::WantsToken,
        Manners::Redirects,
        Manners::Breaks,
        Manners::BreaksWithoutRanges,
    ] {
        let bench = Bench::new();
        let registry = StubRegistry::serve(&packed, index(&packed.manifest), manners);
        let got = bench.get(&registry.source(":v1")).await;
        let got = got.unwrap_or_else(|error| panic!("{manners:?}: {error}"));
        assert_eq!(contents(&got.root), merged());
        assert_eq!(got.environment["GREETING"], "hello");
        bench.assert_trees(1);
        // It is known now: nobody is asked again.
        let asked = registry.requests.lock().unwrap().len();
        assert_eq!(bench.get(&registry.source(":v1")).await.unwrap(), got);
        assert_eq!(registry.requests.lock().unwrap().len(), asked);
        // By its digest it is the same tree.
        let pinned = format!("@{}", digest(&packed.manifest));
        assert_eq!(bench.get(&registry.source(&pinned)).await.unwrap(), got);
        bench.assert_trees(1);
    }
}

#[tokio::test]
async fn a_registry_that_misbehaves_is_refused() {
    let packed = two_layers();
    for (manners, words) in [
        (Manners::Lies, "turned out to be"),
        (Manners::Overflows, "longer than the manifest says"),
        (Manners::RedirectsAway, "nothing is encrypted"),
        (Manners::Truncates, "the registry 127.0.0.1:"),
    ] {
        let bench = Bench::new();
        let registry = StubRegistry::serve(&packed, index(&packed.manifest), manners);
        let refused = bench
            .get(&registry.source(":v1"))
            .await
            .expect_err(words)
            .to_string();
        assert!(refused.contains(words), "{manners:?}: {refused}");
        bench.assert_trees(0);
    }
}

#[tokio::test]
async fn what_a_name_pins_must_come() {
    let bench = Bench::new();
    let packed = two_layers();
    let mut other = packed.manifest.clone();
    other.push(b'\n');
    let registry = StubRegistry::serve(&packed, other, Manners::Good);
    let missing = bench
        .get(&registry.source(":v2"))
        .await
        .unwrap_err()
        .to_string();
    assert!(
        missing.contains("has no team/image manifests/v2"),
        "{missing}"
    );
    let missing = bench
        .get(&registry.source(&format!("@{}", digest(b""))))
        .await;
    assert!(
        missing
            .unwrap_err()
            .to_string()
            .contains("has no team/image")
    );
    // One that says another size than it has is cut off.
    let text = String::from_utf8(packed.manifest.clone()).unwrap();
    let size = format!("\"size\":{}", packed.blobs[0].len());
    let smaller = text.replace(&size, "\"size\":3").into_bytes();
    let registry = StubRegistry::serve(&packed, smaller, Manners::Good);
    let refused = bench
        .get(&registry.source(":v1"))
        .await
        .unwrap_err()
        .to_string();
    assert!(
        refused.contains("longer than the manifest says"),
        "{refused}"
    );
    bench.assert_trees(0);
    assert_eq!(fs::read_dir(bench.path("images/blobs")).unwrap().count(), 1);
}
