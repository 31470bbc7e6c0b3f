//! An archive that no host has packed makes no sandbox, and nothing anywhere else.

use std::fs;
use std::io::Cursor;
use std::path::Path;
use std::time::SystemTime;

use hostler_sandbox::SandboxError;
use tar::{EntryType, Header};

use crate::world::{World, name};

/// One entry of an archive that nobody has packed.
struct Lie {
    kind: EntryType,
    path: Vec<u8>,
    target: Option<&'static [u8]>,
    extra: Vec<(&'static [u8], &'static [u8])>,
    uid: u64,
    content: &'static [u8],
}

fn lie(kind: EntryType, path: impl AsRef<[u8]>) -> Lie {
    Lie {
        kind,
        path: path.as_ref().to_vec(),
        target: None,
        extra: Vec::new(),
        uid: 0,
        content: b"",
    }
}

impl Lie {
    fn to(mut self, target: &'static [u8]) -> Self {
        self.target = Some(target);
        self
    }

    fn with(mut self, key: &'static [u8], value: &'static [u8]) -> Self {
        self.extra.push((key, value));
        self
    }

    fn write(&self, tar: &mut Vec<u8>) {
        let mut records = Vec::new();
        let mut record = |key: &[u8], value: &[u8]| {
            let rest = key.len() + value.len() + 3;
            let length = (rest..)
                .find(|all| *all == rest + all.to_string().len())
                .unwrap();
            records.extend(format!("{length} ").as_bytes());
            records.extend([key, b"=", value, b"\n"].concat());
        };
        record(b"path", &self.path);
        record(b"mtime", b"0.000000000");
        self.target
            .into_iter()
            .for_each(|target| record(b"linkpath", target));
        self.extra
            .iter()
            .for_each(|(key, value)| record(key, value));
        block(tar, EntryType::XHeader, 0, &records);
        block(tar, self.kind, self.uid, self.content);
    }
}

fn block(tar: &mut Vec<u8>, kind: EntryType, uid: u64, content: &[u8]) {
    let mut header = Header::new_gnu();
    header.set_path("x").unwrap();
    header.set_entry_type(kind);
    header.set_mode(0o755);
    header.set_uid(uid);
    header.set_gid(0);
    header.set_size(content.len() as u64);
    header
        .set_device_major(if kind == EntryType::Block { 8 } else { 0 })
        .unwrap();
    header.set_device_minor(0).unwrap();
    header.set_cksum();
    tar.extend(header.as_bytes());
    tar.extend(content);
    tar.resize(tar.len().next_multiple_of(512), 0);
}

fn archive_of(lies: &[Lie]) -> Vec<u8> {
    let mut tar = Vec::new();
    lie(EntryType::Regular, "hostler-checkpoint-1").write(&mut tar);
    lies.iter().for_each(|lie| lie.write(&mut tar));
    tar.resize(tar.len() + 1024, 0);
    zstd::encode_all(&tar[..], 1).unwrap()
}

fn lies(outside: &Path) -> Vec<(&'static str, Vec<Lie>)> {
    let outside: &'static [u8] = outside.as_os_str().as_encoded_bytes().to_vec().leak();
    let mut all = lies_about_places(outside);
    all.extend(lies_about_links(outside));
    all.extend(lies_about_files());
    all
}

fn lies_about_places(outside: &'static [u8]) -> Vec<(&'static str, Vec<Lie>)> {
    let file = |path: &[u8]| vec![lie(EntryType::Regular, path)];
    let long = [&b"workspace/"[..], &[b'x'; 300]].concat();
    vec![
        ("absolute", file(&[outside, b"/file"].concat())),
        ("up", file(b"workspace/../../file")),
        ("up at once", file(b"../file")),
        ("empty name", file(b"workspace//file")),
        ("dot", file(b"workspace/./file")),
        ("a long name", file(&long)),
        ("elsewhere", file(b"uploads/file")),
        ("the host's own", file(b"process.json")),
        ("its socket", vec![lie(EntryType::Directory, "agent.sock")]),
        (
            "a record that is a pipe",
            vec![lie(EntryType::Fifo, "news.json")],
        ),
        (
            "twice",
            [file(b"workspace/f"), file(b"workspace/f")]
                .into_iter()
                .flatten()
                .collect(),
        ),
    ]
}

