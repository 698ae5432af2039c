"""pbxweb's command line (``python app.py --help``), and ``app:create_app()`` for other WSGI servers."""

from __future__ import annotations

import sys

from pbxweb import create_app
from pbxweb.cli import main

__all__ = ["create_app", "main"]

if __name__ == "__main__":
    sys.exit(main())
