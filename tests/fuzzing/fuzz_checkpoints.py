"""Checkpoints, spoilt: folders of configuration and weights, and published files, some of which would run code."""

from __future__ import annotations

import io
import json
import struct
import tarfile
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from fuzz_bytes import Random, mutate_bytes
from fuzz_feeding import run_command, why
from fuzz_place import CANARY, Guard, Place
from fuzz_values import ESCAPES, json_bytes, mutate_value
from safetensors.torch import save

from synthharm.errors import SynthharmError
from synthharm.harmonizer import Harmonizer, HarmonizerConfig, import_checkpoint
from synthharm.harmonizer.checkpoint import published_names

ENCODERS = (
    "test_vit", "test_byobnet", "resnet18", "vit_giant_patch14_224", "eva02_enormous_patch14_clip_224",
    "hf-hub:a/b", "local-dir:../outside", "test_resnet.r160_in1k", "", "../outside/secret",
    "vit_7b_patch16_dinov3", "test_resnet\0",
)  # fmt: skip
# Pickles that make the canary where they are followed.
TRAPS = (
    f"cposix\nsystem\n(S'touch {CANARY}'\ntR.".encode(),
    f"cbuiltins\nopen\n(S'{CANARY}'\nS'w'\ntR.".encode(),
    f"cbuiltins\nexec\n(S'open(\"{CANARY}\", \"w\")'\ntR.".encode(),
    f"(dS'a'\ncos\nmkdir\n(S'{CANARY}'\ntRs.".encode(),
    f"csubprocess\ncheck_output\n((lS'touch'\naS'{CANARY}'\natR.".encode(),
    b"ctorch.serialization\nload\n(S'../outside/secret.pth'\ntR.",
    b"cnumpy\nload\n(S'../outside/secret.pth'\ntR.",
    b"ctorch.hub\nload\n(S'a'\nS'b'\ntR.",
    f"c__builtin__\neval\n(S'open(\"{CANARY}\", \"w\")'\ntR.".encode(),
    f"ccollections\nOrderedDict\n(tRS'a'\ncposix\nsystem\n(S'touch {CANARY}'\ntRs.".encode(),
    b"}.", b"N.", b"(lp0\n.", b"]" * 5000 + b".", b"(" * 100_000, b"\x80\x02}q\x00.", b"\x80\xff.",
    b"\x8a\xffabc.", b"." * 9, b"a.", b"(S'a'\n.",
    b"ctorch._utils\n_rebuild_tensor_v2\n(I0\nI0\n(I1000000000\nI1000000000\nt(I1\nI1\ntI00\n}tR.",
    b"\x80\x02X\xff\xff\xff\x7fa.", b"\x80\x04\x8d\xff\xff\xff\xff\xff\xff\xff\x7f.", b"T\xff\xff\xff\x7fa.",
)  # fmt: skip
TYPES = ("F4", "F6_E2M3", "F8_E4M3", "F8_E8M0", "F8_E5M2", "C64", "I8", "U16", "U64", "BOOL", "F64", "I64", "x")
Change = Callable[[torch.Tensor], Any]
CHANGES: tuple[Change, ...] = (
    lambda value: value.double(), lambda value: value.half(), lambda value: value.to(torch.complex64),
    lambda value: value.bool(), lambda value: value.to(torch.int64), lambda value: value * float("nan"),
    lambda value: value[None], lambda value: value.flatten(), lambda value: value.to_sparse(),
    lambda value: value.to("meta"), lambda value: value.to(torch.float8_e4m3fn),
    lambda value: value.to(torch.bfloat16),
    lambda value: torch.quantize_per_tensor(value.float(), 0.1, 0, torch.qint8), lambda value: value.tolist(),
    lambda value: None, lambda value: value.numpy().tobytes(), lambda value: torch.zeros(1).expand(10**6, 10**6),
    lambda value: value[..., :0], lambda value: torch.nn.Parameter(value.float()), lambda value: {"a": value},
    lambda value: torch.zeros(value.shape).T, lambda value: value.to(torch.uint8), lambda value: -value,
)  # fmt: skip


def prepare(root: Path) -> Checkpoints:
    """The kind, tried on what is sound."""
    place = Place(root)
    place.make({".pth": _saved({"a": torch.zeros(2)})})
    return Checkpoints(place)


def _saved(value: object, **options: Any) -> bytes:
    file = io.BytesIO()
    torch.save(value, file, **options)
    return file.getvalue()


