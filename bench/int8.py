"""Times a model quantized by dapple, by onnxruntime (static, QDQ) and by NNCF for OpenVINO, on the same calibration images, and
writes the section of BENCHMARKS.md on integers.

    bench/run int8 --model RUN|FILE --data DIR [--images N] [--threads N] [--rounds N] [--runs N]

All take turns, each run in a process of its own, at the model's input size and batch 1. dapple's loss is that of its report. Our
own QDQ model (`dapple export --int8`) is timed in both runtimes as well.
"""

import argparse
import datetime
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from document import write_section

HERE = Path(__file__).parent
ROOT = HERE.parent
DAPPLE = ROOT / "target/release/dapple"


def checked(command):
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{' '.join(map(str, command))}\n{done.stdout[-1000:]}{done.stderr[-2000:]}")
    return done.stdout


def metadata(path):
    import onnx

    return {entry.key: json.loads(entry.value) for entry in onnx.load(path).metadata_props
            if entry.value[:1] in "{["}


def prepared(image, steps):
    """An image as the network takes it, `[1, channels, height, width]`."""
    import numpy
    from PIL import Image

    height, width = steps["size"]
    mode = {"RGB": "RGB", "grey": "L"}[steps["channels"]]
    pixels = Image.open(image).convert(mode).resize((width, height), Image.Resampling.BILINEAR)
    values = numpy.asarray(pixels, dtype=numpy.float32).reshape(height, width, -1)
    divisor = values.max() if steps["divisor"] == "image maximum" else steps["divisor"]
    values = (values / divisor - numpy.float32(steps["mean"])) / numpy.float32(steps["std"])
    return numpy.ascontiguousarray(values.transpose(2, 0, 1)[None], dtype=numpy.float32)


def quantize_for_onnxruntime(source, target, inputs):
    from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
    from onnxruntime.quantization.shape_inference import quant_pre_process

    class Reader(CalibrationDataReader):
        left = iter(inputs)

        def get_next(self):
            value = next(self.left, None)
            return None if value is None else {"input": value}

    ready = target.with_suffix(".ready.onnx")
    quant_pre_process(str(source), str(ready), skip_symbolic_shape=True)
    quantize_static(str(ready), str(target), Reader(), quant_format=QuantFormat.QDQ, per_channel=True,
                    activation_type=QuantType.QUInt8, weight_type=QuantType.QInt8)


def quantize_for_openvino(source, target, inputs):
    import nncf
    import openvino

    model = openvino.Core().read_model(source)
    quantized = nncf.quantize(model, nncf.Dataset(inputs), subset_size=len(inputs))
    openvino.save_model(quantized, target, compress_to_fp16=False)


def time_peer(backend, model, size, threads, runs):
    """In a process of its own: the median seconds of a pass, printed."""
    import numpy

    x = numpy.random.default_rng(0).random((1, 3, size, size), dtype=numpy.float32)
    if backend == "onnxruntime":
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
        name = session.get_inputs()[0].name
        work = lambda: session.run(None, {name: x})  # noqa: E731
    else:
        import openvino

        compiled = openvino.Core().compile_model(model, "CPU", {"INFERENCE_NUM_THREADS": threads})
        work = lambda: compiled(x)  # noqa: E731
    work()
    times = []
    for _ in range(runs):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    print(json.dumps({"median_s": statistics.median(times)}))


