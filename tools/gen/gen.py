"""gen.py [--check]: writes all files and regions that are generated from the core's tables and
headers and from contract/*.toml. With --check it writes nothing, lists the files that differ and
fails."""

import json
import pathlib
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parent))

import oplog
import other_agents
import reasons
import settings
import status
import surface
import text

ROOT = pathlib.Path(__file__).resolve().parents[2]


def toml(name):
    try:
        import tomllib
    except ImportError:  # Python 3.9 and 3.10
        from pip._vendor import tomli as tomllib
    with open(ROOT / "contract" / name, "rb") as file:
        return tomllib.load(file)


class Contract:
    """All sources, read once. read() returns the present text of a file that is generated in
    part."""

    def __init__(self, core):
        self.settings = core["settings"]
        self.metrics = core["metrics"]
        self.operations = {operation["name"]: operation for operation in core["operations"]}
        self.status_off = core["status"]
        self.status = toml("status.toml")
        self.surface = toml("surface.toml")
        self.record = toml("record.toml")
        self.reasons = toml("reasons.toml")
        self.other_agents = toml("other_agents.toml")

    @staticmethod
    def read(path):
        return (ROOT / path).read_text(encoding="utf-8")


def core():
    program = ROOT / "build/gen/contract"
    make = ["make", "-s", "--no-print-directory", str(program.relative_to(ROOT))]
    subprocess.run(make, cwd=ROOT, check=True, stdout=sys.stderr)
    return json.loads(subprocess.run([program], check=True, capture_output=True, text=True).stdout)


def formatted(path, body):
    if path.endswith((".py", ".pyi")):
        ruff = [sys.executable, "-m", "ruff", "format", "-q", "--stdin-filename", path, "-"]
        return text.through(ruff, body, path)
    return body


def prettier(outputs):
    """Formats JavaScript and TypeScript in one run: starting the formatter takes 0.3 s."""
    names = [path for path in outputs if path.endswith((".js", ".mjs", ".ts"))]
    if not names:
        return
    program = """
      const prettier = require('prettier');
      const files = JSON.parse(require('fs').readFileSync(0, 'utf8'));
      (async () => {
        for (const [path, text] of Object.entries(files)) {
          const options = await prettier.resolveConfig(path);
          files[path] = await prettier.format(text, { ...options, filepath: path });
        }
        process.stdout.write(JSON.stringify(files));
      })();
    """
    node = subprocess.run(
        ["tools/node-find.sh"], cwd=ROOT, check=True, capture_output=True, text=True
    ).stdout.strip()
    given = json.dumps({path: outputs[path] for path in names})
    done = subprocess.run(
        [node, "-e", program], cwd=ROOT, input=given, capture_output=True, text=True
    )
    if done.returncode != 0:
        raise SystemExit(f"gen: prettier fails: {done.stderr}")
    outputs.update(json.loads(done.stdout))


def generate():
    contract = Contract(core())
    outputs = {}
    for part in (oplog, other_agents, reasons, settings, status, surface):
        for path, body in part.outputs(contract).items():
            if path in outputs:
                raise SystemExit(f"gen: two parts write {path}")
            outputs[path] = formatted(path, body)
    prettier(outputs)
    return outputs


def main():
    check = "--check" in sys.argv[1:]
    different = []
    for path, body in generate().items():
        file = ROOT / path
        if not file.exists() or file.read_text(encoding="utf-8") != body:
            different.append(path)
            if not check:
                file.write_text(body, encoding="utf-8")
    if check and different:
        print("gen: not what `make gen` writes: " + ", ".join(different))
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
