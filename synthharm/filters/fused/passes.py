"""The passes over pixels that a compiled chain makes: taking them out of an image, through stages, and back."""

from __future__ import annotations

import numpy as np

from synthharm.filters.fused.compiling import compiled
from synthharm.filters.fused.steps import run_steps

BLOCK = 1024  # pixels that go through all stages before the next ones do: they stay in the fastest cache
INTERVALS = 4096  # of a table between whose entries values lie
BINS = 1024


@compiled
def gather(image, mask, box, count, background):
    """The pixels (3, count) inside a mask, or outside it, in row order."""
    top, bottom, left, right = box
    levels = np.empty((3, count), image.dtype)
    red, green, blue = levels[0], levels[1], levels[2]
    n = 0
    for y in range(top, bottom):
        row, inside = image[y], mask[y]
        for x in range(left, right):
            if (inside[x] == 0) == background:
                red[n], green[n], blue[n] = row[x, 0], row[x, 1], row[x, 2]
                n += 1
    return levels


@compiled
def places_inside(mask, box, count):
    """The columns and rows (2, count) of the pixels inside a mask, in row order."""
    top, bottom, left, right = box
    places = np.empty((2, count), np.int32)
    n = 0
    for y in range(top, bottom):
        for x in range(left, right):
            if mask[y, x]:
                places[0, n], places[1, n] = x, y
                n += 1
    return places


@compiled
def scatter(image, mask, box, pixels):
    """Write pixels (3, P) in row order into the image where the mask is."""
    top, bottom, left, right = box
    red, green, blue = pixels[0], pixels[1], pixels[2]
    n = 0
    for y in range(top, bottom):
        row, inside = image[y], mask[y]
        for x in range(left, right):
            if inside[x]:
                row[x, 0], row[x, 1], row[x, 2] = red[n], green[n], blue[n]
                n += 1


@compiled
def round_levels(values, levels, highest):
    """Values (3, P) in [0, 1] as the nearest levels, written into an array of their type, which is returned."""
    for c in range(3):
        read, written = values[c], levels[c]
        for i in range(len(read)):
            written[i] = levels.dtype.type(read[i] * highest + 0.5)
    return levels


@compiled
def measure(real, composite, harmonized, recoverable, real_levels, levels):
    """What a composite comes to: see `Judgement`.

    Args:
        real: (3, P) levels.
        composite: (3, P) levels.
        harmonized: (3, P) in [0, 1].
        recoverable: (P,) bool.
        real_levels: the largest of the real image's levels.
        levels: the largest of the composite's.

    Returns:
        (9,): lost, error, difference, means, deviations.
    """
    count = real.shape[1]
    result, kept = np.zeros(9), 0
    for i in range(count):
        kept += recoverable[i]
    for c in range(3):
        error, difference, total, squares = 0.0, 0.0, 0.0, 0.0
        for i in range(count):
            target, made = real[c, i] / real_levels, composite[c, i] / levels
            if recoverable[i]:
                error += (harmonized[c, i] - target) ** 2
            difference += (made - target) ** 2
            total += made
            squares += made * made
        result[1] += error / (3 * max(kept, 1))
        result[2] += difference * 255 * 255 / (3 * count)
        result[3 + c] = total / count
        result[6 + c] = np.sqrt(max(squares / count - result[3 + c] ** 2, 0.0))
    result[0] = 1 - kept / count
    return result


@compiled
def image_histogram(image, size):
    """The histograms (3, size) of an image's channels."""
    even, odd = np.zeros((3, size), np.int32), np.zeros((3, size), np.int32)
    height, width = image.shape[:2]
    for y in range(height):
        row = image[y]
        for x in range(0, width - 1, 2):  # two counters, so that equal neighbours need not wait for each other
            even[0, row[x, 0]] += 1
            even[1, row[x, 1]] += 1
            even[2, row[x, 2]] += 1
            odd[0, row[x + 1, 0]] += 1
            odd[1, row[x + 1, 1]] += 1
            odd[2, row[x + 1, 2]] += 1
        if width % 2:
            for c in range(3):
                even[c, row[width - 1, c]] += 1
    return even + odd


