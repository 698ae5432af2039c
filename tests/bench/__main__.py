"""``make bench``: every measurement, each beside its floor, as tables."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).resolve().parent

sys.exit(pytest.main([str(FOLDER), "-o", "python_files=bench_*.py", "-q", "-s", "--timeout=900", *sys.argv[1:]]))
