"""The configuration: one YAML file, one experiment.

The schema stands here once, as pydantic models, a file a section; every default, range and explanation is read from it
(`docs/configuration.md` and the JSON Schema are written from it). Unknown keys are refused, and all faults of a file
are reported together. Knows nothing of models or corpora, and imports neither Keras nor TensorFlow.
"""

from nmt.config.comparison import differences
from nmt.config.corpus import CorpusConfig, Filters, Split, SubwordConfig, Synthetic, TextFiles
from nmt.config.decoding import DecodingConfig, ExportConfig
from nmt.config.experiment import Config
from nmt.config.model import ModelConfig
from nmt.config.reading import MAX_CONFIG_BYTES, load_config, parse_config
from nmt.config.section import Section
from nmt.config.training import TrainingConfig

__all__ = [
    "MAX_CONFIG_BYTES",
    "Config",
    "CorpusConfig",
    "DecodingConfig",
    "ExportConfig",
    "Filters",
    "ModelConfig",
    "Section",
    "Split",
    "SubwordConfig",
    "Synthetic",
    "TextFiles",
    "TrainingConfig",
    "differences",
    "load_config",
    "parse_config",
]
