"""Harmonizers as ONNX files: one that predicts arguments and one that applies them, at any size of image.

They are two files so that arguments can be looked at, edited by hand or smoothed over a video between them.
"""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from synthharm.errors import SynthharmError
from synthharm.files import json_text, write_atomically
from synthharm.filters import FilterChain
from synthharm.filters.filter import region_positions
from synthharm.filters.inversion import split_arguments
from synthharm.filters.pixels import mean_weights, weighted_means
from synthharm.harmonizer.network import Harmonizer
from synthharm.harmonizer.outputs import check_new_folder

ARGUMENTS, CHAIN = "arguments.onnx", "chain.onnx"
SETTINGS, RECORD = "chain.json", "export.json"
OPSET = 18
LARGEST = {"arguments": 1e-4, "images": 1e-3}  # differences that are accepted
SIZES = ((1, 1, 1), (1, 33, 47), (3, 64, 64), (2, 257, 65), (1, 481, 640))  # N, H and W that are compared
MOST_BYTES = 2**31 - 1  # of a file of protocol buffers
AXES = {0: "batch", 2: "height", 3: "width"}


@dataclass(frozen=True)
class Exported:
    """How far what was exported lies from the network and the filters themselves.

    Args:
        arguments: the largest difference of an argument.
        images: the largest difference of a channel in [0, 1].
    """

    arguments: float
    images: float


class _Prediction(nn.Module):
    """Composites (N, 3, H, W) and masks (N, 1, H, W) to arguments (N, K), clamped."""

    def __init__(self, harmonizer: Harmonizer) -> None:
        super().__init__()
        self.harmonizer = harmonizer

    def forward(self, composite: Tensor, mask: Tensor) -> Tensor:
        limits = self.harmonizer.low, self.harmonizer.high
        return torch.clamp(self.harmonizer(composite, mask), *limits)


class _Chain(nn.Module):
    """Composites, masks and arguments to harmonized images: `FilterChain.apply` without its checks of values."""

    def __init__(self, chain: FilterChain) -> None:
        super().__init__()
        self.chain = chain

    def forward(self, composite: Tensor, mask: Tensor, arguments: Tensor) -> Tensor:
        weights = mean_weights(self.chain.statistics, mask, None)
        positions = region_positions(mask) if self.chain.needs_positions else None
        current, rows = composite, split_arguments(self.chain.filters, arguments)
        for filter_, argument in zip(self.chain.filters, rows, strict=True):
            known = positions if filter_.needs_positions else None
            known = weighted_means(current, weights) if filter_.needs_means else known
            with _Cofactors():
                current = filter_.apply(current, argument, known)
        return current * mask + composite * (1 - mask)


def export_onnx(harmonizer: Harmonizer, folder: str | Path) -> Exported:
    """Write a harmonizer as two ONNX files for any number and size of images, and check them.

    arguments.onnx takes "composite" (N, 3, H, W) and "mask" (N, 1, H, W), float32 in [0, 1], and gives "arguments"
    (N, K), clamped to what the filters accept; composites are resized for the network inside it. chain.onnx takes
    those three and gives "harmonized" (N, 3, H, W). chain.json says what the K arguments are called and what they
    accept, export.json how the files were made and how far they are from what was exported.

    Args:
        harmonizer: the network, on any device; it stays as it is, and is exported in evaluation mode and float32.
        folder: new or empty.

    Raises:
        SynthharmError: the folder has something in it; onnx, onnxscript or onnxruntime is missing; a filter or the
            encoder cannot be exported; or an argument differs by more than 1e-4, or a channel by more than 1e-3,
            from what torch gives.
    """
    folder = Path(folder)
    _check_libraries()
    check_new_folder(folder)
    network = deepcopy(harmonizer).float().cpu().eval()
    prediction, chain = _Prediction(network), _Chain(network.chain)
    given = _example(network, 2, 70, 90, 0)
    what = f"the encoder {network.config.encoder}"
    files = {
        ARGUMENTS: _convert(prediction, dict(list(given.items())[:2]), "arguments", what),
        CHAIN: _convert_chain(chain, given),
    }
    found = _compare(network, _Session(files[ARGUMENTS]), _Session(files[CHAIN]))
    for name, largest in asdict(found).items():
        if not largest <= LARGEST[name]:
            raise SynthharmError(
                f"the exported {name} differ by {largest:.3g} from what torch gives; "
                f"{LARGEST[name]:g} is accepted. Nothing was written"
            )
    for name, data in files.items():
        write_atomically(folder / name, data)
    write_atomically(folder / SETTINGS, json_text(_settings(network)))
    write_atomically(folder / RECORD, json_text(_record(found)))
    return found


