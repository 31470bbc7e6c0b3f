"""`web_fetch` and `web_search`: what is fetched, what is refused, and where nobody is led."""

from __future__ import annotations

import ssl
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Iterator

import anthropic
import pytest

from conftest import SETTINGS
from fake_model import FakeModel, Reply, tool_use
from hostler_process import Hostler
from oauth import LOOPBACK
from secret_host import certify
from subscriber import Subscriber
from wire import Wire

TOOLSET = "agent_toolset_20260401"
FOUND = '{"results": [{"url": "https://docs.example.com/a", "title": "A", "content": "about it"}]}'


def pdf_of(words: str) -> bytes:
    """The smallest PDF that says something."""
    content = f"BT /F1 12 Tf 72 720 Td ({words}) Tj ET".encode()
    objects = [b"<</Type/Catalog/Pages 2 0 R>>", b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
               b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 612 792]/Contents 4 0 R/Resources<</Font<</F1 5 0 R>>>>>>",
               b"<</Length %d>>stream\n%s\nendstream" % (len(content), content),
               b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica/Encoding/WinAnsiEncoding>>"]
    out, places = b"%PDF-1.4\n", []
    for number, body in enumerate(objects, 1):
        places.append(len(out))
        out += b"%d 0 obj%s endobj\n" % (number, body)
    table = b"".join(b"%010d 00000 n \n" % place for place in places)
    size = len(objects) + 1
    return out + b"xref\n0 %d\n0000000000 65535 f \n%strailer<</Size %d/Root 1 0 R>>\nstartxref\n%d\n%%%%EOF" % (
        size, table, size, len(out))


class Site(ThreadingHTTPServer):
    asked: list[str]
    url: str


class Pages(BaseHTTPRequestHandler):
    server: Site

    def do_GET(self) -> None:
        self.server.asked.append(self.path)
        if self.path.startswith("/search"):
            self.answer("application/json", FOUND.encode())
        elif self.path == "/page":
            self.answer("text/html", b"<title>T</title><h1>Head</h1><a href=/paper>The paper</a>")
        elif self.path == "/paper":
            self.answer("application/pdf", pdf_of("A paper about herons"))
        elif self.path.startswith("/to/"):
            self.send_response(302)
            self.send_header("location", self.path.removeprefix("/to/"))
            self.send_header("content-length", "0")
            self.end_headers()
        else:
            self.send_error(404)

    def answer(self, kind: str, body: bytes) -> None:
        self.send_response(200)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    with Site(("127.0.0.1", 0), Pages) as server:
        server.asked, server.url = [], f"http://127.0.0.1:{server.server_address[1]}"
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


@pytest.fixture(scope="module")
def searching(fake_model: FakeModel, tmp_path_factory: pytest.TempPathFactory, site: Site) -> Iterator[Hostler]:
    """A server that may go to this machine, and asks a search service there."""
    search = {"HOSTLER__WEB__SEARCH": "searxng", "HOSTLER__WEB__SEARCH_URL": site.url}
    server = Hostler(tmp_path_factory.mktemp("web"), fake_model.url, {**SETTINGS, **LOOPBACK, **search}).start()
    yield server
    server.stop()


def session_with(wire: Wire, *configs: dict[str, Any], environment: dict[str, Any] | None = None) -> str:
    agent = wire.post("/v1/agents", {"name": "A", "model": "claude-opus-5-5",
                                     "tools": [{"type": TOOLSET, "configs": list(configs)}]})
    config = environment or {"type": "cloud", "networking": {"type": "unrestricted"}}
    place = wire.post("/v1/environments", {"name": f"e-{agent['id']}", "config": config})
    return wire.post("/v1/sessions", {"agent": agent["id"], "environment_id": place["id"]})["id"]


def results(wire: Wire, session: str, said: str) -> list[dict[str, Any]]:
    with Subscriber(wire, session) as stream:
        wire.say(session, said)
        stream.wait_for_idle()
        return [event for event in stream.events if event["type"] == "agent.tool_result"]


