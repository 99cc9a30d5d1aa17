"""`nmt --version`: the whole stack, as a bug report needs it."""

from __future__ import annotations

import os
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from nmt.cli.settings import quiet_start

PACKAGES = (
    "keras", "tensorflow", "tensorflow-text", "jax", "sentencepiece", "sacrebleu", "numpy", "pyarrow", "duckdb",
    "ibis-framework", "safetensors", "pydantic", "typer", "rich",
)  # fmt: skip
CPU_FEATURES = ("avx512f", "avx512_bf16", "amx_bf16")
CPU_INFO = Path("/proc/cpuinfo")


def describe_stack() -> str:
    """Versions, processor and devices, one a line."""
    facts = {
        "keras-nmt": installed("keras-nmt") or "not installed, run from its source",
        "Python": platform.python_version(),
        "system": platform.platform(),
        "processor": describe_processor(),
        **{name: installed(name) or "not installed" for name in PACKAGES},
        **_backend(),
    }
    lines = [f"{name:16}{value}" for name, value in facts.items()]
    return "\n".join([*lines, *text_warnings()])


def installed(name: str) -> str | None:
    """A distribution's version; None where it is not installed."""
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def text_warnings() -> list[str]:
    """A warning where TF Text does not load, such as one that was compiled against another TensorFlow."""
    try:
        with quiet_start():
            from nmt.saved_model import load_ops

            load_ops()
    except Exception as error:  # whatever is broken: this command is there to report it
        return [f"WARNING: export and SavedModels will fail: {' '.join(str(error).split())}"]
    return []


def describe_processor() -> str:
    """The processor's name, its cores, and which instructions for wide and short numbers it has."""
    lines = CPU_INFO.read_text(encoding="utf-8").splitlines() if CPU_INFO.exists() else []
    facts = {key.strip(): value.strip() for key, _, value in (line.partition(":") for line in lines)}
    name = facts.get("model name") or platform.processor() or platform.machine()
    flags = facts.get("flags", "").split()
    features = [f"{feature} {'yes' if feature in flags else 'no'}" for feature in CPU_FEATURES] if flags else []
    return ", ".join([name, f"{_usable_cores()} of {os.cpu_count()} cores", *features])


def _usable_cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _backend() -> dict[str, str]:
    """Keras' backend and its devices; a stack that does not start says why."""
    try:
        with quiet_start():
            import keras

            devices = ", ".join(keras.distribution.list_devices()) or "none"
    except Exception as error:  # whatever is broken: this command is there to report it
        return {"backend": f"does not start: {type(error).__name__}: {error}"}
    return {"backend": str(keras.backend.backend()), "devices": devices}
