"""Scenes: what to build, what to do with it, what to record; as data, validated before anything starts."""

from sandbox.scene.learning import BenchSettings as BenchSettings
from sandbox.scene.learning import Training as Training
from sandbox.scene.mechanics import Dynamics as Dynamics
from sandbox.scene.mechanics import Relax as Relax
from sandbox.scene.mechanics import Shake as Shake
from sandbox.scene.mechanics import Strike as Strike
from sandbox.scene.places import Clamp as Clamp
from sandbox.scene.places import Group as Group
from sandbox.scene.places import Push as Push
from sandbox.scene.places import TerminalPlaces as TerminalPlaces
from sandbox.scene.reading import read as read
from sandbox.scene.scene import Scene as Scene
from sandbox.scene.section import Nodes as Nodes
from sandbox.scene.section import Section as Section
from sandbox.scene.shipped import find as find
from sandbox.scene.shipped import names as names
from sandbox.scene.toml import parse_change as parse_change
from sandbox.scene.toml import parse_toml as parse_toml
from sandbox.scene.toml import parse_value as parse_value
from sandbox.scene.validating import validate as validate
