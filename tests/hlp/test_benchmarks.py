"""Public benchmarks are read from files in the layouts they come in, and run where they can be."""

from __future__ import annotations

import gzip
import json

import pytest

from paperworks.core import UserError
from paperworks.hlp import crosscodeeval, cruxeval, repoeval, safim
from paperworks.hlp.execution import passed

pytestmark = pytest.mark.usefixtures("own_datasets_cache")

PROGRAM = "n = int(input())\n# TODO: Your code here\nprint(m)\n"
SAFIM = {
    "task_id": "block_completion_000001",
    "prompt": f"Description: double.\n\nCode:\n\n{PROGRAM}",
    "eval_prompt": PROGRAM.replace("# TODO: Your code here", "{{completion}}"),
    "ground_truth": "m = 2 * n",
    "lang": "python",
    "unit_tests": json.dumps([{"input": "4\n", "output": ["8\n"]}]),
}
JAVA = SAFIM | {
    "lang": "java",
    "prompt": "int n; /* TODO: Your code here */ return m;",
    "eval_prompt": "int n; {{completion}} return m;",
}
API = SAFIM | {"unit_tests": ""}
CROSS = {
    "prompt": "import api\n\nclient = ",
    "groundtruth": "api.Client(1)",
    "right_context": "\nclient.go()\n",
    "metadata": {
        "task_id": "project_cc_python/62",
        "repository": "someone-project-1a2b",
        "file": "project/main.py",
        "context_start_lineno": 0,
        "groundtruth_start_lineno": 2,
        "right_context_start_lineno": 3,
    },
    "crossfile_context": {
        "text": "# the below code fragment can be found in:\n# api.py\n# class Client:\n\n",
        "list": [{"retrieved_chunk": "class Client:", "filename": "api.py", "score": 0.5}],
    },
}
REPO = {
    "prompt": "import sys\n\n",
    "metadata": {
        "task_id": "some--project/idx",
        "ground_truth": "x = sys.argv\n",
        "fpath_tuple": ["some_project", "src", "main.py"],
        "context_start_lineno": 0,
        "line_no": 2,
    },
}
CRUX = {"code": "def f(x, y):\n    return x + [y]", "input": "[1], 2", "output": "[1, 2]", "id": "sample_0"}


@pytest.fixture
def written(tmp_path):
    def write(*rows, name="data.jsonl"):
        content = "".join(json.dumps(row) + "\n" for row in rows).encode()
        (tmp_path / name).write_bytes(gzip.compress(content) if name.endswith(".gz") else content)
        return tmp_path / name

    return write


def test_safim_programs_are_run(written):
    python, java = safim(written(SAFIM, JAVA, name="block_completion.jsonl.gz")).holes()
    assert python.filled("#") == SAFIM["prompt"].replace("# TODO: Your code here", "#")
    assert passed([python, python, java], ["m = n + n", "m = n", "x"], workers=1) == [True, False, None]
    assert java.language == "java"
    (api,) = safim(written(API), "api").holes()
    assert api.execution is None


def test_crosscodeeval_puts_what_was_retrieved_first(written):
    (hole,) = crosscodeeval(written(CROSS)).holes()
    assert hole.prefix == CROSS["crossfile_context"]["text"] + CROSS["prompt"]
    assert (hole.truth, hole.suffix, hole.language) == ("api.Client(1)", "\nclient.go()\n", "python")
    (bare,) = crosscodeeval(written({key: CROSS[key] for key in CROSS if key != "crossfile_context"})).holes()
    assert bare.prefix == CROSS["prompt"]


def test_repoeval_finds_the_rest_of_the_file(written, tmp_path):
    folder = tmp_path / "repositories"
    file = folder / "some_project" / "src" / "main.py"
    file.parent.mkdir(parents=True)
    file.write_text("import sys\n\nx = sys.argv\nprint(x)\n")
    (hole,) = repoeval(written(REPO), folder).holes()
    assert hole.filled(hole.truth) == file.read_text()
    assert repoeval(written(REPO)).holes()[0].suffix == ""
    file.write_text("import os\n")
    with pytest.raises(UserError, match="do not stand in"):
        repoeval(written(REPO), folder).holes()


@pytest.mark.parametrize(("asked", "right", "wrong"), [("output", "[1, 2]", "[2]"), ("input", "[1], 2", "[1], 3")])
def test_cruxeval_assertions_are_run(asked, right, wrong, written):
    (hole,) = cruxeval(written(CRUX), asked).holes()
    assert hole.truth == right
    assert hole.filled(right) == CRUX["code"] + "\nassert f([1], 2) == [1, 2]\n"
    assert passed([hole, hole], [right, wrong], workers=1) == [True, False]


def test_data_that_are_not_there_or_something_else_are_refused(written, tmp_path):
    with pytest.raises(UserError, match="is no file"):
        safim(tmp_path / "absent.jsonl").holes()
    with pytest.raises(UserError, match="not on the hub"):
        crosscodeeval().holes()
    with pytest.raises(UserError, match="not in the layout of cruxeval-output: a row lacks 'code'"):
        cruxeval(written(REPO)).holes()
    with pytest.raises(UserError, match="has no '# TODO"):
        safim(written(SAFIM | {"prompt": "x = 1"})).holes()
    (tmp_path / "broken.jsonl").write_text("{no json")
    with pytest.raises(UserError, match=r"broken\.jsonl cannot be read"):
        safim(tmp_path / "broken.jsonl").holes()
