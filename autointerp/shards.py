"""Files of the activation store: shards of arrays and a manifest, each written whole or not at all."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from dsl.errors import StoreError

MANIFEST = "manifest.json"
FORMAT = 1


@dataclass(frozen=True, eq=False)
class Shard:
    """Consecutive contexts and every activation above zero in them, sorted by feature, then position.

    `ids` holds the contexts one after the other, `offsets[i]` is where context i begins. The activations of feature f
    are `values[starts[f]:starts[f + 1]]`, at the same places of `cells`, which index `ids`.
    """

    ids: Int[np.ndarray, " tokens"]
    offsets: Int[np.ndarray, " contexts_and_one"]
    documents: Int[np.ndarray, " contexts"]
    starts: Int[np.ndarray, " features_and_one"]
    cells: Int[np.ndarray, " nonzero"]
    values: Float[np.ndarray, " nonzero"]

    def column(self, feature: int) -> tuple[Int[np.ndarray, " n"], Float[np.ndarray, " n"]]:
        """Where in `ids` the feature is above zero, ascending, and its activations there."""
        part = slice(int(self.starts[feature]), int(self.starts[feature + 1]))
        return self.cells[part], self.values[part]


ARRAYS = tuple(Shard.__dataclass_fields__)


def write_shard(folder: Path, number: int, shard: Shard) -> str:
    """Write a shard beside where it belongs, then rename it there; returns its checksum."""
    final, draft = folder / shard_name(number), folder / f".{shard_name(number)}.part"
    with writing(folder, draft):
        shutil.rmtree(draft, ignore_errors=True)
        draft.mkdir()
        for name in ARRAYS:
            with (draft / f"{name}.npy").open("wb") as file:
                np.save(file, getattr(shard, name))
                file.flush()
                os.fsync(file.fileno())
        checksum = _checksum(draft)
        shutil.rmtree(final, ignore_errors=True)  # one that a killed run renamed but did not enter in the manifest
        draft.rename(final)
    return checksum


def read_shard(folder: Path, number: int, checksum: str | None) -> Shard:
    """Map a shard into memory; raises StoreError where it is gone or does not match its checksum."""
    path = folder / shard_name(number)
    try:
        if checksum is not None and _checksum(path) != checksum:
            raise StoreError(f"{path} is corrupt: it does not match its checksum; remove {folder} and collect again")
        arrays = {name: np.load(path / f"{name}.npy", mmap_mode="r", allow_pickle=False) for name in ARRAYS}
    except (OSError, ValueError) as error:
        raise StoreError(f"{path} cannot be read ({error}); remove {folder} and collect again") from error
    # Plain arrays over the same mapped memory: slicing a memmap costs ten times as much.
    return Shard(**{name: np.asarray(array) for name, array in arrays.items()})


def write_manifest(folder: Path, manifest: Mapping[str, Any]) -> None:
    """Replace the manifest in one step."""
    draft = folder / f".{MANIFEST}.part"
    with writing(folder, draft):
        with draft.open("w", encoding="utf-8") as file:
            json.dump(manifest, file, indent=1, sort_keys=True)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(folder / MANIFEST)


def read_manifest(folder: Path) -> dict[str, Any] | None:
    """The manifest, or None where there is none; raises StoreError for one that is damaged or of another format."""
    path = folder / MANIFEST
    if not path.exists():
        return None
    try:
        manifest = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise StoreError(f"{path} cannot be read ({error}); remove {folder} and collect again") from error
    if not isinstance(manifest, dict) or manifest.get("format") != FORMAT:
        raise StoreError(f"{path} is not of this version's format; remove {folder} and collect again")
    return manifest


def discard(folder: Path) -> None:
    """Take back a manifest that nothing followed, and the folder where it is empty then."""
    (folder / MANIFEST).unlink(missing_ok=True)
    with suppress(OSError):
        folder.rmdir()


@contextmanager
def writing(folder: Path, draft: Path | None = None) -> Iterator[None]:
    """Turn what the file system refuses into a StoreError, and leave no draft behind, ctrl-C included."""
    try:
        yield
    except OSError as error:
        raise StoreError(
            f"{folder} cannot be written: {error.strerror or error}; free space or choose another folder"
        ) from error
    finally:
        if draft is not None and draft.is_dir():
            shutil.rmtree(draft, ignore_errors=True)
        elif draft is not None:
            draft.unlink(missing_ok=True)


def shard_name(number: int) -> str:
    """The folder of a shard."""
    return f"shard-{number:05d}"


def _checksum(path: Path) -> str:
    digest = hashlib.sha256()
    for name in ARRAYS:
        with (path / f"{name}.npy").open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()