def _check_libraries() -> None:
    try:
        import onnx  # noqa: F401
        import onnxruntime  # noqa: F401
        import onnxscript  # noqa: F401
    except ImportError as error:
        raise SynthharmError(
            f"exporting needs onnx, onnxscript and onnxruntime: {error}. "
            f"They come with the extra `export`: pip install 'synthharm[export]'"
        ) from error


def _example(network: Harmonizer, count: int, height: int, width: int, seed: int) -> dict[str, Tensor]:
    """Random images, masks that are soft and hard, and arguments within the spans."""
    generator = torch.Generator().manual_seed(seed)
    composite = torch.rand(count, 3, height, width, generator=generator)
    mask = (2 * torch.rand(count, 1, height, width, generator=generator) - 0.5).clamp(0, 1)
    neutral, span = (
        torch.tensor([getattr(p, name) for p in network.chain.parameters]) for name in ("neutral", "span")
    )
    draws = 2 * torch.rand(count, len(span), generator=generator) - 1
    return {"composite": composite, "mask": mask, "arguments": neutral + span * draws}


def _convert(module: nn.Module, given: Mapping[str, Tensor], output: str, what: str) -> bytes:
    """A module as the bytes of an ONNX file whose number and size of images are free."""
    any_size = torch.export.Dim.DYNAMIC
    shapes = {name: dict.fromkeys(AXES if t.ndim == 4 else [0], any_size) for name, t in given.items()}
    tensors = tuple(given.values())
    try:
        with torch.no_grad():
            module(*tensors)  # what filters keep once worked out is then numbers and not symbols
            program = torch.export.export(module.eval(), tensors, dynamic_shapes=shapes, strict=False)
            converted: Any = torch.onnx.export(
                program,
                dynamo=True,
                opset_version=OPSET,
                input_names=list(given),
                output_names=[output],
                verbose=False,
                external_data=False,
            )
    except Exception as error:  # what cannot be traced or converted fails in as many ways as there are steps
        first = next((line for line in str(error).splitlines() if line.strip()), type(error).__name__)
        raise SynthharmError(f"{what} cannot be exported to ONNX: {first}") from error
    model = converted.model_proto
    if model.ByteSize() > MOST_BYTES:
        raise SynthharmError(f"{what} has {model.ByteSize()} bytes as ONNX; {MOST_BYTES} are accepted")
    _tidy(model, given)
    data: bytes = model.SerializeToString(deterministic=True)
    return data


def _convert_chain(chain: _Chain, given: Mapping[str, Tensor]) -> bytes:
    try:
        return _convert(chain, given, "harmonized", "the chain")
    except SynthharmError as error:
        for filter_, argument in zip(
            chain.chain.filters, split_arguments(chain.chain.filters, given["arguments"]), strict=True
        ):
            alone = _Chain(FilterChain([filter_], chain.chain.statistics))
            row = argument.reshape(len(argument), -1).clone()  # tracing does not take views
            _convert(alone, {**given, "arguments": row}, "harmonized", f"the filter {filter_.name!r}")
        raise error


