"""Water-pipe networks: read from EPANET files, with the head losses of Hazen and Williams.

Everything is in SI units: heads and lengths in m, flows and demands in m^3/s.
"""

import sandbox
from sandbox_pipes.epanet import Epanet as Epanet
from sandbox_pipes.hazen_williams import HazenWilliams as HazenWilliams
from sandbox_pipes.hazen_williams import conductance as conductance
from sandbox_pipes.pipe_network import PipeNetwork as PipeNetwork

SANDBOX_HOOKS = 1


@sandbox.hookimpl
def register_graphs(register):
    register("epanet", Epanet)


@sandbox.hookimpl
def register_systems(register):
    register("hazen_williams", HazenWilliams)
