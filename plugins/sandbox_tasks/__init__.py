"""The field's own tasks: classification, images, regression, allostery, tuned flow."""

from __future__ import annotations

import sandbox
from sandbox_tasks.classification import Digits, Iris, Wine
from sandbox_tasks.images import MNIST, FashionMNIST
from sandbox_tasks.regression import XOR, Function1D, LinearRegression
from sandbox_tasks.strain import Allostery
from sandbox_tasks.tuned_flow import TunedFlow


@sandbox.hookimpl
def register_tasks(register: sandbox.Register) -> None:
    register("iris", Iris)
    register("wine", Wine)
    register("digits", Digits)
    register("mnist", MNIST)
    register("fashion_mnist", FashionMNIST)
    register("linear_regression", LinearRegression)
    register("function_1d", Function1D)
    register("xor", XOR)
    register("allostery", Allostery)
    register("tuned_flow", TunedFlow)
