"""The collaboration of two agents: alternating updates on frozen networks, each with the other's last summary.

From the abstract: adversarial training of two pruning agents that exchange feedback and prune pretrained G and D.
Original to ganprune: one step updates the discriminator's agent (it maximizes), then the generator's (it minimizes);
the cost target falls from all channels to its value over the first 70 % of the steps; multipliers follow the cost;
rates fall at the end.

Shapes: C centers, M neighbors drawn per center, d features, E entries of a summary.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from ...files.plain_values import JSON
from ...files.seeds import mixed
from ...groups.channel_groups import ChannelGroups
from ...tasks.losses import discriminator_adversarial, generator_adversarial, l1
from ...tasks.task import Batch, Task, shown
from ...training.compute import PassCount, charge, uncounted
from ...training.optimizer_state import load_optimizer_tensors, optimizer_tensors
from ..differentiable_cost import SoftCost, log_ratio, log_shortfall
from ..gates import gated_call
from ..method import Target
from ..ranking import cost_of
from .agents import AGENTS, gates, gumbel_noise
from .local_density import balance, kernel_loss
from .manifold import Encode, Manifold, Samples
from .settings import MggcSettings

_FALLING_SHARE = 0.7  # share of the steps over which the target falls, at the full learning rate
_MIN_TARGET_SHARE = 0.97  # share of its target below which an own plan is pulled up
_NEIGHBORS_DRAWN = 4  # neighbors per center, if the batch is large enough
_LAST_RATE = 0.1
_WEIGHT_DECAY = 1e-3  # as in the released code of the same authors


@dataclass(frozen=True)
class Stage:
    """The frozen networks and data that the agents act on.

    Attributes:
        task: The task.
        name: Name of the generator.
        teacher: The generator, on the device, eval mode, frozen.
        judge: Its discriminator, also on the device, in eval mode and frozen.
        samples: Inputs by entry of the data.
        encode: Images to features of unit length.
        manifold: The teacher's samples and their neighbors.
        batch_size: Number of images per step.
        seed: Seed of the agents' weights.
    """

    task: Task
    name: str
    teacher: nn.Module
    judge: nn.Module
    samples: Samples
    encode: Encode
    manifold: Manifold
    batch_size: int
    seed: int


@dataclass(frozen=True)
class Player:
    """The network of one agent.

    Attributes:
        model: The frozen network that it gates.
        groups: Its channel groups.
        share: Target as a share of the dense cost.
        cost: The exact, differentiable cost of the regularizer.
        target: The target by which its own plan is priced.
        prior: Term added to its logits, or None.
    """

    model: nn.Module
    groups: ChannelGroups
    share: float
    cost: str
    target: Target
    prior: Tensor | None


class _Side:
    """An agent with its optimizer, cost and multiplier."""

    def __init__(self, player: Player, settings: MggcSettings, seed: int, device: torch.device) -> None:
        self.player, self.settings = player, settings
        self.sizes = player.groups.sizes
        self.agent = AGENTS[settings.agent](self.sizes, seed, player.prior).to(device)
        self.cost = SoftCost(player.groups.form, player.cost)
        self.dense = cost_of(player.groups.form, player.groups.form.sizes, player.target)
        self.weight = settings.weight_cost
        self.rate = settings.lr * self.agent.rate
        self.names: dict[Tensor, str] = {parameter: name for name, parameter in self.agent.named_parameters()}
        # Little momentum: once a target is met, the cost must stop falling at once.
        self.optimizer = torch.optim.AdamW(self.names, lr=self.rate, betas=(0.5, 0.999), weight_decay=_WEIGHT_DECAY)

    def gates(self, logits: Tensor, noise: bool) -> dict[str, Tensor]:
        """Return gates of 0 and 1 by group; without noise those of the agent's own plan."""
        drawn = gumbel_noise(logits) if noise else None
        return gates(logits, self.sizes, self.settings.temperature, self.player.target.floor, drawn)

    def regularizer(self, logits: Tensor, target: float) -> tuple[Tensor, float]:
        """Return the log-ratio of the own plan's cost to a share of the dense cost, and that cost as a share.

        Original to ganprune: without noise, so that the target applies to the plan that is kept. If plans are priced by
        a model without gradient (latency), the exact form's share is scaled to the model's.
        """
        own = self.gates(logits, noise=False)
        share = self.cost(own)
        widths = np.array([round(float(gate.detach().sum())) for gate in own.values()], dtype=np.int64)
        priced = cost_of(self.player.groups.form, widths, self.player.target) / self.dense
        scaled = share * (priced / max(float(share.detach()), 1e-12))
        return log_ratio(scaled, target) + log_shortfall(scaled, _MIN_TARGET_SHARE * target), priced

    def update(self, loss: Tensor, share: float, target: float, rate: float) -> None:
        """Update the agent once; the multiplier rises while its cost is above the target and falls below it."""
        for group in self.optimizer.param_groups:
            group["lr"] = self.rate * rate
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        self.optimizer.step()
        gap = math.log(max(share, 1e-9) / target)
        self.weight = min(1e3, max(0.1, self.weight * math.exp(min(0.2, max(-0.2, gap)))))


