"""The evaluator of alarms says what CloudWatch's User Guide says in its tables of missing data."""

import pytest

from tests.support.alarms import Alarm, calculated

EVERY = {"EvaluationPeriods": 3, "DatapointsToAlarm": 3}
SOME = {"EvaluationPeriods": 3, "DatapointsToAlarm": 2}
OK, ALARM, UNKNOWN = "OK", "ALARM", "INSUFFICIENT_DATA"


@pytest.mark.parametrize(
    ("how_many", "data", "missing", "breaching", "not_breaching"),
    [
        (EVERY, "0-X-X", OK, OK, OK),
        (EVERY, "----0", OK, OK, OK),
        (EVERY, "-----", UNKNOWN, ALARM, OK),
        (EVERY, "0XX-X", ALARM, ALARM, ALARM),
        (EVERY, "--X--", ALARM, ALARM, OK),
        (SOME, "0-X-X", ALARM, ALARM, ALARM),
        (SOME, "00X0X", ALARM, ALARM, ALARM),
        (SOME, "0-X--", OK, ALARM, OK),
        (SOME, "----0", OK, ALARM, OK),
        (SOME, "---X-", ALARM, ALARM, OK),
    ],
)
def test_missing_data_is_treated_as_the_user_guide_says(
    how_many: dict[str, int], data: str, missing: str, breaching: str, not_breaching: str
) -> None:
    values = [{"0": 0.0, "X": 1.0, "-": None}[each] for each in data]
    expected = {"missing": missing, "breaching": breaching, "notBreaching": not_breaching}
    compared = {"ComparisonOperator": "GreaterThanThreshold", "Threshold": 0, **how_many}
    found = {
        treatment: Alarm({**compared, "TreatMissingData": treatment}).judged(values)
        for treatment in expected
    }
    assert found == expected


def test_metric_math_is_calculated() -> None:
    known = {"all": 200.0, "refused": None}
    assert calculated("SUM(FILL(METRICS(), 0))", known) == 200
    assert calculated("IF(FILL(all, 0) >= 100, FILL(refused, 0) / FILL(all, 1), 0)", known) == 0
    with pytest.raises(NameError):
        calculated("RATE(all)", known)
