"""The page that runs generators: its runtime is known by hash, and pictures of any size come out as `run` makes them."""

import io
import os
import tarfile

import numpy as np
import pytest
from ganprune.gan_models.files.errors import UserError
from ganprune.gan_models.networks.specs import InputSpec
from ganprune.studies.api import Study
from ganprune.studies.bundles.inference import run_bundle
from ganprune.studies.in_browser.page_data import WebGenerator, WebInput, WebNetwork, WebSizes
from ganprune.studies.in_browser.web_generators import WebFiles, _check_inputs, common_sizes
from ganprune.studies.in_browser.web_page import web_page, write_web_page
from ganprune.studies.in_browser.web_runtime import BINARY, MODULE, VERSION, read_runtime
from PIL import Image

from ...browser_tab import Tab
from ...tiny_study import made

RUNTIME = os.environ.get("GANPRUNE_WEB_RUNTIME", "")  # of `npm pack`: a package is not kept among the tests
# A runtime whose generators repeat their input `file` times in each direction; it notes what it was given.
STUB = b"""
export const env = { wasm: {} };
export class Tensor { constructor(type, data, dims) { Object.assign(this, { type, data, dims }); } }
export const InferenceSession = { create: async (bytes) => ({ outputNames: ["output"], run: async (feeds) => {
  const names = Object.keys(feeds), x = feeds.input || { data: feeds.z.data.slice(0, 3), dims: [1, 3, 1, 1] };
  (window.fed = window.fed || []).push(names.map((name) => [name, feeds[name].type, feeds[name].dims, String(feeds[name].data[0])]));
  const scale = bytes[0], [, c, h, w] = x.dims, out = new Float32Array(c * h * w * scale * scale);
  for (let i = 0; i < out.length; i++) { const plane = Math.floor(i / (h * w * scale * scale)), at = i % (h * w * scale * scale), row = Math.floor(at / (w * scale)), column = at % (w * scale);
    out[i] = x.data[(plane * h + Math.floor(row / scale)) * w + Math.floor(column / scale)]; }
  return { output: { data: out, dims: [1, c, h * scale, w * scale] } };
} }) };
"""
IMAGE = WebInput("input", "image", (3, 32, 32), -1.0, 1.0, 0)


def files(*inputs, scale=1, stride=4):
    sizes = WebSizes(32, 32, stride, stride, (scale, 1), "" if stride else "the file says so")
    generators = tuple(WebGenerator(f"net-{i}", f"number {i}", "", {}, 1) for i in range(2))
    has_image = any(one.kind == "image" for one in inputs)
    network = WebNetwork("generator", inputs, -1.0, 1.0, sizes if has_image else None, generators, ())
    return WebFiles((network,), {one.file: bytes([scale]) for one in generators})


def package(path, **contents):
    with tarfile.open(path, "w:gz") as made_of:
        for name, content in contents.items():
            entry = tarfile.TarInfo(f"package/dist/{name}")
            entry.size = len(content)
            made_of.addfile(entry, io.BytesIO(content))
    return path


def test_only_the_known_runtime_is_taken(tmp_path):
    """A package of another version, one without the files, a file that is none and no file are refused in one line."""
    (tmp_path / "text.tgz").write_text("no package")
    cases = {
        package(
            tmp_path / "other.tgz", **{MODULE: b"x", BINARY: b"y"}
        ): f"is another version: got {MODULE} with sha384",
        package(tmp_path / "empty.tgz"): f"lacks {MODULE}: expected onnxruntime-web {VERSION}",
        tmp_path: f"lacks {MODULE}",
        tmp_path / "text.tgz": "cannot be read: got",
        tmp_path / "nothing.tgz": "cannot be read: got nothing of this name",
    }
    for path, said in cases.items():
        with pytest.raises(UserError, match=said) as error:
            read_runtime(path)
        assert "Try `npm pack onnxruntime-web@" in str(error.value)
        assert "\n" not in str(error.value)


def test_a_page_asks_nobody_if_it_contains_the_runtime():
    """Its policy names no address; without the runtime it names the files' address alone, with their hashes."""
    alone = web_page("faces", files(IMAGE), {MODULE: b"x", BINARY: b"y"})
    assert "connect-src data: blob:;" in alone
    asking = web_page("faces", files(IMAGE), {})
    assert f"connect-src data: blob: https://cdn.jsdelivr.net/npm/onnxruntime-web@{VERSION}/dist/;" in asking
    assert asking.count('"integrity":"sha384-') == 2
    assert "default-src &#39;none&#39;" in asking


def test_names_are_never_markup():
    """A study's name that looks like markup ends no element and starts none."""
    text = web_page("</script><script>alert(1)</script>", files(IMAGE), {})
    assert text.count("<script") == text.count("</script") == 4  # two generators, the data and the page's own


@pytest.mark.parametrize("inputs", ["image:3,8,8;mask:1,8,8", "lightness:1,8,8", "label:3,8,8", "audio:1,64"])
def test_generators_that_a_visitor_cannot_feed_are_refused(inputs):
    """Masks, lightness, label maps and sounds are nothing that is dropped on a page."""
    with pytest.raises(
        UserError, match="a page takes one picture in RGB or gray, latents and classes: got a generator"
    ):
        _check_inputs(InputSpec.parse(inputs))


