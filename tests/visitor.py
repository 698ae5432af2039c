"""A person's browser without JavaScript: cookies, forms and links of a served instance."""

from __future__ import annotations

import http.client
import re
import urllib.parse
from collections.abc import Iterator

from bs4 import BeautifulSoup

from tests.served import EMAIL, PASSWORD, Served


class Visitor:
    """Signed in as the administrator."""

    def __init__(self, served: Served) -> None:
        self.served = served
        self.cookies: dict[str, str] = {}
        self.sign_in()

    def get(self, path: str, body: str | None = None) -> tuple[int, str]:
        """One request, redirects not followed; status and text."""
        connection = http.client.HTTPConnection(
            self.served.settings.http.host, self.served.settings.http.port, timeout=30
        )
        headers = {"Cookie": "; ".join(f"{name}={value}" for name, value in self.cookies.items())}
        if body is not None:
            headers["Content-Type"] = "application/x-www-form-urlencoded"
        connection.request("GET" if body is None else "POST", path, body, headers)
        response = connection.getresponse()
        for name, value in response.getheaders():
            if name.lower() == "set-cookie":
                key, _, rest = value.partition("=")
                self.cookies[key] = rest.split(";")[0]
        text = response.read().decode(errors="replace")
        connection.close()
        return response.status, text

    def sign_in(self) -> None:
        """Through the form."""
        token = re.search(r'name="csrf_token"[^>]*value="([^"]+)"', self.get("/login")[1])
        assert token
        form = {"csrf_token": token[1], "email": EMAIL, "password": PASSWORD}
        status, text = self.get("/login", urllib.parse.urlencode(form))
        assert status in (302, 303), text

    def every_page(self, first: str = "/") -> Iterator[tuple[str, str]]:
        """Every page that links lead to, with its source."""
        waiting, known = [first], {first}
        while waiting:
            path = waiting.pop()
            status, text = self.get(path)
            if status in (301, 302, 303):
                continue
            assert status == 200, (path, status)
            yield path, text
            for tag in BeautifulSoup(text, "html.parser").find_all("a", href=True):
                target = urllib.parse.urljoin(path, str(tag["href"])).partition("#")[0]
                if target.startswith("/") and target not in known and not target.startswith("/static/"):
                    known.add(target)
                    waiting.append(target)
