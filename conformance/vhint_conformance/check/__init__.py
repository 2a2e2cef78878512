"""Judging a recorded trace offline, with the monitors that judge live targets.

======================  ======================================================================
module                  subject
======================  ======================================================================
result                  verdicts, findings and doubts
states                  the set of states that a trace leaves possible, and what is left of it
monitors                which monitors judge which role
native                  the traces of vhint's own recorder
qemu                    the log of QEMU's trace events
ftrace                  what the Linux kernel's ftrace prints
judge                   which kind a file is, and the verdict on it
======================  ======================================================================
"""
