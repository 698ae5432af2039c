"""Run by a test in a mount namespace of its own: a change while the disk of the files is full, and once it is not."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

from pbxweb.security.errors import Unavailable
from tests.asterisk.house import House, row

MEGABYTE = 1 << 20


def main(home: Path, engine_dir: Path) -> None:
    """Print what happened as JSON."""
    house = House(home, engine_dir)
    house.add("200", "201")
    copy = home / "copy"
    shutil.copytree(house.etc, copy)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(house.etc)], check=True)
    shutil.copytree(copy, house.etc, dirs_exist_ok=True)
    filler = house.etc / "filler"
    with filler.open("wb", buffering=0) as stream:
        try:
            for _ in range(MEGABYTE // 512):
                stream.write(bytes(512))
        except OSError:
            pass
    before = house.texts()
    try:
        house.rename("200", "Does not fit")
        refused = ""
    except Unavailable as error:
        refused = str(error)
    same = house.texts() == before
    with house.app.app_context():
        name = row("200").display_name
    filler.unlink()
    hidden = house.hidden()
    house.rename("200", "Fits again")
    afterwards = "Fits again" in house.texts()["pjsip.conf"]
    result = {
        "refused": refused,
        "same_files": same,
        "same_row": name == "Phone 200",
        "hidden": hidden,
        "afterwards": afterwards,
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
