"""Building engines: one code path over the real attribute surfaces of six releases, and every way it can fail."""

import dataclasses
import sys

import pytest
from fake_tensorrt import VERSIONS, FakeTensorRt, network_file

from adas_perception.inference import ModelError
from adas_perception.inference.backend import BackendUnavailableError
from adas_perception.inference.tensorrt.api import load_tensorrt
from adas_perception.inference.tensorrt.build import BuildError, build_engine, strongly_typed
from adas_perception.inference.tensorrt.options import BuildOptions
from adas_perception.inference.tensorrt.progress import Percent

DYNAMIC = BuildOptions("fp32", 1, 4, 8)


def built(trt, tmp_path, options=DYNAMIC, **about):
    about.setdefault("precision", options.precision)
    build_engine(trt, network_file(tmp_path / "net.onnx", **about), options)
    return trt.made


def flag_names(trt):
    names = {value: name for name, value in vars(trt.BuilderFlag).items()}
    return {names[flag] for flag in trt.made["config"]._flags}


@pytest.mark.parametrize("dla", [-1, 0])
@pytest.mark.parametrize("precision", ["fp32", "fp16", "int8"])
@pytest.mark.parametrize("version", VERSIONS)
def test_every_release_builds_every_precision_with_its_own_names_only(version, precision, dla, tmp_path):
    trt = FakeTensorRt(version, dla_cores=2)
    options = BuildOptions(precision, 1, 4, 8, dla_core=dla)
    cache = tmp_path / "scales.cache"
    cache.write_bytes(b"scales")
    model = network_file(tmp_path / "net.onnx", precision=precision)
    result = build_engine(trt, model, options, calibration_cache=cache)
    assert result.plan and result.timing_cache
    if strongly_typed(trt, options):
        assert not flag_names(trt) & {"FP16", "INT8"}
    else:
        assert flag_names(trt) >= {"fp32": set(), "fp16": {"FP16"}, "int8": {"FP16", "INT8"}}[precision]
    assert ("GPU_FALLBACK" in flag_names(trt)) == (dla >= 0)


def test_strong_typing_is_asked_for_by_the_bit_of_the_release(tmp_path):
    bits = {"8.6.1": 0b01, "10.3.0": 0b11, "10.13.3": 0b11, "11.0.0": 0b01, "11.4.0": 0b01, "rtx1.7.1": 0b01}
    for version, expected in bits.items():
        made = built(FakeTensorRt(version), tmp_path)
        assert made["network"]._flags == expected, version


def test_batches_workspace_and_preset_reach_the_builder(tmp_path):
    made = built(FakeTensorRt("10.3.0"), tmp_path, BuildOptions("fp32", 1, 4, 8, workspace_mb=64, preset="throughput"))
    config = made["config"]
    assert config._profiles[0]._shapes["x"] == ((1, 4), (4, 4), (8, 4))
    assert list(config._pools.values()) == [64 << 20]
    assert (config.builder_optimization_level, config.max_aux_streams) == (3, 0)
    assert built(FakeTensorRt("10.3.0"), tmp_path)["config"].builder_optimization_level == 5


def test_a_network_of_fixed_batch_needs_no_profile(tmp_path):
    fixed = {"inputs": {"x": [[1, 4], "float32"]}, "outputs": {"y": [[1, 4], "float32"]}}
    assert not built(FakeTensorRt("11.4.0"), tmp_path, BuildOptions("fp32"), **fixed)["config"]._profiles
    with pytest.raises(BuildError, match="its batch is 1, asked for .*export it with a free batch"):
        built(FakeTensorRt("11.4.0"), tmp_path, DYNAMIC, **fixed)


@pytest.mark.parametrize(
    ("about", "options", "said"),
    [
        ({"parse_errors": ["no importer: NonZero", "second"]}, DYNAMIC, "refuses it: no importer: NonZero; second"),
        ({"outputs": {}}, DYNAMIC, "holds no network"),
        ({"inputs": {"x": [[-1, -1], "float32"]}}, DYNAMIC, "only the batch may vary"),
        ({"build_error": "no runner for layer 7"}, DYNAMIC, "cannot build it: no runner for layer 7"),
        ({}, BuildOptions("fp32", 4, 2, 8), "not smallest, tuned, largest"),
        ({"precision": "fp32"}, BuildOptions("fp16", 1, 4, 8), "is fp32, asked for fp16.*adas quantise"),
        ({"precision": "fp16"}, BuildOptions("int8", 1, 4, 8), "is fp16, asked for int8"),
        ({"precision": "int8"}, BuildOptions("fp32", 1, 4, 8), "is int8, asked for fp32"),
        ({}, BuildOptions("fp32", 1, 4, 8, dla_core=0), "0 DLA cores, there is no core 0"),
    ],
)
def test_every_failure_is_one_sentence(about, options, said, tmp_path):
    model = network_file(tmp_path / "net.onnx", **about)
    with pytest.raises(BuildError, match=said):
        build_engine(FakeTensorRt("11.4.0"), model, options)


