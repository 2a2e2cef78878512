"""Guest free page hinting over virtio: formats, rings, reference driver and device.

.. PYTEST_DONT_REWRITE, of which pytest would complain where this is imported before it starts.
"""

__version__ = "0.1.0"
