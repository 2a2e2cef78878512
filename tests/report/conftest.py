from tests.conformance.conftest import fake_suite, vhint_says

__all__ = ["fake_suite", "vhint_says"]
