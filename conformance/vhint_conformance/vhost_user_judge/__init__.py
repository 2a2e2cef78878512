"""The judging device behind vhost-user: a back end that is nothing but a witness.

`vhint.transport.vhost_user` speaks the protocol; here its device is the judging one.
"""