class Checkpoints:
    """Cases of a small network's folder, and of files as they are published."""

    def __init__(self, place: Place) -> None:
        self.place, self.guard = place, Guard(place)
        torch.manual_seed(3)
        small = Harmonizer(HarmonizerConfig("test_byobnet", ("brightness", "contrast"), size=32))
        self.weights = {name: value.contiguous() for name, value in small.state_dict().items()}
        small.save_pretrained(place.data / "small")
        self.config = json.loads((place.data / "small" / "config.json").read_text())
        published = Harmonizer()
        state = published.state_dict()
        self.published = {name: state[own].half() for name, own in published_names(published).items()}
        few = dict(list(self.published.items())[:4])
        self.files = [_saved(few), _saved(few, _use_new_zipfile_serialization=False), _tar(few)]
        (place.data / "whole.pth").write_bytes(_saved(self.published))
        assert self._import(place.data / "whole.pth") == self._load(place.data / "small") == "accepted"
        assert self._command(place.data / "whole.pth") == "accepted"
        self.guard.awake = True

    def run(self, random: Random) -> str:
        self.place.clear()
        whole, command = random.random() < 0.5, random.random() < 0.15
        path = self.place.data / "published.pth"
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what torch thinks of the tensors that are made here
            if whole:
                folder = self._folder(random)
            else:
                path.write_bytes(self._file(random))
        try:
            if whole:
                return self._load(folder)
            return self._command(path) if command else self._import(path)
        except SynthharmError as error:
            return why(error)

    def _load(self, folder: Path) -> str:
        with self.guard.up():
            Harmonizer.from_pretrained(folder)
        return "accepted"

    def _import(self, path: Path) -> str:
        with self.guard.up():
            import_checkpoint(path)
        return "accepted"

    def _command(self, path: Path) -> str:
        output = self.place.output / "imported"
        status, said = run_command(self.guard, "import-checkpoint", path, "--output", output)
        assert (status == 0) == (output / "config.json").exists()
        return why(SynthharmError(said)) if status else "accepted"

    def _folder(self, random: Random) -> Path:
        """A network's folder, its configuration or its weights spoilt."""
        folder, kind = self.place.data / "network", random.random()
        folder.mkdir()
        config, weights = json.dumps(self.config).encode(), b""
        if kind < 0.2:
            config = json_bytes(random, mutate_value(random, self.config))
        elif kind < 0.3:
            changed = self.config | {"encoder": ENCODERS[int(random.integers(len(ENCODERS)))]}
            config = json_bytes(random, changed | {"size": int(random.choice([32, 64, 2**31, 2**62]))})
        elif kind < 0.5:
            weights = mutate_bytes(random, save(self.weights))
        elif kind < 0.75:
            weights = self._header(random)
        else:
            weights = save(self._changed(random, self.weights, dense=True))
        (folder / "config.json").write_bytes(config)
        (folder / "model.safetensors").write_bytes(weights or save(self.weights))
        return folder

    def _header(self, random: Random) -> bytes:
        """Weights whose header says something else: types, shapes, offsets or its own length."""
        data = save(self.weights)
        length = struct.unpack_from("<Q", data)[0]
        header, body = json.loads(data[8 : 8 + length]), data[8 + length :]
        name = sorted(header)[int(random.integers(len(header)))]
        kind = random.random()
        if kind < 0.3:
            header[name]["dtype"] = TYPES[int(random.integers(len(TYPES)))]
        elif kind < 0.5:
            header["__metadata__"] = mutate_value(random, {"format": "pt"})
        else:
            header[name] = mutate_value(random, header[name], ESCAPES)
        text = json_bytes(random, header)
        lengths = (len(text), len(text), len(text), len(text) + 1, 0, 2**31, 2**63, 2**64 - 1, len(data) * 2)
        return struct.pack("<Q", lengths[int(random.integers(len(lengths)))]) + text + body

    def _file(self, random: Random) -> bytes:
        """A published file: with other tensors, spoilt as text or as an archive, or a trap."""
        kind = random.random()
        if kind < 0.25:
            return _saved(self._changed(random, self.published))
        if kind < 0.55:
            return mutate_bytes(random, self.files[int(random.integers(len(self.files)))], self.files)
        trap = TRAPS[int(random.integers(len(TRAPS)))]
        if kind < 0.7:
            return trap if random.random() < 0.7 else mutate_bytes(random, trap)
        return self._archive(random, trap)

    def _archive(self, random: Random, trap: bytes) -> bytes:
        """The archive that torch reads, its members spoilt, out of place, or more than they seem."""
        with zipfile.ZipFile(io.BytesIO(self.files[0])) as archive:
            members = {info.filename: archive.read(info) for info in archive.infolist()}
        names, kind = sorted(members), random.random()
        at = names[int(random.integers(len(names)))]
        top = at.split("/")[0]
        packed = zipfile.ZIP_STORED
        if kind < 0.3:
            members[f"{top}/data.pkl"] = trap
        elif kind < 0.55:
            members[f"{top}/data.pkl"] = mutate_bytes(random, members[f"{top}/data.pkl"])
        elif kind < 0.65:
            members[at] = bytes(300_000_000)
            packed = zipfile.ZIP_DEFLATED
        elif kind < 0.75:
            members[f"{top}/constants.pkl"] = trap
        elif kind < 0.9:
            members[f"../../{CANARY}"] = members.pop(at)
        else:
            members[at] = mutate_bytes(random, members[at])
        file = io.BytesIO()
        with zipfile.ZipFile(file, "w", packed, compresslevel=1) as archive:
            for name, data in members.items():
                archive.writestr(name, data)
        return file.getvalue()

    def _changed(self, random: Random, state: dict[str, Any], dense: bool = False) -> dict[str, Any]:
        """Tensors of other types and shapes, gone, under other names, or merely of other values."""
        state, kind = dict(state), random.random()
        name = sorted(state)[int(random.integers(len(state)))]
        if kind < 0.15:
            del state[name]
        elif kind < 0.3:
            state[f"{ESCAPES[int(random.integers(3))]}{name}"] = state.pop(name)
        elif kind < 0.5:
            noise = torch.from_numpy(random.normal(0, 1, tuple(state[name].shape)))
            state[name] = noise.to(state[name].dtype) if np.ndim(noise) else state[name]
        else:
            value = CHANGES[int(random.integers(len(CHANGES)))](state[name])
            plain = isinstance(value, torch.Tensor) and value.layout == torch.strided and not value.is_quantized
            fits = plain and value.device.type == "cpu" and value.numel() < 10**7
            state[name] = value.contiguous() if dense and fits else state[name] if dense else value
        return state


def _tar(state: dict[str, Any]) -> bytes:
    """An archive as early versions wrote it, whose reader unpacks it."""
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as archive:
        for name, data in (("sys_info", TRAPS[0]), ("pickle", TRAPS[1]), (f"../{CANARY}", _saved(state))):
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return file.getvalue()
