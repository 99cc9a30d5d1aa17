"""Training: batches through the model, validations, checkpoints, resume.

The loop between the steps is plain Python; what a step computes is a graph. What a training remembers is the model, the
optimizer and a `TrainingState`, so a run that was killed goes on from its last checkpoint as if nothing had happened.

    task.py                        what a kind of model brings: plan, model, validation, checks, words
    graphs.py                      what is computed of a batch: an update, or a loss alone
    steps.py                       one step: several batches and one update
    gains.py                       which checkpoints are the best, and is anything still gained?
    loop.py                        epochs, saves, and every reason to stop
    agreement.py                   does this run folder belong to this configuration and corpus?
    translation_task.py            the task of a translation model ...
    translation_validation.py      ... and loss, BLEU and chrF of its weights so far
    language_model_task.py         the task of a language model ...
    language_model_validation.py   ... and loss and bits per character of its weights so far

Knows no terminal: it reports through a `Reporter`.
"""

from nmt.config import Config, LanguageModelConfig
from nmt.progress import Reporter
from nmt.run_folder import RunFolder
from nmt.training.language_model_task import LanguageModelTask
from nmt.training.loop import carry_out
from nmt.training.translation_task import TranslationTask

__all__ = ["train", "train_language_model"]


def train(config: Config, reporter: Reporter) -> RunFolder:
    """Trains a translation model until there is a reason to stop; run again, it resumes.

    Raises:
        NmtError: as `TranslationTask` and `carry_out` say.
    """
    return carry_out(TranslationTask(config), reporter)


def train_language_model(config: LanguageModelConfig, reporter: Reporter) -> RunFolder:
    """Trains a language model until there is a reason to stop; run again, it resumes.

    Raises:
        NmtError: as `LanguageModelTask` and `carry_out` say.
    """
    return carry_out(LanguageModelTask(config), reporter)
