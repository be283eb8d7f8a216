"""Calls follow the layers: an object of the core uses symbols of its own layer and of those below.

Includes alone do not show this: a higher layer can define a function that a lower header declares.
The key is `layer -> layer`, the amount is 1 for each symbol.
"""

import subprocess

import layers
from tree import ROOT

OBJECTS = ROOT / "build/core/src"


def symbols():
    """Yields (layer, object, kind, symbol) of every object whose source still exists."""
    objects = [
        OBJECTS / f"{p.parent.name}/{p.stem}.o" for p in sorted((ROOT / "core/src").glob("*/*.c"))
    ]
    missing = [path for path in objects if not path.exists()]
    if missing:
        raise SystemExit(f"calls: {missing[0].relative_to(ROOT)} is not built: run `make lint`")
    listing = subprocess.check_output(["nm", "-g", "-A", "-P", *map(str, objects)], text=True)
    for line in listing.splitlines():
        place, symbol, kind = line.split()[:3]
        path = place.rstrip(":").split("build/core/src/")[1]
        yield path.split("/")[0], path, kind, symbol


def find():
    known = list(symbols())
    home = {symbol: layer for layer, _, kind, symbol in known if kind != "U"}
    users = {}
    for layer, path, kind, symbol in known:
        if (
            kind == "U"
            and home.get(symbol, layer) != layer
            and home[symbol] not in layers.ALLOWED[layer]
        ):
            users.setdefault((layer, home[symbol], symbol), []).append(path.replace(".o", ".c"))
    for (layer, other, symbol), paths in sorted(users.items()):
        yield (
            f"{layer} -> {other}",
            1,
            f"core/src/{paths[0]}: layer {layer} must not use {symbol} of {other}",
        )
