"""The files of `docs/serving/`: what TensorFlow Serving and compose read, checked as far as possible without them."""

from __future__ import annotations

import re
from pathlib import Path

from google.protobuf import text_format
from ruamel.yaml import YAML
from tensorflow_serving.config import model_server_config_pb2

from nmt.export.exporter import WARM_UP_ROWS

FOLDER = Path(__file__).resolve().parents[2] / "docs" / "serving"


def test_the_models_that_are_served() -> None:
    text = (FOLDER / "models.config").read_text(encoding="utf-8")
    config = text_format.Parse(text, model_server_config_pb2.ModelServerConfig())
    (model,) = config.model_config_list.config
    assert (model.name, model.base_path) == ("quickstart", "/models/quickstart")
    assert model.model_version_policy.latest.num_versions == 2


def test_compose_names_files_that_are_there() -> None:
    services = YAML(typ="safe").load((FOLDER / "compose.yaml").read_text(encoding="utf-8"))["services"]
    named = [
        argument.rpartition("/config/")[2] for argument in services["serving"]["command"] if "/config/" in argument
    ]
    assert sorted(named) == ["batching.config", "models.config", "monitoring.config"]
    assert all((FOLDER / name).is_file() for name in [*named, "nginx.conf"])
    assert "ports" not in services["serving"]  # the server has no authentication: nobody but the proxy reaches it


def test_the_largest_batch_holds_the_warm_up_requests() -> None:
    """A server that refuses one of them does not load the version."""
    (line,) = re.findall(r"max_batch_size \{ value: (\d+) \}", (FOLDER / "batching.config").read_text(encoding="utf-8"))
    assert int(line) >= WARM_UP_ROWS
    assert f"not below {WARM_UP_ROWS}" in (FOLDER.parent / "serving.md").read_text(encoding="utf-8")


def test_batch_sizes_end_with_the_largest_batch() -> None:
    lines = (FOLDER / "batching.config").read_text(encoding="utf-8").splitlines()
    sizes = [int(line.partition(":")[2]) for line in lines if line.startswith("allowed_batch_sizes")]
    assert sizes == sorted(sizes) and f"max_batch_size {{ value: {sizes[-1]} }}" in lines  # as the server asks
