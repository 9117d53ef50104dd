"""What a run's debates were worth: how well the judge judged, its biases, what it cost, and the controls."""

from autointerp.measures.report import ProtocolReport, report
from autointerp.measures.side_scores import SideScore, side_scores

__all__ = ["ProtocolReport", "SideScore", "report", "side_scores"]
