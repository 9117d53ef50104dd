"""What a demo is built with: settings are part of the key of a build's steps, so a change rebuilds what it touches."""

from __future__ import annotations

from dataclasses import dataclass, field

SPECIAL_TOKENS = ("<|endoftext|>", "<mask>")
END, MASK = 0, 1
"""Token ids: 0 begins and ends a story, 1 hides a token from the masked model; text holds neither."""


@dataclass(frozen=True, slots=True)
class TokenizerSettings:
    """Byte-level BPE; the vocabulary counts the 256 bytes and the two special tokens."""

    vocabulary: int = 4096


@dataclass(frozen=True, slots=True)
class LanguageModelSettings:
    """GPT-2 architecture, trained by AdamW under a warm-up and a cosine; `batch` rows of `context` tokens a step."""

    layers: int = 4
    width: int = 192
    heads: int = 6
    context: int = 256
    batch: int = 32
    steps: int = 3_866
    learning_rate: float = 2e-3
    warmup: int = 100
    weight_decay: float = 0.1
    bfloat16: bool = True


@dataclass(frozen=True, slots=True)
class DictionarySettings:
    """A top-k sparse autoencoder, trained by Adam whose rate falls linearly over the last `decay` of the steps.

    A feature is dead when it has not fired for `dead_after` tokens; the `auxiliary_k` highest dead ones also learn to
    reconstruct what the others left (Gao et al. 2024, "Scaling and evaluating sparse autoencoders"), at `weight`.
    """

    hookpoint: str = "blocks.2.hook_resid_post"
    features: int = 3_072
    k: int = 16
    context: int = 256
    batch: int = 16
    steps: int = 1_800
    learning_rate: float = 8e-4
    decay: float = 0.3
    dead_after: int = 200_000
    auxiliary_k: int = 64
    auxiliary_weight: float = 0.03


@dataclass(frozen=True, slots=True)
class MaskedModelSettings:
    """A bidirectional model of the language model's shape that starts from its weights."""

    context: int = 128
    batch: int = 48
    steps: int = 2_850
    learning_rate: float = 1.5e-3
    warmup: int = 100
    weight_decay: float = 0.01
    masked: float = 0.2


@dataclass(frozen=True, slots=True)
class CorpusSettings:
    """How the corpus is sampled from the language model; sampling gives up after `attempts` times `stories`."""

    stories: int = 5_000
    temperature: float = 0.9
    shortest: int = 40
    batch: int = 128
    attempts: int = 4


@dataclass(frozen=True, slots=True)
class BuildSettings:
    """One demo. `validation` stories, at most a tenth of the text, are kept from all training and measured on.

    Results depend on the number of threads in their last bits, so that is part of the settings too.
    """

    tokenizer: TokenizerSettings = field(default_factory=TokenizerSettings)
    language_model: LanguageModelSettings = field(default_factory=LanguageModelSettings)
    dictionary: DictionarySettings = field(default_factory=DictionarySettings)
    masked_model: MaskedModelSettings = field(default_factory=MaskedModelSettings)
    corpus: CorpusSettings = field(default_factory=CorpusSettings)
    validation: int = 250
    seed: int = 0
    threads: int = 4
    checkpoint_every: int = 100


FULL = BuildSettings()
"""The size of the embedded demo: about three and a half core-hours, so an hour or more on four idle cores."""

TINY = BuildSettings(
    tokenizer=TokenizerSettings(vocabulary=300),
    language_model=LanguageModelSettings(
        layers=2, width=32, heads=1, context=32, batch=4, steps=60, learning_rate=1e-2, warmup=3, bfloat16=False
    ),
    dictionary=DictionarySettings(
        hookpoint="blocks.0.hook_resid_post", features=64, k=4, batch=8, steps=20, dead_after=2_000, auxiliary_k=16
    ),
    masked_model=MaskedModelSettings(context=32, batch=4, steps=20, warmup=3),
    corpus=CorpusSettings(stories=8, temperature=1.0, shortest=2, batch=32, attempts=60),
    validation=8,
    threads=1,
    checkpoint_every=5,
)
"""The same recipe in seconds, good for nothing but seeing that it runs."""
