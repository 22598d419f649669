"""From examples to tables and pages: measures with intervals, paired comparisons, Markdown and HTML."""
