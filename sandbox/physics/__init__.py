"""Matter: energy laws, networks, boundary conditions, relaxation and dynamics.

Knows nothing of plugins, controllers, scenes or files.
"""

import os

# Taichi announces itself on import, and in notebooks how it prints; a library should not.
os.environ.setdefault("ENABLE_TAICHI_HEADER_PRINT", "0")
os.environ.setdefault("TI_ENABLE_PYBUF", "0")
