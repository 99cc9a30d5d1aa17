"""The sections `decoding` and `export`: how translations are searched, here and inside a SavedModel."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from nmt.config.section import BeamSize, PenaltyExponent, PositiveInt, Section, Seed, TokenLimit

Normalization = Literal["gnmt", "average", "none"]
LEAST_SHORTLIST = 16  # the special tokens are among them
Weight = Annotated[float, Field(ge=0.0)]


class BeamSearch(Section):
    """What search keeps, and how it compares."""

    beam_size: BeamSize = Field(5, description="Hypotheses kept alive; 1 is greedy search.")
    n_best: BeamSize = Field(1, description="Translations of each line that are kept, at most `beam_size`.")
    length_normalization: Normalization = Field(
        "gnmt",
        description="What log-probabilities of translations are divided by: `gnmt`: ((5 + length) / 6) to the power of "
        "`length_penalty` (Wu et al. 2016, eq. 14); `average`: the length in tokens; `none`: nothing.",
    )
    length_penalty: PenaltyExponent = Field(
        0.6,
        description="Exponent of GNMT's length penalty (Wu et al. 2016, eq. 14); 0 compares plain log-probabilities.",
    )
    word_reward: float = Field(0.0, description="Added to the log-probability for each token (He et al. 2016).")
    coverage_penalty: Weight = Field(
        0.0,
        description="Weight of what a translation loses for source tokens that got little attention (Wu et al. 2016, "
        "eq. 14); needs a beam and a model with attention.",
    )
    lookahead: PositiveInt | None = Field(
        None,
        description="A line is done when no open hypothesis could win with at most so many further tokens, were they "
        "certain; null: with as many as it may have, which alone is sure. Of a beam; the rest takes no notice.",
    )
    diversity_groups: BeamSize = Field(
        1, description="Parts of the beam that shall differ (Vijayakumar et al. 2018); they divide `beam_size`."
    )
    diversity_strength: Weight = Field(
        0.5, description="What a token loses for each hypothesis of another group that took it in the same step."
    )


class Limits(Section):
    """How long lines and translations may be, and how many are translated together."""

    max_length: TokenLimit = Field(200, description="Tokens of a translation, at most.")
    max_length_ratio: Annotated[float, Field(gt=0.0, le=100.0)] = Field(
        3.0, description="Tokens of a translation, at most, per source token (plus 10)."
    )
    max_source_tokens: TokenLimit = Field(200, description="A longer source is cut, with a warning.")
    max_source_bytes: Annotated[int, Field(ge=1, le=2**20)] = Field(
        4_096, description="A longer line is cut before it is tokenized."
    )
    batch_size: PositiveInt = Field(64, description="Lines translated together.")

    @property
    def max_target_tokens(self) -> int:
        """Of a given translation, only so many tokens are scored: at least what search itself may write."""
        return max(self.max_length, self.max_source_tokens)


class Rules(Section):
    """What search may choose."""

    min_length: Annotated[int, Field(ge=0, le=10_000)] = Field(
        0, description="Tokens of a translation, at least, the end of sentence not counted; `max_length` goes before."
    )
    no_repeated_ngram: Annotated[int, Field(ge=0, le=100)] = Field(
        0, description="No sequence of so many tokens occurs twice in a translation; 0: it may."
    )
    repetition_penalty: Annotated[float, Field(ge=1.0)] = Field(
        1.0, description="Factor of the log-probability of tokens that the translation already has; 1: none."
    )
    banned_words: list[str] = Field(
        [], description="Words or phrases that no translation has as whole words, however their tokens are cut."
    )
    ban_unknown: bool = Field(False, description="No translation has the unknown token.")


class Sampling(Section):
    """Sampling instead of search."""

    samples: Annotated[int, Field(ge=0, le=1_000)] = Field(
        0, description="Draw so many translations of each line instead of searching the best one; 0: search."
    )
    temperature: Annotated[float, Field(ge=0.0)] = Field(
        1.0, description="Of the softmax that samples are drawn from; 0 always takes the likeliest token."
    )
    top_k: PositiveInt | None = Field(None, description="Draw from so many of the likeliest tokens alone.")
    top_p: Annotated[float, Field(ge=0.0, le=1.0)] = Field(
        1.0, description="Draw from the likeliest tokens that reach this probability."
    )
    seed: Seed = Field(1, description="The same seed draws the same samples of the same line of a text.")


class Voting(Section):
    """Who else has a vote in every step of search."""

    ensemble: list[str] = Field(
        [],
        description="Run folders of further translation models with the same target subwords; the mean of all "
        "probabilities counts (Sutskever et al. 2014, section 3.6). Their best checkpoints are taken.",
    )
    language_model: str | None = Field(
        None,
        description="Run folder of a language model over the target's subwords (text.prepared), which votes in every "
        "step of search, in translation and export: shallow fusion (Gulcehre et al. 2015, section 4.1). Its best "
        "checkpoint is taken; the validations of a training ask the translation model alone.",
    )
    language_model_weight: Weight = Field(
        0.2, description="Weight of its log-probabilities beside the translation model's; 0 searches without it."
    )

    @property
    def asks_language_model(self) -> bool:
        """Whether a language model has a vote."""
        return self.language_model is not None and self.language_model_weight > 0.0


class DecodingConfig(Voting, Sampling, Rules, Limits, BeamSearch):
    """How translations are searched."""

    precision: Literal["float32", "bfloat16"] = Field(
        "float32",
        description="Arithmetic of the translation models, in search and scoring; probabilities stay float32. "
        "`bfloat16` halves their weights too, and pays on processors with bfloat16 matrix instructions (amx_bf16 in "
        "`nmt --version`). Validations of a training and a SavedModel take float32.",
    )
    shortlist: Annotated[int, Field(ge=0, le=10_000_000)] = Field(
        0,
        description="Search among so many target tokens alone, those that the translation table of the run folder "
        "(`nmt shortlist`) and their frequency let expect most often in the translations of a batch; 0: among all. "
        "Reported probabilities of the translation models are then of these tokens alone. Batches in which a line has "
        "a prefix, forced words, `nmt score`, validations of a training and a SavedModel have all tokens.",
    )
    minimum_bayes_risk: bool = Field(
        False,
        description="Of all samples or of the n best, choose the translation that is most like the others, by chrF "
        "(Eikema & Aziz 2022).",
    )
    copy_unknown: bool = Field(
        False,
        description="Put, for each unknown token of a translation, the source's word that it attends to most; not in a "
        "SavedModel. What is copied is not asked for `banned_words`.",
    )

    @model_validator(mode="after")
    def _one_search(self) -> DecodingConfig:
        if self.n_best > self.beam_size and not self.samples:
            raise ValueError(
                f"n_best: expected at most beam_size ({self.beam_size}), received {self.n_best}; raise beam_size, or "
                f"ask for fewer"
            )
        if self.beam_size % self.diversity_groups:
            raise ValueError(
                f"diversity_groups: expected a divisor of beam_size ({self.beam_size}), received "
                f"{self.diversity_groups}; make beam_size a multiple of it"
            )
        if self.samples and self.diversity_groups > 1:
            raise ValueError(
                "samples: sampling has no beam, whose groups could differ; leave out diversity_groups, or samples"
            )
        if self.coverage_penalty and (self.beam_size == 1 or self.samples):
            raise ValueError(
                "coverage_penalty: only a beam has hypotheses to compare; leave it out, or take beam_size: 2 or more "
                "without samples"
            )
        if self.shortlist and self.banned_words:
            raise ValueError(
                "shortlist: a banned word is known by all tokens alone; leave out banned_words, or shortlist"
            )
        if self.shortlist and self.samples:
            raise ValueError(
                "shortlist: the samples of a line would depend on the lines beside it; leave out samples, or shortlist"
            )
        if 0 < self.shortlist < LEAST_SHORTLIST:
            raise ValueError(
                f"shortlist: expected 0 for all tokens, or at least {LEAST_SHORTLIST}, received {self.shortlist}; "
                f"some 1,000 are usual"
            )
        if self.minimum_bayes_risk and (self.samples or self.n_best) < 2:
            raise ValueError(
                "minimum_bayes_risk: expected translations to choose from; set samples, or n_best, to 2 or more"
            )
        return self


class ExportConfig(Section):
    """The SavedModel."""

    source_language: str | None = Field(None, description="What the model reads, for the model card.")
    target_language: str | None = Field(None, description="What it writes, for the model card.")
    beam_size: BeamSize | None = Field(None, description="Beam size inside the SavedModel; null: decoding.beam_size.")
    length_penalty: PenaltyExponent | None = Field(
        None, description="Length penalty inside the SavedModel; null: decoding.length_penalty."
    )
    n_best: BeamSize | None = Field(
        None, description="Translations that the signature `nbest` gives; null: as many as the beam has."
    )
