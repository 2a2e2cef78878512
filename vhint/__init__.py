"""Guest free page hinting over virtio: formats, rings, reference driver and device."""

__version__ = "0.1.0"
