"""Tokens that let whoever has them download one file for a while."""

import base64
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluicegate.clock import SystemRandom
from sluicegate.engine.download_tokens import DOWNLOAD_S, DownloadTokens

NAME = "019603a1-7c3e-7d42-9b1a-5f6e8d7c4b3a"
OTHER = "019603a1-7c3e-7d42-9b1a-5f6e8d7c4b3b"


class StandingClock:
    """A clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.now_ms = 1_780_000_000_000

    def wall_ms(self) -> int:
        return self.now_ms

    def steady_ms(self) -> int:
        return self.now_ms

    def monotonic_s(self) -> float:
        return self.now_ms / 1000


def test_a_token_is_good_for_its_name_and_no_other() -> None:
    """And says nothing but that: it fits into a URL as it is."""
    tokens = DownloadTokens(StandingClock(), SystemRandom())
    token = tokens.make(NAME)
    assert len(token) == 51
    assert set(token) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")
    assert tokens.is_good(token, NAME)
    assert not tokens.is_good(token, OTHER)


def test_a_token_is_good_for_a_quarter_of_an_hour() -> None:
    """By the clock that measures spans, and never jumps."""
    clock = StandingClock()
    tokens = DownloadTokens(clock, SystemRandom())
    token = tokens.make(NAME)
    clock.now_ms += DOWNLOAD_S * 1000 - 1
    assert tokens.is_good(token, NAME)
    clock.now_ms += 1
    assert not tokens.is_good(token, NAME)


def test_a_token_of_another_start_is_no_good() -> None:
    """The key is drawn at the start, and nobody who reads the disk has it."""
    clock = StandingClock()
    before = DownloadTokens(clock, SystemRandom())
    after = DownloadTokens(clock, SystemRandom())
    assert not after.is_good(before.make(NAME), NAME)


@given(st.integers(0, 37), st.integers(1, 255))
def test_a_token_with_one_byte_changed_is_no_good(at: int, change: int) -> None:
    """Not its time either: nobody prolongs one."""
    tokens = DownloadTokens(StandingClock(), SystemRandom())
    raw = bytearray(base64.urlsafe_b64decode(tokens.make(NAME) + "="))
    raw[at] ^= change
    changed = base64.urlsafe_b64encode(raw).decode().rstrip("=")
    assert not tokens.is_good(changed, NAME)


@given(st.text(max_size=80))
def test_any_other_text_is_no_token(text: str) -> None:
    """And breaks nothing."""
    assert not DownloadTokens(StandingClock(), SystemRandom()).is_good(text, NAME)


@pytest.mark.parametrize("cut", [0, 1, 8, 9, 50])
def test_a_part_of_a_token_is_no_token(cut: int) -> None:
    """Nor one with something behind it."""
    tokens = DownloadTokens(StandingClock(), SystemRandom())
    token = tokens.make(NAME)
    assert not tokens.is_good(token[:cut], NAME)
    assert not tokens.is_good(token + random.Random(cut).choice("ABC"), NAME)
