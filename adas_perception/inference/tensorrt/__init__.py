"""TensorRT 8.6 to 11 and TensorRT-RTX: build an engine, keep it, run it.

One path for all releases: the names API, ``build_serialized_network`` and, wherever it exists, strong typing, so that
the precision stands in the ONNX file. What a release lacks is asked for by ``hasattr``, never by version number.
"""
