"""Look-up tables: colour grading given as a grid of colours, as .cube files hold it."""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch
from torch import Tensor

from synthharm.filters.filter import Filter, Parameter, per_image

LEAST_SIZE, LARGEST_SIZE = 2, 256  # grid points along each side
LARGEST_VALUE = torch.finfo(torch.float32).max
KEYWORDS = ("TITLE", "LUT_3D_SIZE", "DOMAIN_MIN", "DOMAIN_MAX")

Triple = tuple[float, float, float]


@dataclass(frozen=True, eq=False)
class Lut:
    """A three-dimensional table of colours over a box of colours.

    Args:
        table: (S, S, S, 3), the colours at S grid points along blue, green and red, in this order: `table[b, g,
            r]` is an RGB colour. Any finite values; S is 2 to 256.
        domain_min: the RGB colour of the first grid point.
        domain_max: the RGB colour of the last one. Colours outside the domain are looked up at its faces.
        title: what the file calls it; "" where it does not.

    Raises:
        ValueError: a table of another shape or with values that are not finite, or a domain without extent.
    """

    table: Tensor
    domain_min: Triple = (0.0, 0.0, 0.0)
    domain_max: Triple = (1.0, 1.0, 1.0)
    title: str = ""

    def __post_init__(self) -> None:
        size = self.table.shape[0] if self.table.ndim else 0
        if tuple(self.table.shape) != (size, size, size, 3) or not LEAST_SIZE <= size <= LARGEST_SIZE:
            raise ValueError(
                f"the table has shape {tuple(self.table.shape)}; "
                f"(S, S, S, 3) is accepted, with S from {LEAST_SIZE} to {LARGEST_SIZE}"
            )
        if not bool((self.table.abs() <= LARGEST_VALUE).all()):
            raise ValueError("the table holds values that are not finite in float32; finite numbers are accepted")
        for channel, low, high in zip(("red", "green", "blue"), self.domain_min, self.domain_max, strict=True):
            if not -LARGEST_VALUE <= low < high <= LARGEST_VALUE:
                raise ValueError(
                    f"the domain of {channel} goes from {low} to {high}; "
                    "two finite numbers are accepted, the first the smaller"
                )


