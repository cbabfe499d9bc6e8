"""The passes of a compiled chain on a GPU: a kernel that takes pixels through steps, and two for the means.

Each image of a batch has its own steps: a kernel reads what kind a step is and branches, all of a block alike, so
that one compilation serves every chain. Sums are added up in an order that does not depend on which block is done
first: a result has the same bits each time.

Importing this takes Triton.
"""

import triton
import triton.language as tl

from synthharm.filters.filter import EPSILON
from synthharm.filters.fused import solver, steps
from synthharm.filters.fused.gpu import lowering
from synthharm.filters.fused.gpu.steps import run_step

MEASURING, UNDOING = tl.constexpr(lowering.MEASURING), tl.constexpr(lowering.UNDOING)
MEASURE = tl.constexpr(lowering.MEASURE)
TEMPERATURE = tl.constexpr(solver.TEMPERATURE)
ROWS = tl.constexpr(lowering.ROWS)
NUMBERS = tl.constexpr(steps.NUMBERS)

_EPSILON = tl.constexpr(EPSILON)
_LEVEL = tl.constexpr(1 / 255)  # to multiply by: 255 becomes 1 exactly, as a division may not have it on a GPU
_OUTSIDE = tl.constexpr(4e-6)  # how far outside [0, 1] counts as inside: float32 formulas round by less


@triton.jit
def read_values(pointers, there, LEVELS: tl.constexpr):
    """Values in [0, 1]: floats as they are, or 8-bit levels."""
    if LEVELS:
        values = tl.load(pointers, mask=there, other=0).to(tl.float32) * _LEVEL
    else:
        values = tl.load(pointers, mask=there, other=0.0)
    return values


@triton.jit
def write_values(pointers, values, there, LEVELS: tl.constexpr):
    """Write values, or the nearest 8-bit levels."""
    if LEVELS:
        tl.store(pointers, (values * 255.0 + 0.5).to(tl.int32).to(tl.uint8), mask=there)
    else:
        tl.store(pointers, values, mask=there)


@triton.jit
def read_pixels(plane, pixels, there, LEVELS: tl.constexpr):
    """Red, green and blue in [0, 1], of planes of so many pixels."""
    r = read_values(plane, there, LEVELS)
    g = read_values(plane + pixels, there, LEVELS)
    return r, g, read_values(plane + 2 * pixels, there, LEVELS)


@triton.jit
def write_pixels(plane, pixels, r, g, b, there, LEVELS: tl.constexpr):
    """Write red, green and blue, each into its plane."""
    write_values(plane, r, there, LEVELS)
    write_values(plane + pixels, g, there, LEVELS)
    write_values(plane + 2 * pixels, b, there, LEVELS)


