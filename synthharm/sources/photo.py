"""Photos as they come: whatever a camera, an editor or a web page stored, as uint8 RGB, upright, in sRGB."""

from __future__ import annotations

import functools
import hashlib
import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import IO, Any, cast

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms

from synthharm.errors import SynthharmError, Unusable
from synthharm.imagefile import MAX_PIXELS, DecodedFile, decode, reduce_depth
from synthharm.sources.entries import Photo, PhotoEntry
from synthharm.storage import filesystem, is_remote, storage_errors

_HEAD = 1 << 16  # bytes that are asked of a remote file at a time where only its head is wanted
_ICC_SPACE = {"L": "GRAY", "RGB": "RGB", "CMYK": "CMYK"}


def read_file(root: Path, key: str) -> bytes:
    """The bytes of the file that `key`, a path with forward slashes, names below the folder `root`.

    Links are followed as long as they stay below the root.

    Raises:
        Unusable: "outside" for an absolute path, one with "..", or a link that leads out of the root; "missing"
            where no file is there or it cannot be read.

    Example:
        >>> read_file(Path(), "../secret.jpg")
        Traceback (most recent call last):
        synthharm.errors.Unusable: ../secret.jpg: outside: a path within the data folder is expected, without '..'
    """
    path = resolve_file(root, key)
    with _readable(path, key):
        if not is_remote(path):
            return path.read_bytes()
        system, name = filesystem(path)
        return bytes(system.cat_file(name))  # one request, where opening it would take two


@contextmanager
def open_head(root: Path, key: str) -> Iterator[IO[bytes]]:
    """The open file `key` below `root`, of which little is read; under the rules and errors of `read_file`."""
    path = resolve_file(root, key)
    with _readable(path, key):
        if not is_remote(path):
            with path.open("rb") as file:
                yield file
            return
        system, name = filesystem(path)
        with system.open(name, "rb", block_size=_HEAD) as file:
            read = _RemoteFile(file)
            try:
                yield cast("IO[bytes]", read)
            except Unusable:
                if read.failure is not None:
                    raise read.failure from None
                raise


def resolve_file(root: Path, key: str) -> Path:
    """Where the file `key` below `root` really lies, under the rules and errors of `read_file`.

    Behind an address nothing is looked up: there are no links, and reading tells whether the file is there.
    """
    parts = PurePosixPath(key)
    if parts.is_absolute() or Path(key).is_absolute() or ".." in parts.parts or "\0" in key:
        raise Unusable(key, "outside", "a path within the data folder is expected, without '..'")
    if is_remote(root):
        return root / key
    try:
        path = (root / key).resolve()
        if not path.is_relative_to(root.resolve()):
            raise Unusable(key, "outside", "a link that leads out of the data folder")
        if not path.is_file():
            raise Unusable(key, "missing", "a folder or device" if path.exists() else "no such file")
    except (OSError, RuntimeError) as error:  # a name that is too long, a ring of links
        detail = error.strerror if isinstance(error, OSError) else "a ring of links"
        raise Unusable(key, "missing", f"cannot be found: {detail}") from error
    return path


@contextmanager
def _readable(path: Path, key: str) -> Iterator[None]:
    """Say what reading a file met with.

    Raises:
        Unusable: "missing" where there is no file or it may not be read.
        SynthharmError: where a service fails, which says nothing about the file.
    """
    try:
        with storage_errors():
            yield
    except OSError as error:
        detail = f"cannot be read: {error.strerror}"
        if is_remote(path):
            if not isinstance(error, (FileNotFoundError, IsADirectoryError, PermissionError)):
                raise SynthharmError(f"{path}: cannot be read: {error}") from error
            detail = f"cannot be read: {error}" if isinstance(error, PermissionError) else "no such file"
        raise Unusable(key, "missing", detail) from error


class _RemoteFile(io.RawIOBase):
    """A remote file that remembers what reading it met with: decoders take that for a fault of the image."""

    def __init__(self, file: IO[bytes]) -> None:
        super().__init__()
        self._file = file
        self.failure: Exception | None = None

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        try:
            data = self._file.read(len(buffer))
        except Exception as error:
            self.failure = error
            raise
        buffer[: len(data)] = data
        return len(data)

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        return self._file.tell()


def check_folder(what: str, folder: str) -> None:
    """Check that a setting names a folder within the data folder: relative, forward slashes, no "..".

    Raises:
        SynthharmError: otherwise; `what` says which setting.
    """
    path = PurePosixPath(folder)
    if not folder or path.is_absolute() or Path(folder).is_absolute() or ".." in path.parts:
        raise SynthharmError(f"{what} is {folder!r}; accepted is a path within the data folder, without '..'")


def read_photo(data: bytes, entry: PhotoEntry, max_pixels: int) -> Photo:
    """Decode the bytes of a listed photo; the same errors as `decode_photo`."""
    pixels, encoding = decode_photo(data, entry.key, max_pixels=max_pixels)
    digest = hashlib.sha256(data).hexdigest()
    return Photo(pixels, entry.key, digest, entry.licence, entry.attribution, encoding)


