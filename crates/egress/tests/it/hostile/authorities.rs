//! Hosts that only look like permitted ones, in a CONNECT and in the target of a request.

use super::Refusal::{self, BadName, BadPort, NoName, NotInList, NotPublic, Unreadable};
use super::{Offences, attempt};
use crate::world::World;

/// The name of an attempt, what stands where the host and port stand, and how a CONNECT and a
/// request to `http://…/` with it are refused.
type Row = (&'static str, &'static str, Refusal, Refusal);

#[rustfmt::skip]
const SPELLINGS: &[Row] = &[
    ("NUL behind the name", "allowed.example\0.evil.example:80", Unreadable, Unreadable),
    ("NUL before the port", "allowed.example\0:80", Unreadable, Unreadable),
    ("CR in the name", "allowed.example\r.evil.example:80", Unreadable, Unreadable),
    ("LF in the name", "allowed.example\n.evil.example:80", Unreadable, Unreadable),
    ("CRLF and a header", "allowed.example:80\r\nHost: evil.example", Unreadable, Unreadable),
    ("tab in the name", "allowed.example\t.evil.example:80", Unreadable, Unreadable),
    ("space in the name", "allowed.example .evil.example:80", Unreadable, Unreadable),
    ("vertical tab", "allowed.example\u{b}:80", Unreadable, Unreadable),
    ("DEL", "allowed.example\u{7f}:80", Unreadable, Unreadable),
    ("permitted name as user", "allowed.example@evil.example:80", BadName, BadName),
    ("user and password", "allowed.example:80@evil.example:80", BadName, BadName),
    ("evil user of the permitted host", "evil.example@allowed.example:80", BadName, BadName),
    ("empty user", "@allowed.example:80", BadName, BadName),
    ("backslash before an at", "evil.example\\@allowed.example:80", Unreadable, Unreadable),
    ("percent-encoded NUL", "allowed.example%00.evil.example:80", Unreadable, Unreadable),
    ("percent-encoded letter", "%61llowed.example:80", Unreadable, Unreadable),
    ("percent-encoded dot", "allowed%2eexample:80", Unreadable, Unreadable),
    ("percent-encoded slash", "allowed.example%2f.evil.example:80", Unreadable, Unreadable),
    ("two dots at the end", "allowed.example..:80", BadName, BadName),
    ("dot at the start", ".allowed.example:80", BadName, BadName),
    ("two dots inside", "allowed..example:80", BadName, BadName),
    ("only a dot", ".:80", BadName, BadName),
    ("evil with a dot at the end", "evil.example.:80", NotInList, NotInList),
    ("no name at all", ":80", BadName, BadName),
    ("a star", "*:80", BadName, BadName),
    ("the pattern itself", "*.below.example:80", BadName, BadName),
    ("quotes", "\"allowed.example\":80", Unreadable, Unreadable),
    ("comma and a second host", "allowed.example,evil.example:80", BadName, BadName),
    ("semicolon and a second host", "allowed.example;evil.example:80", BadName, BadName),
    ("ampersand", "allowed.example&evil.example:80", BadName, BadName),
    ("hyphen at the start of a label", "-x.below.example:80", BadName, BadName),
    ("hyphen at the end of a label", "x-.below.example:80", BadName, BadName),
    ("empty label below a suffix", "x..below.example:80", BadName, BadName),
    ("Cyrillic a", "\u{430}llowed.example:80", Unreadable, Unreadable),
    ("full-width letter", "\u{ff41}llowed.example:80", Unreadable, Unreadable),
    ("ideographic full stop", "allowed\u{3002}example:80", Unreadable, Unreadable),
    ("full-width full stop", "allowed\u{ff0e}example:80", Unreadable, Unreadable),
    ("circled letter", "\u{24d0}llowed.example:80", Unreadable, Unreadable),
    ("zero-width space", "allowed.example\u{200b}:80", Unreadable, Unreadable),
    ("soft hyphen", "al\u{ad}lowed.example:80", Unreadable, Unreadable),
    ("right-to-left override", "\u{202e}allowed.example:80", Unreadable, Unreadable),
    ("homograph in its ASCII form", "xn--llowed-2nf.example:80", NotInList, NotInList),
    ("digit for letter", "al1owed.example:80", NotInList, NotInList),
    ("zero for o", "all0wed.example:80", NotInList, NotInList),
];

