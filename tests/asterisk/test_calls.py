"""Two phones talk: every codec, both ways, heard."""

from __future__ import annotations

import pytest

from tests.asterisk.pbx import Pbx
from tests.asterisk.phones import Phones


@pytest.mark.parametrize("codec", ["opus", "g722", "pcma", "pcmu"])
def test_two_phones_hear_each_other(pbx: Pbx, phones: Phones, codec: str) -> None:
    anna = phones.add("200", codec=codec, hertz=520)
    bert = phones.add("201", codec=codec, hertz=810)
    anna.dial("201")
    bert.answer()
    anna.talking()
    assert anna.hears(810)
    assert bert.hears(520)
    assert anna.hears(810), "the sound must go on"
    anna.hang_up()
    bert.closed()
