"""How the tests of all packages run: how fast a machine is proves nothing."""

import pytest
from hypothesis import HealthCheck, settings
from tests.thoroughness import OTHER_PYTHON, SESSION, is_left_out

settings.register_profile(
    "any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.register_profile("another Python", settings.get_profile("any machine"), max_examples=25)
settings.load_profile("another Python" if OTHER_PYTHON else "any machine")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """On the newer Pythons, leave out what costs much and shows little."""
    left_out = [item for item in items if is_left_out(SESSION, item.nodeid)]
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in left_out]
