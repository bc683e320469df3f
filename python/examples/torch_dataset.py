"""A PyTorch data set of a folder that dapple reads, with dapple's augmentation: for trainings in PyTorch.

    python torch_dataset.py horses
"""

import sys

import torch
from torch.utils.data import DataLoader, Dataset

import dapple


class Pairs(Dataset):
    """Images ``[3, size, size]`` of ``float32``, 0 to 1, and labels ``[size, size]`` of ``int64``."""

    def __init__(self, folder, preset="medium", size=224):
        self.data = dapple.data.Dataset(folder)
        self.augment = dapple.Augment(preset, size=size, ignore=self.data.ignore)

    def __len__(self):
        return len(self.data)

    def __getitem__(self, index):
        image, labels = self.augment(*self.data[index])
        return torch.from_numpy(image).permute(2, 0, 1).float() / 255, torch.from_numpy(labels).long()


def main(folder):
    loader = DataLoader(Pairs(folder), batch_size=4, shuffle=True, num_workers=2)
    for images, labels in loader:
        print(tuple(images.shape), tuple(labels.shape), "classes", labels.unique().tolist())


if __name__ == "__main__":
    main(sys.argv[1])
