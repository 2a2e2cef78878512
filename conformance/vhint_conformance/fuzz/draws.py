"""What is drawn depends on the seed alone, and drawing leaves no file behind."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from unittest.mock import patch

from hypothesis.internal.conjecture import providers
from hypothesis.internal.constants_ast import Constants


@contextmanager
def by_the_seed_alone() -> Iterator[None]:
    """Keep Hypothesis from drawing constants of our own source files now and then.

    Which files those are depends on what happens to be imported and on how vhint was installed, so
    that a seed would mean another program elsewhere; and it keeps them in `.hypothesis`, wherever
    the user is.  There is no setting for it: with a Hypothesis that does it otherwise, nothing is
    changed.
    """
    if not hasattr(providers, "_get_local_constants"):
        yield
        return
    with patch.object(providers, "_get_local_constants", Constants):
        providers.CONSTANTS_CACHE.cache.clear()
        try:
            yield
        finally:
            providers.CONSTANTS_CACHE.cache.clear()