@triton.jit
def places_in(box, offsets, width, inside):
    """Where in the region's box the pixels inside the mask lie; 0 for the others."""
    scale = tl.load(box + 2)
    x = ((offsets % width).to(tl.float32) - tl.load(box)) * scale
    y = ((offsets // width).to(tl.float32) - tl.load(box + 1)) * scale
    return tl.where(inside, x, 0.0), tl.where(inside, y, 0.0)


@triton.jit
def clamp(r, g, b, excess):
    """The channels in [0, 1], and how far the farthest has been outside so far."""
    above = tl.maximum(r, tl.maximum(g, b)) - 1.0
    excess = tl.maximum(excess, tl.maximum(above, -tl.minimum(r, tl.minimum(g, b))))
    r, g = tl.minimum(tl.maximum(r, 0.0), 1.0), tl.minimum(tl.maximum(g, 0.0), 1.0)
    return r, g, tl.minimum(tl.maximum(b, 0.0), 1.0), excess


@triton.jit
def blend(value, before, alpha, inside):
    """The value where the mask is 1, between at soft edges; outside the mask not one bit is changed."""
    return tl.where(inside, value * alpha + before * (1.0 - alpha), before)


@triton.jit(do_not_specialize=["first", "last", "least", "length", "blocks", "stride"])
def run_chain(
    images,
    masks,
    written,
    recoverable,
    soft,
    partials,
    done,
    boxes,
    kinds,
    numbers,
    pixels,
    width,
    first,
    last,
    least,
    length,
    blocks,
    stride,
    TASK: tl.constexpr,
    LEVELS: tl.constexpr,
    FOREGROUND: tl.constexpr,
    PLACES: tl.constexpr,
    MASKED: tl.constexpr,
    BLOCK: tl.constexpr,
):
    """Take a block of pixels of an image through steps, to add values up on the way, or to write what comes out.

    Args:
        images: (N, 3, pixels), float32 in [0, 1], or uint8 where LEVELS.
        masks: (N, pixels) of the same type.
        written: as `images`: what comes out, where TASK is not MEASURING.
        recoverable: (N, pixels) uint8: where nothing left [0, 1], where TASK is UNDOING.
        soft: (N, blocks) int32: whether the mask has soft edges in a block, where TASK is UNDOING.
        partials: (N, ROWS, blocks) float32: what each block adds up to, where TASK is MEASURING.
        done: (N,) int32: 1 for images that need no more measuring.
        boxes: (N, 4) float32: column and row of the region's middle, and 1 over half its longer side.
        kinds: (N, length) int32.
        numbers: (N, length, 3, NUMBERS) float32.
        pixels: of an image.
        width: of an image.
        first: the first step to run.
        last: the step before which to end.
        least: the first of the measures that count; those below it have been taken.
        length: of the chain, in steps.
        blocks: of an image, that are measured.
        stride: of so many blocks one is measured.
        TASK: MEASURING, APPLYING or UNDOING.
        LEVELS: see `images`.
        FOREGROUND: whether values count as much as the mask says, or all alike.
        PLACES: whether a step goes by positions.
        MASKED: whether the mask matters to this pass; else it is not read.
        BLOCK: pixels of a block, a power of two.
    """
    block = tl.program_id(0)
    image = tl.program_id(1).to(tl.int64)
    # Of each `stride` blocks another place: blocks at equal distances may all lie in one column of the image.
    start = (block * stride + (block * 7) % stride) * BLOCK
    offsets = start + tl.arange(0, BLOCK)
    left = 1
    if TASK == MEASURING:
        left = 1 - tl.load(done + image)  # 0 where nothing is left to do: then no pixel is read and no step run
    there = offsets < pixels * left
    end = first + (last - first) * left
    plane = image * 3 * pixels + offsets
    r0, g0, b0 = read_pixels(images + plane, pixels, there, LEVELS)
    alpha = tl.zeros([BLOCK], tl.float32)
    if MASKED:
        alpha = read_values(masks + image * pixels + offsets, there, LEVELS)
    inside = alpha > 0.0
    x = tl.zeros([BLOCK], tl.float32)
    y = tl.zeros([BLOCK], tl.float32)
    if PLACES:
        x, y = places_in(boxes + image * 4, offsets, width, inside)
    weight = tl.where(there, 1.0, 0.0)
    if FOREGROUND:
        weight = alpha
    sums = partials + image * ROWS * blocks + block
    r, g, b = r0, g0, b0
    excess = tl.zeros([BLOCK], tl.float32)
    for step in range(first, end):
        kind = tl.load(kinds + image * length + step)
        r, g, b = run_step(
            kind, numbers + (image * length + step) * (3 * NUMBERS), r, g, b, r0, g0, b0, inside, x, y
        )
        r, g, b, excess = clamp(r, g, b, excess)
        if TASK == MEASURING:  # noqa: SIM102, the one is known when compiled, the other when run
            if kind - MEASURE >= least:
                row = sums + (kind - MEASURE) * 3 * blocks
                tl.store(row, tl.sum(r * weight, axis=0))
                tl.store(row + blocks, tl.sum(g * weight, axis=0))
                tl.store(row + 2 * blocks, tl.sum(b * weight, axis=0))
    if TASK == MEASURING:
        tl.store(sums + (ROWS - 1) * blocks, tl.sum(weight, axis=0))
    else:
        r, g, b = blend(r, r0, alpha, inside), blend(g, g0, alpha, inside), blend(b, b0, alpha, inside)
        write_pixels(written + plane, pixels, r, g, b, there, LEVELS)
    if TASK == UNDOING:
        good = inside & (excess <= _OUTSIDE)
        tl.store(recoverable + image * pixels + offsets, good.to(tl.uint8), mask=there)
        tl.store(soft + image * blocks + block, tl.max((inside & (alpha < 1.0)).to(tl.int32), axis=0))


@triton.jit
def add_up(partials, image, count, CHUNK: tl.constexpr):
    """The means (ROWS,) and the weight, float64, of sums (N, ROWS, count) over blocks; the weight comes last."""
    rows = tl.arange(0, ROWS)
    sums = tl.zeros([ROWS, CHUNK], tl.float64)
    for start in range(0, count, CHUNK):
        columns = start + tl.arange(0, CHUNK)
        places = (image * ROWS + rows[:, None]) * count + columns[None, :]
        there = (rows[:, None] < ROWS) & (columns[None, :] < count)
        sums += tl.load(partials + places, mask=there, other=0.0).to(tl.float64)
    totals = tl.sum(sums, axis=1)
    weight = tl.sum(tl.where(rows == ROWS - 1, totals, 0.0), axis=0)
    return totals / tl.maximum(weight, 1e-30), weight


@triton.jit
def temperature_gain(mean, shift, grey, shifted_grey):
    return 1.0 + (shifted_grey / (mean + shift + _EPSILON) - grey / (mean + _EPSILON))


@triton.jit
def write_lines(numbers, wanted, r, g, b, offset):
    """Write the lines of three channels: v times the channel's gain, about a tone that stays."""
    tl.store(numbers, r.to(tl.float32), mask=wanted)
    tl.store(numbers + NUMBERS, g.to(tl.float32), mask=wanted)
    tl.store(numbers + 2 * NUMBERS, b.to(tl.float32), mask=wanted)
    tl.store(numbers + 1, (offset * (1.0 - r)).to(tl.float32), mask=wanted)
    tl.store(numbers + NUMBERS + 1, (offset * (1.0 - g)).to(tl.float32), mask=wanted)
    tl.store(numbers + 2 * NUMBERS + 1, (offset * (1.0 - b)).to(tl.float32), mask=wanted)


@triton.jit
def write_numbers(numbers, needing, strengths, image, length, means, slot, wanted, COUNT: tl.constexpr):
    """Write the numbers of the steps that the filter of a slot is run and undone by, which follow from its means.

    Args:
        numbers: as for `run_chain`.
        needing: (COUNT, 3) int32: for each slot its kind of `MEANS_KINDS`, and the steps that run and that undo
            it, -1 where there is none.
        strengths: (N, COUNT) float32: temperature's argument, contrast's factor.
        image: its number.
        length: of the chain, in steps.
        means: (ROWS,) float64.
        slot: of the filter.
        wanted: whether to write anything.
        COUNT: how many filters need means.
    """
    rows = tl.arange(0, ROWS)
    red = tl.sum(tl.where(rows == 3 * slot, means, 0.0), axis=0)
    green = tl.sum(tl.where(rows == 3 * slot + 1, means, 0.0), axis=0)
    blue = tl.sum(tl.where(rows == 3 * slot + 2, means, 0.0), axis=0)
    warms = tl.load(needing + 3 * slot) == TEMPERATURE
    run, undo = tl.load(needing + 3 * slot + 1), tl.load(needing + 3 * slot + 2)
    x = tl.load(strengths + image * COUNT + slot).to(tl.float64)
    grey, half = (red + green + blue) / 3.0, tl.abs(x) / 2.0
    new = grey + half  # the shifts are |x| (1, 1/2, 0), or the other way round
    gr = tl.where(warms, temperature_gain(red, tl.maximum(-x, 0.0), grey, new), x)
    gg = tl.where(warms, temperature_gain(green, half, grey, new), x)
    gb = tl.where(warms, temperature_gain(blue, tl.maximum(x, 0.0), grey, new), x)
    offset = tl.where(warms, 0.0, grey)
    base = numbers + image * length * (3 * NUMBERS)
    write_lines(base + run * (3 * NUMBERS), wanted & (run >= 0), gr, gg, gb, offset)
    gr, gg, gb = 1.0 / tl.maximum(gr, _EPSILON), 1.0 / tl.maximum(gg, _EPSILON), 1.0 / tl.maximum(gb, _EPSILON)
    write_lines(base + undo * (3 * NUMBERS), wanted & (undo >= 0), gr, gg, gb, offset)


@triton.jit(do_not_specialize=["count", "length", "slot"])
def take_means(partials, unknowns, numbers, needing, strengths, count, length, slot, COUNT: tl.constexpr):
    """Take the means of one slot as they were measured; those of all slots where `slot` is below 0.

    Args:
        partials: (N, ROWS, count), what `run_chain` measured.
        unknowns: (N, ROWS) float64, where the means are kept.
        numbers: see `write_numbers`, also for the others.
        needing: see there.
        strengths: see there.
        count: of the blocks.
        length: of the chain, in steps.
        slot: see above.
        COUNT: see `write_numbers`.
    """
    image = tl.program_id(0).to(tl.int64)
    rows = tl.arange(0, ROWS)
    means, weight = add_up(partials, image, count, 256)
    known = tl.where(weight > 0.0, 1.0, 0.0)
    means = means * known + 0.5 * (1.0 - known)  # where nothing counts, any will do
    tl.store(unknowns + image * ROWS + rows, means, mask=rows < 3 * COUNT)
    for each in tl.static_range(COUNT):
        write_numbers(numbers, needing, strengths, image, length, means, each, (slot < 0) | (slot == each), COUNT)


@triton.jit
def with_secant(inverse, move, change):
    """The inverse Jacobian (ROWS, ROWS), changed least to say that `change` comes of `move`, both (ROWS,)."""
    seen = tl.sum(inverse * change[None, :], axis=1)
    back = tl.sum(inverse * move[:, None], axis=0)
    scale = tl.sum(move * seen, axis=0)
    usable = tl.abs(scale) > 1e-30
    factor = tl.where(usable, 1.0 / tl.where(usable, scale, 1.0), 0.0)
    return inverse + (move - seen)[:, None] * back[None, :] * factor


@triton.jit(do_not_specialize=["count", "length", "tolerance"])
def improve_means(
    partials,
    unknowns,
    values,
    moves,
    inverses,
    done,
    numbers,
    needing,
    strengths,
    count,
    length,
    tolerance,
    SECANT: tl.constexpr,
    COUNT: tl.constexpr,
):
    """One step towards the means at which the composite that follows from them has just these (Broyden, 1965).

    Args:
        partials: (N, ROWS, count): what was measured with the means as they are.
        unknowns: (N, ROWS) float64, the means.
        values: (N, ROWS) float64: how far the measured ones missed them, the last time.
        moves: (N, ROWS) float64: how the means were changed since.
        inverses: (N, ROWS, ROWS) float64, the inverse Jacobian as far as it is known.
        done: (N,) int32, set to 1 for images whose means are found; these are left as they are.
        numbers: see `write_numbers`, as for the next two.
        needing: see there.
        strengths: see there.
        count: of the blocks.
        length: of the chain, in steps.
        tolerance: of the means.
        SECANT: whether `values` and `moves` tell about the inverse: not at first, nor after a change of what is
            measured.
        COUNT: see `write_numbers`.
    """
    image = tl.program_id(0).to(tl.int64)
    rows = tl.arange(0, ROWS)
    used = rows < 3 * COUNT
    entries = rows[:, None] * ROWS + rows[None, :]
    vector, square = image * ROWS + rows, image * (ROWS * ROWS) + entries
    means = tl.load(unknowns + vector, mask=used, other=0.0)
    reached, weight = add_up(partials, image, count, 256)
    value = tl.where(used, (reached - means) * tl.where(weight > 0.0, 1.0, 0.0), 0.0)
    inverse = tl.load(inverses + square, mask=entries >= 0, other=0.0)
    if SECANT:
        move = tl.load(moves + vector, mask=used, other=0.0)
        inverse = with_secant(inverse, move, value - tl.load(values + vector, mask=used, other=0.0))
    following = means - tl.sum(inverse * value[None, :], axis=1)
    following = tl.where(used, tl.minimum(tl.maximum(following, 0.0), 1.0), 0.0)
    error = tl.max(tl.abs(value), axis=0)
    open_until_now = tl.load(done + image) == 0
    tl.debug_barrier()  # some threads hold the same numbers: none may write before all have read
    found = open_until_now & (error <= tolerance)
    going_on = open_until_now & (error > tolerance)
    changed = tl.where(going_on, ROWS, 0)  # rows that are written
    tl.store(unknowns + vector, following, mask=rows < changed)
    tl.store(values + vector, value, mask=rows < changed)
    tl.store(moves + vector, following - means, mask=rows < changed)
    tl.store(inverses + square, inverse, mask=entries < changed * ROWS)
    tl.store(done + image, 1, mask=found)
    for each in tl.static_range(COUNT):
        write_numbers(numbers, needing, strengths, image, length, following, each, going_on, COUNT)


COMPILES = isinstance(run_chain, triton.JITFunction)  # else Triton runs kernels in its interpreter, on any device
