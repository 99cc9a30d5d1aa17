"""Every translation model of `configs/` exports and passes the check, at its own size, with random weights."""

from __future__ import annotations

from pathlib import Path

import pytest
from random_runs import save_run, train_subwords

from nmt.config import Config, load_any_config
from nmt.export import export
from nmt.saved_model.check import check

CONFIGS = Path(__file__).resolve().parents[2] / "configs"
MODELS = [path for path in sorted(CONFIGS.rglob("*.yaml")) if isinstance(load_any_config(path), Config)]


@pytest.mark.slow
@pytest.mark.parametrize("path", MODELS, ids=lambda path: path.relative_to(CONFIGS).as_posix())
def test_exports_and_passes_the_check(path: Path, tmp_path: Path) -> None:
    config = load_any_config(path)
    assert isinstance(config, Config)
    source = train_subwords("char" if config.subword.model == "char" else "unigram")
    target = source if config.subword.shared else train_subwords("char")
    run = save_run(tmp_path / "run", config, source, target, seed=1)
    version = export(run, tmp_path / "saved_models", overrides=["decoding.max_length=12"])
    checked = check(version)
    assert set(checked.signatures) == {"serving_default", "nbest", "score_pairs", "tokenize", "translate_ids"}
    assert checked.samples > 10 and checked.requests > 5
