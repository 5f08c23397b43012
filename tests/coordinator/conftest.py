"""Fixtures for modules that define a class ``FIXTURE``: the parts of a coordinator under test, on a journal."""

from __future__ import annotations

import pytest


@pytest.fixture
def make(request, tmp_path):
    """A function that makes instances of the module's ``FIXTURE``; their journals are closed after the test."""
    made = []

    def make_fixture(**options):
        made.append(request.module.FIXTURE(tmp_path, **options))
        return made[-1]

    yield make_fixture
    for each in made:
        each.journal.close()


@pytest.fixture
def fixture(make):
    """The module's ``FIXTURE`` with an empty journal."""
    return make()