class Collaboration:
    """The training phase of both agents. One step draws centers and neighbors of the manifold, not batches of the data.

    Args:
        stage: The frozen networks and data.
        generator: The generator's player.
        discriminator: The discriminator's player, or None if it is not pruned.
        settings: The method's settings.
        steps: Number of steps of the whole phase.
    """

    batches_per_step = 0

    def __init__(
        self, stage: Stage, generator: Player, discriminator: Player | None, settings: MggcSettings, steps: int
    ) -> None:
        self.stage, self.settings, self.steps = stage, settings, steps
        self.device = stage.samples.device
        self.mode = stage.task.adversarial
        self.generator = _Side(generator, settings, mixed(stage.seed, 60), self.device)
        self.discriminator = (
            None if discriminator is None else _Side(discriminator, settings, mixed(stage.seed, 61), self.device)
        )
        self.sides = {"generator": self.generator} | (
            {} if self.discriminator is None else {"discriminator": self.discriminator}
        )
        self.talks = settings.feedback and self.discriminator is not None
        with torch.no_grad():
            self.said = self.generator.agent()[1].detach().clone()
            if self.discriminator is not None:
                answer = self.discriminator.agent(self._heard(self.said))[1]
                self.discriminator.agent.settle(self._heard(self.said))
                self.generator.agent.settle(self._heard(answer))
            else:
                self.generator.agent.settle()

    def step(self, step: int, batch_at: Callable[[], Batch]) -> Mapping[str, float | Tensor]:
        """Update each agent once."""
        if step == 0:
            self._charge_manifold()
        progress = step / self.steps
        rate = (
            1.0
            if progress < _FALLING_SHARE
            else 1 + (_LAST_RATE - 1) * (progress - _FALLING_SHARE) / (1 - _FALLING_SHARE)
        )
        fall = min(1.0, (step + 1) / max(1.0, _FALLING_SHARE * self.steps))
        real, inputs, centers_CE, width_C, condition = self._neighborhoods()
        values: dict[str, float | Tensor] = {}
        listened = None if self.discriminator is None else self.discriminator.agent(self._heard(self.said))
        heard = None if listened is None else self._heard(listened[1])
        logits, summary = self.generator.agent(heard)
        fake = gated_call(
            self.stage.teacher, self.generator.player.groups, self.generator.gates(logits, noise=True), *inputs
        )
        adversarial = self.settings.density in ("adversarial", "both")
        judge_gates = None
        if self.discriminator is not None and listened is not None:
            judge_logits = listened[0]
            judge_gates = self.discriminator.gates(judge_logits, noise=True)
            scores = self._scores(judge_gates, condition, real), self._scores(judge_gates, condition, fake.detach())
            loss = discriminator_adversarial(self.mode, *scores)
            target = self.discriminator.player.share**fall
            cost, share = self.discriminator.regularizer(judge_logits, target)
            values |= {"discriminator_loss": loss.detach(), "discriminator_share": share} | balance(self.mode, *scores)
            total = self.settings.weight_adversarial * loss + self.discriminator.weight * cost
            self.discriminator.update(total, share, target, rate)
            values["discriminator_multiplier"] = self.discriminator.weight
            judge_gates = {name: gate.detach() for name, gate in judge_gates.items()}
        else:
            with torch.no_grad():
                scores = self._scores(None, condition, real), self._scores(None, condition, fake)
                values["discriminator_loss"] = discriminator_adversarial(self.mode, *scores)
                values |= balance(self.mode, *scores)
        terms = {"output": self.settings.weight_output * l1(fake, real)}
        if adversarial:
            loss = generator_adversarial(self.mode, self._scores(judge_gates, condition, fake))
            terms["adversarial"] = self.settings.weight_adversarial * loss
        if self.settings.density in ("kernel", "both"):
            shape = len(centers_CE), -1, centers_CE.shape[1]
            with torch.no_grad():
                original = self.stage.encode(inputs, real).reshape(shape)
            pruned = self.stage.encode(inputs, fake).reshape(shape)
            terms["kernel"] = self.settings.weight_kernel * kernel_loss(centers_CE, original, pruned, width_C)
        target = self.generator.player.share**fall
        cost, share = self.generator.regularizer(logits, target)
        total = torch.stack(list(terms.values())).sum() + self.generator.weight * cost
        self.generator.update(total, share, target, rate)
        self.said = summary.detach().clone()
        values |= {name: term.detach() for name, term in terms.items()}
        return values | {"share": share, "share_wanted": target, "multiplier": self.generator.weight}

    def _charge_manifold(self) -> None:
        """Charge the passes of the manifold's samples, even if another trial made them: this run depends on them."""
        stage, entries = self.stage, self.stage.manifold.entries
        with uncounted(), torch.no_grad(), torch.random.fork_rng(devices=[]):
            inputs = stage.samples.inputs(entries[:1].tolist())
            with PassCount() as count:
                stage.encode(inputs, stage.teacher(*inputs))
        charge(len(entries) * count.macs)

    def _neighborhoods(self) -> tuple[Tensor, tuple[Tensor, ...], Tensor, Tensor, tuple[Tensor, ...]]:
        """Return the original's samples, their inputs, features and kernel widths of centers, and D's conditions."""
        stage, manifold = self.stage, self.stage.manifold
        k = min(self.settings.k, manifold.neighbors.shape[1])
        n_drawn = min(k, _NEIGHBORS_DRAWN, stage.batch_size)
        n_centers = max(1, stage.batch_size // n_drawn)
        centers = torch.randint(len(manifold.entries), (n_centers,)).tolist()
        drawn = torch.cat([manifold.neighbors[c, torch.randperm(k)[:n_drawn]] for c in centers])
        inputs = stage.samples.inputs(manifold.entries[drawn].tolist())
        condition = inputs
        with torch.no_grad():
            real = stage.teacher(*inputs)
            if self.settings.condition == "centre":
                images = stage.teacher(*stage.samples.inputs(manifold.entries[centers].tolist()))
                images = images.repeat_interleave(n_drawn, 0)
                condition = (images, *inputs[1:]) if images.shape == inputs[0].shape else inputs
        widths = torch.tensor([manifold.bandwidth(c, k) for c in centers])
        return real, inputs, manifold.features[centers].to(self.device), widths.to(self.device), condition

    def _scores(
        self, judge_gates: Mapping[str, Tensor] | None, condition: tuple[Tensor, ...], images: Tensor
    ) -> Tensor:
        given = shown(self.stage.task, condition, images)
        if judge_gates is None or self.discriminator is None:
            return self.stage.judge(*given)
        return gated_call(self.stage.judge, self.discriminator.player.groups, judge_gates, *given)

    def _heard(self, summary: Tensor) -> Tensor | None:
        return summary.detach() if self.talks else None

    def logits(self) -> dict[str, dict[str, np.ndarray]]:
        """Return each agent's logit of every channel, by network and group, float64 [size]."""
        with torch.no_grad():
            made: dict[str, Tensor] = {}
            heard = None
            if self.discriminator is not None:
                made["discriminator"], summary = self.discriminator.agent(self._heard(self.said))
                heard = self._heard(summary)
            made["generator"] = self.generator.agent(heard)[0]
        return {
            side: {
                name: part.double().cpu().numpy()
                for name, part in zip(
                    self.sides[side].sizes, flat.split(list(self.sides[side].sizes.values())), strict=True
                )
            }
            for side, flat in made.items()
        }

    def kind_of_step(self, step: int) -> Hashable:
        """Return one kind: every step draws as many samples."""
        return None

    def finished(self, done: int) -> bool:
        """Return False: the schedule needs all steps."""
        return False

    def state(self) -> tuple[dict[str, Tensor], dict[str, JSON]]:
        """Return agents, optimizers, multipliers and the last summaries."""
        tensors = {"said": self.said}
        for name, side in self.sides.items():
            tensors |= {f"{name}/agent/{key}": value for key, value in side.agent.state_dict().items()}
            held = optimizer_tensors(side.optimizer, side.names)
            tensors |= {f"{name}/optimizer/{key}": value for key, value in held.items()}
        return tensors, {name: side.weight for name, side in self.sides.items()}

    def load_state(self, tensors: Mapping[str, Tensor], info: Mapping[str, JSON]) -> None:
        """Restore the result of `state`."""
        self.said = tensors["said"].to(self.device)
        for name, side in self.sides.items():

            def part(prefix: str) -> dict[str, Tensor]:
                return {k.removeprefix(prefix): value for k, value in tensors.items() if k.startswith(prefix)}

            side.agent.load_state_dict(part(f"{name}/agent/"))
            load_optimizer_tensors(side.optimizer, side.names, part(f"{name}/optimizer/"))
            side.weight = float(str(info[name]))
