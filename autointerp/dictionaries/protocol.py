"""What the program asks of a dictionary: features out of a model's activations, and their decoder directions."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from jaxtyping import Float, Int
from torch import Tensor


@runtime_checkable
class Dictionary(Protocol):
    """A sparse autoencoder, or anything else that yields non-negative features at a hookpoint."""

    @property
    def name(self) -> str: ...

    @property
    def hookpoint(self) -> str:
        """Where in the model it reads, in TransformerLens's names."""
        ...

    @property
    def prepend_bos(self) -> bool | None:
        """Whether it was trained on texts that begin with the beginning-of-text token; None where it does not say."""
        ...

    @property
    def d_in(self) -> int: ...

    @property
    def d_sae(self) -> int: ...

    @property
    def fingerprint(self) -> str:
        """Changes with anything that changes its numbers."""
        ...

    @property
    def decoder(self) -> Float[Tensor, "d_sae d_in"]:
        """One direction a feature."""
        ...

    def to(self, device: str) -> Dictionary:
        """The same dictionary on another device."""
        ...

    def encode(
        self, inputs: Float[Tensor, "n d_in"], features: Int[Tensor, " k"] | None = None
    ) -> Float[Tensor, "n k"]:
        """Activations of the chosen features, or of all."""
        ...

    def sparse(
        self, inputs: Float[Tensor, "n d_in"]
    ) -> tuple[Int[Tensor, " nonzero"], Int[Tensor, " nonzero"], Float[Tensor, " nonzero"]]:
        """All activations above zero: their rows (ascending), features and values."""
        ...

    def preactivations(
        self, inputs: Float[Tensor, "n d_in"], features: Int[Tensor, " k"]
    ) -> tuple[Float[Tensor, "n k"], Int[Tensor, "n k"], Float[Tensor, " n"]]:
        """What the chosen features were before gating, their rank among all (0 = highest), and the cut.

        The cut is what a pre-activation must reach to pass: the k-th highest for top-k, and 0 for all others.
        """
        ...
