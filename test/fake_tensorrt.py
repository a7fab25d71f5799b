"""TensorRT modules that are none, each with the attributes of one real release and no others.

The lists in data/tensorrt_surface.json are ``dir()`` of the classes of the real releases: touching a name that a
release lacks fails here as it would there. Errors are return values, as TensorRT has it. Networks are described by
small JSON files in place of ONNX, see ``network_file``.
"""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

SURFACE = json.loads((Path(__file__).parent / "data" / "tensorrt_surface.json").read_text())
VERSIONS = tuple(SURFACE)


class Limited:
    """An object whose public names are those of its class in one release."""

    _kind = ""

    def __init__(self, trt: Any) -> None:
        object.__setattr__(self, "_trt", trt)

    def _guard(self, name: str) -> None:
        allowed = object.__getattribute__(self, "_trt").surface[type(self)._kind]
        if not name.startswith("_") and name not in allowed:
            version = object.__getattribute__(self, "_trt").__version__
            raise AttributeError(f"TensorRT {version} has no {type(self)._kind}.{name}")

    def __getattribute__(self, name: str) -> Any:
        if not name.startswith("_"):
            object.__getattribute__(self, "_guard")(name)
        return object.__getattribute__(self, name)

    def __setattr__(self, name: str, value: Any) -> None:
        self._guard(name)
        object.__setattr__(self, name, value)


def network_file(path: Path, **about: Any) -> Path:
    """Write a network: inputs and outputs as {name: [shape, dtype]}, precision, parse and build errors."""
    default = {
        "inputs": {"x": [[-1, 4], "float32"]},
        "outputs": {"y": [[-1, 4], "float32"]},
        "precision": "fp32",
        "parse_errors": [],
        "build_error": "",
    }
    path.write_text(json.dumps(default | about))
    return path


class Tensor(Limited):
    _kind = "ITensor"

    def __init__(self, trt: Any, name: str, shape: tuple[int, ...]) -> None:
        super().__init__(trt)
        self.name, self.shape = name, shape


class Network(Limited):
    _kind = "INetworkDefinition"

    def __init__(self, trt: Any, flags: int) -> None:
        super().__init__(trt)
        self._flags, self._about = flags, {"inputs": {}, "outputs": {}, "precision": "fp32"}

    num_inputs = property(lambda self: len(self._about["inputs"]))
    num_outputs = property(lambda self: len(self._about["outputs"]))
    num_layers = property(lambda self: 2)

    def get_input(self, i: int) -> Tensor:
        name, (shape, _) = list(self._about["inputs"].items())[i]
        return Tensor(self._trt, name, tuple(shape))

    def get_layer(self, i: int) -> Any:
        precision = self._about["precision"]
        dtype = self._trt.DataType.HALF if precision == "fp16" else self._trt.DataType.FLOAT
        kind = self._trt.LayerType.QUANTIZE if precision == "int8" and i == 0 else self._trt.LayerType.CONVOLUTION
        return SimpleNamespace(type=kind, num_outputs=1, get_output=lambda _: SimpleNamespace(dtype=dtype))


class Parser(Limited):
    _kind = "OnnxParser"

    def __init__(self, trt: Any, network: Network) -> None:
        super().__init__(trt)
        self._network, self._errors, self._flags = network, [], []
        trt.made["parser"] = self

    num_errors = property(lambda self: len(self._errors))

    def parse(self, data: bytes) -> bool:
        try:
            about = json.loads(data)
        except ValueError:
            return True  # as the real one says of rubbish
        self._errors = about["parse_errors"]
        if not self._errors:
            self._network._about = about
        return not self._errors

    def get_error(self, i: int) -> Any:
        return SimpleNamespace(desc=lambda: self._errors[i])

    def set_flag(self, flag: int) -> None:
        self._flags.append(flag)


class Profile(Limited):
    _kind = "IOptimizationProfile"

    def __init__(self, trt: Any) -> None:
        super().__init__(trt)
        self._shapes: dict[str, Any] = {}
        self._good = True

    def set_shape(self, name: str, low: Any, opt: Any, high: Any) -> None:
        self._good &= all(a <= b <= c for a, b, c in zip(low, opt, high, strict=True))
        self._shapes[name] = (low, opt, high)

    def __bool__(self) -> bool:
        return self._good


class TimingCache(Limited):
    _kind = "ITimingCache"

    def __init__(self, trt: Any, data: bytes) -> None:
        super().__init__(trt)
        self._data = data

    def serialize(self) -> bytes:
        return self._data + b"+"


