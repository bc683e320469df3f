#!/usr/bin/env python3
"""Images a second and core: dapple's loader beside torchvision v2 and albumentations in a PyTorch DataLoader.

    python bench/loader/run.py --horses weizmann_horse_db --camvid CamVid

needs torch, torchvision, albumentations and opencv-python-headless. Every loader decodes each image from its file, makes
the changes of the preset `medium`, and gives normalised float tensors in shuffled batches of 8. What is compared is
processor time, user and system, of one thread: the DataLoader works without worker processes, which spares it their
overhead. The runs take turns, so that a busy machine slows all alike; of several rounds the best counts.
"""

import argparse
import os
import subprocess
import sys
import time
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")

import cv2  # noqa: E402
import torch  # noqa: E402
from torch.utils.data import DataLoader, Dataset  # noqa: E402

ROOT = Path(__file__).resolve().parents[2]
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def pairs(name, root):
    """Image and mask files of the training part."""
    if name == "CamVid":
        images = sorted((root / "train").glob("*.png"))
        return [(image, root / "trainannot" / image.name) for image in images]
    images = sorted((root / "horse").glob("*.png"))
    return [(image, root / "mask" / image.name) for image in images[: int(0.85 * len(images))]]


class Torchvision(Dataset):
    def __init__(self, files, side):
        from torchvision import tv_tensors
        from torchvision.io import ImageReadMode, decode_image
        from torchvision.transforms import v2

        self.files, self.wrap = files, tv_tensors
        self.decode, self.mode = decode_image, ImageReadMode
        self.change = v2.Compose([
            v2.Resize((side, side), antialias=True),
            v2.RandomHorizontalFlip(),
            v2.RandomAffine(10, scale=(0.8, 1.25), shear=(-4, 4, -4, 4), interpolation=v2.InterpolationMode.BILINEAR),
            v2.ColorJitter(0.25, 0.25, 0.25, 10 / 360),
            v2.RandomApply([v2.GaussianBlur(7, (0.3, 2.0))], 0.1),
            v2.ToDtype({tv_tensors.Image: torch.float32, "others": None}, scale=True),
            v2.RandomApply([v2.GaussianNoise(sigma=0.03)], 0.1),
            v2.Normalize(MEAN, STD),
        ])

    def __len__(self):
        return len(self.files)

    def __getitem__(self, index):
        image, mask = self.files[index]
        image = self.wrap.Image(self.decode(str(image), self.mode.RGB))
        mask = self.wrap.Mask(self.decode(str(mask), self.mode.UNCHANGED))
        return self.change(image, mask)


class Albumentations(Dataset):
    def __init__(self, files, side):
        import albumentations as A
        from albumentations.pytorch import ToTensorV2

        self.files = files
        self.change = A.Compose([
            A.Resize(side, side),
            A.HorizontalFlip(p=0.5),
            A.Affine(rotate=(-10, 10), scale=(0.8, 1.25), shear=(-4, 4), border_mode=cv2.BORDER_REFLECT, p=1.0),
            A.ColorJitter((0.75, 1.25), (0.75, 1.25), (0.75, 1.25), (-10 / 360, 10 / 360), p=1.0),
            A.GaussianBlur(blur_limit=(3, 7), p=0.1),
            A.GaussNoise(p=0.1),
            A.Normalize(MEAN, STD),
            ToTensorV2(),
        ])

    def __len__(self):
        return len(self.files)

    def __getitem__(self, index):
        image, mask = self.files[index]
        image = cv2.cvtColor(cv2.imread(str(image)), cv2.COLOR_BGR2RGB)
        changed = self.change(image=image, mask=cv2.imread(str(mask), cv2.IMREAD_UNCHANGED))
        return changed["image"], changed["mask"]


def python_speed(kind, files, side, epochs):
    loader = DataLoader(kind(files, side), batch_size=8, shuffle=True)
    for i, _ in enumerate(loader):
        if i == 4:
            break
    begun = time.process_time()
    for _ in range(epochs):
        for _ in loader:
            pass
    return epochs * len(files) / (time.process_time() - begun)


def dapple_speed(program, folder, side, epochs, *cache):
    arguments = [program, str(folder), str(side), "medium", str(epochs), *cache]
    images, seconds = subprocess.run(arguments, check=True, capture_output=True, text=True).stdout.split()
    return int(images) / float(seconds)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--horses", type=Path)
    parser.add_argument("--camvid", type=Path)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    cv2.setNumThreads(0)
    build = ["cargo", "build", "--release", "-p", "dapple-data", "--example", "loader_speed"]
    subprocess.run(build, check=True, cwd=ROOT)
    target = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
    program = str(target / "release/examples/loader_speed")

    print("| data | side | dapple | dapple, kept in memory | torchvision v2 | albumentations | ratios |")
    print("|---|---|---|---|---|---|---|")
    for name, folder in [("horses", arguments.horses), ("CamVid", arguments.camvid)]:
        if folder is None:
            continue
        files = pairs(name, folder)
        for side in [224, 480]:
            best = [0.0] * 4
            for _ in range(arguments.rounds):
                speeds = [
                    dapple_speed(program, folder, side, 2),
                    dapple_speed(program, folder, side, 2, "ram"),
                    python_speed(Torchvision, files, side, 1),
                    python_speed(Albumentations, files, side, 1),
                ]
                best = [max(pair) for pair in zip(best, speeds)]
            shown = " | ".join(f"{speed:.0f}" for speed in best)
            ratios = ", ".join(f"{best[0] / other:.1f}" for other in best[2:])
            kept = ", ".join(f"{best[1] / other:.1f}" for other in best[2:])
            print(f"| {name} | {side} | {shown} | {ratios}; kept {kept} |", flush=True)


if __name__ == "__main__":
    sys.exit(main())
