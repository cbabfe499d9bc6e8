"""What doctests are not looked for in: modules of which this machine lacks a part."""

from importlib.util import find_spec

TRITON = ("kernels", "passes", "steps")  # Triton comes with torch on Linux alone

collect_ignore = []
if find_spec("triton") is None:
    collect_ignore += [f"synthharm/filters/fused/gpu/{name}.py" for name in TRITON]