@compiled
def pixel_histogram(levels, size):
    """The histograms (3, size) of pixels (3, P)."""
    counts = np.zeros((3, size), np.int32)
    for i in range(levels.shape[1]):
        for c in range(3):
            counts[c, levels[c, i]] += 1
    return counts


@compiled
def weighted_histogram(levels, size, weights):
    """The histograms (3, size) of pixels (3, P), each counting as much as its weight (P,)."""
    counts = np.zeros((3, size))
    for i in range(levels.shape[1]):
        for c in range(3):
            counts[c, levels[c, i]] += weights[i]
    return counts


@compiled
def bin_values(values):
    """Values (3, P) in [0, 1] by bins: how many (3, BINS) are in each, and their sums."""
    real = values.dtype.type
    counts, sums = np.zeros((3, BINS), np.int32), np.zeros((3, BINS))
    for i in range(values.shape[1]):
        for c in range(3):
            k = np.uint32(min(values[c, i] * real(BINS), real(BINS - 0.5)))
            counts[c, k] += 1
            sums[c, k] += values[c, i]
    return counts, sums


@compiled
def read_levels(levels, first, first_excess, start, values, excess, count):
    """Begin a block with what the levels from `start` on become."""
    for c in range(3):
        read, table, table_excess, row, outside = levels[c], first[c], first_excess[c], values[c], excess[c]
        for i in range(count):
            level = read[start + i]
            row[i] = table[level]
            outside[i] = table_excess[level]


@compiled
def look_up(table, bounds, values, excess, count):
    """Replace values (3, P) by those of a table (1 or 3, INTERVALS + 2), on a line between its entries.

    One row serves all channels if they are alike: it stays in the fastest cache. Outside the bounds (3, 2)
    something was clamped on the way to the table's value.
    """
    real = values.dtype.type
    for c in range(3):
        low, high, row, outside = real(bounds[c, 0]), real(bounds[c, 1]), values[c], excess[c]
        entries = table[c if len(table) == 3 else 0]
        for i in range(count):
            outside[i] = max(outside[i], real(row[i] < low), real(row[i] > high))
        for i in range(count):
            p = row[i] * real(INTERVALS)
            k = np.uint32(p)
            row[i] = entries[k] + (p - real(k)) * (entries[k + 1] - entries[k])


@compiled
def run_stages(block, excess, places, count, kinds, numbers, ends, tables, rows, bounds):
    """Take `count` values (3, BLOCK) through all stages; see `render`."""
    step, table, row = 0, 0, 0
    for t in range(len(ends)):
        if ends[t] == step:
            look_up(tables[row : row + rows[table]], bounds[table], block, excess, count)
            row += rows[table]
            table += 1
        else:
            run_steps(kinds[step : ends[t]], numbers[step : ends[t]], block, places, excess, count)
            step = ends[t]


