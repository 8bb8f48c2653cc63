"""Sliders, a canvas and buttons: the widget of :func:`sandbox.interact`."""

from __future__ import annotations

from collections.abc import Callable
from importlib.resources import files
from typing import Any

import anywidget
import ipywidgets
import numpy as np
import traitlets

from sandbox.errors import SandboxError
from sandbox.interacting.play import Control, Frame, Play, advice
from sandbox.plot.geometry import embed
from sandbox.plot.sketch import sizes, web

STEPS = 200
"""Of a slider, from its least to its greatest value."""


SAID = """
.sketch-said {
  display: flex; flex-wrap: wrap; gap: 0 1.5em; min-height: 1.5em; color: var(--jp-widgets-label-color, inherit);
}"""
"""The figures under the canvas, in the colour of the labels of sliders, which suits the page they are on."""


class Canvas(anywidget.AnyWidget):
    """A network, drawn by the browser."""

    _esm = web("sketch.js") + (files("sandbox.interacting") / "canvas.js").read_text(encoding="utf-8")
    _css = web("sketch.css") + SAID

    net = traitlets.Dict().tag(sync=True)
    frame = traitlets.Dict().tag(sync=True)
    said = traitlets.Union([traitlets.Unicode(), traitlets.Dict()], default_value="").tag(sync=True)

    def show(self, frame: Frame, figures: dict[str, str]) -> None:
        """Draw a frame and tell its figures, in one message. Its arrays travel as bytes, float32."""
        positions = None if frame.positions is None else embed(frame.positions)
        arrays = {"state": frame.state, "positions": positions, "stiffness": frame.stiffness}
        packed = {k: None if a is None else np.asarray(a, dtype="<f4").tobytes() for k, a in arrays.items()}
        with self.hold_sync():
            self.frame = packed | {"sizes": None if frame.stiffness is None else sizes([frame.stiffness])}
            self.said = figures


class Panel(ipywidgets.VBox):
    """What is worked by hand, and how it looks.

    Attributes:
        play: what the sliders turn.
        canvas: the network.
        sliders: one for each control of the play.
    """

    def __init__(self, play: Play) -> None:
        self.play = play
        self.canvas = Canvas(net=play.net)
        self.sliders = [_slider(control) for control in play.controls]
        self._turning = False
        for number, slider in enumerate(self.sliders):
            slider.observe(self._turned(number), "value")
        buttons = [ipywidgets.Button(description=name) for name in play.actions]
        for button, act in zip(buttons, play.actions.values(), strict=True):
            button.on_click(self._acting(act))
        grid = ipywidgets.Layout(grid_template_columns="repeat(auto-fit, minmax(320px, 1fr))", max_width="44rem")
        self.redraw()
        super().__init__([self.canvas, ipywidgets.GridBox(self.sliders, layout=grid), ipywidgets.HBox(buttons)])

    def redraw(self) -> None:
        """Relax and draw; where there is no rest, say so and leave the last picture."""
        try:
            frame, figures = self.play.look()
        except SandboxError as error:
            self.canvas.said = advice(error)
            return
        self.canvas.show(frame, figures)

    def _turned(self, number: int) -> Callable[[Any], None]:
        def turned(change: Any) -> None:
            if not self._turning:
                self._do(lambda: self.play.turn(number, change["new"]))

        return turned

    def _acting(self, act: Callable[[], object]) -> Callable[[Any], None]:
        return lambda _: self._do(act)

    def _do(self, act: Callable[[], object]) -> None:
        try:
            act()
        except SandboxError as error:
            self.canvas.said = advice(error)
            return
        self._turning = True  # sliders follow what the act changed
        try:
            for slider, control in zip(self.sliders, self.play.controls, strict=True):
                slider.value = int(control.value) if control.whole else control.value
        finally:
            self._turning = False
        self.redraw()


def _slider(control: Control) -> Any:
    looks = {
        "description": control.name,
        "tooltip": control.name,
        "style": {"description_width": "45%"},
        "layout": ipywidgets.Layout(width="auto"),
    }
    if control.whole:
        return ipywidgets.IntSlider(int(control.value), int(control.low), int(control.high), **looks)
    step = (control.high - control.low) / STEPS or 1.0
    return ipywidgets.FloatSlider(
        control.value, min=control.low, max=control.high, step=step, readout_format=".3g", **looks
    )
