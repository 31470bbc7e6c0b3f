//! Uploads and archives of strangers: what is taken, and what is refused by name.

use super::*;
use crate::limits::PATH_NAMES_MAX;

const SKILL: &str = "---\nname: a-skill\ndescription: Does it.\n---\nDo it.\n";

fn parts(names: &[&str]) -> Vec<(String, Vec<u8>)> {
    let content = |name: &str| match name.ends_with("SKILL.md") {
        true => SKILL.as_bytes().to_vec(),
        false => b"#!/bin/sh\n".to_vec(),
    };
    names
        .iter()
        .map(|name| ((*name).to_owned(), content(name)))
        .collect()
}

fn files(bundle: &Bundle) -> Vec<(&str, bool)> {
    let files = bundle.files.iter();
    files
        .map(|file| (file.path.as_str(), file.is_executable))
        .collect()
}

fn refusal(result: Result<Bundle, Refused>) -> String {
    result.map(|bundle| bundle.name).unwrap_err().to_string()
}

#[test]
fn what_goes_into_an_archive_comes_out_of_it() {
    let names = ["f/scripts/run.sh", "f/SKILL.md", "f/.DS_Store"];
    let bundle = Bundle::of_parts(parts(&names)).unwrap();
    assert_eq!(
        (bundle.name.as_str(), bundle.description.as_str()),
        ("a-skill", "Does it.")
    );
    assert_eq!(
        files(&bundle),
        [("SKILL.md", false), ("scripts/run.sh", true)]
    );
    let archive = bundle.to_zip();
    assert_eq!(
        archive,
        bundle.to_zip(),
        "the same bytes for the same files"
    );
    assert_eq!(Bundle::of_zip(&archive), Ok(bundle));
}

