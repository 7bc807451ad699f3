"""The page for people as a browser gets it: its files, how long they are kept, what they may do."""

import base64
import gzip
import hashlib
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from odometer.web.files import MEDIA_TYPES, ROUTES, Files
from tests.support.stack import ROOT, Reply, answer_to, proxy_event

FOLDER = ROOT / "functions/edge/page/files"
NAMES = [
    path.relative_to(FOLDER).as_posix()
    for path in FOLDER.rglob("*")
    if path.is_file() and path.suffix != ".ts"  # types are for developers
]
FILES = Files(FOLDER)


def get(path: str, **headers: str) -> Reply:
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    return answer_to(proxy_event("GET", path, sent))


def directives(reply: Reply) -> dict[str, str]:
    parts = reply.headers["Content-Security-Policy"].split("; ")
    return {name: value for name, _, value in (each.partition(" ") for each in parts)}


@pytest.mark.parametrize("name", NAMES)
def test_every_file_is_sent_as_it_is_with_its_type(name: str) -> None:
    reply = get(f"/page/{name}")
    assert reply.status == 200
    assert reply.headers["Content-Type"] == MEDIA_TYPES[Path(name).suffix]
    assert reply.headers["X-Content-Type-Options"] == "nosniff"
    if not name.endswith(".html"):
        assert reply.text == (FOLDER / name).read_text(encoding="utf-8")


@pytest.mark.parametrize(("path", "name"), ROUTES.items())
def test_a_document_has_a_path_of_its_own(path: str, name: str) -> None:
    reply = get(path)
    assert (reply.status, reply.text) == (200, get(f"/page/{name}").text)


@pytest.mark.parametrize(
    "name",
    [
        "nothing.js",
        "",
        "../app.py",
        "%2e%2e/app.py",
        "..%2fapp.py",
        "..\\app.py",
        "/etc/passwd",
        "./index.html",
        "views",
        "views/",
        "index.html/",
        "index.html%00.js",
        "v-0123456789abcdef",
        "v-0123456789abcdef/../../app.py",
        "v-0123456789abcdef/v-0123456789abcdef/index.html",
        "v-0123456789abcdeg/index.html",
    ],
)
def test_what_is_no_file_is_not_found(name: str) -> None:
    reply = get(f"/page/{name}")
    assert reply.status == 404
    assert reply.json == {"error": {"code": "not_found", "message": "Not found", "details": {}}}


STATIC_IMPORT = re.compile(r"""^(?:import|export)\b[^;]*?from ["'](\.[^"']+)["'];""", re.MULTILINE)
LOADED = re.compile(r'<(?:script type="module" src|link rel="modulepreload" href)="page/([^"]+)"')


def modules_behind(name: str) -> set[str]:
    """A module and all that it imports, and what those import."""
    found, left = set[str](), [name]
    while left:
        found.add(path := left.pop())
        for relative in STATIC_IMPORT.findall((FOLDER / path).read_text(encoding="utf-8")):
            module = (FOLDER / path).parent.joinpath(relative).resolve()
            left += {module.relative_to(FOLDER).as_posix()} - found
    return found


@pytest.mark.parametrize(
    ("document", "script"), [("index.html", "app.js"), ("docs.html", "docs/app.js")]
)
def test_a_document_names_every_module_so_that_none_is_found_late(
    document: str, script: str
) -> None:
    named = LOADED.findall((FOLDER / document).read_text(encoding="utf-8"))
    assert sorted(named) == sorted(modules_behind(script))


# how long it is kept


class Addresses(HTMLParser):
    """The addresses in a document."""

    def __init__(self, document: str) -> None:
        super().__init__()
        self.found: list[str] = []
        self.feed(document)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found += [value for name, value in attrs if name in ("src", "href") and value]


@pytest.fixture
def some_files(tmp_path: Path) -> Files:
    (tmp_path / "views").mkdir()
    (tmp_path / "index.html").write_text('<script type="module" src="page/app.js"></script>')
    (tmp_path / "app.js").write_text('import "./views/a.js";')
    (tmp_path / "views/a.js").write_text("1")
    return Files(tmp_path)


def test_a_document_names_files_by_their_content(some_files: Files, tmp_path: Path) -> None:
    before = some_files.by_name["index.html"].body.decode()
    assert before == f'<script type="module" src="page/{some_files.version}/app.js"></script>'
    (tmp_path / "views/a.js").write_text("2")
    assert Files(tmp_path).version != some_files.version


