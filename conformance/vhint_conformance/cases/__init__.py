"""The conformance cases: pytest modules, one directory a role."""
