"""The device-facing halves of a guest, one for each normative profile, without I/O."""