#[rustfmt::skip]
const SUFFIXES: &[Row] = &[
    ("another host", "evil.example:80", NotInList, NotInList),
    ("letters before the name", "evilallowed.example:80", NotInList, NotInList),
    ("hyphen before the name", "evil-allowed.example:80", NotInList, NotInList),
    ("permitted name as a subdomain", "allowed.example.evil.example:80", NotInList, NotInList),
    ("subdomain of an exact entry", "x.allowed.example:80", NotInList, NotInList),
    ("parent of an exact entry", "example:80", NotInList, NotInList),
    ("suffix without a label", "below.example:80", NotInList, NotInList),
    ("letters before a suffix", "evilbelow.example:80", NotInList, NotInList),
    ("suffix as a subdomain", "x.below.example.evil.example:80", NotInList, NotInList),
    ("dot before a suffix", ".below.example:80", BadName, BadName),
    ("a letter less", "allowed.exampl:80", NotInList, NotInList),
    ("a letter more", "allowed.examples:80", NotInList, NotInList),
    ("another top level", "allowed.com:80", NotInList, NotInList),
    ("hyphen for dot", "allowed-example:80", NotInList, NotInList),
    ("underscore for dot", "allowed_example:80", NotInList, NotInList),
    ("underscore inside", "allowed_.example:80", NotInList, NotInList),
    ("a name of the cloud's metadata", "metadata.google.internal:80", NotInList, NotInList),
    ("a name of the machine", "localhost:80", NotInList, NotInList),
    ("a name of the machine in capitals", "LOCALHOST:80", NotInList, NotInList),
    ("a name below the machine's", "x.localhost:80", NotInList, NotInList),
    ("the machine's other name", "localhost.localdomain:80", NotInList, NotInList),
    ("the gateway's own kind of name", "host.docker.internal:80", NotInList, NotInList),
];

#[rustfmt::skip]
const PORTS: &[Row] = &[
    ("port 0", "allowed.example:0", BadPort, BadPort),
    ("port 65536", "allowed.example:65536", BadPort, BadPort),
    ("port of many digits", "allowed.example:99999999999999999999", BadPort, BadPort),
    ("negative port", "allowed.example:-1", BadPort, BadPort),
    ("port with a plus", "allowed.example:+80", BadPort, BadPort),
    ("hexadecimal port", "allowed.example:0x50", BadPort, BadPort),
    ("named port", "allowed.example:http", BadPort, BadPort),
    ("empty port", "allowed.example:", BadPort, BadPort),
    ("two ports", "allowed.example:80:80", Unreadable, Unreadable),
    ("port and user", "allowed.example:80@:80", BadName, BadName),
    ("space in the port", "allowed.example:8 0", Unreadable, Unreadable),
];

