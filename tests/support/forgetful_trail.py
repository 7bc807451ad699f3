"""A trail that keeps nothing, for tests and benchmarks of what it would tell of."""

from typing import Any

from odometer.domain.acts import Act


class ForgetfulTrail:
    """Makes writes alone."""

    def commit(self, act: Act, *writes: Any) -> bool:
        assert isinstance(act, Act)
        (write,) = writes
        return bool(write.make())


FORGETFUL = ForgetfulTrail()
