#!/usr/bin/env python3
"""Writes src/data/builtin_digits.inc and builtin_iris.inc from scikit-learn's digits.csv.gz and iris.csv.

usage: tools/embed_builtin.py FOLDER   (the folder with the two files; run in the repository root)

Digits are stored as 4-bit codes: 0 to 14 stand for themselves, 15 is followed by 0 (for 15) or 1 (for 16). A row is its 64
values and its label. 16 codes make a 64-bit word, the first in the lowest bits.
"""
import gzip
import os
import sys

NOTE_DIGITS = """/* Made by tools/embed_builtin.py; do not edit.
   Optical Recognition of Handwritten Digits, test part (1,797 images of 8x8, 0 to 16): E. Alpaydin, C. Kaynak (1998),
   UCI Machine Learning Repository, https://doi.org/10.24432/C50P49, Creative Commons Attribution 4.0. */
"""
NOTE_IRIS = """/* Made by tools/embed_builtin.py; do not edit.
   Iris: R. A. Fisher (1936), UCI Machine Learning Repository, https://doi.org/10.24432/C56C76, Creative Commons
   Attribution 4.0. Tenths of a centimetre, then the species' number; as in scikit-learn. */
"""


def lines(items, per_line):
    return "".join("    " + " ".join(i + "," for i in items[k : k + per_line]) + "\n" for k in range(0, len(items), per_line))


def digits(folder):
    codes = []
    with gzip.open(os.path.join(folder, "digits.csv.gz"), "rt") as f:
        rows = [[int(float(v)) for v in line.split(",")] for line in f if line.strip()]
    assert len(rows) == 1797 and all(len(r) == 65 for r in rows)
    for value in (v for row in rows for v in row):
        assert 0 <= value <= 16
        codes += [value] if value < 15 else [15, value - 15]
    codes += [0] * (-len(codes) % 16)
    words = [sum(c << (4 * i) for i, c in enumerate(codes[k : k + 16])) for k in range(0, len(codes), 16)]
    with open("src/data/builtin_digits.inc", "w") as out:
        out.write(NOTE_DIGITS + "static const uint64_t digits_codes[] = {\n")
        out.write(lines(["0x%016xu" % w for w in words], 6) + "};\n")


def iris(folder):
    with open(os.path.join(folder, "iris.csv")) as f:
        rows = [line.split(",") for line in f if line.strip()][1:]
    assert len(rows) == 150
    values = [str(round(float(v) * 10)) for row in rows for v in row[:4]]
    with open("src/data/builtin_iris.inc", "w") as out:
        out.write(NOTE_IRIS + "static const uint8_t iris_tenths[] = {\n" + lines(values, 28) + "};\n")
        out.write("static const uint8_t iris_species[] = {\n" + lines([row[4].strip() for row in rows], 36) + "};\n")


digits(sys.argv[1])
iris(sys.argv[1])
