"""Draws digits as people do: strokes of several styles, of any size, place, slant and pen.

`python tests/play/strokes.py SEED COUNT` prints them as JSON, a digit a line. The set that is
committed, `drawn.jsonl`, is of seed 20261129; what was tuned was tuned on others.
"""

from __future__ import annotations

import json
import math
import random
import sys
from typing import Any

Point = tuple[float, float]
Path = list[Point]

# Each style is strokes through points, from (0, 0) at the left top to (1, 1).
STYLES: dict[str, dict[str, list[Path]]] = {
    "0": {
        "oval": [[(.5, 0), (.18, .12), (.03, .5), (.2, .9), (.5, 1), (.82, .88), (.97, .5), (.8, .1), (.48, 0)]],
        "overlapping": [[(.58, .03), (.25, .1), (.06, .45), (.16, .86), (.5, 1), (.86, .84), (.95, .42), (.74, .06), (.4, .04), (.3, .1)]],
        "narrow": [[(.5, 0), (.3, .2), (.24, .55), (.34, .92), (.52, 1), (.7, .85), (.76, .45), (.66, .1), (.5, 0)]],
    },
    "1": {
        "plain": [[(.5, 0), (.5, .5), (.5, 1)]],
        "flag": [[(.28, .24), (.45, .1), (.56, 0), (.56, .5), (.56, 1)]],
        "serif": [[(.28, .22), (.54, 0), (.54, .5), (.54, 1)], [(.24, 1), (.54, 1), (.84, 1)]],
    },
    "2": {
        "plain": [[(.08, .26), (.2, .06), (.5, 0), (.84, .1), (.88, .34), (.62, .64), (.08, 1), (.5, 1), (.94, 1)]],
        "looped": [[(.1, .24), (.26, .04), (.56, 0), (.84, .14), (.82, .4), (.5, .74), (.2, .96), (.06, .9), (.16, .78), (.4, .86), (.66, .98), (.96, .92)]],
        "swan": [[(.12, .3), (.2, .1), (.48, 0), (.78, .1), (.8, .36), (.5, .7), (.1, .98), (.4, .96), (.7, 1), (.92, .94)]],
    },
    "3": {
        "round": [[(.1, .14), (.36, 0), (.74, .06), (.82, .28), (.62, .44), (.38, .48), (.7, .54), (.92, .74), (.7, .96), (.34, 1), (.06, .86)]],
        "flat": [[(.1, .02), (.5, .02), (.88, .02), (.62, .24), (.42, .42), (.74, .48), (.92, .7), (.72, .95), (.36, 1), (.06, .88)]],
    },
    "4": {
        "open": [[(.2, .02), (.14, .3), (.08, .56), (.5, .58), (.96, .56)], [(.7, .04), (.68, .5), (.66, 1)]],
        "closed": [[(.66, .66), (.04, .66), (.36, .3), (.66, 0), (.66, .5), (.66, 1)]],
        "crossed": [[(.58, 0), (.3, .36), (.04, .68), (.5, .68), (.96, .68)], [(.66, .34), (.66, .7), (.66, 1)]],
    },
    "5": {
        "bar last": [[(.2, .04), (.16, .24), (.14, .46), (.46, .38), (.84, .5), (.9, .74), (.66, .96), (.34, 1), (.06, .88)], [(.2, .04), (.5, .03), (.88, .02)]],
        "one stroke": [[(.86, .02), (.5, .02), (.22, .03), (.16, .44), (.46, .37), (.82, .48), (.9, .72), (.66, .96), (.34, 1), (.06, .9)]],
    },
    "6": {
        "curve": [[(.74, .02), (.42, .2), (.16, .56), (.18, .86), (.48, 1), (.8, .9), (.86, .68), (.62, .52), (.3, .6), (.16, .76)]],
        "straight": [[(.6, 0), (.36, .32), (.14, .68), (.28, .94), (.58, 1), (.84, .82), (.7, .58), (.4, .56), (.18, .74)]],
    },
    "7": {
        "plain": [[(.06, .02), (.5, .02), (.94, .02), (.66, .46), (.42, 1)]],
        "barred": [[(.06, .02), (.5, .02), (.94, .02), (.66, .46), (.42, 1)], [(.3, .5), (.56, .49), (.82, .48)]],
        "hooked": [[(.08, .18), (.08, .03), (.5, .03), (.92, .02), (.64, .46), (.46, 1)]],
    },
    "8": {
        "one stroke": [[(.72, .14), (.48, 0), (.22, .12), (.26, .34), (.54, .48), (.82, .66), (.82, .88), (.5, 1), (.18, .88), (.2, .66), (.5, .48), (.76, .32), (.76, .16)]],
        "two rings": [[(.5, 0), (.24, .1), (.22, .34), (.5, .46), (.76, .34), (.76, .1), (.5, 0)], [(.5, .46), (.16, .6), (.14, .88), (.5, 1), (.86, .88), (.84, .6), (.5, .46)]],
    },
    "9": {
        "straight": [[(.78, .22), (.54, 0), (.24, .1), (.18, .34), (.4, .5), (.7, .4), (.8, .14), (.78, .5), (.74, 1)]],
        "curved": [[(.8, .2), (.52, 0), (.2, .12), (.16, .38), (.42, .54), (.76, .42), (.84, .18), (.82, .5), (.66, .86), (.26, 1)]],
    },
}  # fmt: skip
PENS = ("thin", "medium", "medium", "thick")
SIZES = ((0.2, 0.34), (0.34, 0.6), (0.34, 0.6), (0.55, 0.82))
_BETWEEN = 4  # points added between two


