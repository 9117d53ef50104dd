"""Where a local model's files are, and a digest of them: the same name with other weights is another model."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path

from autointerp.cache import cache_folder
from autointerp.loading import first_line
from dsl.errors import InputError

FILES = ("*.json", "*.jinja", "*.model", "*.safetensors")
"""What a model is made of: settings, chat template, tokeniser, weights. No pickles, no code."""


def model_folder(path_or_id: str | Path, revision: str | None = None) -> Path:
    """The folder of a model: itself, or the snapshot of `ID@REVISION` from the local cache or the hub.

    HF_HUB_OFFLINE is respected. Raises InputError where there is no such model, where a hub id comes without a
    revision (a branch such as `main` moves), or where the folder holds no safetensors.

    >>> model_folder("Qwen/Qwen3-4B")
    Traceback (most recent call last):
    dsl.errors.InputError: Qwen/Qwen3-4B is no folder, and a hub id needs a revision: Qwen/Qwen3-4B@COMMIT
    """
    path = Path(path_or_id).expanduser()
    if path.is_dir():
        return _checked(path)
    identifier, _, pinned = str(path_or_id).partition("@")
    pinned = revision or pinned
    if path.exists() or identifier.startswith((".", "/", "~")) or identifier.count("/") > 1:
        raise InputError(f"{path_or_id} is not a folder; name a Hugging Face model folder, or a hub id as ID@COMMIT")
    if not pinned:
        raise InputError(f"{path_or_id} is no folder, and a hub id needs a revision: {path_or_id}@COMMIT")
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HFValidationError

    try:
        return _checked(Path(snapshot_download(identifier, revision=pinned, allow_patterns=list(FILES))))
    except (OSError, HFValidationError) as error:  # errors of requests, of the hub and of being offline are OSErrors
        offline = " (HF_HUB_OFFLINE is set)" if os.environ.get("HF_HUB_OFFLINE") else ""
        raise InputError(
            f"{identifier}@{pinned} is neither a folder nor to be had from the hub{offline}: {first_line(error)}"
        ) from error


def digest_of(folder: Path) -> str:
    """A digest of the names, sizes and contents of a model's files, in hexadecimal.

    Reading gigabytes takes a while, so what a file holds is kept in the cache folder for as long as its size and
    time stay the same.
    """
    digest = hashlib.sha256()
    for path in sorted({path for pattern in FILES for path in folder.glob(pattern)}):
        digest.update(json.dumps([path.name, path.stat().st_size, _contents(path)]).encode())
    return digest.hexdigest()[:16]


def _contents(path: Path) -> str:
    stat = path.stat()
    stamp = [str(path.resolve()), stat.st_size, stat.st_mtime_ns]
    kept = cache_folder("digests", hashlib.sha256(str(path.resolve()).encode()).hexdigest()[:24] + ".json")
    try:
        found = json.loads(kept.read_text(encoding="utf-8"))
        if isinstance(found, dict) and found.get("file") == stamp and isinstance(found.get("sha256"), str):
            return str(found["sha256"])
    except (OSError, ValueError):
        pass  # none is kept, or none that can be read
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    try:
        kept.parent.mkdir(parents=True, exist_ok=True)
        fresh = kept.with_suffix(f".{os.getpid()}")
        fresh.write_text(json.dumps({"file": stamp, "sha256": digest}), encoding="utf-8")
        fresh.replace(kept)
    except OSError:
        pass  # worked out again next time
    return digest


def _checked(folder: Path) -> Path:
    if not (folder / "config.json").is_file():
        raise InputError(f"{folder} holds no config.json, so it is no Hugging Face model folder; name one")
    if not any(folder.glob("*.safetensors")):
        raise InputError(f"{folder} holds no .safetensors weights; save the model with save_pretrained")
    return folder
