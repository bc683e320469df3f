#!/usr/bin/env python3
"""From photographs without masks to a model, through the studio's page, by a simulated person in a real browser.

    python3 bench/studio/page.py DATA OUT [--images 30] [--strokes 4] [--target 0.9] [--minutes 10] [--seed 0] [--threads N]
        [--weights auto] [--shots]

Copies the first photographs of a shuffled list, without their masks, into OUT/photos, starts `dapple studio` on them, and opens the printed
address in headless Chromium. For each photograph it waits for the proposal, and as long as the labels with the proposal
agree with the true mask by less than the target IoU, it paints a stroke with the mouse where the most pixels of one class are wrong,
no longer than the brush stays within the class. It accepts a proposal that has reached the target by its key, and leaves the others as they
are, partly labelled. It presses Train, waits for the end, and `dapple eval` scores the
model on all other photographs of DATA, at their sizes. Prints a table in Markdown; OUT/strokes.csv has a row for each proposal seen, OUT/shots the
pictures (--shots). DATA is a folder with `horse/` and `mask/`, or `images/` and `masks/`; masks have two values.

Needs playwright, numpy, scipy and pillow from PyPI, Chromium (CHROMIUM, or on the PATH), and `dapple` on the PATH (or in DAPPLE)."""

import argparse
import base64
import csv
import os
import random
import shutil
import statistics
import subprocess
import time
from pathlib import Path

import numpy as np
from PIL import Image
from playwright.sync_api import sync_playwright
from scipy.ndimage import distance_transform_edt

DAPPLE = os.environ.get("DAPPLE", "dapple")
NONE = 255


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--images", type=int, default=30)
    parser.add_argument("--strokes", type=int, default=4, help="at most, for each photograph")
    parser.add_argument("--target", type=float, default=0.9)
    parser.add_argument("--minutes", type=int, default=10)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int)
    parser.add_argument("--weights", default="auto")
    parser.add_argument("--shots", action="store_true")
    return parser.parse_args()


def pairs(data: Path) -> list[tuple[Path, Path]]:
    folders = [("horse", "mask"), ("images", "masks")]
    images, masks = next((data / a, data / b) for a, b in folders if (data / a).is_dir())
    known = {path.stem: path for path in masks.iterdir()}
    return [(path, known[path.stem]) for path in sorted(images.iterdir()) if path.stem in known]


def truth_of(mask: Path) -> np.ndarray:
    return (np.asarray(Image.open(mask).convert("L")) > 0).astype(np.uint8)


def iou(truth, found) -> float:
    union = ((truth == 1) | (found == 1)).sum()
    return 1.0 if union == 0 else float(((truth == 1) & (found == 1)).sum() / union)


class Page:
    """The page, as a person has it in front of them."""

    def __init__(self, page, out, shots):
        self.page, self.shots, self.faults = page, out / "shots" if shots else None, []
        if self.shots:
            self.shots.mkdir(exist_ok=True)
        page.on("pageerror", lambda error: self.faults.append(str(error)))

    def shot(self, name):
        if self.shots:
            self.page.screenshot(path=self.shots / f"{name}.png")

    def wait(self, condition, seconds=60):
        self.page.wait_for_function(condition, timeout=seconds * 1000)

    def open(self, name):
        self.page.click(f'.thumb[data-id="{name}"]')
        self.wait(f"""() => {{ const e = window.dappleStudio.views.label.editor;
            return e.session?.id === {name!r} && e.session.map && e.screen.levels.length > 0 }}""")

    def read(self):
        """Labels, and the proposal or None."""
        text = self.page.evaluate("""() => {
            const { session } = window.dappleStudio.views.label.editor;
            const pack = (a) => { let s = ""; for (let i = 0; i < a.length; i += 8192) s += String.fromCharCode(...a.subarray(i, i + 8192));
                return btoa(s) };
            return [session.map.width, pack(session.map.data), session.proposal ? pack(session.proposal) : null] }""")
        width, *layers = text
        return [None if a is None else np.frombuffer(base64.b64decode(a), np.uint8).reshape(-1, width) for a in layers]

    def revision(self):
        return self.page.evaluate("() => window.dappleStudio.views.label.editor.session.proposalRevision")

    def current(self, before, seconds):
        """Waits for a proposal that is newer; the seconds, or None if none came."""
        begun = time.monotonic()
        while time.monotonic() - begun < seconds:
            now = self.revision()
            if now is not None and now != before:
                return time.monotonic() - begun
            time.sleep(0.02)
        return None

    def set_brush(self, radius):
        """The brush of at most this radius in pixels of the photograph, by its keys."""
        width = "() => window.dappleStudio.views.label.editor.brushSize"
        for _ in range(40):
            size = self.page.evaluate(width)
            if size / 2 > radius and size > 1.5:
                self.page.keyboard.press("[")
            elif size / 2 * 1.15 <= radius:
                self.page.keyboard.press("]")
            else:
                break

    def stroke(self, label, line):
        self.page.keyboard.press("b")
        self.page.keyboard.press(str(label + 1))
        places = self.page.evaluate("""(list) => list.map(([x, y]) => {
            const { x: left, y: top } = window.dappleStudio.views.label.editor.screen.clientOf(x, y); return [left, top] })""", line)
        self.page.mouse.move(*places[0])
        self.page.mouse.down()
        for place in places[1:]:
            self.page.mouse.move(*place, steps=8)
        self.page.mouse.up()

    def saved(self):
        self.wait("() => window.dappleStudio.views.label.editor.waiting.savers.length === 0")


