//! Each package manager's own program, with a registry of its kind on loopback: what an environment
//! lists is installed in the version that it names, and the session's tools use it.

use std::collections::HashMap;
use std::fs;
use std::path::Path;

use hostler_engine::RootOptions;
use hostler_image::ImageStore;
use hostler_testkit::Reply;
use serde_json::{Value, json};

use super::little_packages::{cargo, deb, gem, go, is_here, npm, run, wheel};
use super::little_root;
use super::shown::public;
use super::static_server::{StaticServer, folder};
use super::world::World;

const HOST: &str = "registry.test";
/// A manager that does not obey the version installs the last.
const VERSIONS: [&str; 2] = ["1.0.0", "2.0.0"];

async fn world() -> World {
    let networking = json!({"type": "limited", "allow_package_managers": true});
    World::new()
        .await
        .with_networking(networking)
        .with_host(HOST)
}

fn set_up(world: &mut World, packages: Value, variables: &[(&str, String)]) {
    let pairs = variables
        .iter()
        .map(|(name, value)| ((*name).to_owned(), value.clone()));
    world.packages.environment = pairs.collect();
    let config = json!({"type": "cloud", "packages": packages});
    world.environment = json!({"name": "tiny", "config": config});
}

/// What `tiny` says in a session of an environment with these packages.
async fn tiny(mut world: World, packages: Value, variables: &[(&str, String)]) -> String {
    set_up(&mut world, packages, variables);
    let session = world.session().await;
    let _engine = world.engine().await;
    world
        .model
        .reply(Reply::tool_use("bash", json!({"command": "tiny 2>&1"})));
    world.model.reply(Reply::text("Done."));
    world.say(session, "Work.").await;
    let log = public(&world.log_after_turns(session, 1).await);
    let told = log
        .iter()
        .rfind(|line| line.starts_with("gives") || line.starts_with("fails"));
    told.unwrap().clone()
}

fn made(make: impl Fn(&Path, &str)) -> tempfile::TempDir {
    let made = tempfile::tempdir().unwrap();
    VERSIONS
        .iter()
        .for_each(|version| make(made.path(), version));
    made
}