class TestOfASiteNearby:
    @pytest.fixture
    def server(self, searching: Hostler) -> Hostler:
        return searching

    def test_a_page_and_the_paper_that_it_links_to(self, client: anthropic.Anthropic, wire: Wire, model: FakeModel,
                                                   site: Site) -> None:
        model.say(Reply([tool_use("web_fetch", url=f"{site.url}/page")]),
                  Reply([tool_use("web_fetch", url=f"{site.url}/paper")]), "Herons.")
        session = session_with(wire)
        page, paper = results(wire, session, f"What is on {site.url}/page?")
        document, = page["content"]
        assert (document["type"], document["title"], page["is_error"]) == ("document", "T", False)
        assert document["source"]["data"] == f"# Head\n\n[The paper]({site.url}/paper)"
        assert document["context"] == f"{site.url}/page"
        assert "A paper about herons" in paper["content"][0]["source"]["data"]
        listed = client.beta.sessions.events.list(session)
        assert [e.type for e in listed].count("agent.tool_result") == 2
        assert {"web_fetch", "web_search"} <= {tool["name"] for tool in model.requests[0]["tools"]}

    def test_a_search_is_counted_and_a_fetch_is_not(self, client: anthropic.Anthropic, wire: Wire, model: FakeModel,
                                                    site: Site) -> None:
        model.say(Reply([tool_use("web_search", query="herons")]), Reply([tool_use("web_fetch", url=f"{site.url}/page")]),
                  "Done.")
        session = session_with(wire)
        found, _page = results(wire, session, f"Search, then read {site.url}/page.")
        assert found["content"][0]["text"] == "A\nhttps://docs.example.com/a\nabout it"
        usage = client.beta.sessions.retrieve(session).usage
        assert usage.server_tool_use.web_search_requests == 1
        assert usage.server_tool_use.web_fetch_requests == 0

    def test_a_redirect_to_a_private_network_is_not_followed(self, wire: Wire, model: FakeModel, site: Site) -> None:
        places = ["http://10.0.0.1/", "http://169.254.169.254/latest/meta-data/", "http://[fe80::1]/", "gopher://x/"]
        urls = [f"{site.url}/to/{place}" for place in places]
        model.say(*[Reply([tool_use("web_fetch", url=url)]) for url in urls], "None.")
        for result in results(wire, session_with(wire), " ".join(urls)):
            assert result["is_error"] and result["content"][0]["text"].startswith("url_not_accessible: "), result


class TestOfTls:
    @pytest.fixture
    def sites(self, tmp_path: Path) -> Iterator[tuple[Site, Site, Path]]:
        """One whose authority is trusted, and one that has only itself to vouch for it."""
        sites, authorities = [], []
        for name in ("good.test", "bad.test"):
            authority, certificate, key = certify(tmp_path / name, name)
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate, key)
            site = Site(("127.0.0.1", 0), Pages)
            site.socket = context.wrap_socket(site.socket, server_side=True)
            site.asked, site.url = [], f"https://{name}:{site.server_address[1]}"
            threading.Thread(target=site.serve_forever, daemon=True).start()
            sites.append(site)
            authorities.append(authority)
        yield sites[0], sites[1], authorities[0]
        for site in sites:
            site.shutdown()
            site.server_close()

    @pytest.fixture
    def server(self, fake_model: FakeModel, tmp_path: Path, sites: tuple[Site, Site, Path]) -> Iterator[Hostler]:
        hosts = {f"HOSTLER__NETWORK__HOSTS__{name}": "127.0.0.1" for name in ("good.test", "bad.test", "other.test")}
        settings = {**SETTINGS, **hosts, "SSL_CERT_FILE": str(sites[2])}
        server = Hostler(tmp_path / "tls", fake_model.url, settings).start()
        yield server
        server.stop()

    def test_a_host_has_to_be_vouched_for(self, wire: Wire, model: FakeModel, sites: tuple[Site, Site, Path]) -> None:
        good, bad, _ = sites
        other = good.url.replace("good.test", "other.test")
        urls = [f"{site}/page" for site in (good.url, bad.url, other)]
        model.say(*[Reply([tool_use("web_fetch", url=url)]) for url in urls], "One.")
        found = results(wire, session_with(wire), " ".join(urls))
        assert found[0]["content"][0]["source"]["data"].startswith("# Head"), found[0]
        for result in found[1:]:
            assert result["is_error"] and "certificate" in result["content"][0]["text"], result
        assert (good.asked, bad.asked) == (["/page"], [])


