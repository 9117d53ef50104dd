"""How good an explanation is: scores on held-out documents with intervals, and what it has to beat."""

from autointerp.scoring.baselines import TokenLookup, shifted
from autointerp.scoring.bootstrap import features_interval
from autointerp.scoring.dev import dev_score
from autointerp.scoring.execution import score_explanation, score_predictions
from autointerp.scoring.score import Score, Scored, Scores, Unscored

__all__ = [
    "Score",
    "Scored",
    "Scores",
    "TokenLookup",
    "Unscored",
    "dev_score",
    "features_interval",
    "score_explanation",
    "score_predictions",
    "shifted",
]
