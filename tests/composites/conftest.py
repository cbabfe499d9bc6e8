"""What the tests of composites share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from synthharm.generate.threads import one_thread


@pytest.fixture(scope="module", autouse=True)
def _one_thread() -> Iterator[None]:
    """As in a worker; small tensors gain nothing from more."""
    with one_thread():
        yield
