"""The corruptions of Hendrycks & Dietterich, ICLR 2019, by severity.

Each function has the paper's parameters for severities 1 to 5 on top. They are for pictures of 224 pixels; how other
sizes are treated, and what else differs from the paper's code, stands in docs/corruptions.md.
"""