class _Cofactors(TorchFunctionMode):
    """Inverts matrices (3, 3) by their cofactors: ONNX has no operator for it."""

    def __torch_function__(
        self, function: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        if function is torch.linalg.inv:
            return _invert(args[0])
        return function(*args, **(kwargs or {}))


def _invert(matrix: Tensor) -> Tensor:
    """The inverse of a matrix (3, 3)."""
    below, above = matrix.roll(-1, 0), matrix.roll(1, 0)
    cofactors = below.roll(-1, 1) * above.roll(1, 1) - below.roll(1, 1) * above.roll(-1, 1)
    return cofactors.T / (matrix[0] * cofactors[0]).sum()


def _tidy(model: Any, given: Mapping[str, Tensor]) -> None:
    """Name the free axes, and drop what says where on a disk the code lay."""
    names: dict[str, str] = {}
    graph = model.graph
    for entry in graph.input:
        for k, axis in enumerate(entry.type.tensor_type.shape.dim):
            if axis.dim_param:
                names.setdefault(axis.dim_param, AXES[k])
    for entry in (*graph.input, *graph.output):
        for axis in entry.type.tensor_type.shape.dim:
            if axis.dim_param:
                axis.dim_param = names.get(axis.dim_param, axis.dim_param)
    del graph.value_info[:]
    for holder in (model, graph, *graph.input, *graph.output, *graph.initializer, *graph.node):
        del holder.metadata_props[:]
        holder.doc_string = ""
    for function in model.functions:
        del function.value_info[:], function.metadata_props[:]
        for node in function.node:
            del node.metadata_props[:]
            node.doc_string = ""


class _Session:
    """An ONNX file that is run on the CPU."""

    def __init__(self, data: bytes) -> None:
        import onnxruntime

        self.session = onnxruntime.InferenceSession(data, providers=["CPUExecutionProvider"])

    def __call__(self, given: Mapping[str, Tensor]) -> Tensor:
        (found,) = self.session.run(None, {name: tensor.numpy() for name, tensor in given.items()})
        return torch.from_numpy(found)


def _compare(network: Harmonizer, predict: _Session, apply: _Session) -> Exported:
    """The largest differences from what torch gives, over images and masks of odd sizes; NaN where one is."""
    arguments, images = [0.0], [0.0]
    for seed, (count, height, width) in enumerate(SIZES):
        given = _example(network, count, height, width, seed + 1)
        composite, mask, drawn = given.values()
        seen = {"composite": composite, "mask": mask}
        with torch.no_grad():
            expected = torch.clamp(network(composite, mask), network.low, network.high)
            arguments.append(_difference(predict(seen), expected))
            for row in (drawn, expected):
                harmonized = network.chain.apply(composite, mask, row)
                images.append(_difference(apply({**seen, "arguments": row}), harmonized))
    return Exported(*(float(torch.tensor(values).max()) for values in (arguments, images)))


def _difference(found: Tensor, expected: Tensor) -> float:
    if found.shape != expected.shape:
        raise SynthharmError(
            f"what was exported gives {tuple(found.shape)} where torch gives {tuple(expected.shape)}"
        )
    return float((found - expected).abs().max())


def _settings(network: Harmonizer) -> dict[str, Any]:
    columns = [
        {"name": name, "neutral": p.neutral, "low": p.low, "high": p.high, "span": p.span}
        for name, p in zip(network.chain.columns, network.chain.parameters, strict=True)
    ]
    config = asdict(network.config)
    del config["pretrained"]
    return config | {"filters": list(network.config.filters), "arguments": columns}


def _record(found: Exported) -> dict[str, Any]:
    import onnx
    import onnxruntime
    import onnxscript

    libraries = (torch, onnx, onnxscript, onnxruntime)
    return {
        "opset": OPSET,
        "largest_difference": asdict(found),
        "accepted_difference": LARGEST,
        "compared": [list(size) for size in SIZES],
        "versions": {library.__name__: str(library.__version__) for library in libraries},
    }
