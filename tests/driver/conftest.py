import pytest


def pytest_configure(config: pytest.Config) -> None:
    """Let the cases be imported here, outside a run of the suite."""
    config.addinivalue_line("markers", "vhint_case(info): a conformance case")
