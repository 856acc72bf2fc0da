"""Speed and memory, measured: rows of ratios, each beside a baseline of the same run on the same machine."""
