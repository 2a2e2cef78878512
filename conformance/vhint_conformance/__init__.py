"""The vhint conformance suite: it judges drivers and devices that hint free pages."""
