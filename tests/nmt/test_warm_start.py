"""Starting from another run, with subword models of single letters: every row can be named."""

from __future__ import annotations

import functools
import io
import itertools
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import sentencepiece

from nmt.checkpoints import SEED_SUFFIX, Best, TrainingState
from nmt.errors import TrainingError
from nmt.losses import SmoothedCrossEntropy
from nmt.run_folder import RunFolder
from nmt.seq2seq import Seq2Seq
from nmt.tokenizer import END_ID, PAD_ID, START_ID, UNKNOWN_ID, Tokenizer
from nmt.warm_start import check_origin, freeze, shared_pieces, warm_start

Tokenizers = tuple[Tokenizer, Tokenizer]
PARTS = ("source_embedding", "encoder", "decoder", "target_embedding")


def letters(text: str) -> Tokenizer:
    """A subword model of single letters; the more frequent have the lower ids."""
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter([text]),
        model_writer=model,
        model_type="char",
        vocab_size=16,
        hard_vocab_limit=False,
        minloglevel=2,
        pad_id=PAD_ID,
        unk_id=UNKNOWN_ID,
        bos_id=START_ID,
        eos_id=END_ID,
    )
    return Tokenizer(model.getvalue())


@pytest.fixture(scope="module")
def old() -> Tokenizers:
    return letters("aaaabbbccd"), letters("xxxyyz")


@pytest.fixture(scope="module")
def new() -> Tokenizers:
    return letters("ddddccca"), letters("zzzvvvx")


@pytest.fixture
def shared_config(tiny_config: Any) -> Any:
    """Makes configurations with one subword model for both sides."""
    return functools.partial(tiny_config, subword={"shared": True})


def make(config: Any, tokenizers: Tokenizers, seed: int, **settings: Any) -> Seq2Seq:
    keras.utils.set_random_seed(seed)
    source, target = tokenizers
    return Seq2Seq(config(model={"attention": "general", **settings}).model, source.size, target.size)


def save(folder: Path, config: Any, tokenizers: Tokenizers, state: TrainingState, **settings: Any) -> Seq2Seq:
    """Makes a run with one checkpoint; returns its model."""
    model = make(config, tokenizers, 1, **settings)
    run = RunFolder(folder)
    run.create(config(model={"attention": "general", **settings}), "f" * 64, tokenizers)
    run.save_weights(model, state)
    return model


def value(variable: Any) -> np.ndarray:
    return np.array(keras.ops.convert_to_numpy(variable))


def weights(model: Seq2Seq) -> dict[str, np.ndarray]:
    """Values by path, the seeds left out."""
    return {v.path: value(v) for v in model.variables if not v.path.endswith(SEED_SUFFIX)}


def seeds(model: Seq2Seq) -> list[list[int]]:
    return [value(v).tolist() for v in model.variables if v.path.endswith(SEED_SUFFIX)]


def test_pieces_are_matched_by_their_text(old: Tokenizers, new: Tokenizers) -> None:
    assert old[0].vocabulary == ["<pad>", "<unk>", "<s>", "</s>", "a", "b", "c", "d", "▁"]
    assert new[0].vocabulary == ["<pad>", "<unk>", "<s>", "</s>", "d", "c", "a", "▁"]
    shared = shared_pieces(old[0], new[0])
    assert shared.old_ids.tolist() == [0, 1, 2, 3, 7, 6, 4, 8]
    assert shared.new_ids.tolist() == [0, 1, 2, 3, 4, 5, 6, 7]
    assert len(shared) == 8


def test_the_same_vocabulary_keeps_everything(tmp_path: Path, tiny_config: Any, old: Tokenizers) -> None:
    trained = save(tmp_path / "run", tiny_config, old, TrainingState(step=1))
    model = make(tiny_config, old, 2)
    seeds_before = seeds(model)
    started = warm_start(model, old, tmp_path / "run")
    assert weights(model).keys() == weights(trained).keys()
    assert all(np.array_equal(values, weights(trained)[path]) for path, values in weights(model).items())
    assert seeds(model) == seeds_before != seeds(trained)
    assert (started.source_kept, started.source_pieces, started.target_kept, started.target_pieces) == (9, 9, 8, 8)


def test_another_vocabulary_keeps_the_shared_rows(
    tmp_path: Path, tiny_config: Any, old: Tokenizers, new: Tokenizers
) -> None:
    trained = save(tmp_path / "run", tiny_config, old, TrainingState(step=1_200), tie_embeddings="none")
    model = make(tiny_config, new, 2, tie_embeddings="none")
    fresh = weights(model)
    started = warm_start(model, new, tmp_path / "run")
    assert str(started).endswith("run (step 1,200): 8 of 8 source pieces, 7 of 8 target pieces kept")
    for layer, name, side, axis in (
        ("source_embedding", "embeddings", 0, 0),
        ("target_embedding", "embeddings", 1, 0),
        ("target_embedding", "reverse_embeddings", 1, 1),
    ):
        variable = getattr(getattr(model, layer), name)
        rows, fresh_rows = (np.moveaxis(table, axis, 0) for table in (value(variable), fresh.pop(variable.path)))
        trained_rows = np.moveaxis(value(getattr(getattr(trained, layer), name)), axis, 0)
        for i, piece in enumerate(new[side].vocabulary):
            known = piece in old[side].vocabulary
            expected = trained_rows[old[side].vocabulary.index(piece)] if known else fresh_rows[i]
            assert np.array_equal(rows[i], expected), (layer, name, piece)
    assert fresh
    assert all(np.array_equal(weights(model)[path], weights(trained)[path]) for path in fresh)


