"""Distribution of the tests over the workers."""

from __future__ import annotations

import pytest


def pytest_itemcollected(item):
    """Run the tests that share a fixture of their module in one worker, as each worker would make its own."""
    fixtures = [defined[-1] for defined in item._fixtureinfo.name2fixturedefs.values()]
    if any(fixture.scope == "module" for fixture in fixtures):
        item.add_marker(pytest.mark.xdist_group(item.path.stem))
