"""The examples in the extension's own docstrings."""

import doctest
import importlib
import pkgutil

import pytest

import vhint_docs


@pytest.mark.parametrize(
    "name", [found.name for found in pkgutil.iter_modules(vhint_docs.__path__)]
)
def test_docstrings_are_true(name):
    module = importlib.import_module(f"vhint_docs.{name}")
    assert doctest.testmod(module).failed == 0
