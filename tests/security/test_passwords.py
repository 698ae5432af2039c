"""Passwords: what is kept, what is accepted."""

from __future__ import annotations

import threading

import bcrypt
import pytest
from flask import Flask

from pbxweb.security import passwords
from pbxweb.security.errors import Unavailable


def test_the_cost_is_what_a_small_board_can_bear_and_guessing_cannot(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    assert passwords.COST == 11
    hashed = passwords.hash_password("correct-horse-battery")
    assert hashed.startswith("$2b$11$")
    assert not passwords.outdated(hashed)
    assert passwords.outdated(hashed.replace("$11$", "$10$"))


@pytest.mark.parametrize("plain", ["correct-horse", "x" * 72 + "a", "nul\0inside", "Grüße-ß-日本-🦊", "\udc80lone"])
def test_every_character_of_a_password_counts(plain: str) -> None:
    hashed = passwords.hash_password(plain)
    assert passwords.verify_password(plain, hashed)
    assert not passwords.verify_password(plain[:-1], hashed)
    assert not passwords.verify_password(plain + "b", hashed)


def test_a_letter_typed_in_two_ways_is_the_same() -> None:
    assert passwords.verify_password("Mu\u0308ller-und-Co", passwords.hash_password("Müller-und-Co"))


def test_without_a_hash_one_is_computed_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    checked: list[bytes] = []
    real = bcrypt.checkpw

    def check(plain: bytes, hashed: bytes) -> bool:
        checked.append(hashed)
        return real(plain, hashed)

    monkeypatch.setattr(bcrypt, "checkpw", check)
    assert not passwords.verify_password("anything", None)
    assert checked[0].startswith(b"$2b$04$")


def test_guessing_cannot_take_all_threads(plain_app: Flask) -> None:
    release, refused = threading.Event(), []

    def hold() -> None:
        with passwords._turn():
            release.wait(10)

    threads = [threading.Thread(target=hold) for _ in range(passwords.WAITING)]
    for thread in threads:
        thread.start()
    try:
        with plain_app.test_request_context(), pytest.raises(Unavailable):
            for _ in range(1000):
                if not passwords._waiting.acquire(blocking=False):
                    break
                passwords._waiting.release()
            passwords.verify_password("x", None)
            refused.append("it waited")
    finally:
        release.set()
        for thread in threads:
            thread.join(10)
    assert not refused
    assert passwords.verify_password("x" * 12, passwords.hash_password("x" * 12))


@pytest.mark.parametrize(
    "password",
    [
        "short",
        "1234567890",
        "0987654321",
        "aaaaaaaaaaaa",
        "abababababab",
        "abcdefghijkl",
        "qwertzuiop",
        "Passwort2024!",
        "p@ssw0rd1234",
        "Administrator",
        "willkommen1",
        "Schalke04!!",
        "anna.schmidt@example.com",
        "AnnaSchmidt99",
        "example-com-1",
        "x" * 201,
        "with\nnewline-in-it",
    ],
)
def test_what_is_easy_to_guess_is_refused_with_a_reason(plain_app: Flask, password: str) -> None:
    with plain_app.test_request_context():
        assert passwords.fault(password, ("anna.schmidt@example.com", "Anna", "Schmidt"))


@pytest.mark.parametrize(
    "password",
    [
        "correct-horse-battery",
        "InitialPassword123!",
        "SecurePassword123!",
        "kamel tasse wolke bus",
        "Zx8#kLq2!pWv",
        "löwenzahn-am-gleis-7",
        "anna mag gern blauen käse",
    ],
)
def test_a_good_one_is_accepted(plain_app: Flask, password: str) -> None:
    with plain_app.test_request_context():
        assert passwords.fault(password, ("anna.schmidt@example.com", "Anna", "Schmidt")) is None


def test_the_strength_grows_with_length_and_variety(plain_app: Flask) -> None:
    with plain_app.test_request_context():
        scores = [
            passwords.strength(p).score
            for p in ("aaaaaaaaaa", "kameltasse", "kamel tasse wolke", "kamel Tasse 7 wolke!")
        ]
    assert scores == sorted(scores)
    assert scores[0] == 0
    assert scores[-1] == 4
