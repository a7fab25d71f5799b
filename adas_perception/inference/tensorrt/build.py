"""Building an engine from an ONNX file.

TensorRT reports trouble by its return values: None, False, -1. Here every one of them becomes a BuildError.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from adas_perception.inference.backend import ModelError
from adas_perception.inference.tensorrt.api import last_errors, make_logger
from adas_perception.inference.tensorrt.calibration import make_calibrator
from adas_perception.inference.tensorrt.options import PRESETS, BuildOptions
from adas_perception.inference.tensorrt.progress import make_monitor

MIB = 1 << 20
Progress = Callable[[float], None]  # percent done, 0..100


class BuildError(ModelError):
    """TensorRT cannot make an engine of this file; the message has its reasons."""


@dataclass(frozen=True)
class Built:
    """A serialized engine, and what TensorRT learned about the speed of its kernels while it built."""

    plan: bytes
    timing_cache: bytes


def strongly_typed(trt: Any, options: BuildOptions) -> bool:
    """Return whether the graph alone decides the precision.

    So it is wherever strong typing exists, except on a DLA before TensorRT 11, which takes no explicit quantization.
    """
    exists = hasattr(trt.NetworkDefinitionCreationFlag, "STRONGLY_TYPED")
    weak_exists = hasattr(trt.BuilderFlag, "FP16")
    return exists and not (options.on_dla and weak_exists)


def build_engine(
    trt: Any,
    model: Path,
    options: BuildOptions,
    *,
    timing_cache: bytes = b"",
    calibration_cache: Path | None = None,
    progress: Progress | None = None,
) -> Built:
    """Build an engine for this machine's GPU; takes minutes on a Jetson.

    ``calibration_cache`` is for INT8 on a DLA before TensorRT 11, where scales cannot come from the graph.
    Raises BuildError.
    """
    logger = make_logger(trt)
    builder = trt.Builder(logger)
    if builder is None:
        raise BuildError(f"{model.name}: TensorRT cannot start a builder ({last_errors(logger)})")
    network = builder.create_network(_network_flags(trt, options))
    parser = trt.OnnxParser(network, logger)
    config = builder.create_builder_config()
    if options.on_dla:
        _use_dla(trt, builder, config, parser, options)
    _parse(parser, network, model)
    _set_precision(trt, network, config, options, model, calibration_cache)
    _tune(trt, config, options)
    _set_batches(builder, config, network, options, model)
    cache = config.create_timing_cache(timing_cache) or config.create_timing_cache(b"")
    config.set_timing_cache(cache, False)
    if progress is not None and hasattr(config, "progress_monitor"):
        config.progress_monitor = make_monitor(trt, progress)
    plan = builder.build_serialized_network(network, config)
    if plan is None:
        raise BuildError(f"{model.name}: TensorRT {trt.__version__} cannot build it: {last_errors(logger)}")
    if progress is not None:
        progress(100.0)
    learned = config.get_timing_cache()
    return Built(bytes(plan), bytes(learned.serialize()) if learned is not None else b"")


def _network_flags(trt: Any, options: BuildOptions) -> int:
    flag, value = trt.NetworkDefinitionCreationFlag, 0
    if hasattr(flag, "EXPLICIT_BATCH"):
        value |= 1 << int(flag.EXPLICIT_BATCH)
    # The bit of this flag differs between releases.
    if strongly_typed(trt, options):
        value |= 1 << int(flag.STRONGLY_TYPED)
    return value


def _use_dla(trt: Any, builder: Any, config: Any, parser: Any, options: BuildOptions) -> None:
    # A DLA can be chosen where there is none; only this number tells.
    if builder.num_DLA_cores <= options.dla_core:
        raise BuildError(f"this machine has {builder.num_DLA_cores} DLA cores, there is no core {options.dla_core}")
    config.default_device_type = trt.DeviceType.DLA
    config.DLA_core = options.dla_core
    config.set_flag(trt.BuilderFlag.GPU_FALLBACK)
    if hasattr(trt.OnnxParserFlag, "ADJUST_FOR_DLA"):
        parser.set_flag(trt.OnnxParserFlag.ADJUST_FOR_DLA)


def _parse(parser: Any, network: Any, model: Path) -> None:
    if not parser.parse(model.read_bytes()):
        reasons = "; ".join(str(parser.get_error(i).desc()) for i in range(min(parser.num_errors, 3)))
        raise BuildError(f"{model}: the ONNX parser of TensorRT refuses it: {reasons}")
    # The parser calls rubbish and an empty file a success.
    if network.num_outputs == 0 or network.num_inputs == 0:
        raise BuildError(f"{model}: holds no network; export it again")


def _set_precision(
    trt: Any, network: Any, config: Any, options: BuildOptions, model: Path, calibration_cache: Path | None
) -> None:
    if strongly_typed(trt, options):
        _expect_precision(trt, network, options, model)
        return
    # Before strong typing a flag permits a precision; Q/DQ graphs need the permission too.
    if options.precision in ("fp16", "int8"):
        config.set_flag(trt.BuilderFlag.FP16)
    if options.precision == "int8":
        config.set_flag(trt.BuilderFlag.INT8)
        if options.on_dla:
            config.int8_calibrator = make_calibrator(trt, calibration_cache)


def _expect_precision(trt: Any, network: Any, options: BuildOptions, model: Path) -> None:
    """Refuse a file that does not hold what the user asked for, or the engine would silently be slower."""
    layers = [network.get_layer(i) for i in range(network.num_layers)]
    holds_int8 = any(layer.type == trt.LayerType.QUANTIZE for layer in layers)
    holds_fp16 = any(layer.get_output(0).dtype == trt.DataType.HALF for layer in layers if layer.num_outputs)
    holds = {"fp32": not (holds_int8 or holds_fp16), "fp16": holds_fp16 and not holds_int8, "int8": holds_int8}
    if not holds[options.precision]:
        found = next(name for name in ("int8", "fp16", "fp32") if holds[name])
        raise BuildError(
            f"{model}: is {found}, asked for {options.precision}; TensorRT {trt.__version__} takes the precision from "
            f"the file: convert it with 'adas quantise'"
        )


def _tune(trt: Any, config: Any, options: BuildOptions) -> None:
    level, timings, streams = PRESETS[options.preset]
    config.set_memory_pool_limit(trt.MemoryPoolType.WORKSPACE, options.workspace_mb * MIB)
    config.builder_optimization_level = level
    config.avg_timing_iterations = timings
    if streams is not None:
        config.max_aux_streams = streams
    config.profiling_verbosity = trt.ProfilingVerbosity.DETAILED  # or the report could not name the layers' precision


def _set_batches(builder: Any, config: Any, network: Any, options: BuildOptions, model: Path) -> None:
    profile = builder.create_optimization_profile()
    dynamic = False
    for tensor in (network.get_input(i) for i in range(network.num_inputs)):
        batch, *rest = tuple(tensor.shape)
        if min(rest, default=1) < 0:
            raise BuildError(f"{model}: input {tensor.name} has the shape {(batch, *rest)}; only the batch may vary")
        if batch < 0:
            profile.set_shape(tensor.name, *((size, *rest) for size in options.batches))
            dynamic = True
        elif options.batches != (batch, batch, batch):
            raise BuildError(f"{model}: its batch is {batch}, asked for {options.batches}; export it with a free batch")
    if not dynamic:
        return
    # A profile whose sizes do not rise says so only in this way.
    if not profile or config.add_optimization_profile(profile) < 0:
        raise BuildError(f"{model}: batches {options.batches} are not smallest, tuned, largest")