#[test]
fn paths_of_strangers_are_refused_by_name() {
    let deep = format!("f/{}", "d/".repeat(20));
    for (name, said) in [
        ("../SKILL.md", "'.' or '..'"),
        ("f/../../etc/x", "'.' or '..'"),
        ("/f/x", "relative"),
        ("f//x", "relative"),
        ("f/a\\b", "backslash"),
        ("f/a\nb", "control"),
        (deep.as_str(), "too deep"),
        ("g/x", "in the same folder"),
        ("f/skill.MD", "case of letters"),
        ("f/SKILL.md", "case of letters"),
        ("f/skill.md/x", "a file and a directory"),
        ("x", "in the same folder"),
    ] {
        let message = refusal(Bundle::of_parts(parts(&["f/SKILL.md", name])));
        assert!(message.contains(said), "{name}: {message}");
    }
    let message = refusal(Bundle::of_parts(parts(&["f/sub/SKILL.md"])));
    assert!(message.contains("SKILL.md at the root"), "{message}");
    let many: Vec<String> = (0..=SKILL_FILES_MAX).map(|n| format!("f/{n}")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    let message = refusal(Bundle::of_parts(parts(&many)));
    assert!(message.contains("1000 files"), "{message}");
}

#[test]
fn no_cut_and_no_altered_byte_of_an_archive_does_more_than_be_refused_or_read() {
    let names = ["f/SKILL.md", "f/scripts/run.sh"];
    let archive = Bundle::of_parts(parts(&names)).unwrap().to_zip();
    for end in 0..archive.len() {
        assert!(unzip(&archive[..end]).is_err(), "cut at {end}");
    }
    for at in 0..archive.len() {
        for bit in 0..8 {
            let mut altered = archive.clone();
            altered[at] ^= 1 << bit;
            // Neither a panic nor more than was there.
            if let Ok(files) = unzip(&altered) {
                assert!(files.len() <= 2, "bit {bit} of {at}");
            }
        }
    }
}

#[test]
fn an_archive_that_unpacks_to_more_than_it_says_is_refused() {
    let large = vec![0; SKILL_BYTES_MAX];
    let file = |name: &str, content: Vec<u8>| SkillFile {
        path: name.to_owned(),
        is_executable: false,
        content,
    };
    let one = zip("f", &[file("a", large.clone())]);
    assert!(one.len() < 100_000, "it is a bomb");
    assert_eq!(unzip(&one).map(|files| files.len()), Ok(1));
    let two = zip("f", &[file("a", large), file("b", vec![0])]);
    assert!(
        unzip(&two)
            .unwrap_err()
            .to_string()
            .contains("at most 30 MiB")
    );
    let twice = zip("f", &[file("a", vec![1]), file("a", vec![2])]);
    assert!(unzip(&twice).unwrap_err().to_string().contains("twice"));
    // The size of the one entry, in its directory: 24 bytes into it, which begins 22 + 46 + 3 before the end.
    let mut short = zip("f", &[file("a", vec![7; 1_000])]);
    let size = short.len() - 22 - 49 + 24;
    short[size..size + 4].copy_from_slice(&999_u32.to_le_bytes());
    assert!(
        unzip(&short)
            .unwrap_err()
            .to_string()
            .contains("not what the archive says")
    );
    // A link, by its mode.
    let mut link = zip("f", &[file("a", b"/etc/passwd".to_vec())]);
    let mode = link.len() - 22 - 49 + 40;
    link[mode..mode + 2].copy_from_slice(&0o120_777_u16.to_le_bytes());
    assert!(
        unzip(&link)
            .unwrap_err()
            .to_string()
            .contains("links are not taken")
    );
}

/// Its own archive has the skill's name for a folder, whatever the upload had.
#[test]
fn what_is_taken_can_be_unpacked_again() {
    let at_the_root = |path: String| {
        let file = |path: &str, content: &[u8]| SkillFile {
            path: path.to_owned(),
            is_executable: false,
            content: content.to_vec(),
        };
        let files = vec![file(SKILL_MD, SKILL.as_bytes()), file(&path, b"x")];
        Bundle::new(None, files)
    };
    let deepest = format!("{}x", "d/".repeat(PATH_NAMES_MAX - 2));
    let longest = format!("{}/{}", "d".repeat(255), "x".repeat(512 - 256 - 8));
    for (fits, does_not) in [
        (deepest.clone(), format!("d/{deepest}")),
        (longest.clone(), format!("{longest}x")),
    ] {
        let bundle = at_the_root(fits).unwrap();
        assert_eq!(Bundle::of_zip(&bundle.to_zip()), Ok(bundle));
        refusal(at_the_root(does_not));
    }
}

#[test]
fn an_archive_that_two_readers_could_read_differently_is_refused() {
    let file = |name: &str, content: &[u8]| SkillFile {
        path: name.to_owned(),
        is_executable: false,
        content: content.to_vec(),
    };
    let said = |archive: &[u8]| unzip(archive).unwrap_err().to_string();
    // The head in front of the file: its method, its sum, its sizes.
    let archive = zip("f", &[file("a", &[7; 1_000])]);
    for at in [8, 14, 18, 22] {
        let mut altered = archive.clone();
        altered[at] ^= 1;
        assert!(said(&altered).contains("not what the archive says"), "{at}");
    }
    // A byte behind the end of what is packed, counted with it here and there.
    let mut padded = archive.clone();
    let head = 30 + "f/a".len();
    let packed = archive.len() - 22 - 49 - head;
    padded.insert(head + packed, 0);
    let directory = padded.len() - 22 - 49;
    let longer = u32::try_from(packed + 1).unwrap().to_le_bytes();
    padded[18..22].copy_from_slice(&longer);
    padded[directory + 20..directory + 24].copy_from_slice(&longer);
    let end = padded.len() - 22;
    let moved = u32::try_from(directory).unwrap().to_le_bytes();
    padded[end + 16..end + 20].copy_from_slice(&moved);
    assert!(said(&padded).contains("well-formed"), "{}", said(&padded));
}

#[test]
fn a_front_matter_is_one_document_of_plain_text() {
    let read = |inner: &str, fields| {
        let text = format!("---\n{inner}---\n");
        crate::FrontMatter::read(&text, fields).map(|front| front.description)
    };
    let two = "name: a\ndescription: x\n...\nname: b\ndescription: y\n";
    let bell = "name: a\ndescription: \"x\\a\"\n";
    let in_brackets = "description: x\nallowed-tools: [Read, {a: b}]\n";
    for fields in [Fields::OnlyKnown, Fields::Any] {
        let said = read(two, fields).unwrap_err().to_string();
        assert!(said.contains("two documents"), "{said}");
        let said = read(bell, fields).unwrap_err().to_string();
        assert!(said.contains("control characters"), "{said}");
    }
    assert!(read(in_brackets, Fields::OnlyKnown).is_err());
    assert_eq!(read(in_brackets, Fields::Any), Ok("x".to_owned()));
}
