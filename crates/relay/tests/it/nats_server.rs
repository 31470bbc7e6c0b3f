//! A server of NATS of a test's own, on a port of loopback that it chooses.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use hostler_relay::{Credential, RelayOptions, ServerAddress};

/// Ends with the test.
pub(crate) struct NatsServer {
    process: Child,
    pub(crate) port: u16,
    _folder: tempfile::TempDir,
}

impl Drop for NatsServer {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Where Debian puts it, which is not in everybody's path.
const PLACES: [&str; 2] = ["/usr/sbin/nats-server", "/usr/bin/nats-server"];

impl NatsServer {
    /// `settings` are lines of its configuration; a port of 0 is any.
    pub(crate) fn start(port: u16, settings: &str) -> Option<Self> {
        let program = PLACES.iter().find(|place| Path::new(place).exists());
        let Some(program) = program else {
            eprintln!("this machine has no nats-server: see tests/install-tools nats");
            return None;
        };
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("nats.conf");
        let any = if port == 0 {
            "-1".to_owned()
        } else {
            port.to_string()
        };
        std::fs::write(&file, format!("listen: \"127.0.0.1:{any}\"\n{settings}\n")).unwrap();
        let mut process = Command::new(program)
            .arg("-c")
            .arg(&file)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(process.stderr.take().unwrap()).lines();
        let mut listening = None;
        let said: Vec<String> = lines
            .by_ref()
            .map_while(Result::ok)
            .inspect(|line| listening = listening.or(port_in(line)))
            .take_while(|line| !line.contains("Server is ready"))
            .collect();
        let Some(port) = listening else {
            panic!("it does not listen: {said:?}");
        };
        // It must not have to wait for somebody who reads.
        std::thread::spawn(move || lines.for_each(drop));
        Some(Self {
            process,
            port,
            _folder: folder,
        })
    }

    pub(crate) fn options(&self, credential: Credential) -> RelayOptions {
        options(&format!("nats://127.0.0.1:{}", self.port), credential)
    }
}

fn port_in(line: &str) -> Option<u16> {
    let (_, address) = line.split_once("Listening for client connections on ")?;
    address.rsplit_once(':')?.1.trim().parse().ok()
}

pub(crate) fn options(servers: &str, credential: Credential) -> RelayOptions {
    RelayOptions {
        servers: ServerAddress::list(servers).unwrap(),
        credential,
        ca_file: None,
        prefix: "test".to_owned(),
        name: "test".to_owned(),
    }
}