/// The ways to write an address, for both policies: how each is refused when only names are
/// permitted, and when all that is public is.
#[rustfmt::skip]
const ADDRESSES: &[Row] = &[
    ("loopback", "127.0.0.1", NoName, NotPublic),
    ("another loopback", "127.127.127.127", NoName, NotPublic),
    ("loopback of two parts", "127.1", BadName, BadName),
    ("loopback of three parts", "127.0.1", BadName, BadName),
    ("decimal", "2130706433", BadName, BadName),
    ("hexadecimal", "0x7f000001", BadName, BadName),
    ("hexadecimal in capitals", "0X7F000001", BadName, BadName),
    ("hexadecimal of two parts", "0x7f.1", BadName, BadName),
    ("hexadecimal of four parts", "0x7f.0x0.0x0.0x1", BadName, BadName),
    ("octal", "017700000001", BadName, BadName),
    ("octal of four parts", "0177.0.0.1", BadName, BadName),
    ("zeros before a part", "00127.0.0.1", BadName, BadName),
    ("zero before the last part", "127.0.0.01", BadName, BadName),
    ("mixed bases", "0x7f.0.0.01", BadName, BadName),
    ("more than 32 bits", "4294967297", BadName, BadName),
    ("a part too large", "127.0.0.257", BadName, BadName),
    ("five parts", "127.0.0.0.1", BadName, BadName),
    ("dot at the end of an address", "127.0.0.1.", BadName, BadName),
    ("zero", "0", BadName, BadName),
    ("hexadecimal nothing", "0x", BadName, BadName),
    ("unspecified", "0.0.0.0", NoName, NotPublic),
    ("this network", "0.1.2.3", NoName, NotPublic),
    ("metadata", "169.254.169.254", NoName, NotPublic),
    ("metadata in decimal", "2852039166", BadName, BadName),
    ("metadata of a container service", "169.254.170.2", NoName, NotPublic),
    ("metadata of another cloud", "100.100.100.200", NoName, NotPublic),
    ("private of class A", "10.0.0.1", NoName, NotPublic),
    ("private of class B", "172.31.255.255", NoName, NotPublic),
    ("private of class C", "192.168.1.1", NoName, NotPublic),
    ("benchmarking", "198.18.0.1", NoName, NotPublic),
    ("broadcast", "255.255.255.255", NoName, NotPublic),
    ("multicast", "224.0.0.1", NoName, NotPublic),
    ("an address that stands for a name", "127.18.0.2", NoName, NotPublic),
    ("IPv6 loopback", "[::1]", NoName, NotPublic),
    ("IPv6 loopback in full", "[0:0:0:0:0:0:0:1]", NoName, NotPublic),
    ("IPv6 unspecified", "[::]", NoName, NotPublic),
    ("mapped loopback", "[::ffff:127.0.0.1]", NoName, NotPublic),
    ("mapped loopback in hexadecimal", "[::ffff:7f00:1]", NoName, NotPublic),
    ("mapped metadata", "[::ffff:169.254.169.254]", NoName, NotPublic),
    ("compatible loopback", "[::127.0.0.1]", NoName, NotPublic),
    ("translated loopback", "[::ffff:0:127.0.0.1]", NoName, NotPublic),
    ("NAT64 of loopback", "[64:ff9b::7f00:1]", NoName, NotPublic),
    ("NAT64 of metadata", "[64:ff9b::169.254.169.254]", NoName, NotPublic),
    ("local NAT64", "[64:ff9b:1::7f00:1]", NoName, NotPublic),
    ("6to4 of loopback", "[2002:7f00:1::]", NoName, NotPublic),
    ("6to4 of metadata", "[2002:a9fe:a9fe::]", NoName, NotPublic),
    ("Teredo", "[2001:0:7f00:1::80ff:fffe]", NoName, NotPublic),
    ("ISATAP", "[2a00:1::5efe:7f00:1]", NoName, NotPublic),
    ("IPv6 link-local", "[fe80::1]", NoName, NotPublic),
    ("site-local", "[fec0::1]", NoName, NotPublic),
    ("unique local", "[fd00:ec2::254]", NoName, NotPublic),
    ("IPv6 multicast", "[ff02::1]", NoName, NotPublic),
    ("IPv6 documentation", "[2001:db8::1]", NoName, NotPublic),
    ("new IPv6 documentation", "[3fff::1]", NoName, NotPublic),
    ("discard-only", "[100::1]", NoName, NotPublic),
    ("segment routing", "[5f00::1]", NoName, NotPublic),
    ("zone", "[fe80::1%25lo]", BadName, BadName),
    ("zone without its escape", "[fe80::1%lo]", BadName, BadName),
    ("zone of loopback", "[::1%25eth0]", BadName, BadName),
    ("IPv4 in brackets", "[127.0.0.1]", BadName, BadName),
    ("a name in brackets", "[allowed.example]", BadName, BadName),
    ("no bracket at the end", "[::1", Unreadable, Unreadable),
    ("no bracket at the start", "::1]", Unreadable, Unreadable),
    ("letters behind the bracket", "[::1]x", BadName, BadName),
    ("two brackets", "[[::1]]", Unreadable, Unreadable),
    ("IPv6 without brackets", "::1", Unreadable, Unreadable),
    ("ideographic dots", "127\u{3002}0\u{3002}0\u{3002}1", Unreadable, Unreadable),
    ("circled digits", "\u{2460}\u{2461}\u{2466}.0.0.1", Unreadable, Unreadable),
    ("a public address that another machine has", "1.1.1.1", NoName, NoName),
];

