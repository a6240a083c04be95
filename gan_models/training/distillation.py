"""Distillation from a teacher: the outputs' L1 and features matched through trained 1x1 maps.

After GAN Compression (Li et al. 2020, eq. 4): features of the student, mapped by a learnable 1x1 convolution
to the teacher's channels, should equal the teacher's. Ours: the layers are found, not named (modules of the
same name whose channels differ, evenly spaced in order of execution); each layer's squared error is a share
of the teacher's variance there, so that one weight fits every network; maps start at the least-squares
solution, so that inherited channels match from the first step.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager

import torch
from torch import Tensor, nn

from ..tasks.losses import l1

_FIT_ROWS = 16384  # positions that the first solution is fitted on
_RIDGE = 1e-4


@contextmanager
def recorded(module: nn.Module, names: Sequence[str]) -> Iterator[dict[str, Tensor]]:
    """While open, holds the output of each named submodule's first call."""
    outputs: dict[str, Tensor] = {}

    def keep(name: str):
        def hook(_module: nn.Module, _inputs: tuple[Tensor, ...], output: object) -> None:
            if isinstance(output, Tensor):
                outputs.setdefault(name, output)

        return hook

    modules = dict(module.named_modules())
    handles = [modules[name].register_forward_hook(keep(name)) for name in names]
    try:
        yield outputs
    finally:
        for handle in handles:
            handle.remove()


def _features(module: nn.Module, names: Sequence[str], inputs: tuple[Tensor, ...]) -> dict[str, Tensor]:
    """Return outputs of the named submodules for these inputs, in order of execution, eval mode, no gradient."""
    was_training = module.training
    module.eval()
    with torch.no_grad(), recorded(module, names) as outputs:
        module(*inputs)
    module.train(was_training)
    return outputs


class FeatureMatching(nn.Module):
    """The 1x1 maps from one student to its teacher, and the loss over them.

    Args:
        student: the generator that is trained.
        teacher: a generator with submodules of the same names.
        inputs: a batch that layers are found and the maps fitted with.
        layers: at most so many layers; 0 are found where no channels differ, and the loss is then 0.

    Attributes:
        layers: names of the matched submodules, in order of execution.
    """

    def __init__(self, student: nn.Module, teacher: nn.Module, inputs: tuple[Tensor, ...], layers: int) -> None:
        super().__init__()
        own = {name: module for name, module in student.named_modules() if not list(module.children())}
        others = {name for name, module in teacher.named_modules() if not list(module.children())}
        names = [name for name in own if name in others]
        mine, theirs = _features(student, names, inputs), _features(teacher, names, inputs)
        found = [name for name in mine if name in theirs and _differs(mine[name], theirs[name])]
        # Norms and activations repeat what the convolution before them gave.
        convolutions = [name for name in found if isinstance(own[name], nn.modules.conv._ConvNd)]
        found = convolutions or found
        if len(found) > layers:
            found = [found[(2 * i + 1) * len(found) // (2 * layers)] for i in range(layers)]
        self.layers = tuple(found)
        self.maps = nn.ModuleList(_fitted(mine[name], theirs[name]) for name in found)

    def forward(self, mine: Mapping[str, Tensor], theirs: Mapping[str, Tensor]) -> Tensor:
        """Mean over the layers of |map(student) - teacher|^2 / variance of the teacher's features."""
        losses = []
        for name, convert in zip(self.layers, self.maps, strict=True):
            goal = theirs[name].float()
            error = (_mapped(convert, mine[name]).float() - goal).square().mean()
            losses.append(error / (goal.var() + 1e-6))
        return torch.stack(losses).mean() if losses else torch.zeros(())


def _differs(a: Tensor, b: Tensor) -> bool:
    return a.dim() == b.dim() >= 3 and a.shape[1] != b.shape[1] and a.shape[2:] == b.shape[2:]


def _mapped(convert: nn.Module, features: Tensor) -> Tensor:
    if features.dim() == 4:
        return convert(features)
    return convert(features.flatten(2).unsqueeze(-1)).squeeze(-1).unflatten(2, features.shape[2:])


def _fitted(mine: Tensor, theirs: Tensor) -> nn.Conv2d:
    """A 1x1 convolution at the ridge solution of theirs = W mine + b."""
    convert = nn.Conv2d(mine.shape[1], theirs.shape[1], 1).to(mine.device)
    rows, goals = (t.movedim(1, -1).flatten(0, -2) for t in (mine, theirs))
    stride = max(1, len(rows) // _FIT_ROWS)
    rows, goals = rows[::stride].double(), goals[::stride].double()
    center, goal_center = rows.mean(0), goals.mean(0)
    rows, goals = rows - center, goals - goal_center
    gram = rows.T @ rows
    ridge = _RIDGE * gram.diagonal().mean().clamp_min(1e-12)
    weight = torch.linalg.solve(
        gram + ridge * torch.eye(len(gram), device=gram.device, dtype=gram.dtype), rows.T @ goals
    )
    with torch.no_grad():
        convert.weight.copy_(weight.T[..., None, None])
        assert convert.bias is not None
        convert.bias.copy_(goal_center - center @ weight)
    return convert


class Distillation(nn.Module):
    """All that the students learn from their teachers.

    Args:
        students: generators that are trained, by name.
        teachers: their teachers; may lack some names.
        inputs: one batch of what each generator takes.
        output_weight: weight of |student(x) - teacher(x)|.
        feature_weight: weight of the feature loss.
        layers: at most so many matched layers a generator.
    """

    def __init__(
        self,
        students: Mapping[str, nn.Module],
        teachers: Mapping[str, nn.Module],
        inputs: Mapping[str, tuple[Tensor, ...]],
        output_weight: float,
        feature_weight: float,
        layers: int,
    ) -> None:
        super().__init__()
        self.output_weight, self.feature_weight = output_weight, feature_weight
        self._students = {name: students[name] for name in students if name in teachers}
        self._teachers = {name: teachers[name] for name in self._students}
        self.matching = nn.ModuleDict(
            {
                name: FeatureMatching(self._students[name], teachers[name], inputs[name], layers)
                for name in self._students
                if feature_weight > 0
            }
        )

    @contextmanager
    def watching(self) -> Iterator[dict[str, dict[str, Tensor]]]:
        """While open, holds the students' matched features of their first call, by generator name."""
        with ExitStack() as stack:
            yield {
                name: stack.enter_context(recorded(self._students[name], self._layers(name))) for name in self.matching
            }

    def forward(
        self,
        inputs: Mapping[str, tuple[Tensor, ...]],
        outputs: Mapping[str, Tensor],
        features: Mapping[str, Mapping[str, Tensor]],
    ) -> dict[str, Tensor]:
        """Weighted terms "<name>.distill_output" and "<name>.distill_features".

        Args:
            inputs: what each student was given.
            outputs: what it gave.
            features: what `watching` held.
        """
        terms: dict[str, Tensor] = {}
        for name, teacher in self._teachers.items():
            with torch.no_grad(), recorded(teacher, self._layers(name)) as theirs:
                goal = teacher(*inputs[name])
            if self.output_weight > 0:
                terms[f"{name}.distill_output"] = self.output_weight * l1(outputs[name], goal)
            if self._layers(name):
                loss = self.matching[name](features[name], theirs)
                terms[f"{name}.distill_features"] = self.feature_weight * loss
        return terms

    def _layers(self, name: str) -> tuple[str, ...]:
        matching = dict(self.matching.items()).get(name)
        return matching.layers if isinstance(matching, FeatureMatching) else ()
