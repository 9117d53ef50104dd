"""The picture of a run: one self-contained HTML page."""

from autointerp.report.page import render_report, write_report
from autointerp.report.view import FeatureView

__all__ = ["FeatureView", "render_report", "write_report"]
