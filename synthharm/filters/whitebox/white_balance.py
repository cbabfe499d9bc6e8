"""White balance: the light of the scene exchanged for a warmer, cooler, greener or more magenta one."""

from functools import cache

import torch
from torch import Tensor

from synthharm.filters.filter import Filter, Parameter
from synthharm.filters.linear_light import to_linear, to_srgb

D65 = (0.3127, 0.3290)  # xy of sRGB's white
PRIMARIES = ((0.64, 0.33), (0.30, 0.60), (0.15, 0.06))  # xy of sRGB's red, green and blue
BRADFORD = ((0.8951, 0.2664, -0.1614), (-0.7502, 1.7135, 0.0367), (0.0389, -0.0685, 1.0296))
NEUTRAL_MIRED = 1e6 / 6504  # mired are millionths of 1 / kelvin: equal steps look about equal
MIRED_PER_TEMPERATURE = 100.0
DISTANCE_PER_TINT = 0.05

# Krystek's numerators and denominators of u and v, by powers of the temperature in kelvin.
LOCUS_U = ((0.860117757, 1.54118254e-4, 1.28641212e-7), (1.0, 8.42420235e-4, 7.08145163e-7))
LOCUS_V = ((0.317398726, 4.22806245e-5, 4.20481691e-8), (1.0, -2.89741816e-5, 1.61456053e-7))

Quadratic = tuple[float, float, float]


def ratio_and_derivative(kelvin: Tensor, quadratics: tuple[Quadratic, Quadratic]) -> tuple[Tensor, Tensor]:
    """The ratio of two quadratics in the temperature, and its derivative."""
    (value, change), (divisor, divisor_change) = (
        (a + kelvin * (b + kelvin * c), b + 2 * c * kelvin) for a, b, c in quadratics
    )
    return value / divisor, (change * divisor - value * divisor_change) / divisor**2


def planckian_locus(mired: Tensor) -> tuple[Tensor, Tensor]:
    """Where the light of a glowing body lies in CIE 1960 (u, v), and in which direction it goes as it gets warmer.

    Args:
        mired: (N,), 1e6 / kelvin.

    Returns:
        The points (N, 2), and directions (N, 2) of length 1 towards more mired.

    Example:
        >>> planckian_locus(torch.tensor([1e6 / 2856], dtype=torch.float64))[0]
        tensor([[0.2559, 0.3496]], dtype=torch.float64)
    """
    kelvin = 1e6 / mired
    (u, u_change), (v, v_change) = (ratio_and_derivative(kelvin, q) for q in (LOCUS_U, LOCUS_V))
    towards = -torch.stack([u_change, v_change], dim=1)
    return torch.stack([u, v], dim=1), towards / towards.norm(dim=1, keepdim=True)


def xyz_of(xy: Tensor) -> Tensor:
    """The CIE XYZ (N, 3), with Y = 1, of chromaticities (N, 2)."""
    x, y = xy.unbind(dim=1)
    return torch.stack([x / y, torch.ones_like(x), (1 - x - y) / y], dim=1)


def target_white(argument: Tensor) -> Tensor:
    """The chromaticity xy (N, 2), float64, of the white that arguments (N, 2) stand for; D65 at neutral.

    Example:
        >>> target_white(torch.tensor([[0.0, 0.0], [0.5, 0.0]]))
        tensor([[0.3127, 0.3290],
                [0.3473, 0.3595]], dtype=torch.float64)
    """
    temperature, tint = argument.double().unbind(dim=1)
    neutral = torch.full_like(temperature, NEUTRAL_MIRED)
    point, towards = planckian_locus(neutral + MIRED_PER_TEMPERATURE * temperature)
    x, y = D65
    daylight = torch.tensor([4 * x, 6 * y], dtype=point.dtype, device=point.device) / (12 * y - 2 * x + 3)
    magenta = torch.stack([towards[:, 1], -towards[:, 0]], dim=1)  # below the locus, where v is less
    moved = point + (daylight - planckian_locus(neutral)[0]) + DISTANCE_PER_TINT * tint[:, None] * magenta
    u, v = moved.unbind(dim=1)
    return torch.stack([3 * u, 2 * v], dim=1) / (2 * u - 8 * v + 4)[:, None]