/// A simple index with both versions, and the variables that lead there.
async fn python_index() -> (StaticServer, [(&'static str, String); 2]) {
    let made = made(|at, version| drop(wheel(at, version)));
    let files = folder("/files", made.path());
    let links = VERSIONS.map(|version| {
        let name = format!("tiny_thing-{version}-py3-none-any.whl");
        format!("<a href=\"/files/{name}\">{name}</a>\n")
    });
    let page = (
        "/simple/tiny-thing/".to_owned(),
        links.concat().into_bytes(),
    );
    let server = StaticServer::start(|_| files.into_iter().chain([page]).collect()).await;
    let index = format!("http://{HOST}:{}/simple", server.port);
    let variables = [
        ("PIP_INDEX_URL", index),
        ("PIP_TRUSTED_HOST", HOST.to_owned()),
    ];
    (server, variables)
}

#[tokio::test]
async fn pip() {
    let (_server, variables) = python_index().await;
    let told = tiny(
        world().await,
        json!({"pip": ["tiny-thing==1.0.0"]}),
        &variables,
    )
    .await;
    assert_eq!(told, "gives pip 1.0.0\n");
}

#[tokio::test]
async fn sessions_that_want_the_same_at_once_wait_for_one_installation() {
    let (server, variables) = python_index().await;
    let mut world = world().await;
    set_up(
        &mut world,
        json!({"pip": ["tiny-thing==1.0.0"]}),
        &variables,
    );
    let _engine = world.engine().await;
    let mut sessions = Vec::new();
    for _ in 0..3 {
        sessions.push(world.session().await);
    }
    // The model is asked by all of them before any has its packages.
    for _ in &sessions {
        world
            .model
            .reply(Reply::tool_use("bash", json!({"command": "tiny"})));
    }
    for _ in &sessions {
        world.model.reply(Reply::text("Done."));
    }
    for session in &sessions {
        world.say(*session, "Work.").await;
    }
    for session in sessions {
        let log = public(&world.log_after_turns(session, 1).await);
        assert!(log.contains(&"gives pip 1.0.0\n".to_owned()), "{log:?}");
    }
    // One page and one wheel.
    assert_eq!(server.requests(), 2);
}

#[tokio::test]
async fn npm_as_well() {
    if !is_here("npm") {
        return;
    }
    let made = made(|at, version| drop(npm(at, version)));
    let mut files = folder("/files", made.path());
    let server = StaticServer::start(|port| {
        let versions = VERSIONS.map(|version| {
            let tarball = format!("http://{HOST}:{port}/files/tiny-thing-{version}.tgz");
            let about = json!({"name": "tiny-thing", "version": version, "bin": {"tiny": "tiny.js"},
                "dist": {"tarball": tarball}});
            (version, about)
        });
        let document = json!({"name": "tiny-thing", "dist-tags": {"latest": "2.0.0"},
            "versions": HashMap::from(versions)});
        files.insert("/tiny-thing".to_owned(), document.to_string().into_bytes());
        files
    })
    .await;
    let variables = [(
        "npm_config_registry",
        format!("http://{HOST}:{}/", server.port),
    )];
    let told = tiny(
        world().await,
        json!({"npm": ["tiny-thing@1.0.0"]}),
        &variables,
    )
    .await;
    assert_eq!(told, "gives npm 1.0.0\n");
}

#[tokio::test]
async fn gem_as_well() {
    if !is_here("gem") {
        return;
    }
    let made = made(gem);
    run("gem", &["generate_index", "--silent"], made.path());
    let files = folder("", made.path());
    let server = StaticServer::start(|_| files).await;
    let mut world = world().await;
    let sources = world.folder.path().join("sources");
    fs::create_dir(&sources).unwrap();
    let url = format!("http://{HOST}:{}/", server.port);
    fs::write(sources.join("gemrc"), format!(":sources:\n- {url}\n")).unwrap();
    world.packages.sources = Some(sources);
    let variables = [
        ("GEMRC", "/opt/package-sources/gemrc".to_owned()),
        ("REGISTRY", url),
    ];
    let told = tiny(world, json!({"gem": ["tiny-thing:1.0.0"]}), &variables).await;
    assert_eq!(told, "gives gem 1.0.0\n");
}

#[tokio::test]
async fn go_as_well() {
    if !is_here("go") {
        return;
    }
    let module = format!("{HOST}/tiny");
    let made = made(|at, version| go(at, &module, &format!("v{version}")));
    let mut files = folder("", made.path());
    let list = VERSIONS.map(|version| format!("v{version}\n")).concat();
    files.insert(format!("/{module}/@v/list"), list.into_bytes());
    let server = StaticServer::start(|_| files).await;
    let variables = [
        ("GOPROXY", format!("http://{HOST}:{}", server.port)),
        ("GONOSUMDB", "*".to_owned()),
    ];
    let packages = json!({"go": [format!("{module}@v1.0.0")]});
    let told = tiny(world().await, packages, &variables).await;
    assert_eq!(told, "gives go v1.0.0\n");
}

#[tokio::test]
async fn cargo_as_well() {
    if !is_here("cargo") {
        return;
    }
    let made = tempfile::tempdir().unwrap();
    let lines = VERSIONS.map(|version| cargo(made.path(), version)).concat();
    let mut files = folder("/files", made.path());
    let server = StaticServer::start(|port| {
        let place = format!("http://{HOST}:{port}/files/{{crate}}-{{version}}.crate");
        let about = json!({"dl": place}).to_string();
        files.insert("/index/config.json".to_owned(), about.into_bytes());
        files.insert("/index/ti/ny/tiny-thing".to_owned(), lines.into_bytes());
        files
    })
    .await;
    let index = format!("sparse+http://{HOST}:{}/index/", server.port);
    let variables = [
        ("CARGO_REGISTRY_DEFAULT", "tiny".to_owned()),
        ("CARGO_REGISTRIES_TINY_INDEX", index),
        // Debian's cargo knows such an index, but only if it is told to.
        ("RUSTC_BOOTSTRAP", "1".to_owned()),
        ("CARGO_UNSTABLE_SPARSE_REGISTRY", "true".to_owned()),
    ];
    let packages = json!({"cargo": ["tiny-thing@1.0.0"]});
    let told = tiny(world().await, packages, &variables).await;
    assert_eq!(told, "gives cargo 1.0.0\n");
}

/// What apt and dpkg run, but for maintainers' scripts in other languages.
const APT: &[&str] = &[
    "apt-get",
    "bash",
    "cat",
    "cp",
    "diff",
    "dpkg",
    "dpkg-deb",
    "dpkg-split",
    "find",
    "gzip",
    "ls",
    "mkdir",
    "mv",
    "rm",
    "sed",
    "sh",
    "sort",
    "tar",
    "touch",
    "/usr/lib/apt/methods/http",
    "/usr/lib/apt/methods/store",
    "/usr/sbin/ldconfig",
    "/usr/sbin/start-stop-daemon",
    "xz",
];

/// A Debian of a few programs, that knows one repository.
fn write_debian(root: &Path, repository: &str) {
    little_root::write(root, APT);
    for name in [
        "var/lib/dpkg/info",
        "var/lib/dpkg/updates",
        "var/lib/dpkg/triggers",
        "var/lib/apt/lists/partial",
        "var/cache/apt/archives/partial",
        "var/log/apt",
        "etc/apt/apt.conf.d",
        "etc/apt/preferences.d",
        "usr/share/dpkg",
    ] {
        fs::create_dir_all(root.join(name)).unwrap();
    }
    fs::write(root.join("var/lib/dpkg/status"), "").unwrap();
    for table in ["cputable", "ostable", "tupletable"] {
        little_root::copy(&Path::new("/usr/share/dpkg").join(table), root);
    }
    let source = format!("deb [trusted=yes] {repository} ./\n");
    fs::write(root.join("etc/apt/sources.list"), source).unwrap();
}

#[tokio::test]
async fn apt_as_well() {
    if !is_here("apt-get") || !is_here("dpkg-scanpackages") {
        return;
    }
    let made = made(deb);
    let list = "dpkg-scanpackages --multiversion . > Packages";
    run("bash", &["-c", list], made.path());
    let files = folder("/debian/.", made.path());
    let plain = folder("/debian", made.path());
    let server = StaticServer::start(|_| files.into_iter().chain(plain).collect()).await;
    let mut world = world().await;
    let root = world.folder.path().join("debian");
    let repository = format!("http://{HOST}:{}/debian", server.port);
    write_debian(&root, &repository);
    world.roots = RootOptions {
        images: Some(ImageStore::open(&world.folder.path().join("images")).unwrap()),
        default: format!("dir:{}", root.display()).parse().unwrap(),
        ..RootOptions::default()
    };
    let variables = [("REPOSITORY", repository)];
    let told = tiny(world, json!({"apt": ["tiny-thing=1.0.0"]}), &variables).await;
    assert_eq!(told, "gives apt 1.0.0\n");
}