def look_up(lut: Lut, images: Tensor) -> Tensor:
    """The colours that a table has for the pixels of images (N, 3, H, W), by trilinear interpolation.

    Differentiable in the images; the result is not clipped. At a grid point it is the table's colour exactly.

    Example:
        >>> negative = Lut(torch.tensor([[1.0, 1.0, 1.0], [0.0, 1.0, 1.0], [1.0, 0.0, 1.0], [0.0, 0.0, 1.0],
        ...     [1.0, 1.0, 0.0], [0.0, 1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 0.0]]).reshape(2, 2, 2, 3))
        >>> look_up(negative, torch.tensor([0.25, 0.5, 1.0]).reshape(1, 3, 1, 1))[0, :, 0, 0]
        tensor([0.7500, 0.5000, 0.0000])
    """
    size = len(lut.table)
    colours = lut.table.to(images).reshape(-1, 3)
    low, high = (images.new_tensor(end).reshape(1, 3, 1, 1) for end in (lut.domain_min, lut.domain_max))
    places = ((images - low) / (high - low)).clamp(0, 1) * (size - 1)
    cell = places.detach().floor().clamp(max=size - 2)
    upper = places - cell
    red, green, blue = cell.long().unbind(dim=1)
    first = (blue * size + green) * size + red

    def blend(at: Tensor, step: int, channel: int) -> Tensor:
        """Between the grid points `at` and those a step further along this channel, once the others are done."""
        if channel < 0:
            return colours[at]
        share = upper[:, channel, ..., None]
        near, far = (blend(at + ahead, step // size, channel - 1) for ahead in (0, step))
        return near * (1 - share) + far * share

    return blend(first, size * size, 2).permute(0, 3, 1, 2)


def apply_lut(lut: Lut, images: Tensor, argument: Tensor, known: Tensor | None = None) -> Tensor:
    """Replace colours by those of a table, as strong as the argument says. See `lut_filter`."""
    strength = per_image(argument)
    return (images * (1 - strength) + look_up(lut, images) * strength).clamp(0, 1)


def lut_filter(lut: Lut, name: str = "lut") -> Filter:
    """The filter that replaces colours by those of a table.

    Formula: out = clip(I + strength (lut(I) - I)), with lut(I) interpolated trilinearly. Its argument is the
    strength (N,), 0 to 1, 0 neutral, span 1: at 1, out is the table's colour.

    Loses: there is no inverse. Two colours may share one in the table, so the filter can only be applied.

    Example:
        >>> grid = torch.linspace(0, 1, 2)
        >>> blue, green, red = torch.meshgrid(grid, grid, grid, indexing="ij")
        >>> swap = lut_filter(Lut(torch.stack([blue, green, red], dim=-1)), "swap")
        >>> image = torch.tensor([0.75, 0.5, 0.25]).reshape(1, 3, 1, 1)
        >>> swap.apply(image, torch.tensor([0.5]), None)[0, :, 0, 0]
        tensor([0.5000, 0.5000, 0.5000])
        >>> swap.inverse
        Traceback (most recent call last):
        ValueError: the filter 'swap' has no inverse: it can be applied, and not undone
    """
    strength = Parameter("strength", span=1.0, low=0.0, high=1.0)
    return Filter(name, partial(apply_lut, lut), None, (strength,), mixes_channels=True, keeps_grey=False)


def read_cube(path: str | Path) -> Lut:
    r"""Read a .cube file: a 3-D table with LUT_3D_SIZE, and TITLE, DOMAIN_MIN and DOMAIN_MAX where it has them.

    Keywords come before the table, which lists one colour a line, red changing fastest. Lines that are empty or
    begin with # are passed over.

    Raises:
        ValueError: anything that is not such a file, naming the file, the line, what it has, and what is accepted.
        OSError: the file cannot be opened.

    Source: Adobe, "Cube LUT Specification", version 1.0.

    Example:
        >>> import tempfile
        >>> rows = [f"{r} {g} {b}" for b in (0, 1) for g in (0, 1) for r in (0, 1)]
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     file = Path(folder, "identity.cube")
        ...     _ = file.write_text("\n".join(['TITLE "identity"', "LUT_3D_SIZE 2", *rows]))
        ...     lut = read_cube(file)
        >>> lut.title, lut.table[0, 0, 1]
        ('identity', tensor([1., 0., 0.], dtype=torch.float64))
    """
    said: dict[str, _Line] = {}
    numbers = array("d")
    size, last = 0, 0
    for line in _lines(Path(path)):
        last = line.number
        keyword = line.text.split()[0]
        if keyword[0].isalpha() and not _is_number(keyword):
            _check_keyword(line, keyword, said, numbers)
            said[keyword] = line
            continue
        if not numbers:
            size = _size(line, said)
        if len(numbers) == 3 * size**3:
            raise line.mistake(f"{size**3} colours for LUT_3D_SIZE {size}, and no more,")
        numbers.extend(_triple(line, line.text))
    if not numbers or len(numbers) < 3 * size**3:
        wanted = f"the {size**3} of LUT_3D_SIZE {size} are" if size else "LUT_3D_SIZE and a table is"
        raise ValueError(
            f"{path}, line {last}: the file ends after {len(numbers) // 3} colours; {wanted} accepted"
        )
    low, high = (
        _triple(said[end], said[end].rest) if end in said else default
        for end, default in (("DOMAIN_MIN", (0.0, 0.0, 0.0)), ("DOMAIN_MAX", (1.0, 1.0, 1.0)))
    )
    table = torch.frombuffer(numbers, dtype=torch.float64).reshape(size, size, size, 3)
    title = _title(said["TITLE"]) if "TITLE" in said else ""
    if any(start >= end for start, end in zip(low, high, strict=True)):
        raise said["DOMAIN_MAX" if "DOMAIN_MAX" in said else "DOMAIN_MIN"].mistake(
            f"a domain that starts below its end in each channel (this one goes from {low} to {high})"
        )
    return Lut(table, low, high, title)


@dataclass(frozen=True)
class _Line:
    """One line of a .cube file that says something."""

    path: Path
    number: int
    text: str

    @property
    def rest(self) -> str:
        """What follows the keyword."""
        return " ".join(self.text.split(maxsplit=1)[1:])

    def mistake(self, accepted: str) -> ValueError:
        shown = self.text if len(self.text) <= 60 else self.text[:57] + "..."
        return ValueError(f"{self.path}, line {self.number}: {shown!r}; {accepted} is accepted")


def _lines(path: Path) -> Iterator[_Line]:
    try:
        with path.open(encoding="utf-8-sig") as file:
            for number, line in enumerate(file, start=1):
                if (text := line.strip()) and not text.startswith("#"):
                    yield _Line(path, number, text)
    except UnicodeDecodeError as error:
        raise ValueError(f"{path}: {error.reason} at byte {error.start}; text in UTF-8 is accepted") from error


def _check_keyword(line: _Line, keyword: str, said: Mapping[str, _Line], numbers: Sequence[float]) -> None:
    if keyword == "LUT_1D_SIZE":
        raise line.mistake("a 3-D table (LUT_3D_SIZE)")
    if keyword not in KEYWORDS:
        raise line.mistake(f"one of {', '.join(KEYWORDS)}, or a colour (three numbers),")
    if keyword in said:
        raise line.mistake(f"one {keyword} (the first is on line {said[keyword].number})")
    if numbers:
        raise line.mistake("no keyword after the first colour")


def _size(first: _Line, said: Mapping[str, _Line]) -> int:
    """The table's size, wanted for its first colour."""
    if "LUT_3D_SIZE" not in said:
        raise first.mistake("LUT_3D_SIZE before the first colour")
    digits = said["LUT_3D_SIZE"].rest
    if not (
        digits.isascii() and digits.isdigit() and len(digits) <= 3 and LEAST_SIZE <= int(digits) <= LARGEST_SIZE
    ):
        raise said["LUT_3D_SIZE"].mistake(f"a whole number from {LEAST_SIZE} to {LARGEST_SIZE}")
    return int(digits)


def _title(line: _Line) -> str:
    if len(line.rest) < 2 or line.rest[0] != '"' or line.rest[-1] != '"':
        raise line.mistake('TITLE "text", in double quotes,')
    return line.rest[1:-1]


def _triple(line: _Line, text: str) -> Triple:
    words = text.split()
    if len(words) != 3 or not all(_is_number(word) and abs(float(word)) <= LARGEST_VALUE for word in words):
        raise line.mistake("three finite numbers")
    red, green, blue = (float(word) for word in words)
    return red, green, blue


def _is_number(word: str) -> bool:
    try:
        float(word)
    except ValueError:
        return False
    return "_" not in word  # which Python takes for a separator of thousands