class TestOfTheServerAsItIs:
    HOSTILE = ["http://127.0.0.1:{port}/page", "http://localhost:{port}/page", "http://[::1]:{port}/page",
               "http://0x7f000001:{port}/page", "http://2130706433:{port}/page", "http://0177.0.0.1:{port}/page",
               "http://127.1:{port}/page", "http://[::ffff:127.0.0.1]:{port}/page", "http://0.0.0.0:{port}/page",
               "http://169.254.169.254/latest/meta-data/", "http://localhost.:{port}/page", "http://10.0.0.1/",
               "http://１２７.０.０.１:{port}/page"]

    def test_nobody_is_led_to_this_machine(self, wire: Wire, model: FakeModel, site: Site) -> None:
        before = len(site.asked)
        urls = [url.format(port=site.server_address[1]) for url in self.HOSTILE]
        model.say(*[Reply([tool_use("web_fetch", url=url)]) for url in urls], "None.")
        found = results(wire, session_with(wire), " ".join(urls))
        assert len(found) == len(urls)
        for url, result in zip(urls, found):
            assert result["is_error"], url
            assert result["content"][0]["text"].startswith("url_not_accessible: "), (url, result)
        assert len(site.asked) == before

    @pytest.mark.parametrize("url, word", [
        ("https://example.com/secret?of=the+session", "url_not_in_prior_context"),
        ("https://example.com@evil.example/", "invalid_tool_input"), ("file:///etc/passwd", "invalid_tool_input"),
        ("https://example.com/" + "a" * 3000, "url_too_long"), ("https://ads.example.com/", "url_not_allowed"),
        ("", "invalid_tool_input")])
    def test_what_is_refused_before_anything_is_sent(self, wire: Wire, model: FakeModel, url: str, word: str) -> None:
        model.say(Reply([tool_use("web_fetch", url=url)]), "No.")
        session = session_with(wire, {"name": "web_fetch", "blocked_domains": ["ads.example.com"]})
        result, = results(wire, session, "Go to example.com and https://ads.example.com/.")
        assert result["is_error"] and result["content"][0]["text"].startswith(f"{word}: "), result

    def test_a_search_without_a_service_says_so(self, wire: Wire, model: FakeModel) -> None:
        model.say(Reply([tool_use("web_search", query="x")]), "No.")
        result, = results(wire, session_with(wire), "Search.")
        assert result["is_error"] and "no search service" in result["content"][0]["text"]
        assert "web_search" not in {tool["name"] for tool in model.requests[0]["tools"]}

    def test_a_domain_that_the_environment_does_not_allow_is_refused(self, wire: Wire) -> None:
        limited = {"type": "cloud", "networking": {"type": "limited", "allowed_hosts": ["example.org"]}}
        agent = wire.post("/v1/agents", {"name": "A", "model": "claude-opus-5-5", "tools": [
            {"type": TOOLSET, "configs": [{"name": "web_fetch", "allowed_domains": ["example.org", "example.com"]}]}]})
        place = wire.post("/v1/environments", {"name": "limited-web", "config": limited})
        refused = wire.call("POST", "/v1/sessions", json={"agent": agent["id"], "environment_id": place["id"]})
        assert refused.status_code == 400
        assert "agent.tools.0.configs.0.allowed_domains.1" in refused.json()["error"]["message"]
