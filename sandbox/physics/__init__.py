"""Matter: energy laws, networks, boundary conditions, relaxation and dynamics.

Knows nothing of plugins, controllers, scenes or files.
"""

import os

# Taichi announces itself on import, and in notebooks how it prints; a library should not.
os.environ.setdefault("ENABLE_TAICHI_HEADER_PRINT", "0")
os.environ.setdefault("TI_ENABLE_PYBUF", "0")

import inspect

# Taichi asks inspect who calls each function that it decorates. Where that is the import system, inspect looks through
# all modules that are loaded, in vain and each time anew, unless it knows; importing Taichi then takes a quarter.
inspect.modulesbyfile.setdefault("<frozen importlib._bootstrap>", "importlib._bootstrap")
