"""The files of the page for people: what a browser loads, and what it may do with it.

Every file is text, so that the gateway can compress it; a file in base64 would arrive as base64
wherever `Accept` does not name its type first, as with scripts it does not.
"""

import base64
import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path

from odometer.domain.errors import NotFound
from odometer.domain.frozen import frozen
from odometer.web.messages import Request, Response
from odometer.web.report import client_has

HTML = "text/html; charset=utf-8"
MEDIA_TYPES: Mapping[str, str] = {
    ".css": "text/css; charset=utf-8",
    ".html": HTML,
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".md": "text/markdown; charset=utf-8",
    ".svg": "image/svg+xml",
    ".txt": "text/plain; charset=utf-8",
}
ROUTES: Mapping[str, str] = {
    "/": "index.html",
    "/docs": "docs.html",
    "/openapi.json": "openapi.json",
}
"""The files that have a path of their own; all others are below `/page`."""
VERBS: Mapping[str, Sequence[str]] = dict.fromkeys((*ROUTES, "/page/{file+}"), ("GET",))
"""The verbs of every path of the page, for whoever answers the others."""

FOREVER = "public, max-age=31536000, immutable"
"""For a file whose address changes with its content."""
REVALIDATED = "public, no-cache"
EMBEDDING = "https: http://localhost:* http://127.0.0.1:*"
"""Which pages may show the page in a frame with `embed=1`: those that can be origins of a token."""
POLICY = (
    "default-src 'none'",
    "connect-src 'self'",
    "font-src 'self'",
    "img-src 'self' data: blob:",
    "manifest-src 'self'",
    "style-src 'self'",
    "base-uri 'none'",
    "form-action 'none'",
)
SAFE: Mapping[str, str] = {
    "Cross-Origin-Resource-Policy": "cross-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    "Referrer-Policy": "no-referrer",
    "Strict-Transport-Security": "max-age=31536000",
    "Vary": "Accept-Encoding",
    "Access-Control-Allow-Origin": "*",
}
"""Nothing of a file is secret, and a page of elsewhere may import `chart-element.js`."""

LOCAL_ADDRESS = re.compile(r'\b(href|src)="page/(?=[^"])')
INLINE_SCRIPT = re.compile(r"<script>(.*?)</script>", re.DOTALL)


@frozen
class File:
    """One file as it is sent."""

    body: bytes
    media_type: str
    tag: str
    scripts: Sequence[str]
    """The digests of the scripts that stand in a document, which run although they are no file."""

    @classmethod
    def of(cls, text: str, media_type: str) -> "File":
        scripts = INLINE_SCRIPT.findall(text) if media_type == HTML else ()
        tag = hashlib.sha256(text.encode()).hexdigest()[:32]
        return cls(text.encode(), media_type, f'W/"{tag}"', [digest_of(each) for each in scripts])

    def answer(self, request: Request, caching: str) -> Response:
        embedded = request.route == "/" and request.values("embed") == ["1"]
        policy = policy_of(self, embedded=embedded)
        headers = {
            **SAFE,
            "Cache-Control": caching,
            "Content-Security-Policy": policy,
            "ETag": self.tag,
        }
        if client_has(self.tag, request.header("if-none-match")):
            return Response(304, headers=headers)
        return Response(200, self.body, self.media_type, headers)


def policy_of(file: File, *, embedded: bool) -> str:
    """What a browser may do with a file: run and ask for what comes from here, and nothing else."""
    scripts = " ".join(("script-src 'self'", *file.scripts))
    ancestors = EMBEDDING if embedded else "'none'"
    return "; ".join((*POLICY, scripts, f"frame-ancestors {ancestors}"))


def digest_of(script: str) -> str:
    digest = hashlib.sha256(script.encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"


class Files:
    """The files of a folder, read when the first is asked for."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @classmethod
    def beside(cls, module: str) -> "Files":
        """The files in the folder `files` beside a module."""
        return cls(Path(module).with_name("files"))

    def answer(self, request: Request) -> Response:
        name = ROUTES.get(request.route) or request.parameters.get("file", "")
        version, _, rest = name.partition("/")
        if version == self.version:
            return self._file(rest).answer(request, FOREVER)
        return self._file(rest if is_version(version) else name).answer(request, REVALIDATED)

    def _file(self, name: str) -> File:
        if name not in self.by_name:
            raise NotFound
        return self.by_name[name]

    @cached_property
    def texts(self) -> Mapping[str, str]:
        """Every file that has a media type, by its path in the folder."""
        return dict(sorted(self._read()))

    def _read(self) -> Iterator[tuple[str, str]]:
        for path in self.folder.rglob("*"):
            if path.suffix in MEDIA_TYPES and path.is_file():
                yield path.relative_to(self.folder).as_posix(), path.read_text(encoding="utf-8")

    @cached_property
    def version(self) -> str:
        """A name of the content of all files, which documents put into the address of each."""
        digest = hashlib.sha256()
        for name, text in self.texts.items():
            digest.update(f"{name}\0{len(text)}\0{text}".encode())
        return f"v-{digest.hexdigest()[:16]}"

    @cached_property
    def by_name(self) -> Mapping[str, File]:
        typed = {name: MEDIA_TYPES[Path(name).suffix] for name in self.texts}
        return {
            name: File.of(self._versioned(text) if typed[name] == HTML else text, typed[name])
            for name, text in self.texts.items()
        }

    def _versioned(self, document: str) -> str:
        return LOCAL_ADDRESS.sub(rf'\1="page/{self.version}/', document)


def is_version(name: str) -> bool:
    """Whether that is the name of a content, perhaps that of another release."""
    return re.fullmatch(r"v-[0-9a-f]{16}", name) is not None