def plan(truth, found, label):
    """The class with the most wrong pixels unless one is given, the radius of a brush, and a line along which the brush stays within the class."""
    wrong = truth != found
    if label is None:
        label = int(np.argmax(np.bincount(truth[wrong], minlength=2)))
    depth = distance_transform_edt(np.pad(wrong & (truth == label), 1))[1:-1, 1:-1]
    y, x = np.unravel_index(int(np.argmax(depth)), depth.shape)
    room = distance_transform_edt(np.pad(truth == label, 1))[1:-1, 1:-1]
    radius = float(np.clip(0.6 * depth[y, x], 1, min(truth.shape) / 40))
    best = (x, y)
    for dx, dy in [(1, 0), (1, 1), (0, 1), (-1, 1), (-1, 0), (-1, -1), (0, -1), (1, -1)]:
        for step in range(1, int(min(truth.shape) / 5)):
            px, py = x + dx * step, y + dy * step
            inside = 0 <= px < truth.shape[1] and 0 <= py < truth.shape[0]
            if not inside or not wrong[py, px] or room[py, px] < radius + 1:
                break
            if (px - x) ** 2 + (py - y) ** 2 > (best[0] - x) ** 2 + (best[1] - y) ** 2:
                best = (px, py)
    return label, radius, [[float(x) + 0.5, float(y) + 0.5], [float(best[0]) + 0.5, float(best[1]) + 0.5]]


def label_all(page, photos, asked, rows):
    for index, (image, mask) in enumerate(photos):
        page.open(image.name)
        truth = truth_of(mask)
        waited = page.current(None, 20) if index else None
        for strokes in range(asked.strokes + 1):
            painted, proposal = page.read()
            found = painted if proposal is None else np.where(painted == NONE, proposal, painted)
            now = iou(truth, found)
            rows.append({"photograph": index, "strokes": strokes, "seconds": waited, "iou": round(now, 4)})
            if index in (0, 2, 9) and strokes < 3:
                page.shot(f"label-{index}-{strokes}")
            if proposal is not None and now >= asked.target or strokes == asked.strokes:
                break
            # Where nothing is proposed, strokes of both classes in turn.
            label, radius, line = plan(truth, found, None if proposal is not None else 1 - strokes % 2)
            before = page.revision()
            page.set_brush(radius)
            page.stroke(label, line)
            waited = page.current(before, 20)
            page.saved()
        # A person does not accept a bad proposal: the photograph stays partly labelled, and trains as that.
        if now >= asked.target:
            page.page.keyboard.press("Shift+A")
            page.saved()
        print(f"{image.name}: {strokes} strokes, IoU {now:.3f}", flush=True)