def decode_photo(
    data: bytes, name: str, *, max_pixels: int = MAX_PIXELS
) -> tuple[NDArray[np.uint8], dict[str, Any]]:
    """Decode a photo's file: uint8 RGB (H, W, 3), upright, sRGB; and how it was stored, as plain JSON.

    Reads JPEG, PNG, TIFF, WebP, AVIF, BMP, GIF and PPM files: grey, palette, CMYK, 16-bit (rounded to the nearest
    of 256 levels), with alpha (dropped where opaque, else flattened on white). An embedded ICC profile is
    converted to sRGB, relative colorimetric with black point compensation; one that amounts to sRGB leaves every
    byte as it is.

    Args:
        data: the file's bytes.
        name: what errors call it.
        max_pixels: the most pixels that are decoded; a header that claims more is refused before that.

    Returns:
        The pixels, and `encoding` as `synthharm.imagefile.decode` gives it, with two more keys where they apply:
        icc (the profile's description, or why it was ignored) and alpha ("flattened on white").

    Raises:
        Unusable: "not an image", "truncated", "too large" or "pixel type".

    Example:
        >>> file = io.BytesIO()
        >>> Image.new("CMYK", (4, 3), (0, 255, 255, 0)).save(file, "JPEG")
        >>> pixels, encoding = decode_photo(file.getvalue(), "red.jpg")
        >>> pixels.shape, encoding
        ((3, 4, 3), {'format': 'JPEG', 'mode': 'CMYK', 'bits': 8, 'width': 4, 'height': 3})
    """
    file = decode(data, name, max_pixels=max_pixels)
    encoding = dict(file.encoding)
    colours, alpha = _split_alpha(file)
    profile = file.image.info.get("icc_profile")
    if profile:
        colours, encoding["icc"] = _to_srgb(colours, bytes(profile))
    pixels = np.array(colours.convert("RGB"))
    if alpha is not None:
        encoding["alpha"] = "flattened on white"
        opacity = alpha[..., None].astype(np.float32) / (255 if alpha.dtype == np.uint8 else 65535)
        pixels = np.rint(255 - (255 - pixels) * opacity).astype(np.uint8)
    return pixels, encoding


def _split_alpha(file: DecodedFile) -> tuple[Image.Image, NDArray[Any] | None]:
    """Colours as an image of mode L, RGB or CMYK, and alpha (H, W) in the file's depth, None if all is opaque."""
    image, alpha = file.image, None
    if file.deep is not None:
        if file.deep.ndim == 3 and file.deep.shape[2] == 4:
            alpha = file.deep[..., 3]
        image = Image.fromarray(reduce_depth(file.deep if file.deep.ndim == 2 else file.deep[..., :3]))
    elif image.has_transparency_data:
        grey = image.mode in ("1", "L", "LA", "La")
        straight = image.convert("RGBA")
        alpha = np.array(straight.getchannel("A"))
        image = straight.convert("RGB").getchannel(0) if grey else straight.convert("RGB")
    elif image.mode not in _ICC_SPACE:
        image = image.convert("L" if image.mode == "1" else "RGB")
    if alpha is not None and alpha.min() == np.iinfo(alpha.dtype).max:
        alpha = None
    return image, alpha


def _to_srgb(image: Image.Image, profile: bytes) -> tuple[Image.Image, str]:
    """The image in sRGB, and what the record says of its profile."""
    try:
        space, description, transform = _transform(profile, image.mode)
    except (OSError, ImageCms.PyCMSError, TypeError, ValueError):
        return image, "unreadable, ignored"
    if space != _ICC_SPACE[image.mode]:
        return image, f"{description}: for {space} and not for {_ICC_SPACE[image.mode]} pixels, ignored"
    if transform is None:
        return image, description
    return transform.apply(image), description


@functools.lru_cache(maxsize=16)
def _transform(data: bytes, mode: str) -> tuple[str, str, ImageCms.ImageCmsTransform | None]:
    """A profile's colour space, its description, and its transform to sRGB unless that would only add rounding."""
    profile = ImageCms.ImageCmsProfile(io.BytesIO(data))
    space = profile.profile.xcolor_space.strip()
    description = " ".join((profile.profile.profile_description or "without a description").split())
    if space != _ICC_SPACE[mode]:
        return space, description, None
    transform = ImageCms.ImageCmsTransform(
        profile,
        ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")),
        mode,
        "RGB",
        ImageCms.Intent.RELATIVE_COLORIMETRIC,
        flags=ImageCms.Flags.BLACKPOINTCOMPENSATION,
    )
    if mode == "CMYK":
        return space, description, transform
    levels = np.stack(np.meshgrid(*[np.arange(0, 256, 15, dtype=np.uint8)] * 3), axis=-1).reshape(1, -1, 3)
    probe = Image.fromarray(levels if mode == "RGB" else np.arange(256, dtype=np.uint8)[None])
    change = np.asarray(transform.apply(probe)).astype(int) - np.asarray(probe.convert("RGB"))
    return space, description, None if np.abs(change).max() <= 1 else transform
