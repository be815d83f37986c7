"""A made-up montage: tiles of tissue, where the stage put them and where they really are."""

import numpy as np


def make_montage(folder, count, size, step, error, noise=4.0):
    """Write tiles, and return their tile specs by stage position and where they really are."""
    from PIL import Image
    from scipy.ndimage import map_coordinates

    from renderapi.demo.montage import tissue

    rng = np.random.default_rng(3)
    margin = error + 5
    side = 2 * margin + step * (count - 1) + size
    section = tissue(1, side, side)
    y, x = np.mgrid[:size, :size].astype(float)
    specs, truth = [], {}
    for row in range(count):
        for column in range(count):
            at = np.array([column, row]) * step + margin + rng.uniform(-error, error, 2)
            seen = map_coordinates(section, [y + at[1], x + at[0]], order=1, mode="reflect")
            light = rng.uniform(-0.15, 0.15, 2)
            seen = seen * (1 + light[0] * (x / size - 0.5) + light[1] * (y / size - 0.5)) + rng.uniform(
                -10, 10
            )
            image = np.clip(seen + rng.normal(0, noise, seen.shape), 0, 255).astype(np.uint8)
            name = f"{row}_{column}"
            Image.fromarray(image).save(folder / f"{name}.png", compress_level=1)
            truth[name] = at
            specs.append(
                {
                    "tileId": name,
                    "z": 1.0,
                    "width": size,
                    "height": size,
                    "minIntensity": 0,
                    "maxIntensity": 255,
                    "layout": {"sectionId": "1.0"},
                    "mipmapLevels": {"0": {"imageUrl": f"file:{(folder / name).as_posix()}.png"}},
                    "transforms": {
                        "type": "list",
                        "specList": [
                            {
                                "type": "leaf",
                                "className": "mpicbg.trakem2.transform.AffineModel2D",
                                "dataString": f"1 0 0 1 {column * step} {row * step}",
                            }
                        ],
                    },
                }
            )
    return specs, truth
