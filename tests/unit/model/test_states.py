"""The tables of states: every state is reached, the last ones are left by nobody."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

import pytest

from kktd.model.states import (
    DELIVERY,
    FINAL,
    FISCAL,
    IN_FN,
    OPERATION,
    Delivery,
    DeliveryStep,
    FiscalState,
    OperationState,
    Step,
)

TABLES: list[tuple[dict[Any, Any], type[StrEnum], StrEnum, set[StrEnum]]] = [
    (FISCAL, FiscalState, FiscalState.ACCEPTED, set(FINAL)),
    (DELIVERY, Delivery, Delivery.PENDING, {Delivery.SYNCED}),
    (
        OPERATION,
        OperationState,
        OperationState.ACCEPTED,
        {OperationState.DONE, OperationState.REFUSED},
    ),
]
IDS = ["fiscal", "delivery", "operation"]


@pytest.mark.parametrize(("table", "states", "first", "finals"), TABLES, ids=IDS)
def test_every_state_is_reached_from_the_first(
    table: dict[Any, Any], states: type[StrEnum], first: StrEnum, finals: set[StrEnum]
) -> None:
    reached, todo = {first}, [first]
    while todo:
        at = todo.pop()
        for (was, _step), becomes in table.items():
            if was == at and becomes not in reached:
                reached.add(becomes)
                todo.append(becomes)
    assert reached == set(states)


@pytest.mark.parametrize(("table", "states", "first", "finals"), TABLES, ids=IDS)
def test_the_last_states_are_those_without_a_way_out(
    table: dict[Any, Any], states: type[StrEnum], first: StrEnum, finals: set[StrEnum]
) -> None:
    left = {was for was, _step in table}
    assert set(states) - left == finals


def test_every_step_is_of_use() -> None:
    assert {step for _, step in FISCAL} | {step for _, step in OPERATION} == set(Step)
    assert {step for _, step in DELIVERY} == set(DeliveryStep)


def test_the_fn_is_entered_by_its_own_word_alone() -> None:
    into = {(was, step) for (was, step), becomes in FISCAL.items() if becomes in IN_FN}
    assert {step for _, step in into} == {Step.CONFIRM, Step.FINISH_PAPER}
    assert {was for was, step in into if step is Step.CONFIRM} == {
        FiscalState.PRINTING,
        FiscalState.IN_DOUBT,
    }


def test_nothing_that_may_be_in_the_fn_is_cancelled_or_sent_again() -> None:
    sent = IN_FN | {FiscalState.PRINTING, FiscalState.IN_DOUBT}
    for (was, step), _ in FISCAL.items():
        assert not (was in sent and step in (Step.CANCEL, Step.SEND))


def test_doubt_is_left_by_what_the_fn_says() -> None:
    assert {step for was, step in FISCAL if was is FiscalState.IN_DOUBT} == {
        Step.CONFIRM,
        Step.RETURN,
    }
