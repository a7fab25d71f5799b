"""The shipped networks through a real parser and builder: TensorRT-RTX builds, though it does not run, without a GPU.

Runs where the wheel is: ``pip install tensorrt-rtx``. It is the parser and builder of the TensorRT 11 family.
"""

import pytest

from adas_perception.inference.models import load_model_spec, model_names
from adas_perception.inference.tensorrt.build import BuildError, build_engine
from adas_perception.inference.tensorrt.options import BuildOptions

trt = pytest.importorskip("tensorrt_rtx", reason="the wheel tensorrt-rtx is not installed")
BATCHES = {"node": (1, 1, 1), "throughput": (1, 4, 8)}
SHIPPED = [(n, p) for n in model_names() if not load_model_spec(n).url for p in ("fp32", *load_model_spec(n).variants)]


@pytest.mark.slow
@pytest.mark.parametrize("batches", BATCHES.values(), ids=BATCHES)
@pytest.mark.parametrize(("name", "precision"), SHIPPED)
def test_every_shipped_file_builds(name, precision, batches):
    seen = []
    model = load_model_spec(name).file(precision)
    built = build_engine(trt, model, BuildOptions(precision, *batches), progress=seen.append)
    assert len(built.plan) > 100_000 and seen[-1] == 100.0


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted({name for name, _ in SHIPPED}))
def test_the_precision_asked_for_must_be_in_the_file(name):
    model = load_model_spec(name).file()
    with pytest.raises(BuildError, match="is fp32, asked for fp16"):
        build_engine(trt, model, BuildOptions("fp16"))


def test_broken_files_are_refused_by_the_real_parser(tmp_path):
    whole = load_model_spec(SHIPPED[0][0]).file().read_bytes()
    for content, said in ((b"", "no network"), (b"xxxx", "no network"), (whole[:1000], "refuses it")):
        (tmp_path / "net.onnx").write_bytes(content)
        with pytest.raises(BuildError, match=said):
            build_engine(trt, tmp_path / "net.onnx", BuildOptions("fp32"))
