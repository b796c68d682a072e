"""The time of a training: counted down, and shared out among its stages."""

from math import inf

import pytest

from credit_scoring.training.clock import Clock


class Hand:
    """The hand of a clock that moves when told to."""

    def __init__(self) -> None:
        self.at = 100.0

    def __call__(self) -> float:
        return self.at


@pytest.fixture
def hand() -> Hand:
    return Hand()


def test_what_has_gone_is_no_longer_left(hand: Hand) -> None:
    clock = Clock(60.0, hand)
    hand.at += 45
    assert (clock.gone, clock.left) == (45, 15)
    hand.at += 45
    assert clock.left == -30


def test_without_a_limit_time_is_left_for_ever(hand: Hand) -> None:
    clock = Clock(None, hand)
    hand.at += 1e9
    assert clock.left == clock.share(0.1).left == inf


def test_a_stage_gets_its_share_of_what_is_left_when_it_begins(hand: Hand) -> None:
    clock = Clock(100.0, hand)
    hand.at += 50
    stage = clock.share(0.4)
    assert (stage.seconds, stage.left) == (20, 20)
    hand.at += 5
    assert (stage.gone, stage.left, clock.left) == (5, 15, 45)


def test_a_stage_that_begins_too_late_gets_nothing(hand: Hand) -> None:
    clock = Clock(10.0, hand)
    hand.at += 11
    assert clock.share(0.5).seconds == 0


def test_what_is_kept_back_is_shared_out_to_no_stage(hand: Hand) -> None:
    clock = Clock(100.0, hand)
    assert clock.share(0.5, kept=40).seconds == 30
    assert clock.share(0.5, kept=101).seconds == 0
    assert Clock(None, hand).share(0.5, kept=40).seconds is None