def train(page, asked):
    page.page.click('a[href="#train"], [data-view="train"], nav >> text=Train')
    page.page.click("summary")
    page.page.fill('input[aria-label="Minutes"]', str(asked.minutes))
    page.page.click("form.train-form button[type=submit]")
    begun = time.monotonic()
    time.sleep(min(60, asked.minutes * 20))
    page.shot("train-running")
    state = "() => window.dappleStudio.studio.state.runs[0]?.state"
    while page.page.evaluate(state) in (None, "waiting", "running"):
        time.sleep(1)
        if time.monotonic() - begun > asked.minutes * 180 + 300:
            raise SystemExit("the training does not end")
    page.shot("train-done")
    return page.page.evaluate("() => window.dappleStudio.studio.state.runs[0].name"), time.monotonic() - begun


def main():
    asked = arguments()
    known = pairs(asked.data)
    random.Random(asked.seed).shuffle(known)
    photos, rest = known[: asked.images], known[asked.images :]
    if asked.out.exists():
        raise SystemExit(f"{asked.out} exists")
    (asked.out / "photos").mkdir(parents=True)
    for image, _ in photos:
        shutil.copy(image, asked.out / "photos")
    photos.sort()
    for name, side in [("images", 0), ("masks", 1)]:
        (asked.out / "rest" / name).mkdir(parents=True)
        for pair in rest:
            shutil.copy(pair[side], asked.out / "rest" / name)
    command = [DAPPLE, "studio", asked.out / "photos", "--port", "0", "--weights", asked.weights]
    command += ["--threads", asked.threads] if asked.threads else []
    with open(asked.out / "studio.log", "w") as log:
        server = subprocess.Popen([str(word) for word in command], stdout=log, stderr=subprocess.STDOUT)
    rows = []
    try:
        address = None
        while address is None:
            time.sleep(0.1)
            if server.poll() is not None:
                raise SystemExit((asked.out / "studio.log").read_text())
            words = (asked.out / "studio.log").read_text().split()
            address = next((word for word in words if word.startswith("http://")), None)
        browser_path = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
        with sync_playwright() as play:
            browser = play.chromium.launch(executable_path=browser_path, args=["--no-sandbox", "--disable-gpu"])
            tab = browser.new_page(viewport={"width": 1400, "height": 800})
            page = Page(tab, asked.out, asked.shots)
            tab.goto(address)
            tab.wait_for_selector("body[data-ready]")
            begun = time.monotonic()
            label_all(page, photos, asked, rows)
            labelled = time.monotonic() - begun
            run, trained = train(page, asked)
            for fault in page.faults:
                print("the page's fault:", fault)
            browser.close()
    finally:
        server.terminate()
        server.wait()
        with open(asked.out / "strokes.csv", "w", newline="") as file:
            table = csv.DictWriter(file, ["photograph", "strokes", "seconds", "iou"])
            table.writeheader()
            table.writerows(rows)
    model = asked.out / "photos" / "runs" / run
    command = [DAPPLE, "eval", "--model", model, "--data", asked.out / "rest", "--part", "all", "--original-size"]
    said = subprocess.run([str(word) for word in command], stdout=subprocess.PIPE, text=True, check=True).stdout
    (asked.out / "eval.txt").write_text(said)
    total = sum(max(row["strokes"] for row in rows if row["photograph"] == index) for index in range(len(photos)))
    first = [row["seconds"] for row in rows if row["photograph"] == 0 and row["seconds"] is not None][:1]
    later = [row["seconds"] for row in rows if row["strokes"] and row["photograph"] and row["seconds"] is not None]
    unseen = [row["iou"] for row in rows if row["photograph"] and not row["strokes"]]
    print("\n| | |\n|---|---|")
    print(f"| photographs, strokes | {len(photos)}, {total} |")
    print(f"| strokes on the tenth photograph | {max([row['strokes'] for row in rows if row['photograph'] == 9] or [0])} |")
    print(f"| labelling, training | {labelled / 60:.1f} min, {trained / 60:.1f} min |")
    print(f"| first proposal after the stroke of the second class | {first[0]:.1f} s |" if first else "| no proposal | |")
    if later:
        print(f"| next proposal after a further stroke (it may have been under way), median, largest | {statistics.median(later):.1f} s, {max(later):.1f} s |")
    print(f"| IoU of the first proposal for a photograph, mean | {statistics.mean(unseen):.3f} |")
    print(f"| faults of the page | {len(page.faults)} |\n\n{said}")


if __name__ == "__main__":
    main()