class BuilderConfig(Limited):
    _kind = "IBuilderConfig"

    def __init__(self, trt: Any) -> None:
        super().__init__(trt)
        self._flags: list[Any] = []
        self._pools: dict[Any, int] = {}
        self._profiles: list[Profile] = []
        trt.made["config"] = self

    # Settable attributes of the real class that the builder sets.
    max_aux_streams = builder_optimization_level = avg_timing_iterations = profiling_verbosity = 0
    default_device_type = DLA_core = int8_calibrator = progress_monitor = None

    def set_flag(self, flag: Any) -> None:
        self._flags.append(flag)

    def set_memory_pool_limit(self, pool: Any, size: int) -> None:
        self._pools[pool] = size

    def add_optimization_profile(self, profile: Profile) -> int:
        if not profile:
            return -1
        self._profiles.append(profile)
        return len(self._profiles) - 1

    def create_timing_cache(self, data: bytes) -> TimingCache | None:
        return None if data.startswith(b"damaged") else TimingCache(self._trt, data)

    def set_timing_cache(self, cache: TimingCache, ignore_mismatch: bool) -> bool:
        self._cache = cache
        return True

    def get_timing_cache(self) -> TimingCache:
        return self._cache


class Builder(Limited):
    _kind = "Builder"
    num_DLA_cores = property(lambda self: self._trt.dla_cores)  # noqa: N815

    def __init__(self, trt: Any, logger: Any) -> None:
        super().__init__(trt)
        self._logger = logger

    def create_network(self, flags: int = 0) -> Network:
        self._trt.made["network"] = Network(self._trt, flags)
        return self._trt.made["network"]

    def create_builder_config(self) -> BuilderConfig:
        return BuilderConfig(self._trt)

    def create_optimization_profile(self) -> Profile:
        return Profile(self._trt)

    def build_serialized_network(self, network: Network, config: BuilderConfig) -> bytes | None:
        about = network._about
        self._trt.builds += 1
        if config.__dict__.get("progress_monitor") is not None:
            self._progress(config.__dict__["progress_monitor"])
        if about["build_error"]:
            self._logger.log(self._trt.ILogger.ERROR, about["build_error"])
            return None
        shapes = {n: p for profile in config._profiles for n, p in profile._shapes.items()}
        return json.dumps({"version": self._trt.__version__, "about": about, "profile": shapes}).encode()

    @staticmethod
    def _progress(monitor: Any) -> None:
        monitor.phase_start("build", None, 2)
        for step in range(2):
            monitor.phase_start("tactics", "build", 4)
            for tactic in range(4):
                assert monitor.step_complete("tactics", tactic)
            monitor.phase_finish("tactics")
            assert monitor.step_complete("build", step)
        monitor.phase_finish("build")


class Runtime(Limited):
    _kind = "Runtime"
    DLA_core = -1

    def __init__(self, trt: Any, logger: Any) -> None:
        super().__init__(trt)
        trt.made["runtime"] = self

    def deserialize_cuda_engine(self, plan: bytes) -> Any:
        try:
            data = json.loads(plan)
        except ValueError:
            return None
        return Engine(self._trt, data) if data["version"] == self._trt.__version__ else None


class Engine(Limited):
    """Its function: every output is twice the input of the same place."""

    _kind = "ICudaEngine"

    def __init__(self, trt: Any, data: dict[str, Any]) -> None:
        super().__init__(trt)
        about = data["about"]
        self._inputs, self._outputs, self._profile = about["inputs"], about["outputs"], data["profile"]
        self._precision = about["precision"]

    num_io_tensors = property(lambda self: len(self._inputs) + len(self._outputs))
    device_memory_size = device_memory_size_v2 = 12345

    def _all(self) -> dict[str, Any]:
        return self._inputs | self._outputs

    def get_tensor_name(self, i: int) -> str:
        return list(self._all())[i]

    def get_tensor_mode(self, name: str) -> Any:
        mode = self._trt.TensorIOMode
        return mode.INPUT if name in self._inputs else mode.OUTPUT

    def get_tensor_dtype(self, name: str) -> Any:
        return SimpleNamespace(name=self._all()[name][1].upper(), numpy=np.dtype(self._all()[name][1]))

    def get_tensor_shape(self, name: str) -> tuple[int, ...]:
        return tuple(self._all()[name][0])

    def get_tensor_profile_shape(self, name: str, profile: int) -> Any:
        shape = tuple(self._inputs[name][0])
        return tuple(map(tuple, self._profile.get(name, (shape, shape, shape))))

    def create_execution_context(self) -> Any:
        return None if self._trt.no_context else Context(self._trt, self)

    def create_engine_inspector(self) -> Any:
        return Inspector(self._trt, self)