@pytest.mark.parametrize("content", [b"", b"xxxx"])
def test_rubbish_that_the_parser_calls_a_success_is_refused(content, tmp_path):
    (tmp_path / "net.onnx").write_bytes(content)
    with pytest.raises(BuildError, match="net.onnx: holds no network"):
        build_engine(FakeTensorRt("10.3.0"), tmp_path / "net.onnx", DYNAMIC)


def test_a_builder_that_does_not_start(tmp_path, monkeypatch):
    trt = FakeTensorRt("10.3.0")
    monkeypatch.setattr(trt, "Builder", lambda logger: None)
    with pytest.raises(BuildError, match="cannot start a builder"):
        built(trt, tmp_path)


def test_int8_on_a_dla_of_jetpack_6_takes_its_scales_from_a_file(tmp_path):
    options = BuildOptions("int8", 1, 4, 8, dla_core=0)
    trt = FakeTensorRt("10.3.0", dla_cores=1)
    with pytest.raises(ModelError, match="--calibration-cache.*qdq_translator"):
        built(trt, tmp_path, options)
    scales = tmp_path / "scales.cache"
    scales.write_bytes(b"scales")
    build_engine(trt, network_file(tmp_path / "net.onnx", precision="int8"), options, calibration_cache=scales)
    calibrator = trt.made["config"].int8_calibrator
    assert calibrator.read_calibration_cache() == b"scales"
    assert (calibrator.get_batch_size(), calibrator.get_batch(["x"])) == (1, None)
    assert calibrator.write_calibration_cache(b"new") is None


def test_what_was_learned_about_kernels_goes_from_build_to_build(tmp_path):
    model = network_file(tmp_path / "net.onnx")
    first = build_engine(FakeTensorRt("10.3.0"), model, DYNAMIC)
    second = build_engine(FakeTensorRt("10.3.0"), model, DYNAMIC, timing_cache=first.timing_cache)
    assert second.timing_cache == first.timing_cache + b"+"
    damaged = build_engine(FakeTensorRt("10.3.0"), model, DYNAMIC, timing_cache=b"damaged")
    assert damaged.timing_cache == b"+"


@pytest.mark.parametrize("version", VERSIONS)
def test_progress_rises_to_the_end(version, tmp_path):
    seen = []
    build_engine(FakeTensorRt(version), network_file(tmp_path / "net.onnx"), DYNAMIC, progress=seen.append)
    assert seen == sorted(seen) and seen[-1] == 100.0
    assert len(seen) > 5 or version == "8.6.1"  # which has no progress monitor


def test_percent_counts_nested_phases():
    seen = []
    percent = Percent(seen.append)
    percent.start("build", None, 2)
    percent.start("inner", "build", 4)
    percent.step("inner", 1)
    percent.finish("inner")
    percent.step("build", 0)
    percent.step("unknown", 3)
    percent.finish("build")
    percent.start("orphan", "gone", 1)
    percent.step("orphan", 0)
    assert seen == [25.0, 50.0]


def test_options_are_checked():
    with pytest.raises(ValueError, match="precision: 'fp8' is not one of fp32, fp16, int8"):
        BuildOptions("fp8")
    assert dataclasses.replace(DYNAMIC, dla_core=1).on_dla and not DYNAMIC.on_dla


# --- finding TensorRT ---


def test_rtx_serves_where_tensorrt_is_not(monkeypatch):
    trt = FakeTensorRt("rtx1.7.1")
    monkeypatch.setitem(sys.modules, "tensorrt", None)
    monkeypatch.setitem(sys.modules, "tensorrt_rtx", trt)
    assert load_tensorrt() is trt


def test_a_library_that_does_not_load_is_named(monkeypatch):
    def broken(name):
        raise OSError("libnvinfer.so.10: cannot open shared object file")

    monkeypatch.setattr("adas_perception.inference.tensorrt.api.importlib.import_module", broken)
    with pytest.raises(BackendUnavailableError, match="does not load .libnvinfer.so.10"):
        load_tensorrt()
