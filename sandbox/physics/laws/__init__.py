"""Energy laws: physics in one line."""

from sandbox.physics.laws.law import EdgeLaw as EdgeLaw
from sandbox.physics.laws.law import NodeLaw as NodeLaw
from sandbox.physics.laws.library import CONDUCTANCE as CONDUCTANCE
from sandbox.physics.laws.library import DIODE as DIODE
from sandbox.physics.laws.library import LOAD as LOAD
from sandbox.physics.laws.library import ONSITE as ONSITE
from sandbox.physics.laws.library import POWER_LAW as POWER_LAW
from sandbox.physics.laws.library import SPRING as SPRING
from sandbox.physics.laws.library import SPRING_OF_REST_LENGTH as SPRING_OF_REST_LENGTH