def digit(chance: random.Random, label: str) -> dict[str, Any]:
    """One digit: its label, its style, and strokes of points from 0 to 1 with their pen."""
    style = chance.choice(sorted(STYLES[label]))
    pen = chance.choice(PENS)
    height = chance.uniform(*chance.choice(SIZES))
    if pen == "thick":
        height = max(height, 0.4)  # a smaller one is a blot to people too
    width = height * chance.uniform(0.5, 0.85)
    tilt, slant = math.radians(chance.gauss(0, 6)), chance.gauss(0.06, 0.12)
    room = 0.06
    middle_x = chance.uniform(room + width / 2, 1 - room - width / 2)
    middle_y = chance.uniform(room + height / 2, 1 - room - height / 2)
    if chance.random() < 0.6:  # most people draw somewhere near the middle
        middle_x, middle_y = (0.5 + (m - 0.5) * 0.3 for m in (middle_x, middle_y))
    unsteady = chance.uniform(0.005, 0.03)

    def placed(point: Point) -> Point:
        x, y = (each - 0.5 + chance.gauss(0, unsteady) for each in point)
        x = (x - slant * y) * width
        y *= height
        turned_x = x * math.cos(tilt) - y * math.sin(tilt)
        turned_y = x * math.sin(tilt) + y * math.cos(tilt)
        return (
            min(max(middle_x + turned_x, 0.02), 0.98),
            min(max(middle_y + turned_y, 0.02), 0.98),
        )

    strokes = [smooth([placed(point) for point in path]) for path in STYLES[label][style]]
    return {
        "label": label,
        "style": style,
        "by": "script",
        "strokes": [
            {"pen": pen, "points": [[round(x, 3), round(y, 3)] for x, y in path]}
            for path in strokes
        ],
    }


def smooth(path: Path) -> Path:
    """A curve through all points: Catmull and Rom's spline (1974)."""
    ends = [path[0], *path, path[-1]]
    made: Path = []
    for a, b, c, d in zip(ends, ends[1:], ends[2:], ends[3:], strict=False):
        for step in range(_BETWEEN):
            t = step / _BETWEEN
            made.append(
                tuple(  # type: ignore[arg-type]
                    0.5 * (2 * q + (r - p) * t + (2 * p - 5 * q + 4 * r - s) * t**2
                           + (3 * q - p - 3 * r + s) * t**3)
                    for p, q, r, s in zip(a, b, c, d, strict=True)
                )
            )  # fmt: skip
    return [*made, path[-1]]


def digits(seed: int, count: int) -> list[dict[str, Any]]:
    """So many digits, each label alike often; the same for the same seed."""
    chance = random.Random(seed)
    return [digit(chance, str(place % 10)) for place in range(count)]


if __name__ == "__main__":
    for each in digits(int(sys.argv[1]), int(sys.argv[2])):
        print(json.dumps(each))
