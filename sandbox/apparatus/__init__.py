"""The apparatus: a system with terminals, knobs and a homeostat, on which an experiment is made.

This is the experimenter's side, which owns everything. A controller is handed a port onto it, see
:mod:`sandbox.bench`.
"""

from sandbox.apparatus.apparatus import Apparatus as Apparatus
from sandbox.apparatus.homeostat import Homeostat as Homeostat
from sandbox.apparatus.hysteresis import Jump as Jump
from sandbox.apparatus.hysteresis import find_jump as find_jump
from sandbox.apparatus.meter import Meter as Meter
from sandbox.apparatus.side_by_side import replay_together as replay_together
from sandbox.terminals import GRIP as GRIP
