"""The runtime that a latency budget is for, looked at before a search."""

from types import SimpleNamespace

from ganprune.gan_models.networks.specs import InputSpec
from ganprune.search.config import StudyConfig
from ganprune.search.preflight.launch import Launch, Placement
from ganprune.search.preflight.runtime_check import runtime_rules

from ...tiny_study import SMALL


def found(*runtimes: tuple[str, str]) -> list[tuple[str, str]]:
    config = StudyConfig(name="a", **SMALL)
    config = SimpleNamespace(
        own_inputs=InputSpec.parse("3,16,16"),
        model=config.model,
        model_args=config.model_args,
        output="",
        value_ranges=config.value_ranges,
    )
    profiles = {f"cost{i}": SimpleNamespace(runtime=runtime) for i, runtime in enumerate(runtimes)}
    study = SimpleNamespace(config=config, profiles=profiles)
    return [(each.kind, each.line) for each in runtime_rules(Launch(config, Placement(), ".", study))]


def test_a_search_that_aims_at_a_runtime_is_told_what_falls_back():
    """In 8 bits ONNX Runtime has no transposed convolution; on LiteRT rewrites remove what there is."""
    notes = found(("onnxruntime", "int8"))
    assert [kind for kind, _ in notes] == ["note", "note"]
    assert any("falls back: 2 conv_transpose2d (" in line and "model.11, model.14" in line for _, line in notes)
    ((kind, line),) = found(("litert", "float32"))
    assert kind == "passed"
    assert "transposed-convolution" in line


def test_other_budgets_aim_at_no_runtime():
    """MACs have no profile, PyTorch no rules."""
    assert found() == []
    assert found(("eager", "float32"), ("", "")) == []
