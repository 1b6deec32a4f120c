"""Which backbone: limits first, then what matters most, and the reasons in words.

The rule is small enough to say: what breaks a limit is out; of one network's weights the most
accurate that remain stand for it; the rest is sorted by the goal. The first is the answer.
Behind it come up to two others that are better in something and worse in something, with what
they give and what they cost. ``docs/choosing.md`` runs the same rule in the page, and the tests
hold the two together.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import floor

from lineage_lab.weights.published import WEIGHTS, WeightsEntry

__all__ = ["CAUTIONS", "GOALS", "PICKS", "Candidate", "Choice", "candidates", "pick"]

GOALS = ("general", "accuracy", "size", "macs", "latency")
BATCH = 32  # images a step, for the memory of training

# The four answers of the course, in the order in which they are offered.
PICKS: Mapping[str, str] = {
    "resnet50": "the pick for general use: plain convolutions, batch norm and ReLU, which "
    "everything runs",
    "convnext_tiny": "the strong modern baseline: the cost of a ResNet-50, and more accurate",
    "efficientnet_b0": "the pick for mobile and edge: a small file and few multiply-adds",
    "vit_b_16": "the pick where a transformer is wanted",
}
# What to know of a family before its network is taken.
CAUTIONS: Mapping[str, str] = {
    "alexnet": "A piece of history: ResNet-18 is more accurate with a fifth of the file.",
    "vgg": "A piece of history: ResNet-50 is more accurate with a fifth of the file.",
    "googlenet": "A piece of history: EfficientNet-B0 is more accurate with half of the file.",
    "resnet": "Batch norm needs several images a step: freeze its statistics if yours are few.",
    "efficientnet": "Few multiply-adds, but many activations: training takes much memory.",
    "convnext": "A learning rate that suits ResNet is too high for it.",
    "vit": "It takes images of one size only, and a learning rate lower than ResNet's.",
}

# Of each network at the side of its weights' crop, without auxiliary classifiers: parameters,
# MACs, and the bytes of one image that a training step keeps (`Anatomy.saved_bytes`).
_COSTS = """
efficientnet_lite0   4,652,008    385,187,552    79,488,432
efficientnet_lite1   5,416,680    600,185,232   119,039,492
efficientnet_lite2   6,092,072    859,736,272   150,909,988
alexnet             61,100,840    714,188,480     3,741,184
vgg11              132,863,336  7,609,090,048    48,869,376
vgg11_bn           132,868,840  7,609,090,048    78,573,568
vgg13              133,047,848 11,308,466,176    68,136,960
vgg13_bn           133,053,736 11,308,466,176   117,108,736
vgg16              138,357,544 15,470,264,320    73,355,264
vgg16_bn           138,365,992 15,470,264,320   127,545,344
vgg19              143,667,240 19,632,062,464    78,573,568
vgg19_bn           143,678,248 19,632,062,464   137,981,952
googlenet            6,624,904  1,498,376,192    48,170,880
resnet18            11,689,512  1,814,073,344    22,179,840
resnet34            21,797,672  3,663,761,408    32,215,040
resnet50            25,557,032  4,089,184,256    85,909,504
resnet101           44,549,160  7,801,405,440   126,853,120
resnet152           60,192,808 11,513,626,624   177,430,528
efficientnet_b0      5,288,548    385,814,752    88,194,052
efficientnet_b1      7,794,184    686,802,832   142,941,632
efficientnet_b2      9,109,994  1,087,529,456   212,906,704
efficientnet_b3     12,233,232  1,827,141,392   312,462,988
efficientnet_b4     19,341,616  4,393,771,024   653,501,860
efficientnet_b5     30,389,784 10,266,384,752 1,308,632,192
efficientnet_b6     43,040,704 19,067,593,536 2,216,314,584
efficientnet_b7     66,347,960 37,745,884,192 3,849,202,752
convnext_tiny       28,589,128  4,455,531,264   109,155,876
convnext_small      50,223,688  8,683,712,256   174,212,268
convnext_base       88,591,464 15,354,729,472   232,017,068
convnext_large     197,767,336 34,361,433,600   347,626,668
vit_b_16            86,567,656 17,563,828,224   140,401,192
vit_b_16_384        86,859,496 55,484,350,464   537,525,512
"""
COSTS: Mapping[str, tuple[int, int, int]] = {
    line.split()[0]: tuple(int(n.replace(",", "")) for n in line.split()[1:])  # type: ignore[misc]
    for line in _COSTS.strip().splitlines()
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """One network with one file of weights, and what it costs.

    The last five are rounded to the decimals that are shown, so that what looks equal is equal.

    Attributes:
        name: The registry's name.
        weights: What ``create_model`` takes as ``weights``.
        published: The publisher's name of the weights.
        family: The chapter's slug, such as ``resnet``.
        licence: Licence of the weights.
        side: Side of the square image, in pixels.
        parameters: Number of parameters.
        top1: Accuracy on ImageNet's validation images in percent, as published.
        megabytes: The file's size in MiB.
        gmacs: 10⁹ multiply-adds for one image of that side.
        gib: GiB that a training step on 32 such images takes at least, with Adam in 32 bits.
        milliseconds: Time for one image on the machine that was measured, or ``None``.
    """

    name: str
    weights: str
    published: str
    family: str
    licence: str
    side: int
    parameters: int
    top1: float
    megabytes: float
    gmacs: float
    gib: float
    milliseconds: float | None = None

    @property
    def code(self) -> str:
        """The line that builds it."""
        return f'create_model("{self.name}", weights="{self.weights}")'

    @property
    def commercial(self) -> bool:
        """Whether the licence of the weights lets them be used for money."""
        return "NC" not in self.licence


@dataclass(frozen=True, slots=True)
class Choice:
    """An answer.

    Attributes:
        candidate: What to take.
        gains: Why: of the first, what it is best in; of the others, in what they beat the first.
        costs: What the others cost compared with the first; empty for the first.
    """

    candidate: Candidate
    gains: tuple[str, ...]
    costs: tuple[str, ...] = ()

    @property
    def caution(self) -> str:
        """What to know of its family."""
        return CAUTIONS[self.candidate.family]


def candidates(latency: Mapping[str, float] | None = None) -> tuple[Candidate, ...]:
    """All networks with published weights, a row for each file.

    Args:
        latency: Milliseconds for one image by name of the network, if they were measured.

    Examples:
        >>> [c.name for c in candidates() if c.gmacs < 0.5]
        ['efficientnet_lite0', 'efficientnet_b0']
    """
    files = {entry.filename: entry for entry in reversed(WEIGHTS)}  # the first name of a file
    rows = sorted(files.values(), key=WEIGHTS.index)
    return tuple(_candidate(entry, (latency or {}).get(entry.model)) for entry in rows)


def _candidate(entry: WeightsEntry, milliseconds: float | None) -> Candidate:
    parameters, macs, saved = COSTS[entry.model]
    return Candidate(
        name=entry.model,
        weights=entry.name,
        published=_published(entry),
        family=entry.model.split("_")[0].rstrip("0123456789"),
        licence=entry.licence,
        side=entry.crop,
        parameters=parameters,
        top1=entry.top1,
        megabytes=_rounded(entry.megabytes, 1),
        gmacs=_rounded(macs / 1e9, 2),
        gib=_rounded((4 * 4 * parameters + BATCH * saved) / 2**30, 1),
        milliseconds=None if milliseconds is None else _rounded(milliseconds, 1),
    )


def _published(entry: WeightsEntry) -> str:
    if entry.package:
        return entry.package
    if "swag" in entry.name:
        return f"IMAGENET1K_SWAG_{'LINEAR' if 'linear' in entry.name else 'E2E'}_V1"
    names = {e.name: e.filename for e in WEIGHTS if e.model == entry.model}
    second = entry.name == "imagenet" and names.get("imagenet-v1") != entry.filename
    return f"IMAGENET1K_V{2 if second else 1}"


def pick(
    among: Sequence[Candidate],
    *,
    first: str = "general",
    top1: float = 0,
    megabytes: float | None = None,
    gmacs: float | None = None,
    gib: float | None = None,
    milliseconds: float | None = None,
    commercial: bool = False,
    kind: str = "any",
) -> tuple[Choice, ...]:
    """Choose a backbone.

    Args:
        among: What there is: `candidates`.
        first: What matters most: one of `GOALS`. ``general`` takes the first of `PICKS` that is
            within the limits.
        top1: The accuracy that it must have, in percent.
        megabytes: How large the file may be, in MiB.
        gmacs: How many 10⁹ multiply-adds an image may cost.
        gib: How much memory a training step on 32 images may take.
        milliseconds: How long an image may take on the machine that was measured.
        commercial: Whether the licence must let the weights be used for money.
        kind: ``convnet``, ``transformer`` or ``any``.

    Returns:
        The answer, then up to two that trade something for something; empty if nothing is
        within the limits.

    Raises:
        ValueError: An unknown goal or kind, or latency was asked for and not measured.
    """
    if first not in GOALS:
        raise ValueError(f"unknown goal {first!r}: there are {', '.join(GOALS)}")
    if kind not in ("any", "convnet", "transformer"):
        raise ValueError(f"unknown kind {kind!r}: there are any, convnet, transformer")
    if first == "latency" or milliseconds is not None:
        among = [c for c in among if c.milliseconds is not None]
        if not among:
            raise ValueError("no latency was measured: give candidates(latency={name: ms})")

    def within(value: float | None, limit: float | None) -> bool:
        return limit is None or (value is not None and value <= limit)

    def fits(c: Candidate) -> bool:
        return (
            c.top1 >= top1
            and within(c.megabytes, megabytes)
            and within(c.gmacs, gmacs)
            and within(c.gib, gib)
            and within(c.milliseconds, milliseconds)
            and (c.commercial or not commercial)
            and kind in ("any", "transformer" if c.family == "vit" else "convnet")
        )

    best: dict[str, Candidate] = {}
    for c in filter(fits, among):
        if c.name not in best or c.top1 > best[c.name].top1:
            best[c.name] = c
    if not best:
        return ()
    ranked = sorted(best.values(), key=lambda c: (_rank(c, first), -c.top1, c.name))
    winner, *rest = ranked
    answers = [Choice(winner, (_reason(winner, first, len(ranked)),))]
    for c in rest:
        gains, costs = _compared(c, winner)
        if len(answers) < 3 and gains and not any(_beats(other, c) for other in ranked):
            answers.append(Choice(c, tuple(gains), tuple(costs)))
    return tuple(answers)


def _rank(c: Candidate, goal: str) -> float:
    if goal == "general":
        names = list(PICKS)
        return names.index(c.name) if c.name in names else len(names)
    latency = c.milliseconds or 0.0
    keys = {"accuracy": -c.top1, "size": c.megabytes, "macs": c.gmacs, "latency": latency}
    return keys[goal]


def _reason(c: Candidate, goal: str, count: int) -> str:
    if goal == "general" and c.name in PICKS:
        return PICKS[c.name]
    among = f"of the {count} networks within the limits" if count > 1 else "within the limits"
    return {
        "general": f"the most accurate {among}, since none of the four picks is",
        "accuracy": f"the most accurate {among}: {_fixed(c.top1, 1)} % top-1",
        "size": f"the smallest file {among}: {_fixed(c.megabytes, 1)} MiB",
        "macs": f"the fewest multiply-adds {among}: {_fixed(c.gmacs, 2)} G",
        "latency": f"the fastest {among}: {_fixed(c.milliseconds or 0.0, 1)} ms an image",
    }[goal]


def _measures(c: Candidate) -> Iterator[tuple[float | None, str, str]]:
    """What is the better the lower, with the words for less and for more."""
    yield c.megabytes, "times smaller as a file", "times larger as a file"
    yield c.gmacs, "times fewer multiply-adds", "times more multiply-adds"
    yield c.gib, "times less memory to train", "times more memory to train"
    yield c.milliseconds, "times faster", "times slower"


def _compared(c: Candidate, winner: Candidate) -> tuple[list[str], list[str]]:
    gains: list[str] = []
    costs: list[str] = []
    points = _fixed(abs(c.top1 - winner.top1), 1)
    if points != "0.0":
        better = c.top1 > winner.top1
        words = f"{points} points {'more' if better else 'less'} accurate"
        (gains if better else costs).append(words)
    for (mine, less, more), (theirs, _, _) in zip(_measures(c), _measures(winner), strict=True):
        if mine and theirs:
            ratio = _fixed(max(mine, theirs) / min(mine, theirs), 1)
            if ratio != "1.0":
                (gains if mine < theirs else costs).append(
                    f"{ratio} {less if mine < theirs else more}"
                )
    return gains, costs


def _beats(a: Candidate, b: Candidate) -> bool:
    """At least as good in everything, and better in something."""
    pairs = [(-a.top1, -b.top1)]
    for (mine, _, _), (theirs, _, _) in zip(_measures(a), _measures(b), strict=True):
        if mine is not None and theirs is not None:
            pairs.append((mine, theirs))
    return all(x <= y for x, y in pairs) and any(x < y for x, y in pairs)


def _rounded(value: float, digits: int) -> float:
    """As the page's script rounds: halves go up."""
    scale = 10.0**digits
    return floor(value * scale + 0.5) / scale


def _fixed(value: float, digits: int) -> str:
    return f"{_rounded(value, digits):.{digits}f}"
