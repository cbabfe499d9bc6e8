"""Run with the Python of an environment that has IMDL-BenCo: what its datasets make of a folder, as JSON.

python imdlbenco_loads.py FOLDER SPLIT...
"""

import importlib.util
import json
import sys
import types
import warnings

SIDE = 128  # at least that of every image, so that padding adds and never crops


def main(folder, splits):
    # The package's __init__ imports all its models, and they far more libraries; its datasets need none of them.
    package = types.ModuleType("IMDLBenCo")
    package.__path__ = list(importlib.util.find_spec("IMDLBenCo").submodule_search_locations)
    sys.modules["IMDLBenCo"] = package
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from IMDLBenCo.datasets import JsonDataset, ManiDataset

    found = {}
    for split in splits:
        for name, dataset, path in (
            ("json", JsonDataset, f"{folder}/{split}.json"),
            ("mani", ManiDataset, f"{folder}/{split}"),
        ):
            samples = dataset(path, is_padding=True, output_size=(SIDE, SIDE))
            found[f"{split} {name}"] = [seen(samples[i]) for i in range(len(samples))]
    return found


def seen(sample):
    mask = sample["mask"]
    height, width = sample["shape"].tolist()
    return {
        "name": sample["name"],
        "label": sample["label"],
        "shape": [height, width],
        "image": list(sample["image"].shape),
        "mask": list(mask.shape),
        "values": sorted(set(mask.flatten().tolist())),
        "sum": mask.sum().item(),
        "rows": mask[0, :height, :width].sum(1).tolist(),
        "columns": mask[0, :height, :width].sum(0).tolist(),
    }


if __name__ == "__main__":
    print(json.dumps(main(sys.argv[1], sys.argv[2:])))
