"""What every pytest loads where vhint is installed: one option, and the plugin if it is given.

.. PYTEST_DONT_REWRITE
"""

from __future__ import annotations

import pytest

PLUGIN = "vhint_conformance.plugin"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Declare the option that calls for the others."""
    try:
        parser.getgroup("vhint", "vhint conformance").addoption(
            "--vhint-target",
            metavar="NAME",
            help="what to judge by `--pyargs vhint_conformance.cases`; brings in the other "
            "--vhint options (with --help: lists them)",
        )
    except ValueError:  # the plugin was loaded by hand, and has declared it
        return


@pytest.hookimpl(tryfirst=True)
def pytest_load_initial_conftests(early_config: pytest.Config) -> None:
    """Load the plugin, which declares its options, before pytest reads the command line."""
    if early_config.known_args_namespace.vhint_target is not None:
        early_config.pluginmanager.import_plugin(PLUGIN)
