"""The section `training`: how a model is trained. What both kinds share stands in `TrainingConfig`."""

from __future__ import annotations

from typing import Annotated, Literal, get_args

from pydantic import Field, model_validator

from nmt.config.section import Fraction, PositiveInt, Section, Seed

Part = Literal["source_embedding", "encoder", "decoder", "target_embedding"]
PositiveFloat = Annotated[float, Field(gt=0.0)]
Weight = Annotated[float, Field(gt=0.0, le=100.0)]


class TrainingConfig(Section):
    """How any model is trained: its steps, and when they are saved and end."""

    seed: Seed = Field(
        1, description="Seed of initial weights, batch order, dropout and sampling: same seed, same weights."
    )
    epochs: PositiveInt = Field(20, description="Rounds over the training part, at most.")
    minutes: PositiveFloat | None = Field(
        None,
        description="Stop after so many minutes, those before an interruption included; what was learned is saved.",
    )
    accumulate_batches: PositiveInt = Field(
        1, description="Batches whose gradients make one update, weighted by the tokens they predict."
    )
    optimizer: Literal["adam", "adamw", "sgd"] = Field("adam", description="How gradients become updates.")
    momentum: Fraction = Field(0.9, description="Momentum of `sgd`.")
    weight_decay: Annotated[float, Field(ge=0.0)] = Field(
        0.01, description="Decoupled weight decay of `adamw` (Loshchilov & Hutter 2019)."
    )
    learning_rate: PositiveFloat = Field(0.001, description="The learning rate at its peak.")
    warmup_steps: Annotated[int, Field(ge=0)] = Field(400, description="Steps over which the learning rate rises.")
    schedule: Literal["constant", "inverse_square_root", "cosine", "plateau"] = Field(
        "cosine",
        description="How the learning rate falls after the warm-up; `cosine` reaches 0 after all epochs, `plateau` is "
        "lowered after rounds without a gain.",
    )
    plateau_rounds: PositiveInt = Field(
        2, description="Rounds without a gain before `plateau` lowers the learning rate."
    )
    plateau_factor: Annotated[float, Field(gt=0.0, lt=1.0)] = Field(
        0.5, description="What `plateau` multiplies the learning rate by."
    )
    clip_norm: PositiveFloat = Field(1.0, description="Gradients are scaled down to this global norm.")
    skip_limit: PositiveInt = Field(
        10,
        description="A step whose loss or gradient is not finite is skipped; so many in a row stop the training.",
    )
    average_decay: Fraction | None = Field(
        None,
        description="Decay of an exponential moving average of the weights, which then validates and is used instead "
        "of the last ones; 0.999 or 0.9999.",
    )
    label_smoothing: Fraction = Field(0.1, description="Probability taken from the right token, spread over all.")
    precision: Literal["float32", "mixed_bfloat16"] = Field(
        "float32",
        description="Arithmetic of the training steps; weights and validations stay float32, and translation has "
        "`decoding.precision`.",
    )
    minimum_gain: Annotated[float, Field(ge=0.0)] = Field(
        0.0, description="By how much the figure must be better to count as a gain; BLEU and chrF in percent."
    )
    patience: PositiveInt = Field(5, description="Rounds without a gain before the training stops.")
    save_every_steps: PositiveInt | None = Field(
        None, description="Also write a checkpoint every so many steps, not only after each round."
    )
    save_every_minutes: PositiveFloat | None = Field(10.0, description="The same, every so many minutes.")
    keep_last: PositiveInt = Field(3, description="Checkpoints that are kept: so many of the newest ...")
    keep_best_checkpoints: PositiveInt = Field(1, description="... and so many of the best.")
    tensorboard: bool = Field(
        False, description="Write the curves for TensorBoard too, to `tensorboard` in the run folder."
    )


class TranslationTraining(TrainingConfig):
    """How the model is trained."""

    start_from: str | None = Field(
        None,
        description="Run folder whose best weights the training starts from; of another vocabulary, the embeddings of "
        "shared pieces are kept.",
    )
    freeze: list[Part] = Field([], description="Parts whose weights stay as they are.")
    batch_tokens: PositiveInt = Field(1_600, description="Tokens of a batch on its longer side, padding included.")
    batch_sentences: PositiveInt | None = Field(
        None, description="Sentences of a batch at most, however short; null for as many as its tokens allow."
    )
    weights: dict[str, Weight] = Field(
        {},
        description="How many times an epoch reads each corpus of `corpus.mixture`; 1 where none is named, 0.5 reads "
        "another half in each epoch.",
    )
    subword_sampling: Annotated[float, Field(gt=0.0, le=1.0)] | None = Field(
        None,
        description="Cut the training text into other subwords in each epoch: the smoothing of unigram sampling (Kudo "
        "2018; 0.1 to 0.5, lower is wilder), or the share of merges dropped for `bpe` (Provilkov et al. 2020).",
    )
    source_word_dropout: Fraction = Field(
        0.0, description="Share of the source tokens that are replaced by the unknown token."
    )
    target_word_dropout: Fraction = Field(
        0.0,
        description="Share of the tokens that the decoder reads replaced by the unknown token (Bowman et al. 2016, "
        "section 3.1); what it shall answer stays.",
    )
    keep_best: Literal["loss", "bleu", "chrf"] = Field(
        "bleu", description="Validation figure that chooses the best checkpoint and stops the training."
    )

    @model_validator(mode="after")
    def _something_learns(self) -> TranslationTraining:
        if set(self.freeze) == set(get_args(Part)):
            raise ValueError("freeze: expected a part that is left to learn, received all of them")
        return self


class LanguageModelTraining(TrainingConfig):
    """How the language model is trained: by truncated back-propagation through time over running text."""

    streams: PositiveInt = Field(32, description="Places of the text that are read side by side.")
    segment_length: PositiveInt = Field(
        64, description="Tokens after which back-propagation through time is cut (Williams & Peng 1990)."
    )
    carry_state: bool = Field(
        True,
        description="Hand the state from segment to segment; false starts each one from zero, as one that begins with "
        "a new line always does.",
    )
    label_smoothing: Fraction = Field(0.0, description="Probability taken from the right token, spread over all.")
    keep_best: Literal["loss"] = Field(
        "loss", description="Validation figure that chooses the best checkpoint and stops the training."
    )
