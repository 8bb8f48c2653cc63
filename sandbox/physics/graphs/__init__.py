"""Graphs: lattices, triangulations, random graphs, jammed packings, and networks from files."""

from sandbox.physics.graphs.conversion import from_networkx as from_networkx
from sandbox.physics.graphs.conversion import to_networkx as to_networkx
from sandbox.physics.graphs.delaunay import delaunay as delaunay
from sandbox.physics.graphs.delaunay import jittered_grid as jittered_grid
from sandbox.physics.graphs.dilution import dilute as dilute
from sandbox.physics.graphs.dilution import dilute_rigidly as dilute_rigidly
from sandbox.physics.graphs.dilution import prune as prune
from sandbox.physics.graphs.files import inside as inside
from sandbox.physics.graphs.files import read_network as read_network
from sandbox.physics.graphs.lattices import cubic as cubic
from sandbox.physics.graphs.lattices import fcc as fcc
from sandbox.physics.graphs.lattices import honeycomb as honeycomb
from sandbox.physics.graphs.lattices import kagome as kagome
from sandbox.physics.graphs.lattices import square as square
from sandbox.physics.graphs.lattices import triangular as triangular
from sandbox.physics.graphs.packings import packing as packing
from sandbox.physics.graphs.random_graphs import random_geometric as random_geometric
from sandbox.physics.graphs.random_graphs import random_graph as random_graph
from sandbox.physics.graphs.rigidity import floppy_modes as floppy_modes
from sandbox.physics.graphs.rigidity import is_rigid as is_rigid
from sandbox.physics.graphs.rigidity import rigid_motions as rigid_motions
from sandbox.physics.graphs.rigidity import rigidity_matrix as rigidity_matrix
from sandbox.physics.graphs.rigidity import self_stresses as self_stresses