#[tokio::test]
async fn hosts_that_look_like_permitted_ones_are_refused() {
    let world = World::limited().await;
    let mut offences = Offences::default();
    for (name, authority, connect, request) in [SPELLINGS, SUFFIXES, PORTS].concat() {
        let sent = format!("CONNECT {authority} HTTP/1.1\r\nHost: allowed.example\r\n\r\n");
        offences.compare(
            &format!("CONNECT: {name}"),
            attempt(&world, sent).await,
            Ok(connect),
        );
        let sent = format!("GET http://{authority}/ HTTP/1.1\r\nHost: allowed.example\r\n\r\n");
        offences.compare(
            &format!("GET: {name}"),
            attempt(&world, sent).await,
            Ok(request),
        );
    }
    offences.assert_none();
    assert_eq!(world.server.accepted(), 0);
    assert!(world.lookups.lock().unwrap().is_empty());
}

#[tokio::test]
async fn labels_and_names_too_long_are_refused() {
    let world = World::limited().await;
    let label = "a".repeat(64);
    let name = ["a".repeat(60).as_str(); 4].join(".");
    for host in [
        format!("{label}.below.example"),
        format!("{name}.below.example"),
        format!("{}below.example", "a.".repeat(130)),
    ] {
        let sent = format!("CONNECT {host}:80 HTTP/1.1\r\nHost: {host}:80\r\n\r\n");
        assert_eq!(attempt(&world, sent).await, Ok(BadName), "{host}");
    }
    let endless = format!("GET http://{}/ HTTP/1.1\r\n\r\n", "a".repeat(70_000));
    let reply = crate::wire::ask(world.proxy, endless).await.unwrap();
    assert!(matches!(reply.status, 414 | 431), "{}", reply.status);
    assert_eq!(world.server.accepted(), 0);
}

#[tokio::test]
async fn spellings_of_addresses_are_refused_where_only_names_are_permitted() {
    let world = World::limited().await;
    let mut offences = Offences::default();
    for (name, address, limited, _) in ADDRESSES {
        for sent in with_address(address, world.port()) {
            offences.compare(
                &format!("{name}: {sent}"),
                attempt(&world, &sent).await,
                Ok(*limited),
            );
        }
    }
    offences.assert_none();
    assert_eq!(world.server.accepted(), 0);
    assert!(world.lookups.lock().unwrap().is_empty());
}

#[tokio::test]
async fn spellings_of_addresses_lead_to_no_private_place_where_all_hosts_are_permitted() {
    let world = World::unrestricted().await;
    let mut offences = Offences::default();
    let not_public = |row: &&Row| row.3 != NoName;
    for (name, address, _, unrestricted) in ADDRESSES.iter().filter(not_public) {
        for sent in with_address(address, world.port()) {
            let got = attempt(&world, &sent).await;
            offences.compare(&format!("{name}: {sent}"), got, Ok(*unrestricted));
        }
    }
    offences.assert_none();
    assert_eq!(world.server.accepted(), 0);
    assert!(world.lookups.lock().unwrap().is_empty());
}

fn with_address(address: &str, port: u16) -> [String; 2] {
    let authority = format!("{address}:{port}");
    [
        format!("CONNECT {authority} HTTP/1.1\r\nHost: {authority}\r\n\r\n"),
        format!("GET http://{authority}/ HTTP/1.1\r\nHost: {authority}\r\n\r\n"),
    ]
}
