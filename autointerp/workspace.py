"""All that a run over a model works with: the subject, its activations over a corpus, a lexicon, a masked model."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, replace
from pathlib import Path

from autointerp import demo, terminal
from autointerp.activation_cache import ActivationCache
from autointerp.cache import cache_folder
from autointerp.corpus import Documents, read_documents
from autointerp.lexicons import DefaultLexicon
from autointerp.models import TransformerSubject
from autointerp.options import CorpusOptions
from autointerp.remapped_infill import load_infiller
from autointerp.store import Store, collect
from dsl.errors import InputError
from probes.subject import Infiller


@dataclass(frozen=True, eq=False)
class Workspace:
    """Open and ready; `infiller` is None where no masked model was named."""

    subject: TransformerSubject
    store: Store
    lexicon: DefaultLexicon
    infiller: Infiller | None

    def index_of(self, name: str) -> int:
        """As `index_of` of the subject."""
        return index_of(self.subject, name)


def index_of(subject: TransformerSubject, name: str) -> int:
    """The index of a feature given as `hookpoint/index` or as the index alone; InputError says what there is."""
    hookpoint, _, number = name.rpartition("/")
    if not number.isdecimal() or hookpoint not in ("", subject.hookpoint):
        raise InputError(
            f"{name!r} is no feature of {subject.dictionary_name}; "
            f"write {subject.hookpoint}/0 to {subject.hookpoint}/{subject.d_sae - 1}"
        )
    return subject.feature(int(number)).index


def load_subject(options: CorpusOptions) -> TransformerSubject:
    """The model and its dictionary alone, without text; with neither named, those of the embedded demo."""
    if options.model is None and options.sae is None:
        options = complete(options)
    if options.model is None or options.sae is None:
        raise InputError("a model of your own needs both --model and --sae; name neither to use the embedded one")
    return TransformerSubject.load(options.model, options.sae, device=options.device)


def complete(options: CorpusOptions) -> CorpusOptions:
    """The options with the embedded demo filled in where nothing is named; half a model is an InputError."""
    if options.model is None and options.sae is None:
        paths = demo.paths()
        filled = replace(options, model=str(paths.lm), sae=paths.sae)
        return replace(filled, corpus=options.corpus or paths.corpus, mlm=options.mlm or paths.mlm)
    missing = [f"--{name}" for name in ("model", "sae", "corpus") if getattr(options, name) is None]
    if missing:
        raise InputError(f"a model of your own also needs {' and '.join(missing)}; name none to use the embedded one")
    return options


def open_workspace(options: CorpusOptions, *, collecting: bool = True) -> Workspace:
    """Load everything; the corpus is run once, and its activations are kept for the next time.

    Without `collecting` the store must stand already: worker processes open what their parent made.
    """
    options = complete(options)
    assert options.model is not None
    assert options.sae is not None
    assert options.corpus is not None
    subject = TransformerSubject.load(options.model, options.sae, device=options.device)
    subject.cache = ActivationCache(cache_folder("probes.sqlite3"))
    documents = read_documents(options.corpus)
    folder = options.store or _store_folder(subject, documents, options.context_tokens)
    if collecting:
        with terminal.progress("reading the corpus") as advance:
            store = collect(subject, documents, folder, context_tokens=options.context_tokens, progress=advance)
    else:
        store = Store.open(folder, verify=False)
    lexicon, infiller = DefaultLexicon(), None
    lexicon.prepare()
    if options.mlm is not None:
        infiller = load_infiller(options.mlm, subject.vocabulary, device=options.device)
    return Workspace(subject, store, lexicon, infiller)


def collect_store(options: CorpusOptions, *, as_json: bool) -> None:
    """`autointerp collect`: make or complete a store, and say what it holds."""
    workspace = open_workspace(replace(options, mlm=None))
    store = workspace.store
    summary = {
        "store": str(store.folder),
        "documents": int(store.manifest["corpus"]["documents"]),
        "contexts": len(store.contexts.lengths),
        "tokens": store.tokens,
        "features": store.d_sae,
        "live_features": len(store.live_features()),
        "activations": int(store.counts.sum()),
    }
    if as_json:
        terminal.print_line(summary)
        return
    for name, value in summary.items():
        print(f"{name.replace('_', ' '):>14}  {value:,}" if isinstance(value, int) else f"{name:>14}  {value}")


def build_demo(text: Path, out: Path, *, as_json: bool) -> None:
    """`autointerp demo build`: train the demo's models from a text and measure them."""
    from autointerp.demo.build import build

    with terminal.steps() as advance:
        figures = build(text, out, progress=advance).as_json()
    if as_json:
        terminal.print_line(figures)
    else:
        print(json.dumps(terminal.rounded(figures), indent=2))


def _store_folder(subject: TransformerSubject, documents: Documents, context_tokens: int | None) -> Path:
    """One folder for each model, dictionary and corpus file, so that no run meets another's store."""
    path = documents.path.resolve()
    stat = path.stat()
    key = json.dumps([subject.fingerprint, str(path), stat.st_size, stat.st_mtime_ns, context_tokens], sort_keys=True)
    return cache_folder("stores", hashlib.sha256(key.encode()).hexdigest()[:20])
