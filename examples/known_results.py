"""Known results, each one command over three seeds: known_results.py [NAME …] [--write] [--aim NAME=NUMBER]

Trains examples/results/NAME.yaml with `backprop train --config` for the seeds 0, 1 and 2 and prints the scores on the test set,
which no choice has seen. Exit status 1: one is below its aim. --write puts the table into examples/README.md. Data: a folder, or a
link to one, called examples/results/data (README.md says what belongs there); what is missing is said and left out. BACKPROP: the
program, build/release/backprop otherwise. For iris and digits the split changes with the seed, and the aim is what scikit-learn's
MLPClassifier with its defaults reaches on the same rows: measured here where PYTHON is an interpreter that has scikit-learn (SPLIT_ROWS:
the example of that name), otherwise the figures of version 1.9.1 below. Needs Python 3.8 alone.
"""
import json
import os
import pathlib
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent
README = HERE / "README.md"
PROGRAM = os.environ.get("BACKPROP", str(ROOT / "build/release/backprop"))
SPLIT_ROWS = os.environ.get("SPLIT_ROWS", str(ROOT / "build/release/examples/example_split_rows"))
BEGIN, END = "<!-- known results -->\n", "<!-- end of known results -->\n"
SEEDS = (0, 1, 2)
# name: what, metric, aim (a list: scikit-learn's, by seed, and the mean is compared), files under results/data
RESULTS = {
    "iris": ("iris", "accuracy", [0.9778, 0.9778, 0.9778], None),
    "digits": ("digits 8x8", "accuracy", [0.9759, 0.9814, 0.9833], None),
    "letter": ("letter recognition", "accuracy", 0.96, "tabular/letter-recognition.data"),
    "housing": ("California housing", "r2", 0.78, "tabular/cal_housing.data"),
    "adult": ("Adult", "accuracy", 0.85, "tabular/adult/adult.data"),
    "mnist": ("MNIST, 10 epochs", "accuracy", 0.98, "mnist"),
    "mnist_dropout": ("MNIST with dropout, schedule, average; 20 epochs", "accuracy", 0.985, "mnist"),
    "fashion": ("Fashion-MNIST, 15 epochs", "accuracy", 0.885, "fashion-mnist"),
    "fashion_dropout": ("Fashion-MNIST with dropout, schedule, average; 30 epochs", "accuracy", 0.90, "fashion-mnist"),
}


def train(name, seed, folder, split):
    """The record of one run."""
    command = [PROGRAM, "train", "--config", str(HERE / "results" / f"{name}.yaml"), "--seed", str(seed), "--out", folder, "--json", "-q"]
    if split:
        command += ["--set", f"data.split.seed={seed}"]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"known_results: {' '.join(command)}: {done.stderr or done.stdout}")
    return json.loads(done.stdout)


def mlp_classifier(name, seed, folder):
    """scikit-learn's accuracy on the same rows, or None without it."""
    python = os.environ.get("PYTHON")
    if not python:
        return None
    subprocess.run([SPLIT_ROWS, str(HERE / "results" / f"{name}.yaml"), str(seed), folder], check=True, stdout=subprocess.DEVNULL)
    script = str(HERE / "results" / "mlp_classifier.py")
    done = subprocess.run([python, script, folder, str(seed)], check=True, capture_output=True, text=True)
    return float(done.stdout.split()[0])


def run(name, aim):
    """A row of the table, and whether the aim is reached."""
    what, metric, wanted, _ = RESULTS[name]
    peers = isinstance(wanted, list)
    scores, seconds, seen = [], [], []
    for seed in SEEDS:
        with tempfile.TemporaryDirectory() as folder:
            record = train(name, seed, os.path.join(folder, "run"), peers)
            scores.append(record["test"][metric])
            seconds.append(record["seconds"])
            if peers:
                measured = mlp_classifier(name, seed, folder)
                seen.append(wanted[seed] if measured is None else measured)
    least = aim if aim is not None else sum(seen) / len(seen) if peers else wanted
    # Peers' mean is of numbers with four digits
    reached = sum(scores) / len(scores) >= least - 5e-5 if peers else min(scores) >= least
    said = f"MLPClassifier {', '.join(f'{v:.4f}' for v in seen)}" if peers and aim is None else f"{least:g}"
    name_of_metric = "R2" if metric == "r2" else metric
    cells = [what, name_of_metric, said, ", ".join(f"{v:.4f}" for v in scores), f"{sum(seconds) / len(seconds):.3g} s"]
    return f"| {' | '.join(cells)} | {'reached' if reached else '**not reached**'} | `{name}.yaml` |", reached


def main(arguments):
    aims = dict(a.split("=") for i, a in enumerate(arguments) if i and arguments[i - 1] == "--aim")
    names = [a for a in arguments if not a.startswith("--") and "=" not in a] or list(RESULTS)
    for name in [*names, *aims]:
        if name not in RESULTS:
            sys.exit(f"known_results: there is no result {name}; there are {', '.join(RESULTS)}")
    head = ["| result | on the test set | aim | seeds 0, 1, 2 | one run | | in results/ |", "|---|---|---|---|---|---|---|"]
    print("\n".join(head), flush=True)
    rows, good = [], True
    for name in names:
        files = RESULTS[name][3]
        if files and not (HERE / "results" / "data" / files).exists():
            print(f"known_results: {name} is SKIPPED: there is no examples/results/data/{files}", file=sys.stderr)
            continue
        row, reached = run(name, float(aims[name]) if name in aims else None)
        print(row, flush=True)
        rows.append(row)
        good = good and reached
    if "--write" in arguments:
        page = README.read_text()
        before, rest = page.split(BEGIN)
        after = rest.split(END)[1]
        old = {line.rsplit("`", 2)[1]: line for line in rest.split(END)[0].splitlines() if line.endswith(".yaml` |")}
        old.update({line.rsplit("`", 2)[1]: line for line in rows})
        kept = [old[f"{name}.yaml"] for name in RESULTS if f"{name}.yaml" in old]
        README.write_text(before + BEGIN + "\n".join([*head, *kept]) + "\n" + END + after)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
