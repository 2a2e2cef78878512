"""The vhint conformance suite: it judges drivers and devices that hint free pages.

.. PYTEST_DONT_REWRITE, of which pytest would complain where this is imported before it starts.
"""
