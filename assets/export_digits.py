"""Writes digits.bin from the copy of the UCI optical digits that scikit-learn ships.

Run by hand, once: python assets/export_digits.py (needs scikit-learn). The form is described in README.md.
"""

import pathlib
import struct

from sklearn.datasets import load_digits

digits = load_digits()
images = digits.data
assert images.shape == (1797, 64) and images.min() == 0 and images.max() == 16
assert (images == images.round()).all()

records = b"".join(
    bytes(image.astype("uint8")) + bytes([label]) for image, label in zip(images, digits.target, strict=True)
)
header = b"DIGITS\x00\x01" + struct.pack("<IHH", len(images), 8, 8)
target = pathlib.Path(__file__).with_name("digits.bin")
target.write_bytes(header + records)
print(f"{target}: {len(header) + len(records)} bytes")