@compiled
def render(levels, first, first_excess, values, bad, positions, stages, tolerance):
    """Take pixels through all stages, block by block.

    Args:
        levels: (3, P) of what is read, or (3, 0) where `values` already hold it.
        first: (3, L + 1), what each level becomes.
        first_excess: (3, L + 1), how far that was outside [0, 1] on the way.
        values: (3, P), what comes out.
        bad: (P,) bool, set where something was outside [0, 1] by more than the tolerance; (0,) if nobody asks.
        positions: (2, P), read where a step goes by them.
        stages: kinds (S,) and numbers (S, 3, NUMBERS) of the steps of all stages; ends (T,): stage t runs those
            from ends[t - 1] to ends[t], and is a table if there are none; the rows of all tables
            (R, INTERVALS + 2); how many each table has, 1 for all channels, or 3; and each table's bounds (3, 2).
        tolerance: see `bad`.
    """
    kinds, numbers, ends, tables, rows, bounds = stages
    total = values.shape[1]
    block, excess = np.empty((3, BLOCK), values.dtype), np.empty((3, BLOCK), values.dtype)
    for start in range(0, total, BLOCK):
        count = min(BLOCK, total - start)
        if levels.shape[1]:
            read_levels(levels, first, first_excess, start, block, excess, count)
        else:
            for c in range(3):
                for i in range(count):
                    block[c, i] = values[c, start + i]
                    excess[c, i] = 0
        places = positions[:, start : start + count]
        run_stages(block, excess, places, count, kinds, numbers, ends, tables, rows, bounds)
        for c in range(3):
            for i in range(count):
                values[c, start + i] = block[c, i]
        for i in range(len(bad[start : start + count])):
            worst = max(excess[0, i], max(excess[1, i], excess[2, i]))
            bad[start + i] |= worst > tolerance


@compiled
def write_spans(written, image, mask, soft, spans, number, block, highest):
    """Write a block into an image, span by span, rounded; blended with the image where the mask is soft."""
    real = block.dtype.type
    at = 0
    for s in range(number):
        y, x, length = spans[0, s], spans[1, s], spans[2, s]
        for c in range(3):
            values = block[c]
            if soft:
                for i in range(length):
                    alpha = real(mask[y, x + i]) / real(255)
                    level = real(image[y, x + i, c]) / real(highest)
                    values[at + i] = values[at + i] * alpha + level * (real(1) - alpha)
            part, there = values[at : at + length], written[y, x : x + length]
            for i in range(length):
                there[i, c] = image.dtype.type(part[i] * real(highest) + real(0.5))
        at += length


@compiled
def span_length(inside):
    """How many pixels from the first on are inside a mask."""
    for i in range(len(inside)):
        if not inside[i]:
            return i
    return len(inside)


@compiled
def render_image(image, mask, box, soft, written, first, highest, middle, half, stages):
    """Take the pixels inside a mask through all stages, from one image straight into another.

    Args:
        image: (H, W, 3), levels.
        mask: (H, W) uint8.
        box: of what is inside the mask: top, bottom, left and right.
        soft: whether the mask has soft edges, where what comes out blends with the image.
        written: (H, W, 3), of the image's type.
        first: (3, L + 1), what each level becomes.
        highest: the largest level.
        middle: (2,), the column and row of the region's position (0, 0).
        half: the pixels from there to position 1; 0 if no step goes by positions.
        stages: see `render`.
    """
    kinds, numbers, ends, tables, rows, bounds = stages
    top, bottom, left, right = box
    block, excess = np.empty((3, BLOCK), first.dtype), np.zeros((3, BLOCK), first.dtype)
    places, spans = np.zeros((2, BLOCK)), np.empty((3, BLOCK), np.int64)  # row, first column and length
    count, number = 0, 0
    for y in range(top, bottom):
        row, inside = image[y], mask[y]
        x = left
        while x < right:
            length = span_length(inside[x : min(right, x + BLOCK - count)])
            if length:
                here = row[x : x + length]
                for c in range(3):
                    values, table = block[c, count : count + length], first[c]
                    for i in range(length):
                        values[i] = table[here[i, c]]
                if half > 0:
                    for i in range(length):
                        places[0, count + i] = (x + i - middle[0]) / half
                        places[1, count + i] = (y - middle[1]) / half
                spans[0, number], spans[1, number], spans[2, number] = y, x, length
                count += length
                number += 1
                x += length
            if count == BLOCK:
                run_stages(block, excess, places, count, kinds, numbers, ends, tables, rows, bounds)
                write_spans(written, image, mask, soft, spans, number, block, highest)
                count, number = 0, 0
            elif not length:
                x += 1
    run_stages(block, excess, places, count, kinds, numbers, ends, tables, rows, bounds)
    write_spans(written, image, mask, soft, spans, number, block, highest)
