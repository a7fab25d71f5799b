"""INT8 conversion: what TensorRT would refuse is found, what is written passes, and a worse file is refused."""

import numpy as np
import pytest

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

from onnx import TensorProto, helper, numpy_helper  # noqa: E402

from adas_perception.models.quantise import QuantiseConfig, Verdict, decoding_nodes, lint, quantise  # noqa: E402


def network(folder):
    """A convolution with bias on a uint8 picture (1, 8, 8, 3), and a sum with a constant behind it."""
    rng = np.random.default_rng(0)
    weights = {"w": rng.normal(size=(4, 3, 3, 3)), "b": rng.normal(size=4), "grid": rng.normal(size=(1, 4, 8, 8))}
    nodes = [
        helper.make_node("Cast", ["picture"], ["f"], "cast", to=TensorProto.FLOAT),
        helper.make_node("Transpose", ["f"], ["t"], "transpose", perm=[0, 3, 1, 2]),
        helper.make_node("Conv", ["t", "w", "b"], ["c"], "conv", pads=[1, 1, 1, 1]),
        helper.make_node("Add", ["c", "grid"], ["boxes"], "decode"),
    ]
    graph = helper.make_graph(
        nodes, "net", [helper.make_tensor_value_info("picture", TensorProto.UINT8, [1, 8, 8, 3])],
        [helper.make_tensor_value_info("boxes", TensorProto.FLOAT, [1, 4, 8, 8])],
        [numpy_helper.from_array(v.astype(np.float32), k) for k, v in weights.items()],
    )  # fmt: skip
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(model, str(folder / "net.onnx"))
    return folder / "net.onnx"


def layers(folder):
    """A layer with ReLU6 whose inputs reach far below zero, and a layer whose answer is the exponent of an edge."""
    rng = np.random.default_rng(0)
    weights = {"w": rng.normal(size=(4, 3, 3, 3)) - 0.3, "e": rng.normal(size=(4, 4, 1, 1)) * 0.01,
               "low": np.float32(0.0), "high": np.float32(6.0)}  # fmt: skip
    nodes = [
        helper.make_node("Cast", ["picture"], ["f"], "cast", to=TensorProto.FLOAT),
        helper.make_node("Transpose", ["f"], ["t"], "transpose", perm=[0, 3, 1, 2]),
        helper.make_node("Conv", ["t", "w"], ["c"], "conv", pads=[1, 1, 1, 1]),
        helper.make_node("Clip", ["c", "low", "high"], ["r"], "relu6"),
        helper.make_node("Conv", ["r", "e"], ["x"], "edges"),
        helper.make_node("Exp", ["x"], ["reach"], "exp"),
    ]
    graph = helper.make_graph(
        nodes, "net", [helper.make_tensor_value_info("picture", TensorProto.UINT8, [1, 8, 8, 3])],
        [helper.make_tensor_value_info("reach", TensorProto.FLOAT, [1, 4, 8, 8])],
        [numpy_helper.from_array(np.asarray(v, np.float32), k) for k, v in weights.items()],
    )  # fmt: skip
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(model, str(folder / "layers.onnx"))
    return folder / "layers.onnx"


def pictures(count=4):
    rng = np.random.default_rng(1)
    return [rng.integers(0, 256, (8, 8, 3), dtype=np.uint8) for _ in range(count)]


@pytest.mark.parametrize("method", ["minmax", "percentile"])
def test_what_is_written_passes_the_lint_and_stays_close(tmp_path, method):
    import onnxruntime

    quantise(network(tmp_path), tmp_path / "int8.onnx", pictures(), QuantiseConfig(method))
    model = onnx.load(str(tmp_path / "int8.onnx"))
    assert lint(model) == []
    assert {"QuantizeLinear", "DequantizeLinear"} <= {n.op_type for n in model.graph.node}
    before, after = (
        onnxruntime.InferenceSession(str(tmp_path / f), providers=["CPUExecutionProvider"]).run(
            None, {"picture": pictures(1)[0][None]}
        )[0]
        for f in ("net.onnx", "int8.onnx")
    )
    assert np.abs(before - after).max() < 0.03 * np.abs(before).max()


def test_nothing_is_quantised_between_a_layer_and_its_relu6(tmp_path):
    quantise(layers(tmp_path), tmp_path / "int8.onnx", pictures(), QuantiseConfig("minmax"))
    graph = onnx.load(str(tmp_path / "int8.onnx")).graph
    makers = {o: n.op_type for n in graph.node for o in n.output}
    assert {makers[n.input[0]] for n in graph.node if n.op_type == "Clip"} == {"Conv"}
    assert [n.op_type for n in graph.node].count("QuantizeLinear") == 1  # the picture; weights are stored so


def test_a_layer_whose_answer_is_an_exponent_stays_in_float(tmp_path):
    assert decoding_nodes(onnx.load(str(layers(tmp_path))).graph) == {"edges"}


def test_sums_that_decode_boxes_stay_in_float(tmp_path):
    assert decoding_nodes(onnx.load(str(network(tmp_path))).graph) == {"decode"}


def test_the_default_settings_of_the_quantiser_are_refused(tmp_path):
    from onnxruntime.quantization import CalibrationDataReader, QuantFormat, quantize_static

    class Reader(CalibrationDataReader):
        feeds = iter([{"picture": p[None]} for p in pictures()])

        def get_next(self):
            return next(self.feeds, None)

    quantize_static(str(network(tmp_path)), str(tmp_path / "u8.onnx"), Reader(), quant_format=QuantFormat.QDQ)
    faults = " ".join(lint(onnx.load(str(tmp_path / "u8.onnx"))))
    assert "zero point" in faults and "dequantises int32" in faults


def test_a_model_without_quantisation_is_no_int8_model(tmp_path):
    assert lint(onnx.load(str(network(tmp_path)))) == ["no Q/DQ nodes at all"]


def test_nodes_that_are_named_stay_in_float(tmp_path):
    with pytest.raises(ValueError, match="no Q/DQ nodes"):
        quantise(network(tmp_path), tmp_path / "x.onnx", pictures(), QuantiseConfig("minmax", exclude=("conv",)))


def test_an_unknown_method_is_one_sentence(tmp_path):
    with pytest.raises(ValueError, match="choose percentile, minmax, entropy"):
        quantise(network(tmp_path), tmp_path / "x.onnx", pictures(), QuantiseConfig("guess"))


@pytest.mark.parametrize(("after", "accepted"), [(0.675, True), (0.6651, True), (0.6649, False), (0.9, True)])
def test_the_gate_allows_its_drop_and_no_more(after, accepted):
    verdict = Verdict(0.675, after, 0.01)
    assert verdict.accepted is accepted and ("accepted" if accepted else "refused") in str(verdict)
