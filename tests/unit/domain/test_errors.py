"""What an error carries for those who word it."""

from odometer.domain.errors import (
    MOST_TOLD,
    Fault,
    Invalid,
    NotAllowed,
    NotFound,
    Throttled,
    TooLarge,
)


def test_what_is_not_found_is_named_with_its_parameter_or_with_nothing() -> None:
    error = NotFound("core", "team")
    assert (error.name, error.parameter, str(error)) == ("core", "team", "core")
    assert (NotFound().name, NotFound().parameter, str(NotFound())) == ("", "", "")


def test_a_verb_that_is_not_allowed_is_told_with_those_that_are() -> None:
    error = NotAllowed(("GET", "PUT"))
    assert (error.allowed, str(error)) == (("GET", "PUT"), "GET, PUT")


def test_a_fault_of_one_parameter_breaks_the_rule_of_its_value() -> None:
    error = Invalid.parameter("team", "expected an id", 7)
    assert error.faults == (Fault("team", "value", "expected an id", 7),)
    assert (Fault("a", "b", "c").value, Fault("a", "b", "c").expected) == (None, "")


def test_all_faults_are_carried_and_only_so_many_told() -> None:
    faults = [Fault(f"f{number}", "value", "no") for number in range(MOST_TOLD + 1)]
    error = Invalid(*faults)
    assert (error.faults, error.told) == (tuple(faults), tuple(faults[:MOST_TOLD]))
    assert str(error).startswith("f0: no; f1: no; ")


def test_what_is_too_large_may_say_what_would_not_be() -> None:
    assert (str(TooLarge()), TooLarge().limit) == ("", "")
    assert (str(TooLarge("a page", limit="4 MiB")), TooLarge(limit="4 MiB").limit) == (
        "a page",
        "4 MiB",
    )


def test_whoever_is_throttled_may_come_back_in_a_second_unless_it_is_said_otherwise() -> None:
    assert (Throttled().seconds, Throttled(7).seconds) == (1, 7)
