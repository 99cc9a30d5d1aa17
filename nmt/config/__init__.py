"""The configuration: one YAML file, one experiment; a translation's, or with the section `text` a language model's.

The schema stands here once, as pydantic models, a file a section; every default, range and explanation is read from it
(`docs/configuration.md` and the JSON Schema are written from it). Unknown keys are refused, and all faults of a file
are reported together. Knows nothing of models or corpora, and imports neither Keras nor TensorFlow.
"""

from nmt.config.comparison import differences
from nmt.config.corpus import CorpusConfig, Filters, Split, SubwordConfig, SubwordModel, Synthetic, TextFiles
from nmt.config.decoding import DecodingConfig, ExportConfig
from nmt.config.experiment import Config
from nmt.config.language_model import (
    Brackets,
    LanguageModelConfig,
    LanguageModelSizes,
    TextConfig,
    TextSplit,
    TextSubwordConfig,
)
from nmt.config.model import ModelConfig
from nmt.config.reading import (
    MAX_CONFIG_BYTES,
    changed_decoding,
    load_any_config,
    load_config,
    load_language_model_config,
    parse_config,
    parse_language_model_config,
)
from nmt.config.section import Section
from nmt.config.training import LanguageModelTraining, TrainingConfig, TranslationTraining

__all__ = [
    "MAX_CONFIG_BYTES",
    "Brackets",
    "Config",
    "CorpusConfig",
    "DecodingConfig",
    "ExportConfig",
    "Filters",
    "LanguageModelConfig",
    "LanguageModelSizes",
    "LanguageModelTraining",
    "ModelConfig",
    "Section",
    "Split",
    "SubwordConfig",
    "SubwordModel",
    "Synthetic",
    "TextConfig",
    "TextFiles",
    "TextSplit",
    "TextSubwordConfig",
    "TrainingConfig",
    "TranslationTraining",
    "changed_decoding",
    "differences",
    "load_any_config",
    "load_config",
    "load_language_model_config",
    "parse_config",
    "parse_language_model_config",
]