@cache
def cones_from_rgb() -> Tensor:
    """The matrix (3, 3), float64, from linear sRGB to Bradford's cone responses."""
    primaries = xyz_of(torch.tensor(PRIMARIES, dtype=torch.float64)).T
    white = xyz_of(torch.tensor([D65], dtype=torch.float64))[0]
    amounts: Tensor = torch.linalg.solve(primaries, white)
    return torch.tensor(BRADFORD, dtype=torch.float64) @ (primaries * amounts)


def adaptation(argument: Tensor, power: int) -> Tensor:
    """The matrices (N, 3, 3), float64, on linear RGB that adapt to the arguments' white.

    They multiply the cone responses by the ratio of the whites' to this power; -1 gives the inverses.
    """
    bradford = torch.tensor(BRADFORD, dtype=torch.float64, device=argument.device)
    cones = cones_from_rgb().to(argument.device)
    gains = (xyz_of(target_white(argument)) @ bradford.T / cones.sum(dim=1)) ** power
    matrices: Tensor = torch.linalg.inv(cones) @ (gains[:, :, None] * cones)
    return matrices


def adapt(images: Tensor, argument: Tensor, power: int) -> Tensor:
    """Adapt images (power 1), or undo it (power -1)."""
    matrices = adaptation(argument, power).to(images.dtype)
    light = to_linear(images)
    # Three products and their sum: a matrix product may be set to run at less than full precision.
    return to_srgb((matrices[:, :, :, None, None] * light[:, None]).sum(dim=2))


def white_balance(images: Tensor, argument: Tensor, known: Tensor | None = None) -> Tensor:
    """Make images warmer or cooler, and more magenta or greener, as seen under another light.

    Formula: out = clip(srgb(A linear(I))), A = P^-1 diag(P w' / P w) P, with P the matrix from linear RGB to the
    cone responses of Bradford, w the white D65 and w' another, both with Y = 1. w' is the point of the Planckian
    locus at 1e6 / 6504 + 100 temperature mired, plus the constant that makes it D65 at neutral, moved by
    0.05 tint at right angles to the locus in CIE 1960 (u, v).

    Args:
        images: (N, 3, H, W), RGB in [0, 1].
        argument: (N, 2): temperature, -1 to 1, above 0 warmer, span 0.4; tint, -0.6 to 0.6, above 0 more magenta,
            below 0 greener, span 0.3. 0 is neutral. Beyond those tints the warmest lights would not be colours any
            more.
        known: not used.

    White keeps its luminance: Y = 1 goes to Y = 1.

    Loses: colours that leave the gamut of sRGB; next to white, whatever is lifted over 1.

    Source: Lam, "Metamerism and colour constancy", 1985 (Bradford); Krystek, "An algorithm to calculate correlated
    colour temperature", Color Research and Application 10, 1985 (the locus, fitted up to 15000 K: temperatures
    below -0.87 go on from there).

    Example:
        >>> white_balance(torch.full((1, 3, 1, 1), 0.5), torch.tensor([[0.2, 0.0]]))[0, :, 0, 0]
        tensor([0.5164, 0.4979, 0.4703])
    """
    return adapt(images, argument, 1).clamp(0, 1)


def white_balance_inverse(images: Tensor, argument: Tensor, known: Tensor | None = None) -> Tensor:
    """Undo `white_balance`: I = srgb(A^-1 linear(out)). Shapes and ranges as for `white_balance`.

    Example:
        >>> image = torch.tensor([0.6, 0.5, 0.4]).reshape(1, 3, 1, 1)
        >>> argument = torch.tensor([[0.2, -0.1]])
        >>> white_balance_inverse(white_balance(image, argument), argument)[0, :, 0, 0]
        tensor([0.6000, 0.5000, 0.4000])
    """
    return adapt(images, argument, -1)


FILTER = Filter(
    name="white_balance",
    apply=white_balance,
    invert=white_balance_inverse,
    parameters=(Parameter("temperature", span=0.4), Parameter("tint", span=0.3, low=-0.6, high=0.6)),
    mixes_channels=True,
    keeps_grey=False,
)