def measure(args, folder):
    ours, fp32, qdq, report = (folder / name for name in ["int8.safetensors", "fp32.onnx", "qdq.onnx", "report.json"])
    checked([DAPPLE, "quantize", "--model", args.model, "--data", args.data, "--images", args.images,
             "--threads", args.threads, "--out", ours, "--json", report])
    checked([DAPPLE, "export", "--model", args.model, "--onnx", fp32])
    checked([DAPPLE, "export", ours, "--onnx", qdq, "--int8"])
    report, known = json.loads(report.read_text()), metadata(fp32)
    network, steps = known["network"], known["preprocessing"]
    height, width = steps["size"]
    if height != width or steps["channels"] != "RGB":
        sys.exit("`dapple bench` times square colour images; take a model of those")
    inputs = [prepared(image, steps) for image in report["calibration"]]
    of_ort, of_openvino = folder / "ort.onnx", folder / "openvino.xml"
    quantize_for_onnxruntime(fp32, of_ort, inputs)
    quantize_for_openvino(fp32, of_openvino, inputs)

    weights = Path(args.model) / "best.safetensors" if Path(args.model).is_dir() else Path(args.model)
    common = ["--size", width, "--threads", args.threads, "--runs", args.runs]
    bench = [DAPPLE, "bench", network["name"], "--device", "cpu", *common, "--json", "-"]
    single = ["--classes", network["classes"], "--width", network["width"], "--init", weights]
    peer = [sys.executable, __file__, *common, "--time"]
    work = {
        "dapple int8": [*bench, "--init", ours],
        "dapple fp32": [*bench, *single],
        "onnxruntime int8": [*peer, "onnxruntime", of_ort],
        "OpenVINO NNCF int8": [*peer, "openvino", of_openvino],
        "onnxruntime, dapple's QDQ": [*peer, "onnxruntime", qdq],
        "OpenVINO, dapple's QDQ": [*peer, "openvino", qdq],
        "onnxruntime fp32": [*peer, "onnxruntime", fp32],
        "OpenVINO fp32": [*peer, "openvino", fp32],
    }
    taken = {who: [] for who in work}
    for _ in range(args.rounds):
        for who, command in work.items():
            said = checked(command)
            taken[who].append(json.loads(said[said.index("{"):])["median_s"])
            print(f"{who}: {taken[who][-1] * 1e3:.1f} ms", flush=True)
    return network["name"], width, report, taken


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--model", help="a run's folder or a model file")
    parser.add_argument("--data", help="its data")
    parser.add_argument("--images", type=int, default=64)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--runs", type=int, default=10)
    parser.add_argument("--size", type=int)
    parser.add_argument("--time", nargs=2, metavar=("BACKEND", "MODEL"))
    args, named = parser.parse_known_args()
    if args.time:
        return time_peer(args.time[0], args.time[1], args.size, args.threads, args.runs)
    if not args.model or not args.data or named:
        parser.error("give --model and --data")
    with tempfile.TemporaryDirectory() as folder:
        name, size, report, taken = measure(args, Path(folder))
    best = min(["onnxruntime int8", "OpenVINO NNCF int8"], key=lambda who: statistics.median(taken[who]))
    # Round by round, so that the ratios hold when the machine's speed drifts.
    ratio = {who: statistics.median(theirs / mine for theirs, mine in zip(taken[who], taken["dapple int8"])) for who in taken}
    rows = "\n".join(f"| {who} | {statistics.median(times) * 1e3:.1f} | {ratio[who]:.2f} |" for who, times in taken.items())
    kept = len(report["kept"])
    lost = {score: report["fp32"]["dataset"][score] - report["int8"]["dataset"][score] for score in ["miou", "boundary_miou"]}
    write_section("int8", f"""## Integers of eight bits

Made by `bench/run int8 --model … --data … --images {args.images} --rounds {args.rounds}` on {datetime.date.today()}: {name} at
{size} x {size}, batch 1, {args.threads} threads; medians of {args.rounds} alternating rounds of {args.runs} runs. Ranges by
{report["method"]} over {report["calibration_images"]} images, the same for all; {kept} of {report["quantized"] + kept} convolutions in
fp32. Mean IoU loses {lost["miou"]:.4f}, mean Boundary IoU {lost["boundary_miou"]:.4f}. The faster peer in int8 is {best}:
{ratio[best]:.2f} times our time.

| | ms | times ours in int8 |
|---|---|---|
{rows}
""")


if __name__ == "__main__":
    main()
