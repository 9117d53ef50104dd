"""A build as steps with keys: what is done stays done, what was changed is done again, and a kill leaves no half."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from dsl.errors import InputError, StoreError

RECIPE = 1
"""Raised whenever the recipe itself changes what it makes: results of an older recipe are made anew."""


class _Entry(BaseModel):
    key: str
    content: str


class _Manifest(BaseModel):
    steps: dict[str, _Entry] = {}


class Steps:
    """Runs named steps into a folder: `out/NAME` appears by rename; the manifest in its `work` folder tells of it.

    A step is skipped when its key (recipe, name, inputs) and the bytes of what it made are those of the manifest.
    """

    def __init__(self, out: Path) -> None:
        """Raises InputError where `out` holds something that no build put there, StoreError where it cannot be made."""
        self._out, self._work = out, out / "work"
        self._file = self._work / "manifest.json"
        if out.exists() and (not out.is_dir() or (any(out.iterdir()) and not self._work.is_dir())):
            raise InputError(f"{out} is not empty and no build of a demo began there; name a new folder")
        try:
            self._work.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StoreError(f"{out} cannot be made: {error.strerror}; name a folder that can be written") from error
        self._manifest = self._read()

    def run(self, name: str, inputs: Mapping[str, Any], make: Callable[[Path, Path, str], None]) -> str:
        """Have `out/name` made unless it is there; returns a digest of its bytes, an input for later steps.

        `make(target, checkpoint, key)` writes the target, a file or a folder that it creates, and may keep a
        checkpoint; it is called again after a kill.
        """
        key = _digest({"recipe": RECIPE, "step": name, **inputs})
        place = self._out / name
        entry = self._manifest.steps.get(name)
        if entry is not None and entry.key == key and place.exists() and content_of(place) == entry.content:
            return entry.content
        flat = name.replace("/", "-")
        target, checkpoint = self._work / f"partial-{flat}", self._work / f"{flat}.checkpoint"
        _remove(target)
        make(target, checkpoint, key)
        _remove(place)
        target.rename(place)
        content = content_of(place)
        self._manifest.steps[name] = _Entry(key=key, content=content)
        self._write()
        # Last: a kill before this line costs a reading of the finished checkpoint, not the training.
        _remove(checkpoint)
        return content

    def _read(self) -> _Manifest:
        if not self._file.is_file():
            return _Manifest()
        try:
            return _Manifest.model_validate_json(self._file.read_bytes())
        except ValidationError as error:
            raise InputError(f"{self._file} is damaged; remove {self._work} and build again") from error

    def _write(self) -> None:
        partial = self._file.with_suffix(".partial")
        partial.write_text(self._manifest.model_dump_json(indent=1) + "\n", encoding="utf-8")
        partial.replace(self._file)


def content_of(place: Path) -> str:
    """SHA-256 over the names and bytes of a file or of a folder's files."""
    digest = hashlib.sha256()
    for path in sorted(place.rglob("*")) if place.is_dir() else [place]:
        if path.is_file():
            with path.open("rb") as file:
                digest.update(
                    f"{path.relative_to(place)}\0{hashlib.file_digest(file, 'sha256').hexdigest()}\n".encode()
                )
    return digest.hexdigest()


def _digest(value: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
