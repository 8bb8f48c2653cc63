"""Statics and motion: the tables relax and dynamics."""

from __future__ import annotations

from pydantic import Field

from sandbox.scene.section import Nodes, Section


class Relax(Section):
    """Statics: relax once."""

    tolerance: float = Field(1e-10, gt=0, lt=1e-2)
    method: str = "auto"
    max_iterations: int = Field(500, gt=0)


class Strike(Section):
    """Give nodes an initial velocity, in components that no clamp holds."""

    nodes: Nodes
    velocity: list[float]


class Shake(Section):
    """Move clamped nodes by ``amplitude*sin(2 pi frequency t + phase)`` along a direction."""

    nodes: Nodes
    amplitude: float
    frequency: float
    phase: float = 0.0
    direction: list[float] | None = None


class Dynamics(Section):
    """Motion in time; mass and damping are the system's."""

    time_step: float = Field(gt=0)
    steps: int = Field(gt=0, le=1_000_000_000)
    every: int = Field(1, gt=0, description="steps between recorded times")
    temperature: float = Field(0.0, ge=0)
    strike: list[Strike] = Field([])
    shake: list[Shake] = Field([])
