"""The systems that scenes can name: Hopfield-like networks and deep resistive networks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, ClassVar, Literal, Self

import numpy as np
from pydantic import Field, model_validator

from sandbox.errors import NetworkError
from sandbox.parts import Looks, SystemPart, Trial
from sandbox.physics.memory import BYTES_PER_WEIGHT, require
from sandbox.physics.network import Network
from sandbox.settings import Settings
from sandbox_layered.connections import Conv, Dense, Wiring
from sandbox_layered.energies import Difference, Product
from sandbox_layered.layers import Layers, Shape, group_name, size_of
from sandbox_layered.system import LayeredSystem, Precision, Relaxations

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from sandbox.physics.system import System

Gains = Annotated[tuple[Annotated[float, Field(gt=0)], ...], Field(min_length=1)]


TRIAL = Trial(network={"type": "layered", "layers": (3, 6, 2)}, inputs="input", outputs="output")


class DenseConnection(Settings):
    """Every unit of a layer with every unit of the next."""

    type: Literal["dense"] = "dense"


class ConvConnection(Settings):
    """A convolution with average pooling; the channels of the next layer follow from its number of units."""

    type: Literal["conv"]
    kernel: int = Field(gt=0, description="width of the kernel")
    pooling: int = Field(2, gt=0, description="width of the windows that are averaged; 1 for none")
    padding: int = Field(0, ge=0, description="rows and columns of zeros put around the images")
    image: tuple[int, int, int] | None = Field(
        None, description="[channels, height, width] of the layer before; needed where no convolution comes before"
    )


Connection = Annotated[DenseConnection | ConvConnection, Field(discriminator="type")]


class Hopfield(SystemPart):
    """A layered Hopfield-like network: E = sum s^2/2 - sum s w s - sum b s, states in boxes.

    The inputs are clamped, hidden units and outputs relax. The stiffnesses are the weights and biases. Biases begin at
    0. Dense weights begin uniform in +-gain*sqrt(6/(n + m))/2 between layers of n and m units, half as wide as Glorot
    and Bengio (AISTATS 2010, eq. 16) have it; those of kernels normal with standard deviation gain/(2 sqrt(n)), n
    being the weights of a kernel over all channels. So they do in the simulator that goes with Scellier et al. 2022,
    arXiv:2205.15021.
    """

    looks: ClassVar[Looks] = Looks(state="state", stiffness="weight")
    trial: ClassVar[Trial] = TRIAL

    connections: tuple[Connection, ...] | None = Field(
        None, description="of each layer with the next; dense by default"
    )
    gains: Gains = Field((1.0,), description="of the initial weights: one for each connection, or one for all")
    hidden: tuple[float, float] = Field((0.0, 1.0), description="lowest and highest state of a hidden unit")
    output: tuple[float, float] = Field((-1.0, 2.0), description="lowest and highest state of an output unit")
    weight_bound: float | None = Field(None, gt=0, description="largest size of a weight; none by default")
    stiffness_relaxations: Relaxations = Field(
        "joint",
        description='"joint": free stiffnesses and states relax together; "once": states first, then stiffnesses',
    )

    precision: Precision = Field(
        "double", description='of the states while they relax; "single" is faster, and for relaxations "once" only'
    )

    @model_validator(mode="after")
    def _ascending(self) -> Self:
        for name in ("hidden", "output"):
            low, high = getattr(self, name)
            if not low < high:
                raise ValueError(f"{name}: the lower state must be below the higher; got {[low, high]}")
        return self

    def stiffness_unit(self) -> dict[str, float]:
        return {}

    def build(self, network: Network, rng: np.random.Generator) -> LayeredSystem:
        layers = Layers.of(network)
        wirings = wire(layers, self.connections)
        gains = per_connection("gains", self.gains, len(wirings))
        bound = np.inf if self.weight_bound is None else self.weight_bound
        parts = []
        for wiring, gain in zip(wirings, gains, strict=True):
            parts += [np.clip(first_weights(wiring, gain, rng), -bound, bound), np.zeros(wiring.post_shape[0])]
        inner = [self.hidden] * (len(layers) - 2)
        return LayeredSystem(
            network,
            wirings,
            Product(),
            np.concatenate(parts),
            box=[(-np.inf, np.inf), *inner, self.output],
            weight_bounds=(-bound, bound),
            stiffness_relaxations=self.stiffness_relaxations,
            precision=self.precision,
        )

    def portrait(self, system: System, before: np.ndarray, after: np.ndarray) -> Figure | None:
        return _portrait(system, before, after, self.looks)


class Resistive(SystemPart):
    """A deep resistive network with diodes: E = sum g (v - v')^2/2 between the layers.

    Diodes keep the first half of each hidden layer's voltages at or above zero ("excitatory") and the rest at or below
    ("inhibitory"); outputs are free. Conductances cannot be negative, so inputs come as x and -x (or 1 - x), each on a
    node of its own. A unit's voltage is a mean over its neighbours, so that voltages shrink from layer to layer: the
    task's ``amplitude`` is the gain of the inputs. Conductances begin as max(minimum, U(-r, r)), r = gain/sqrt(n), n
    being the conductors that meet in a unit from the layer before.

    Source of the network and its initial conductances: Scellier, "A fast algorithm to simulate nonlinear resistive
    networks", arXiv:2402.11674, and his energy-based-learning framework.
    """

    looks: ClassVar[Looks] = Looks(state="voltage", stiffness="conductance")
    trial: ClassVar[Trial] = TRIAL

    gains: Gains = Field((1.0,), description="of the initial conductances: one for each connection, or one for all")
    minimum: float = Field(1e-6, gt=0, description="lowest conductance")
    diodes: bool = Field(True, description="whether hidden units have diodes; without, the network is linear")
    stiffness_relaxations: Relaxations = Field(
        "joint",
        description='"joint": free stiffnesses and states relax together; "once": states first, then stiffnesses',
    )

    def stiffness_unit(self) -> dict[str, float]:
        return {"energy": 1, "state": -2}

    def build(self, network: Network, rng: np.random.Generator) -> LayeredSystem:
        layers = Layers.of(network)
        wirings = wire(layers, None)
        parts = []
        for wiring, gain in zip(wirings, per_connection("gains", self.gains, len(wirings)), strict=True):
            reach = gain / np.sqrt(wiring.fans[0])
            parts.append(np.maximum(self.minimum, rng.uniform(-reach, reach, wiring.weights)))
        anywhere = (-np.inf, np.inf)
        inner = [diode_box(n) if self.diodes else anywhere for n in layers.sizes[1:-1]]
        return LayeredSystem(
            network,
            wirings,
            Difference(),
            np.concatenate(parts),
            box=[anywhere, *inner, anywhere],
            weight_bounds=(self.minimum, np.inf),
            word="conductances",
            biased=False,
            stiffness_relaxations=self.stiffness_relaxations,
        )

    def portrait(self, system: System, before: np.ndarray, after: np.ndarray) -> Figure | None:
        return _portrait(system, before, after, self.looks)


def _portrait(system: System, before: np.ndarray, after: np.ndarray, looks: Looks) -> Figure:
    from sandbox_layered.portrait import draw_weights

    assert isinstance(system, LayeredSystem)
    return draw_weights(system, before, after, looks.stiffness)


def diode_box(units: int) -> tuple[np.ndarray, np.ndarray]:
    """Lowest and highest voltages (n,) of a hidden layer: the first half at or above zero, the rest at or below."""
    excitatory = np.arange(units) < (units + 1) // 2
    return np.where(excitatory, 0.0, -np.inf), np.where(excitatory, np.inf, 0.0)


def first_weights(wiring: Wiring, gain: float, rng: np.random.Generator) -> np.ndarray:
    """(weights,) of a Hopfield-like network before learning; see `Hopfield`."""
    if isinstance(wiring, Conv):
        return rng.normal(0.0, gain / 2 / np.sqrt(wiring.fans[0]), wiring.weights)
    reach = gain * np.sqrt(6 / sum(wiring.fans)) / 2
    return rng.uniform(-reach, reach, wiring.weights)


def per_connection(name: str, values: tuple[float, ...], count: int) -> tuple[float, ...]:
    """One value for each connection.

    Raises:
        NetworkError: if there are neither one nor as many as connections.
    """
    if len(values) not in (1, count):
        raise NetworkError(
            f"{name} has {len(values)} values; the network has {count} connections: give {count}, or one"
        )
    return values * count if len(values) == 1 else values


def wire(layers: Layers, connections: tuple[Connection, ...] | None) -> list[Wiring]:
    """The wirings of layers, dense by default.

    Raises:
        NetworkError: for connections that do not fit the layers; says what would.
    """
    count = len(layers) - 1
    settings = (DenseConnection(),) * count if connections is None else connections
    if len(settings) != count:
        raise NetworkError(f"{len(layers)} layers take {count} connections; {len(settings)} are given")
    shape: Shape = (layers.sizes[0],)
    wirings: list[Wiring] = []
    pairs = zip(settings, layers.sizes, layers.sizes[1:], strict=False)
    dense = sum(before * after for kind, before, after in pairs if isinstance(kind, DenseConnection))
    require(f"a layered network of {dense:,} weights", dense * BYTES_PER_WEIGHT)
    for number, (setting, size) in enumerate(zip(settings, layers.sizes[1:], strict=True), 1):
        wirings.append(
            Dense(shape, (size,)) if isinstance(setting, DenseConnection) else _conv(number, setting, shape, size)
        )
        shape = wirings[-1].post_shape
    return wirings


def _conv(number: int, setting: ConvConnection, shape: Shape, size: int) -> Conv:
    image = setting.image or shape
    if len(image) != 3:
        raise NetworkError(
            f"connection {number} is a convolution from {group_name(number)}, which has no images: give the connection "
            "its image = [channels, height, width]"
        )
    if size_of(image) != size_of(shape) or (len(shape) == 3 and image != shape):
        raise NetworkError(
            f"connection {number} takes images {list(image)}, {size_of(image)} units, from {group_name(number)}, which "
            f"has {list(shape) if len(shape) == 3 else size_of(shape)}"
        )
    rows, columns = Conv.image_after(image, setting.kernel, setting.pooling, setting.padding)
    if size % (rows * columns):
        raise NetworkError(
            f"connection {number} makes images of {rows} by {columns} places, but the {size} units of "
            f"{group_name(number + 1)} are no multiple of {rows * columns}"
        )
    return Conv(image, size // (rows * columns), setting.kernel, setting.pooling, setting.padding)
