"""Training: batches through the model, validations, checkpoints, resume.

The loop between the steps is plain Python; a step is Keras' own `train_on_batch`. What a training remembers is the
model, the optimizer and a `TrainingState`, so a run that was killed goes on from its last checkpoint as if nothing had
happened.

    agreement.py    does this run folder belong to this configuration and corpus?
    steps.py        one step: several batches through Keras
    validation.py   loss, BLEU and chrF of the weights so far
    gains.py        which checkpoints are the best, and is anything still gained?
    loop.py         epochs, saves, and every reason to stop

Knows no terminal: it reports through a `Reporter`.
"""

from nmt.training.loop import Training, train

__all__ = ["Training", "train"]