def test_pictures_have_a_size_that_all_files_run_at():
    """One file of a fixed size, such as one of 8 bits, fixes it for all; else strides have a common multiple."""
    free = [WebSizes(32, 32, stride, least, (1, 1), "") for stride, least in ((4, 4), (6, 12))]
    fixed = WebSizes(32, 32, 0, 0, (1, 1), "the file says so")
    assert common_sizes([*free, fixed]) == fixed
    found = common_sizes(free)
    assert (found.stride, found.least) == (12, 12)
    assert common_sizes([]) is None


def shown(tab, name):
    """Return the pixels of a canvas [H, W, 3]."""
    height, width, values = tab.value(
        f"(() => {{ const c = document.getElementById('{name}'); return [c.height, c.width, "
        "[...c.getContext('2d').getImageData(0, 0, c.width, c.height).data]]; })()"
    )
    return np.array(values, np.uint8).reshape(height, width, 4)[:, :, :3]


def ran(tab):
    tab.until(
        "document.getElementById('status').textContent.startsWith('Done') || !document.getElementById('alert').hidden"
    )
    assert tab.text("alert") == ""
    assert not tab.errors


@pytest.mark.long
@pytest.mark.parametrize("scale", [1, 2])
def test_pictures_of_any_size_keep_their_size(tmp_path, scale):
    """At its own size a picture is reflected up to the stride and cut again; tiles fade into the same picture."""
    pixels = np.random.default_rng(0).integers(0, 256, (70, 97, 3), np.uint8)
    Image.fromarray(pixels).save(tmp_path / "in.png")
    enlarged = pixels.repeat(scale, 0).repeat(scale, 1)
    path = tmp_path / "page.html"
    for stride, fit, sides in ((4, "own", [[72, 100]]), (4, "tile", [[72, 100]]), (0, "tile", [[32, 32]] * 12)):
        path.write_text(web_page("faces", files(IMAGE, scale=scale, stride=stride), {MODULE: STUB, BINARY: b"y"}))
        with Tab() as tab:
            tab.open(path, "document.documentElement.dataset.ready === 'yes'")
            tab.value(f"document.getElementById('fit').value = '{fit}'")
            tab.drop("#file", tmp_path / "in.png")
            ran(tab)
            assert np.array_equal(shown(tab, "right-output"), enlarged)
            fed = tab.value("window.fed")
            assert [entry[0][2][2:] for entry in fed[: len(sides)]] == sides
            assert "equal" in tab.text("compared")
            tab.drop("#file", path)  # no picture
            tab.until("!document.getElementById('alert').hidden")
            assert tab.text("alert").startswith("page.html is no picture that this browser reads: got text/html")


@pytest.mark.long
def test_latents_are_drawn_from_seeds(tmp_path):
    """A generator of a latent and a class is given the same values for the same seed, and no picture is asked for."""
    inputs = (WebInput("z", "latent", (8,), 0.0, 0.0, 0), WebInput("kind", "label", (), 0.0, 0.0, 10))
    path = tmp_path / "page.html"
    path.write_text(web_page("faces", files(*inputs), {MODULE: STUB, BINARY: b"y"}))
    with Tab() as tab:
        tab.open(path, "document.documentElement.dataset.ready === 'yes'")
        assert tab.value("document.getElementById('drop').hidden")
        for seed in (1, 2, 1):
            tab.value(
                f"document.getElementById('draw-z').value = {seed}; document.getElementById('draw-kind').value = 7"
            )
            tab.value("document.getElementById('status').textContent = ''")
            tab.click("#run")
            ran(tab)
        fed = [tuple(map(str, entry)) for entry in tab.value("window.fed")]
    assert fed[0] == fed[-1]
    assert len(set(fed)) == 2
    assert "kind" in fed[0][1]
    assert "int64" in fed[0][1]
    assert "'7'" in fed[0][1]


@pytest.mark.long
@pytest.mark.skipif(not RUNTIME, reason="needs onnxruntime-web: GANPRUNE_WEB_RUNTIME names the file of `npm pack`")
def test_the_real_runtime_gives_what_run_gives(tmp_path):
    """From a file alone, without a network, a trial's picture is that of `ganprune run`."""
    study = made()
    path = write_web_page(study.record, study.root, tmp_path / "try.html", (1,), RUNTIME)
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (21, 30, 3), np.uint8)).save(tmp_path / "in.png")
    Study(study.record, f"sqlite:///{study.root.parent}/study.db", study.root).export(
        1, tmp_path / "bundle", formats=("onnx",)
    )
    run_bundle(tmp_path / "bundle", tmp_path / "in.png", tmp_path / "out", format="onnx")
    with Tab() as tab:
        tab.open(path, "document.documentElement.dataset.ready === 'yes'")
        tab.drop("#file", tmp_path / "in.png")
        ran(tab)
        found = shown(tab, "right-output").astype(int)
        assert "ms" in tab.text("left-ms")
    expected = np.asarray(Image.open(tmp_path / "out" / "in.png").convert("RGB")).astype(int)
    assert np.abs(found - expected).max() <= 1