def test_one_shared_matrix(tmp_path: Path, shared_config: Any) -> None:
    old, new = letters("aaab"), letters("bbbc")
    trained = save(tmp_path / "run", shared_config, (old, old), TrainingState(step=1), tie_embeddings="all")
    model = make(shared_config, (new, new), 2, tie_embeddings="all")
    fresh = value(model.source_embedding.embeddings)
    started = warm_start(model, (new, new), tmp_path / "run")
    rows, trained_rows = value(model.target_embedding.embeddings), value(trained.target_embedding.embeddings)
    assert np.array_equal(rows[4], trained_rows[5])  # b
    assert np.array_equal(rows[5], fresh[5])  # c
    assert (started.source_kept, started.target_kept, started.target_pieces) == (6, 6, 7)


def test_the_best_checkpoint_counts(tmp_path: Path, tiny_config: Any, old: Tokenizers) -> None:
    trained = save(tmp_path / "run", tiny_config, old, TrainingState(step=10))
    last = make(tiny_config, old, 3)
    RunFolder(tmp_path / "run").save_weights(last, TrainingState(step=20, best=(Best(10, [0.5]),)))
    model = make(tiny_config, old, 2)
    assert warm_start(model, old, tmp_path / "run").step == 10
    assert np.array_equal(value(model.decoder.readout.kernel), value(trained.decoder.readout.kernel))


def test_dropout_may_differ(tmp_path: Path, tiny_config: Any, old: Tokenizers) -> None:
    """Without dropout there are fewer seeds, so the models do not have as many variables."""
    trained = save(tmp_path / "run", tiny_config, old, TrainingState(step=1), dropout=0.0)
    model = make(tiny_config, old, 2, dropout=0.3)
    assert len(seeds(trained)) < len(seeds(model))
    warm_start(model, old, tmp_path / "run")
    assert np.array_equal(value(model.decoder.readout.kernel), value(trained.decoder.readout.kernel))


def test_another_model_is_refused(tmp_path: Path, tiny_config: Any, old: Tokenizers) -> None:
    save(tmp_path / "run", tiny_config, old, TrainingState(step=1))
    model = make(tiny_config, old, 2, cell="lstm", encoder_units=16, dropout=0.0)
    before = weights(model)
    found = r"\(model\.cell: gru -> lstm; model\.encoder_units: 8 -> 16\); take its values, or leave"
    with pytest.raises(TrainingError, match=rf"training\.start_from: expected the model of .*run, received .*{found}"):
        warm_start(model, old, tmp_path / "run")
    assert all(np.array_equal(values, before[path]) for path, values in weights(model).items())


def test_no_run(tmp_path: Path, tiny_config: Any, old: Tokenizers) -> None:
    with pytest.raises(TrainingError, match=r"training\.start_from: expected a run folder .*found none at .*nothing"):
        check_origin(tmp_path / "nothing", tmp_path / "run")
    RunFolder(tmp_path / "young").create(tiny_config(), "f" * 64, old)
    with pytest.raises(TrainingError, match=r"expected a run with a checkpoint, found none yet in .*young; train it"):
        check_origin(tmp_path / "young", tmp_path / "run")
    with pytest.raises(TrainingError, match="found none yet"):
        warm_start(make(tiny_config, old, 2), old, tmp_path / "young")


def test_a_run_cannot_start_from_itself(tmp_path: Path, tiny_config: Any, old: Tokenizers) -> None:
    save(tmp_path / "run", tiny_config, old, TrainingState(step=1))
    check_origin(tmp_path / "run", tmp_path / "other")
    with pytest.raises(TrainingError, match="expected another run than the one to train, received"):
        check_origin(tmp_path / "other" / ".." / "run", tmp_path / "run")


def part_of(path: str) -> str:
    """Where a variable belongs: embeddings are made inside encoder or decoder, and the bridges beside the decoder."""
    return next((name for name in reversed(path.split("/")) if name in PARTS), "decoder")


def test_frozen_parts(tiny_config: Any, old: Tokenizers) -> None:
    model = make(tiny_config, old, 1, tie_embeddings="none")
    paths = {variable.path for variable in model.trainable_variables}
    assert {part_of(path) for path in paths} == set(PARTS)
    for size in range(len(PARTS)):
        for parts in itertools.combinations(PARTS, size):
            freeze(model, parts)
            left = {variable.path for variable in model.trainable_variables}
            assert left == {path for path in paths if part_of(path) not in parts}, parts


def test_a_shared_matrix_is_frozen_by_either_name(shared_config: Any) -> None:
    tokenizer = letters("aab")
    model = make(shared_config, (tokenizer, tokenizer), 1, tie_embeddings="all")
    paths = {variable.path for variable in model.trainable_variables}
    for part in ("source_embedding", "target_embedding"):
        freeze(model, [part])
        left = {variable.path for variable in model.trainable_variables}
        assert paths - left == {model.target_embedding.embeddings.path}


def test_frozen_weights_stay_bit_for_bit(tiny_config: Any, old: Tokenizers) -> None:
    model = make(tiny_config, old, 1)
    freeze(model, ["encoder", "target_embedding"])
    model.compile(optimizer=keras.optimizers.Adam(0.1), loss=SmoothedCrossEntropy(), run_eagerly=True)
    before, seeds_before = weights(model), seeds(model)
    ids = np.array([[4, 5, 6, 3], [7, 8, 4, 3]], np.int32)
    for _ in range(3):
        model.train_on_batch({"source_ids": ids, "target_ids": ids % 8}, ids % 8)
    for path, values in weights(model).items():
        frozen = part_of(path) in ("encoder", "target_embedding")
        assert np.array_equal(values, before[path]) == frozen, path
    assert seeds(model) != seeds_before  # dropout goes on, in frozen parts too
