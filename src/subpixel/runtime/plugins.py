"""Execution providers that come in packages of their own, beside ONNX Runtime.

A library is registered once per process, its devices are asked for, and a session is opened on one
of them. Named in ``providers`` instead, such a provider is ignored without a word; so where the
nodes really are is looked at afterwards.
"""

from collections.abc import Iterator
from importlib import import_module
from importlib.util import find_spec
from threading import Lock

import onnxruntime
from onnxruntime.capi.onnxruntime_pybind11_state import EPFail

from subpixel.errors import NetworkError, ProviderError, one_line
from subpixel.runtime.devices import Device, PluginPackage, find_device, provider_options
from subpixel.system.files.cache import cache_folder
from subpixel.system.processes.interruptible import call_interruptibly

REGISTRATION = Lock()
"""Guards the registering of a library: a second time is an error."""

RECORD_ASSIGNMENT = "session.record_ep_graph_assignment_info"

HEAVY_OPERATORS = ("Conv", "MatMul", "Gemm")
"""Parts of the names of the operators that take a network's time, fused ones included. What
computes shapes may stay on the processor."""


def is_plugin_installed(device: Device) -> bool:
    """Whether the device's provider comes from a package that is installed; nothing is imported."""
    return device.plugin is not None and find_spec(device.plugin.module) is not None


def find_hardware(name: str) -> onnxruntime.OrtEpDevice:
    """What the provider of the device ``name`` can run on here, the best of it.

    Raises :class:`ProviderError` where the package's library can't be loaded, or finds nothing.
    """
    device = find_device(name)
    assert device.plugin is not None
    _register(name, device.plugin)
    kinds = device.plugin.hardware
    fitting = [
        one
        for one in onnxruntime.get_ep_devices()
        if one.ep_name == device.provider and one.device.type.name in kinds
    ]
    if not fitting:
        raise ProviderError(
            f"{name}: {device.provider} finds no {' or '.join(kinds)} that it can run on; it needs "
            f"{device.install}"
        )
    return min(fitting, key=lambda one: (kinds.index(one.device.type.name), _is_integrated(one)))


def describe_hardware(hardware: onnxruntime.OrtEpDevice) -> str:
    """For people: ``"GPU, NVIDIA"``."""
    maker = hardware.ep_metadata.get("FULL_DEVICE_NAME") or hardware.device.vendor
    return ", ".join(part for part in (hardware.device.type.name, maker) if part)


def open_plugin_session(
    source: bytes | str, name: str, options: onnxruntime.SessionOptions
) -> onnxruntime.InferenceSession:
    """A session of ``source``, a file's content or its name, on the device ``name``.

    Raises :class:`ProviderError` where the device can't be had or some of the network's
    :data:`HEAVY_OPERATORS` would run elsewhere, and :class:`NetworkError` for a file that ONNX
    Runtime can't load.
    """
    hardware = find_hardware(name)
    options.add_provider_for_devices([hardware], provider_options(name, cache_folder()))
    options.add_session_config_entry(RECORD_ASSIGNMENT, "1")
    try:
        session = call_interruptibly(
            lambda: onnxruntime.InferenceSession(source, sess_options=options)
        )
    except EPFail as error:
        raise ProviderError(
            f"{name}: {find_device(name).provider} did not start ({one_line(error)}); it needs "
            f"{find_device(name).install}; or use --device cpu"
        ) from error
    except Exception as error:  # ONNX Runtime's exceptions have no common base
        raise NetworkError(f"ONNX Runtime can't load it: {one_line(error)}") from error
    _expect_assigned(session, name)
    return session


def _register(name: str, plugin: PluginPackage) -> None:
    provider = find_device(name).provider
    with REGISTRATION:
        if provider in onnxruntime.get_available_providers():
            return
        try:
            library = import_module(plugin.module).get_library_path()
            # QNN's provider goes by the name that is registered.
            onnxruntime.register_execution_provider_library(provider, library)
        except Exception as error:  # a package's import may fail in any way
            raise ProviderError(
                f"{name}: the package {plugin.module} can't be used ({one_line(error)}); it needs "
                f"{find_device(name).install}"
            ) from error


def _is_integrated(hardware: onnxruntime.OrtEpDevice) -> bool:
    return bool(hardware.device.metadata.get("Discrete") != "1")


def _expect_assigned(session: onnxruntime.InferenceSession, name: str) -> None:
    provider = find_device(name).provider
    parts = session.get_provider_graph_assignment_info()
    elsewhere = sorted(
        {kind for part in parts if part.ep_name != provider for kind in _heavy_operators(part)}
    )
    if elsewhere or not any(part.ep_name == provider for part in parts):
        what = f"the operators {', '.join(elsewhere)}" if elsewhere else "any of its nodes"
        raise ProviderError(
            f"{name}: {provider} does not take {what} of this network, which ONNX Runtime would "
            "run on the processor without a word; use --device cpu"
        )


def _heavy_operators(part: "onnxruntime.OrtEpAssignedSubgraph") -> Iterator[str]:
    kinds = (node.op_type for node in part.get_nodes())
    return (kind for kind in kinds if any(heavy in kind for heavy in HEAVY_OPERATORS))