def test_a_file_is_kept_forever_only_by_the_name_of_its_content() -> None:
    forever = get(f"/page/{FILES.version}/index.html").headers["Cache-Control"]
    former = get("/page/v-0123456789abcdef/index.html")
    assert forever == "public, max-age=31536000, immutable"
    assert (former.status, former.headers["Cache-Control"]) == (200, "public, no-cache")
    for path in ("/", "/docs", "/openapi.json", "/page/index.html"):
        assert get(path).headers["Cache-Control"] == "public, no-cache"


@pytest.mark.parametrize("name", [each for each in NAMES if each.endswith(".html")])
def test_every_address_in_a_document_is_relative_and_there(name: str) -> None:
    for address in Addresses(get(f"/page/{name}").text).found:
        assert not re.match(r"/|[a-z]+:(?!image/)", address), address
        if address.startswith("page/"):
            assert get(f"/{address}").headers["Cache-Control"].endswith("immutable"), address


def test_what_a_browser_has_is_not_sent_again() -> None:
    tag = get("/").headers["ETag"]
    for sent in (tag, tag.removeprefix("W/"), f'"x", {tag}', "*"):
        reply = get("/", if_none_match=sent)
        assert (reply.status, reply.text, reply.headers["ETag"]) == (304, "", tag)
        assert "Content-Security-Policy" in reply.headers
    assert get("/", if_none_match='W/"x"').status == 200


def test_the_page_is_small() -> None:
    """What the gateway sends of all that a signed-in user can open, compressed."""
    of_page = [each for each in NAMES if "docs" not in each and not each.endswith((".json", ".md"))]
    sizes = {name: len(gzip.compress((FOLDER / name).read_bytes())) for name in of_page}
    assert sum(sizes.values()) < 150_000, sizes


# what it may do


def test_a_browser_runs_and_asks_for_what_comes_from_here_and_nothing_else() -> None:
    allowed = directives(get("/"))
    assert allowed.pop("script-src").split(" ")[0] == "'self'"
    assert allowed == {
        "default-src": "'none'",
        "connect-src": "'self'",
        "font-src": "'self'",
        "img-src": "'self' data: blob:",
        "manifest-src": "'self'",
        "style-src": "'self'",
        "base-uri": "'none'",
        "form-action": "'none'",
        "frame-ancestors": "'none'",
    }


@pytest.mark.parametrize("name", [each for each in NAMES if each.endswith(".html")])
def test_only_the_scripts_that_stand_in_a_document_run_beside_its_files(name: str) -> None:
    reply = get(f"/page/{name}")
    scripts = re.findall(r"<script(?![^>]* src=)[^>]*>(.*?)</script>", reply.text, re.DOTALL)
    digests = [base64.b64encode(hashlib.sha256(each.encode()).digest()) for each in scripts]
    allowed = ["'self'", *(f"'sha256-{each.decode()}'" for each in digests)]
    assert directives(reply)["script-src"].split(" ") == allowed


def test_only_the_page_without_navigation_may_be_framed() -> None:
    embedded = directives(get("/?embed=1&view=overview"))
    assert embedded["frame-ancestors"] == "https: http://localhost:* http://127.0.0.1:*"
    for other in (
        "/",
        "/?embed=0",
        "/?embed=true",
        "/?embed=1&embed=0",
        "/?view=embed=1",
        "/docs?embed=1",
    ):
        assert directives(get(other))["frame-ancestors"] == "'none'", other


def test_a_browser_comes_back_by_https_only() -> None:
    for path in ("/", "/docs", "/page/app.js"):
        assert get(path).headers["Strict-Transport-Security"] == "max-age=31536000"


def test_no_header_tells_a_page_who_asked_and_a_page_of_elsewhere_may_import() -> None:
    headers = get("/page/index.html").headers
    assert headers["Referrer-Policy"] == "no-referrer"
    assert "geolocation=()" in headers["Permissions-Policy"]
    assert headers["Access-Control-Allow-Origin"] == "*"
    assert headers["Cross-Origin-Resource-Policy"] == "cross-origin"


def test_the_page_mends_an_address_without_a_slash_at_its_end() -> None:
    """At `/Prod` a relative address would be one of the host, which the function cannot see."""
    assert '<script>location.pathname.endsWith("/")||' in get("/").text.partition("src=")[0]
