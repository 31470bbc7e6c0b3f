//! A Git server on loopback, and repositories for it that git itself would not make.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};

use hostler_protocol::session_repository::{
    Checkout, MountRepository, RepositoryPath, RepositoryUrl,
};
use hostler_store::NewRepository;

use super::world::World;

pub(super) const HOST: &str = "git.test";

/// `git http-backend` behind the HTTP server of the tests through the SDKs. It ends with its input.
pub(super) struct GitServer {
    process: Child,
    _input: Option<ChildStdin>,
    folder: tempfile::TempDir,
    pub(super) port: u16,
}

impl Drop for GitServer {
    fn drop(&mut self) {
        self._input.take();
        let _ = self.process.wait();
    }
}

impl GitServer {
    /// `redirects` is where paths below `/moved/` lead.
    pub(super) fn start(redirects: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/sdk/git_server.py");
        let mut process = Command::new("/usr/bin/python3")
            .arg(script)
            .arg(folder.path())
            .arg(redirects)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        let output = process.stdout.take().unwrap();
        BufReader::new(output).read_line(&mut line).unwrap();
        Self {
            port: line.trim().parse().unwrap(),
            _input: process.stdin.take(),
            process,
            folder,
        }
    }

    pub(super) fn url(&self, path: &str) -> String {
        format!("http://{HOST}:{}{path}", self.port)
    }

    /// Makes a repository by a script of a shell, which starts in an empty working tree.
    pub(super) fn repository(&self, name: &str, script: &str) -> PathBuf {
        let work = self.folder.path().join(format!("{name}.work"));
        std::fs::create_dir(&work).unwrap();
        sh(&work, &format!("git init -q -b main\n{script}"));
        let bare = self.folder.path().join(format!("{name}.git"));
        sh(&work, &format!("git clone -q --bare . {}", bare.display()));
        // Any commit may be asked for by its hash, as on the hosts that people use.
        sh(&bare, "git config uploadpack.allowAnySHA1InWant true");
        bare
    }

    /// Adds commits to a repository that was made.
    pub(super) fn push(&self, name: &str, script: &str) {
        let work = self.folder.path().join(format!("{name}.work"));
        let bare = self.folder.path().join(format!("{name}.git"));
        let push = format!("git push -q --force {} '+refs/*:refs/*'", bare.display());
        sh(&work, &format!("{script}\n{push}"));
    }
}

/// Runs a script as somebody without a configuration, and gives what it prints.
pub(super) fn sh(at: &Path, script: &str) -> String {
    let output = Command::new("/bin/bash")
        .args(["-euc", script])
        .current_dir(at)
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .env("GIT_AUTHOR_NAME", "t")
        .env("GIT_AUTHOR_EMAIL", "t@t")
        .env("GIT_COMMITTER_NAME", "t")
        .env("GIT_COMMITTER_EMAIL", "t@t")
        .output()
        .unwrap();
    assert!(output.status.success(), "{script}: {output:?}");
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

impl World {
    /// Sessions made from now on have the repositories at these paths of the server, at
    /// `/workspace/<position>`.
    pub(super) fn clones(&mut self, server: &GitServer, given: &[(&str, Option<Checkout>)]) {
        let name = HOST.parse().unwrap();
        self.hosts
            .insert(name, std::net::Ipv4Addr::LOCALHOST.into());
        let host = server.url("").parse().unwrap();
        self.repositories.hosts =
            hostler_protocol::session_repository::RepositoryHosts::new(vec![host]);
        let wish = |(position, (path, checkout)): (usize, &(&str, Option<Checkout>))| {
            let mount_path = format!("/workspace/{position}");
            NewRepository {
                id: self.env.id(),
                wish: MountRepository {
                    url: RepositoryUrl::parse(&server.url(path)).unwrap(),
                    mount_path: RepositoryPath::parse(&mount_path).unwrap(),
                    checkout: checkout.clone(),
                    authorization_token: None,
                },
                at: self.env.now(),
                sealed: None,
            }
        };
        self.cloned = given.iter().enumerate().map(wish).collect();
    }
}
