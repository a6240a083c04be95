"""Distillation from a teacher: the weighted terms of `catalog.TERMS` that a recipe asks for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Any, cast

import torch
from torch import Tensor, nn

from ..files.errors import UserError
from ..files.user_code import load_named
from .catalog import JUDGE, MAPS, TERMS
from .matched_layers import recorded
from .term import Pair, Seen, Term


class Distillation(nn.Module):
    """The distillation loss of all students from their teachers.

    Args:
        pairs: Students with their teachers, by generator name.
        weights: Weights of the terms, by name; 0: off.

    Raises:
        UserError: A term is unknown, or a pair lacks a network that it needs.
    """

    def __init__(self, pairs: Mapping[str, Pair], weights: Mapping[str, float]) -> None:
        super().__init__()
        self.weights = {name: weight for name, weight in weights.items() if weight > 0}
        self._pairs = dict(pairs)
        self.terms = nn.ModuleDict()
        for name in self.weights:
            terms = {generator: make_term(name, pair) for generator, pair in pairs.items()}
            self.terms[_key(name)] = nn.ModuleDict({key: term for key, term in terms.items() if term.compares})

    @contextmanager
    def watching(self) -> Iterator[dict[str, dict[str, Tensor]]]:
        """Record the students' features of their first call while the context is open, by generator name."""
        with ExitStack() as stack:
            yield {
                name: stack.enter_context(recorded(pair.student, self._layers(name)))
                for name, pair in self._pairs.items()
            }

    def forward(
        self,
        inputs: Mapping[str, tuple[Tensor, ...]],
        outputs: Mapping[str, Tensor],
        features: Mapping[str, Mapping[str, Tensor]],
    ) -> dict[str, Tensor]:
        """Return the weighted terms, "<generator>.distill_<term>".

        Args:
            inputs: Inputs of each student.
            outputs: Output of each student.
            features: Features of each student, recorded by `watching`.
        """
        found: dict[str, Tensor] = {}
        for name, pair in self._pairs.items() if self.weights else ():
            with torch.no_grad(), recorded(pair.teacher, self._layers(name)) as theirs:
                goal = pair.teacher(*inputs[name])
            output = outputs[name].float()
            seen = Seen(inputs[name], output, goal.float(), features[name], theirs)
            with torch.autocast(
                output.device.type, enabled=False
            ):  # squares and windows lose too much precision in 16 bits
                for term, weight in self.weights.items():
                    if (own := self._term(term, name)) is not None:
                        found[f"{name}.distill_{term}"] = weight * own(seen)
        return found

    def load_state_dict(self, state_dict: Mapping[str, Any], *args: Any, **more: Any) -> Any:
        """Load the result of `state_dict`; keys of version 0.2 are renamed."""
        renamed = {
            f"terms.features.{key.removeprefix('matching.')}" if key.startswith("matching.") else key: value
            for key, value in state_dict.items()
        }
        return super().load_state_dict(renamed, *args, **more)

    def _term(self, term: str, generator: str) -> Term | None:
        """Return a term of one generator; None if it has nothing to compare."""
        of_generators = cast(nn.ModuleDict, self.terms[_key(term)])
        return cast(Term, of_generators[generator]) if generator in of_generators else None

    def _layers(self, generator: str) -> tuple[str, ...]:
        """Return the layers that any term of a generator reads."""
        terms = [self._term(name, generator) for name in self.weights]
        return tuple(dict.fromkeys(layer for term in terms if term is not None for layer in term.layers))


def make_term(name: str, pair: Pair) -> Term:
    """Return a term of the catalog for a student and its teacher.

    Raises:
        UserError: There is no such term, or the pair lacks what it needs.
    """
    row = TERMS.find(name)
    there = {MAPS: pair.feature_maps, JUDGE: pair.judge}
    for need in row.needs:
        if there[need] is None:
            raise UserError(
                f"distillation term {name} cannot be computed: got no {need}; expected one. Try leaving it out"
            )
    return load_named(row.implementation, "distillation term", __package__)(pair)


def _key(term: str) -> str:
    """Return a term's name without dots, as the name of a submodule."""
    return term.replace(".", "_")
