//! Images that need no registry: BusyBox and this machine's bash.

use std::fs;
use std::path::Path;
use std::process::Command;

/// BusyBox under all of its names, and bash with its libraries.
pub(crate) fn with_bash() -> Vec<u8> {
    let mut image = Image::with_busybox();
    image.program("/bin/bash");
    image.finish()
}

/// BusyBox, and our program where a pod finds it.
pub(crate) fn with_program(program: &Path, place: &str) -> Vec<u8> {
    let mut image = Image::with_busybox();
    image.directory(
        place.rsplit_once('/').unwrap().0.trim_start_matches('/'),
        0o755,
    );
    image.file(place.trim_start_matches('/'), program);
    image.libraries_of(program.to_str().unwrap());
    image.finish()
}

/// BusyBox alone: there is a shell, and it is not bash.
pub(super) fn without_bash() -> Vec<u8> {
    Image::with_busybox().finish()
}

struct Image(tar::Builder<Vec<u8>>);

impl Image {
    fn with_busybox() -> Self {
        let mut image = Self(tar::Builder::new(Vec::new()));
        for directory in ["bin", "dev", "etc", "mnt", "proc", "root", "sys", "usr"] {
            image.directory(directory, 0o755);
        }
        image.directory("tmp", 0o1777);
        let busybox = ["/bin/busybox", "/usr/bin/busybox"]
            .into_iter()
            .find(|path| Path::new(path).exists())
            .expect("busybox is there");
        image.file("bin/busybox", Path::new(busybox));
        let names = Command::new(busybox).arg("--list").output().unwrap();
        for name in String::from_utf8(names.stdout).unwrap().lines() {
            if name != "busybox" && name != "bash" {
                image.link(&format!("bin/{name}"), "busybox");
            }
        }
        image
    }

    fn directory(&mut self, path: &str, mode: u32) {
        let mut header = header(tar::EntryType::Directory, mode);
        let entry = format!("{path}/");
        self.0.append_data(&mut header, entry, &[][..]).unwrap();
    }

    fn link(&mut self, path: &str, target: &str) {
        let mut header = header(tar::EntryType::Symlink, 0o777);
        self.0.append_link(&mut header, path, target).unwrap();
    }

    fn file(&mut self, path: &str, source: &Path) {
        let bytes = fs::read(source).unwrap();
        let mut header = header(tar::EntryType::Regular, 0o755);
        header.set_size(bytes.len() as u64);
        self.0.append_data(&mut header, path, &bytes[..]).unwrap();
    }

    /// A program of this machine at the same path, with what it is linked to.
    fn program(&mut self, path: &str) {
        self.file(path.trim_start_matches('/'), Path::new(path));
        self.libraries_of(path);
    }

    fn libraries_of(&mut self, path: &str) {
        let list = Command::new("ldd").arg(path).output().unwrap();
        let list = String::from_utf8(list.stdout).unwrap();
        let words = list.split_whitespace();
        for library in words.filter(|word| word.starts_with('/')) {
            self.file(library.trim_start_matches('/'), Path::new(library));
        }
    }

    fn finish(self) -> Vec<u8> {
        self.0.into_inner().unwrap()
    }
}

fn header(kind: tar::EntryType, mode: u32) -> tar::Header {
    let mut header = tar::Header::new_gnu();
    header.set_entry_type(kind);
    header.set_mode(mode);
    header.set_size(0);
    header
}
