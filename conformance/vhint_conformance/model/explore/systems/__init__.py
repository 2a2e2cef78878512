"""The systems that can be explored."""