class Inspector(Limited):
    _kind = "EngineInspector"

    def __init__(self, trt: Any, engine: Engine) -> None:
        super().__init__(trt)
        self._engine = engine

    def get_engine_information(self, form: Any) -> str:
        word = {"fp32": "Row major linear FP32", "fp16": "Half", "int8": "Int8"}[self._engine._precision]
        layers = [{"Name": "conv", "Outputs": [{"Name": "y", "Format/Datatype": word}]}, "a layer without details"]
        return json.dumps({"Layers": layers, "I/O Tensors" if self._trt.__version__ > "2" else "Bindings": []})


class Context(Limited):
    _kind = "IExecutionContext"

    def __init__(self, trt: Any, engine: Engine) -> None:
        super().__init__(trt)
        self._of = engine
        self._shapes: dict[str, tuple[int, ...]] = {}
        self._addresses: dict[str, int] = {}

    def set_input_shape(self, name: str, shape: tuple[int, ...]) -> bool:
        low, _, high = self._of.get_tensor_profile_shape(name, 0)
        good = len(shape) == len(low) and all(a <= n <= b for a, n, b in zip(low, shape, high, strict=True))
        if good:
            self._shapes[name] = tuple(shape)
        return good

    def infer_shapes(self) -> list[str]:
        return [name for name in self._of._inputs if name not in self._shapes]

    def get_tensor_shape(self, name: str) -> tuple[int, ...]:
        if name in self._shapes:
            return self._shapes[name]
        shape = tuple(self._of._outputs[name][0])
        batch = next(iter(self._shapes.values()))[0]
        return (batch, *shape[1:]) if shape[0] == -1 else shape

    def set_tensor_address(self, name: str, address: int) -> bool:
        self._addresses[name] = address
        return name not in self._trt.refused_tensors

    def execute_async_v3(self, stream: int) -> bool:
        cuda = self._trt.cuda
        if self._trt.execution_fails or set(self._addresses) != set(self._of._all()):
            return False
        shapes = {name: self.get_tensor_shape(name) for name in self._of._all()}

        def work() -> None:
            first = next(iter(self._of._inputs))
            dtype = np.dtype(self._of._inputs[first][1])
            count = int(np.prod(shapes[first]))
            x = np.frombuffer(cuda.bytes_at(self._addresses[first]), dtype, count)
            for name, (_, out) in self._of._outputs.items():
                size = int(np.prod(shapes[name]))
                cuda.write_at(self._addresses[name], np.resize(2 * x, size).astype(out).tobytes())

        cuda.put(stream, work)
        return True


class _Names:
    """An enum: the names of one release, numbered."""

    def __init__(self, names: list[str], numbers: dict[str, int] | None = None) -> None:
        for i, name in enumerate(n for n in names if n not in ("name", "value")):
            setattr(self, name, (numbers or {}).get(name, i))


class FakeTensorRt:
    """The module ``tensorrt`` of one release."""

    def __init__(self, version: str, cuda: Any = None, *, dla_cores: int = 0) -> None:
        self.surface = {kind: set(names.split()) for kind, names in SURFACE[version].items()}
        self.__version__ = version.removeprefix("rtx")
        self.cuda, self.dla_cores = cuda, dla_cores
        self.made: dict[str, Any] = {}
        self.builds = 0
        self.no_context = self.execution_fails = False
        self.refused_tensors: set[str] = set()
        typed = {"STRONGLY_TYPED": 1 if version.startswith("10") else 0, "EXPLICIT_BATCH": 0}
        for kind in self.surface:
            if kind[0] != "I" and kind not in ("Builder", "Runtime", "OnnxParser", "Logger", "EngineInspector"):
                setattr(self, kind, _Names(sorted(self.surface[kind]), typed if "Creation" in kind else None))
        # Not in the lists: the same in all six releases.
        self.LayerType = _Names(["CONVOLUTION", "QUANTIZE"])
        base = {"__init__": lambda self: None}
        self.ILogger = type("ILogger", (), {"ERROR": 1, "INTERNAL_ERROR": 0, "WARNING": 2, **base})
        self.Logger = type("Logger", (), {"ERROR": 1, "__init__": lambda self, level: None})
        if "progress_monitor" in self.surface["IBuilderConfig"]:
            self.IProgressMonitor = type("IProgressMonitor", (), base)
        if "int8_calibrator" in self.surface["IBuilderConfig"]:
            self.IInt8EntropyCalibrator2 = type("IInt8EntropyCalibrator2", (), base)

    def Builder(self, logger: Any) -> Builder:
        return Builder(self, logger)

    def OnnxParser(self, network: Network, logger: Any) -> Parser:
        return Parser(self, network)

    def Runtime(self, logger: Any) -> Runtime:
        return Runtime(self, logger)

    @staticmethod
    def nptype(dtype: Any) -> Any:
        return dtype.numpy
