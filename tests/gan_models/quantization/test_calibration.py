"""Training in 8 bits: ranges follow the data, an interruption changes nothing, and float weights are what is left."""

import copy

import pytest
import torch
from ganprune.gan_models.quantization.calibration import BUFFER, MOMENTUM, Quantizer, calibrate
from ganprune.gan_models.quantization.fake_quant import quantized_call
from ganprune.gan_models.quantization.settings import LayerRanges, Quantization, QuantSettings
from ganprune.gan_models.training.loop import train
from ganprune.gan_models.training.recipe import Recipe
from torch import nn

from ..training.small import data_for, networks_for, task_named, teachers_for

SETTINGS = QuantSettings(per_channel=True)


def line() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Conv2d(4, 2, 1))


def test_ranges_move_in_training_and_stand_still_in_evaluation():
    """The first batch sets a range, each later one moves it by a tenth, eval mode leaves it; then all is float again."""
    model, x = line(), torch.randn(2, 3, 8, 8)
    names, plain = list(model.state_dict()), model(x)
    quantizer = Quantizer(model, SETTINGS)
    model.train()(x)
    assert quantizer.quantization().ranges["0"].input == (x.min().item(), x.max().item())
    model(2 * x)
    low, high = quantizer.quantization().ranges["0"].input
    assert low == pytest.approx(x.min().item() * (1 + MOMENTUM))
    assert high == pytest.approx(x.max().item() * (1 + MOMENTUM))
    before = model.get_buffer(BUFFER).clone()
    output = model.eval()(5 * x)
    assert torch.equal(model.get_buffer(BUFFER), before)
    found = quantizer.detach()
    assert torch.equal(quantized_call(model, (5 * x,), SETTINGS, ranges=found.ranges), output)
    assert torch.equal(model(x), plain)
    assert list(model.state_dict()) == names
    with pytest.raises(ValueError, match="no convolution or linear"):
        Quantizer(nn.ReLU(), SETTINGS)


def test_calibration_is_the_mean_of_the_batches():
    """Ranges are the means of each batch's extremes, the model stays as it was; a published quantizer needs none."""
    model = line().train()
    batches = [torch.randn(2, 3, 8, 8, generator=torch.Generator().manual_seed(i)) for i in range(3)]
    found = calibrate(model, SETTINGS, batches)
    low, high = found.ranges["0"].input
    assert low == pytest.approx(sum(x.min().item() for x in batches) / 3)
    assert high == pytest.approx(sum(x.max().item() for x in batches) / 3)
    hidden = [model[0](x) for x in batches]
    assert found.ranges["0"].output[1] == pytest.approx(sum(h.max().item() for h in hidden) / 3)
    assert found.ranges["2"].input[0] == 0
    assert model.training
    assert calibrate(model, QuantSettings(scheme="published"), batches).ranges == {}
    with pytest.raises(ValueError, match="got no batch"):
        calibrate(model, SETTINGS, [])


class Interrupted(Exception):
    pass


@pytest.mark.parametrize("case", ["paired", "unconditional"])
@pytest.mark.parametrize("stop", [2, 5])
def test_an_interrupted_quantized_training_goes_on_bit_for_bit(case, stop, tmp_path):
    """Weights and ranges of a training that was stopped and resumed are those of one that was not."""
    recipe = Recipe(batch_size=3, lr=2e-3, distill_output=5.0, distill_features=1.0 if case == "paired" else 0.0)

    def run(seed: int, folder=None, last=None) -> tuple[dict[str, torch.Tensor], Quantization]:
        task = task_named(case)
        networks = networks_for(task, seed)
        generator = networks.generators["G"]
        x = task.inputs(
            {k: torch.stack([e[k] for e in data_for(case)[:3]]) for k in data_for(case)[0]} | {"step": torch.tensor(0)},
            "G",
        )
        quantizer = Quantizer(generator, SETTINGS, calibrate(generator, SETTINGS, [x]))

        def on_step(done, _losses):
            if done == last:
                raise Interrupted

        try:
            train(
                task, networks, data_for(case), recipe, steps=6, seed=0, teacher=teachers_for(task),
                checkpoint_dir=folder, checkpoint_every=1, on_step=on_step,
            )  # fmt: skip
        except Interrupted:
            return {}, quantizer.detach()
        found = quantizer.detach()
        return copy.deepcopy(generator.state_dict()), found

    expected, ranges = run(1)
    run(1, tmp_path, stop)
    weights, found = run(2, tmp_path)
    assert found == ranges
    assert list(weights) == list(expected)
    assert all(torch.equal(weights[name], expected[name]) for name in expected)
    assert BUFFER not in weights
    assert all(isinstance(entry, LayerRanges) for entry in found.ranges.values())


def test_training_sees_the_rounding():
    """A weight far smaller than a step of its grid is rounded to zero in the loss, and still learns."""
    model = nn.Sequential(nn.Linear(2, 1, bias=False))
    with torch.no_grad():
        model[0].weight.copy_(torch.tensor([[1.0, 1e-4]]))
    quantizer = Quantizer(model, QuantSettings())
    x = torch.tensor([[0.0, 1.0]])
    output = model.train()(x)
    assert output.item() == 0
    output.sum().backward()
    assert model[0].weight.grad[0, 1] == pytest.approx(1, abs=0.01)
    quantizer.detach()
