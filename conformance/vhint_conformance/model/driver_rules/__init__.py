"""What a driver may do, held against a trace: whose pages are whose, requests, and rounds.

The monitors of `vhint_conformance.oracle` judge devices; these judge the other side in the same
way.  They know nothing of how a driver is made.
"""

from vhint_conformance.model.driver_rules.kicks import KickRules
from vhint_conformance.model.driver_rules.ownership import OwnershipRules
from vhint_conformance.model.driver_rules.requests import RequestRules
from vhint_conformance.model.driver_rules.rounds import RoundRules

__all__ = ["KickRules", "OwnershipRules", "RequestRules", "RoundRules"]
