//! Pages and sites that are made to hurt whoever reads them: each costs its own call, and the model is told why.

use serde_json::json;

use super::answers::toolset;
use super::site::{Site, html, moved, page};
use super::web::fetched;
use super::world::World;

/// A PDF of these objects, numbered from 1; the first is its catalogue.
fn pdf(objects: &[String]) -> Vec<u8> {
    let mut made = "%PDF-1.4\n".to_owned();
    let mut table = "0000000000 65535 f \n".to_owned();
    for (position, object) in objects.iter().enumerate() {
        table += &format!("{:010} 00000 n \n", made.len());
        made += &format!("{} 0 obj{object} endobj\n", position + 1);
    }
    let (at, size) = (made.len(), objects.len() + 1);
    made += &format!(
        "xref\n0 {size}\n{table}trailer<</Size {size}/Root 1 0 R>>\nstartxref\n{at}\n%%EOF"
    );
    made.into_bytes()
}

fn stream(dictionary: &str, content: &str) -> String {
    let length = content.len();
    format!("<<{dictionary}/Length {length}>>stream\n{content}\nendstream")
}

/// A page of a form that shows the next one twice, and so on: 2^60 forms in a few thousand bytes.
fn laughs() -> Vec<u8> {
    let next = |number: usize| format!("/Resources<</XObject<</F {number} 0 R>>>>");
    let mut objects = vec![
        "<</Type/Catalog/Pages 2 0 R>>".to_owned(),
        "<</Type/Pages/Kids[3 0 R]/Count 1>>".to_owned(),
        format!(
            "<</Type/Page/Parent 2 0 R/MediaBox[0 0 9 9]/Contents 4 0 R{}>>",
            next(5)
        ),
        stream("", "/F Do /F Do"),
    ];
    let form = "/Type/XObject/Subtype/Form/BBox[0 0 9 9]";
    objects.extend((6..66).map(|number| stream(&format!("{form}{}", next(number)), "/F Do /F Do")));
    objects.push(stream(form, ""));
    pdf(&objects)
}

/// A PDF whose table of objects claims to have entries this wide: its reader makes room for one.
fn wide_table(bytes: u64) -> Vec<u8> {
    let dictionary = format!("/Type/XRef/Size 1/Root 1 0 R/W[{bytes} 1 1]");
    let object = stream(&dictionary, "");
    format!("%PDF-1.5\n1 0 obj{object} endobj\nstartxref\n9\n%%EOF").into_bytes()
}

#[tokio::test]
async fn a_reader_takes_no_more_than_it_may() {
    let mut world = World::new().await.with_host("site.test");
    // Less than usual, so that the test is short.
    world.fetching.reader_limits.cpu_seconds = 1;
    let site = Site::start(|path| {
        let body = match path {
            "/time" => laughs(),
            "/room" => wide_table(1_500_000_000),
            _ => wide_table(100_000_000),
        };
        page("application/pdf", &body)
    })
    .await;
    let urls = ["/time", "/room", "/enough"].map(|path| site.url(path));
    let given: Vec<&str> = urls.iter().map(String::as_str).collect();
    let tools = json!([toolset("always_allow")]);
    let found = fetched(&world, tools, &urls.join(" "), &given).await;
    assert_eq!(
        found,
        [
            "! url_not_accessible: the PDF can't be read: it takes more time of the processor than there is for one.",
            "! url_not_accessible: the PDF can't be read: it takes more memory than there is for one.",
            "! url_not_accessible: the PDF is damaged.",
        ]
    );
}

#[tokio::test]
async fn a_site_leads_to_no_address_that_is_a_text_of_its_own() {
    let world = World::new().await.with_host("site.test");
    let site = Site::start(|_| moved(&format!("/obey?{}", "words".repeat(500)))).await;
    let url = site.url("/");
    let tools = json!([toolset("always_allow")]);
    let found = fetched(&world, tools, &url, &[&url]).await;
    assert_eq!(
        found,
        ["! url_not_accessible: it leads to an address of more than 2048 characters."]
    );
    assert_eq!(site.asked(), ["/"]);
}

#[tokio::test]
async fn pages_have_so_much_memory_and_give_it_back() {
    let mut world = World::new().await.with_host("site.test");
    world.fetching.pages_bytes_max = 1 << 20;
    let site = Site::start(|path| match path {
        "/large" => page("text/plain", &[b'x'; 2 << 20]),
        _ => page("text/plain", &[b'x'; 1 << 19]),
    })
    .await;
    let urls = ["/small", "/large", "/small", "/small"].map(|path| site.url(path));
    let given: Vec<&str> = urls.iter().map(String::as_str).collect();
    let tools = json!([toolset("always_allow")]);
    let found = fetched(&world, tools, &urls.join(" "), &given).await;
    let (large, small) = (&found[1], [&found[0], &found[2], &found[3]]);
    assert!(
        large.starts_with("! unavailable: this server is reading too many pages just now"),
        "{large}"
    );
    assert!(small.iter().all(|small| small.starts_with("<> xxx")));
}

/// A provider may refuse the conversation for one of them, and with it each later turn.
#[tokio::test]
async fn control_characters_are_for_no_model() {
    let world = World::new().await.with_host("site.test");
    let site = Site::start(|path| match path {
        "/text" => page("text/plain", b"one\0\x1b[31m\ttwo\r\nthree\x0cfour\x7f"),
        _ => html("<title>a&#27;b</title><p>one&#1;two"),
    })
    .await;
    let urls = ["/text", "/html"].map(|path| site.url(path));
    let given: Vec<&str> = urls.iter().map(String::as_str).collect();
    let tools = json!([toolset("always_allow")]);
    let found = fetched(&world, tools, &urls.join(" "), &given).await;
    let expected = [
        "<> one\u{fffd}\u{fffd}[31m\ttwo\r\nthree\nfour\u{fffd}",
        "<a\u{fffd}b> one\u{fffd}two",
    ];
    assert_eq!(found, expected);
}
