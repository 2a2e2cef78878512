"""vhost-user: a virtio device that another process serves, over a socket and shared memory.

The back end: `Server` is one thread around a selector; `Peer` is one front end that is connected;
`Session` is what the protocol allows when, without any I/O.  The front end: `FrontEnd` is the
driver's transport to anybody's back end, over memory of `create_ram`.
"""

from vhint.transport.vhost_user.connection import Connection, Ended, Message, Refused
from vhint.transport.vhost_user.control import Commander, ControlSocket
from vhint.transport.vhost_user.figures import Figures, QueueFigures
from vhint.transport.vhost_user.front_end import FrontEnd, FrontEndOptions
from vhint.transport.vhost_user.listening import CannotListen, ListeningSocket
from vhint.transport.vhost_user.options import ServerOptions
from vhint.transport.vhost_user.server import Server
from vhint.transport.vhost_user.session import Offer, Session
from vhint.transport.vhost_user.shared_ram import create_ram
from vhint.transport.vhost_user.supervise import supervise

__all__ = [
    "CannotListen",
    "Commander",
    "Connection",
    "ControlSocket",
    "Ended",
    "Figures",
    "FrontEnd",
    "FrontEndOptions",
    "ListeningSocket",
    "Message",
    "Offer",
    "QueueFigures",
    "Refused",
    "Server",
    "ServerOptions",
    "Session",
    "create_ram",
    "supervise",
]