fn lies_about_links(outside: &'static [u8]) -> Vec<(&'static str, Vec<Lie>)> {
    use EntryType::{Link, Regular, Symlink};
    let out = || lie(Symlink, "workspace/l").to(outside);
    let name = |target: &'static [u8]| lie(Link, "workspace/n").to(target);
    vec![
        (
            "a tree that is a link",
            vec![lie(Symlink, "workspace").to(outside)],
        ),
        (
            "through a link",
            vec![out(), lie(Regular, "workspace/l/file")],
        ),
        ("over a link", vec![out(), lie(Regular, "workspace/l")]),
        (
            "name of what is outside",
            vec![name(b"../../../../etc/passwd")],
        ),
        (
            "name of the host's",
            vec![lie(Regular, "root.json"), name(b"root.json")],
        ),
        (
            "name through a link",
            vec![out(), name(b"workspace/l/secret")],
        ),
        ("name of a link", vec![out(), name(b"workspace/l")]),
    ]
}

fn lies_about_files() -> Vec<(&'static str, Vec<Lie>)> {
    let file = |key: &'static [u8], value: &'static [u8], content: &'static [u8]| {
        let file = lie(EntryType::Regular, "workspace/f").with(key, value);
        vec![Lie { content, ..file }]
    };
    let device = |kind, content: &'static [u8]| {
        vec![Lie {
            content,
            ..lie(kind, "workspace/d")
        }]
    };
    let foreign = Lie {
        uid: 65_536,
        ..lie(EntryType::Regular, "workspace/f")
    };
    let extents: &[u8] = b"HOSTLER.extents";
    let attribute: &[u8] = b"SCHILY.xattr.security.capability";
    vec![
        ("a disk", device(EntryType::Block, b"")),
        ("a device with contents", device(EntryType::Char, b"x")),
        ("foreign owner", vec![foreign]),
        ("foreign attribute", file(attribute, b"x", b"")),
        ("unknown header", file(&b"GNU.sparse.map"[..], b"0,1", b"")),
        ("overlapping extents", file(extents, b"5 1+1 1+1", b"xx")),
        ("extents past the end", file(extents, b"5 5+1", b"x")),
        ("extents without contents", file(extents, b"5 0+5", b"")),
    ]
}

#[tokio::test]
async fn an_archive_that_lies_makes_nothing_and_takes_nothing() {
    let world = World::new().await;
    let outside = tempfile::tempdir().unwrap();
    fs::write(outside.path().join("secret"), "secret").unwrap();
    world.sh("echo file > kept").await;
    let two = name("two");
    for (what, lies) in lies(outside.path()) {
        let bytes = Cursor::new(archive_of(&lies));
        let restored = world
            .host
            .restore(&two, "mark_1", SystemTime::UNIX_EPOCH, bytes)
            .await;
        assert!(
            matches!(restored, Err(SandboxError::Io(_))),
            "{what}: {restored:?}"
        );
        assert!(!world.host.has_files(&two).await, "{what}");
    }
    let found: Vec<_> = fs::read_dir(outside.path()).unwrap().collect();
    assert_eq!(found.len(), 1, "something was made outside");
    // What is no lie is taken, and so this is no test of a refusal of everything.
    let good = archive_of(&[
        lie(EntryType::Directory, "workspace"),
        lie(EntryType::Char, "workspace/w"),
    ]);
    let restored = world
        .host
        .restore(&two, "mark_1", SystemTime::UNIX_EPOCH, Cursor::new(good))
        .await;
    assert_eq!(restored.unwrap().entries, 2);
    world.host.destroy(&two).await.unwrap();
    world.end().await;
}
