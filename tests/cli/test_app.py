"""The command line as its users run it: one message when it fails, an exit code, nothing half-done."""

import hashlib
import io
import os
import pty
import re
import select
import signal
import subprocess
import sys
import sysconfig
import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console
from typer.testing import CliRunner

from credit_scoring import __version__
from credit_scoring.cli import app as cli
from credit_scoring.cli.app import INTERRUPTED, app, main
from credit_scoring.data.datasets import EMBEDDED_FILE, SOURCES_FOLDER, Dataset
from credit_scoring.errors import ConfigurationError
from credit_scoring.evaluation.results import Assessment
from credit_scoring.model import champion, store
from credit_scoring.model.card import ModelCard
from credit_scoring.model.promotions import Promotions
from credit_scoring.model.scorer import Scorer
from credit_scoring.settings import CHAMPION, PROJECT_FOLDER
from credit_scoring.training import search
from credit_scoring.training.candidates import CANDIDATE_BY_NAME
from credit_scoring.training.clock import Clock
from credit_scoring.training.config import TrainingPlan

COMMAND = Path(sysconfig.get_path("scripts")) / "credit-scoring"
ENDED_WITHIN = 300.0
EMBEDDED_CSV = PROJECT_FOLDER / "data" / EMBEDDED_FILE
EMBEDDED_MAPPING = SOURCES_FOLDER / "embedded.toml"
IN_THE_SEARCH = b"best AUC"

Ended = subprocess.CompletedProcess[str]


def _environment(home: Path | str | None = None) -> dict[str, str]:
    chosen = {"BENTOML_HOME": str(home)} if home else {}
    return {**os.environ, "COLUMNS": "200", "TERM": "xterm", "NO_COLOR": "1", **chosen}


def _run(*arguments: str | Path, home: Path | str | None = None) -> Ended:
    return subprocess.run(
        [COMMAND, *arguments],
        env=_environment(home),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=ENDED_WITHIN,
        check=False,
    )


@dataclass(frozen=True)
class Main:
    """`main` in this process, where a process of its own would add nothing but its start."""

    monkeypatch: pytest.MonkeyPatch
    capture: pytest.CaptureFixture[str]

    def __call__(self, *arguments: str | Path, **environment: str) -> Ended:
        for name, value in {"COLUMNS": "200", "NO_COLOR": "1", **environment}.items():
            self.monkeypatch.setenv(name, value)
        self.monkeypatch.setattr(sys, "argv", ["credit-scoring", *map(str, arguments)])
        with pytest.raises(SystemExit) as caught:
            main()
        code = caught.value.code or 0
        return subprocess.CompletedProcess([], int(code), *self.capture.readouterr())


@pytest.fixture
def run_here(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Main:
    return Main(monkeypatch, capsys)


def _error_of(found: Ended) -> str:
    """The one message of a failed run, which is all that it may have printed."""
    assert found.returncode == 1
    assert found.stdout == ""
    assert "Traceback" not in found.stderr
    assert found.stderr.startswith("error: ")
    assert found.stderr.count("error:") == 1
    return found.stderr


def _kept_card(stderr: str) -> ModelCard:
    """The card that a refusal names; removed after it was read."""
    named = re.search(r"Its card is kept in (\S+\.json)\.", stderr)
    assert named, stderr
    path = Path(named[1])
    card = ModelCard.model_validate_json(path.read_bytes())
    path.unlink()
    return card


def _files(home: Path) -> list[Path]:
    return [path for path in home.rglob("*") if path.is_file()]


def _models(home: Path) -> list[str]:
    return sorted(f"{path.parent.name}:{path.name}" for path in (home / "models").glob("*/*") if path.is_dir())


@pytest.fixture
def small_csv(tmp_path: Path) -> Path:
    """Some four hundred rows of the embedded data, as a user's own file."""
    header, *rows = EMBEDDED_CSV.read_text(encoding="utf-8").splitlines()
    path = tmp_path / "carteira.csv"
    path.write_text("\n".join([header, *rows[::11], ""]), encoding="utf-8")
    return path


class TestHelp:
    def test_help_lists_the_commands(self) -> None:
        found = _run("--help")
        assert (found.returncode, found.stderr) == (0, "")
        assert "train" in found.stdout
        assert "data" in found.stdout

    def test_help_of_train_lists_every_option_by_group(self) -> None:
        found = CliRunner(env={"COLUMNS": "200", "NO_COLOR": "1"}).invoke(app, ["train", "--help"])
        options = (
            "source path mapping max-bad-share trials timeout jobs seed resume min-auc min-recall "
            "loss-given-default margin engine master spark-log threshold-min-recall threshold-max-approval-rate against"
        )
        assert found.exit_code == 0
        assert all(f"--{option}" in found.output for option in options.split())
        assert all(f"─ {group} ─" in found.output for group in ("Data", "Search", "Threshold", "Gate", "Compute"))

    @pytest.mark.parametrize(
        ("command", "default"),
        [
            ("train", "CREDIT_SCORING_MINIMUM_AUC or 0.75"),
            ("train", "CREDIT_SCORING_MINIMUM_RECALL or 0.5"),
            ("evaluate", "evaluation-VERSION"),
            ("score", "application_id"),
            ("score", "4 per core"),
            ("decisions list", "SQLite in BENTOML_HOME"),
            ("decisions replay", "the model of each decision"),
            ("keys new", "the key's name"),
            ("keys new", "print the lines to add"),
        ],
    )
    def test_help_says_what_applies_when_an_option_is_not_given(self, command: str, default: str) -> None:
        found = CliRunner(env={"COLUMNS": "200", "NO_COLOR": "1"}).invoke(app, [*command.split(), "--help"])
        assert f"[default: ({default})]" in found.output

    def test_the_version_is_printed(self) -> None:
        found = _run("--version")
        assert (found.returncode, found.stdout, found.stderr) == (0, f"{__version__}\n", "")

    def test_a_misspelt_setting_is_warned_about_and_the_command_goes_on(self, run_here: Main, model_tag: str) -> None:
        found = run_here("models", "resolve", model_tag, CREDIT_SCORING_WORKRES="2")
        assert (found.returncode, found.stdout) == (0, f"{model_tag}\n")
        assert "Did you mean CREDIT_SCORING_WORKERS?" in found.stderr

    def test_without_a_command_the_help_is_shown(self) -> None:
        found = CliRunner().invoke(app, [])
        assert found.exit_code != 0
        assert "Usage" in found.output


class TestData:
    def test_the_embedded_data_is_described_without_training(self, run_here: Main) -> None:
        found = run_here("data")
        assert found.returncode == 0
        assert "monthly_income" in found.stdout
        assert "4,454 applications, 28.2% defaulted, 11 feature fields" in found.stderr
        assert "Spanish" in found.stderr

    def test_bad_rows_are_shown_with_line_column_and_problem_and_without_the_value(
        self, run_here: Main, small_csv: Path
    ) -> None:
        lines = small_csv.read_text(encoding="utf-8").splitlines()
        lines[9] = lines[9].replace(lines[9].split(",")[1], "98765", 1)
        small_csv.write_text("\n".join(lines), encoding="utf-8")
        found = run_here("data", "--source", "csv", "--path", small_csv, "--mapping", EMBEDDED_MAPPING)
        assert found.returncode == 0
        assert "left out Seniority: Input should be less than or equal to 60 (1 rows; lines 10)" in found.stderr
        assert "98765" not in found.stderr


class TestBadInput:
    def test_a_missing_file_is_one_error(self, run_here: Main, tmp_path: Path) -> None:
        message = _error_of(run_here("data", "--source", "csv", "--path", tmp_path / "nowhere.csv"))
        assert "nowhere.csv: cannot be read (No such file or directory). Check --path." in message

    def test_a_foreign_csv_is_one_error_before_any_search(
        self, run_here: Main, published: Callable[[], list[str]], tmp_path: Path
    ) -> None:
        path = tmp_path / "weather.csv"
        path.write_text("city,rain\nSantos,yes\n", encoding="utf-8")
        message = _error_of(run_here("train", "--source", "csv", "--path", path))
        assert "no column credit_letter_value, outcome; found city, rain" in message
        assert published() == []

    @pytest.mark.parametrize(
        ("column", "told"),
        [
            (
                "credit_letter_value",
                "no column credit_letter_value; found .* Did you mean credit_letter_value by credit_l",
            ),
            ("good_type", "not used columns good_typee\\. Did you mean good_type by good_typee\\?"),
        ],
    )
    def test_a_misspelt_column_is_told_with_the_right_name(
        self, run_here: Main, tmp_path: Path, column: str, told: str
    ) -> None:
        path = tmp_path / "own.csv"
        header = "age,credit_letter_value,good_type,outcome".replace(column, f"{column}e")
        rows = [f"37,24000,CAR,{outcome}" for outcome in ("PAID", "DEFAULTED") for _ in range(60)]
        path.write_text("\n".join([header, *rows]), encoding="utf-8")
        assert re.search(told, run_here("data", "--source", "csv", "--path", path).stderr)

    def test_a_binary_file_is_one_error(self, run_here: Main, tmp_path: Path) -> None:
        path = tmp_path / "image.csv"
        path.write_bytes(bytes(range(256)) * 100)
        message = _error_of(run_here("data", "--source", "kaggle", "--path", path))
        assert "Is it a CSV file?" in message

    def test_a_file_with_too_many_bad_rows_is_one_error_with_their_lines(self, run_here: Main, small_csv: Path) -> None:
        text = small_csv.read_text(encoding="utf-8").replace("rent", "[red]castle[/]")
        small_csv.write_text(text, encoding="utf-8")
        message = _error_of(run_here("data", "--source", "csv", "--path", small_csv, "--mapping", EMBEDDED_MAPPING))
        assert "Home: Input should be 'OWNER', 'RENT'" in message
        assert "castle" not in message

    @pytest.mark.parametrize("command", ["data", "train"])
    @pytest.mark.parametrize(
        ("setting", "value", "expected"),
        [
            ("CREDIT_SCORING_MINIMUM_AUC", "high", "a valid number"),
            ("CREDIT_SCORING_MINIMUM_RECALL", "7", "less than or equal to 1"),
        ],
    )
    def test_a_wrong_setting_in_the_environment_is_one_error_that_names_it(
        self, run_here: Main, command: str, setting: str, value: str, expected: str
    ) -> None:
        message = _error_of(run_here(command, **{setting: value}))
        assert setting in message
        assert expected in message

    def test_an_unwritable_store_is_one_line_before_any_search(self) -> None:
        message = _error_of(_run("train", home="/dev/null/x"))
        assert message.startswith("error: The model store cannot be written")
        assert "BENTOML_HOME" in message
        assert message.count("\n") == 1

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            (["data", "--source", "csv"], "--source csv needs --path"),
            (["data", "--path", "x.csv"], "--path x.csv: the embedded source has its own file"),
            (["data", "--mapping", "m.toml"], "--mapping m.toml: the source embedded has its own mapping"),
            (["data", "--source", "kaggle", "--mapping", "m.toml"], "the source kaggle has its own mapping"),
            (["train", "--jobs", "0"], "--jobs 0: expected -1"),
        ],
    )
    def test_options_that_do_not_go_together_are_refused_with_the_way_out(
        self, arguments: list[str], message: str
    ) -> None:
        found = CliRunner().invoke(app, arguments)
        assert isinstance(found.exception, ConfigurationError)
        assert message in str(found.exception)

    @pytest.mark.parametrize(
        "arguments",
        [
            ["data", "--source", "oracle"],
            ["data", "--max-bad-share", "2"],
            ["train", "--trials", "0"],
            ["train", "--trials", "many"],
            ["train", "--timeout", "-1"],
            ["train", "--min-auc", "1.5"],
            ["train", "--seed", "-1"],
            ["train", "--seed", "4294967296"],
            ["data", "--seed", "4294967296"],
            ["train", "--loss-given-default", "0"],
            ["train", "--no-such-option"],
            ["fly"],
        ],
    )
    def test_an_option_out_of_range_is_a_usage_error(self, arguments: list[str]) -> None:
        found = CliRunner().invoke(app, arguments)
        assert found.exit_code == 2
        assert "Traceback" not in found.output


class TestTrain:
    def test_a_model_from_a_user_s_own_file_is_published_and_its_tag_printed(
        self, small_csv: Path, tmp_path: Path
    ) -> None:
        home = tmp_path / "home"
        options = ("--source", "csv", "--path", small_csv, "--mapping", EMBEDDED_MAPPING, "--trials", "1")
        found = _run("train", *options, "--min-auc", "0.5", "--min-recall", "0", home=home)
        assert found.returncode == 0, found.stderr
        (tag,) = _models(home)
        assert tag == found.stdout.strip()
        assert "It is the champion, the first of this store" in found.stderr
        assert tag in _run("models", "history", home=home).stdout
        folder = home / "models" / tag.replace(":", "/")
        assert Assessment.model_validate_json((folder / "assessment.json").read_bytes()).rows > 0
        assert tag in (folder / "card.html").read_text(encoding="utf-8")
        assert all(name in found.stderr for name in ("lightgbm", "xgboost", "random_forest", "logistic_regression"))
        assert "AUC" in found.stderr
        assert "Threshold" in found.stderr
        stages = ["Search: ", "LightGBM; at most 1 trials …", "Compare: ", "Price the directions", "Measuring: "]
        assert sorted(stages, key=found.stderr.index) == stages

    def test_a_model_that_misses_the_gate_is_not_published(
        self,
        run_here: Main,
        small_csv: Path,
        published: Callable[[], list[str]],
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setattr(search, "CANDIDATES", (CANDIDATE_BY_NAME["logistic_regression"],))
        options = ("--source", "csv", "--path", small_csv, "--mapping", EMBEDDED_MAPPING, "--trials", "1")
        found = run_here("train", *options, "--jobs", "1", "--min-auc", "1")
        assert (found.returncode, found.stdout) == (1, "")
        assert "error: Not published: auc on the test part is 0." in found.stderr
        assert published() == []
        assert _kept_card(found.stderr).test["auc"].value < 1

    def test_a_model_that_is_worse_than_another_is_not_published_and_its_card_is_kept(
        self,
        run_here: Main,
        scorer: Scorer,
        dataset: Dataset,
        published: Callable[[], list[str]],
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        """The other one knows the test part by heart."""
        candidate, features = CANDIDATE_BY_NAME["lightgbm"], list(dataset.features)
        pipeline = candidate.pipeline(dataset.columns, {**candidate.start, "n_estimators": 1000}, 1)
        pipeline.fit(dataset.frame[features], dataset.defaulted)
        tag = store.save(Scorer.of(pipeline, dataset.catalogue, scorer.policy, scorer.card, dataset.frame))
        monkeypatch.setattr(search, "CANDIDATES", (CANDIDATE_BY_NAME["logistic_regression"],))
        found = run_here("train", "--trials", "1", "--jobs", "1", "--against", tag)
        assert (found.returncode, found.stdout) == (1, "")
        assert f"is worse than {tag} (AUC " in found.stderr
        assert published() == [tag]
        card = _kept_card(found.stderr)
        assert card.against
        assert card.against.tag == tag
        assert f"difference {card.against.difference}" in found.stderr

    def test_training_again_leaves_what_serves_and_names_the_command_that_changes_it(
        self,
        run_here: Main,
        model_tag: str,
        promotions: Promotions,
        small_csv: Path,
        published: Callable[[], list[str]],
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setattr(search, "CANDIDATES", (CANDIDATE_BY_NAME["logistic_regression"],))
        options = ("--source", "csv", "--path", small_csv, "--mapping", EMBEDDED_MAPPING, "--trials", "1")
        found = run_here("train", *options, "--jobs", "1", "--min-auc", "0.5", "--min-recall", "0")
        assert found.returncode == 0, found.stderr
        (tag,) = published()
        assert found.stdout == f"{tag}\n"
        assert f"{model_tag} still serves" in found.stderr
        assert f"credit-scoring models promote {tag} --reason" in found.stderr
        assert str(store.find(CHAMPION).tag) == model_tag

    def test_ctrl_c_once_the_model_is_saved_names_it_and_how_to_delete_it(
        self,
        run_here: Main,
        small_csv: Path,
        published: Callable[[], list[str]],
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        def interrupted(*_: object) -> None:
            raise KeyboardInterrupt

        monkeypatch.setattr(search, "CANDIDATES", (CANDIDATE_BY_NAME["logistic_regression"],))
        monkeypatch.setattr(champion, "begin", interrupted)
        options = ("--source", "csv", "--path", small_csv, "--mapping", EMBEDDED_MAPPING, "--trials", "1")
        found = run_here("train", *options, "--jobs", "1", "--min-auc", "0.5", "--min-recall", "0")
        (tag,) = published()
        assert (found.returncode, found.stdout) == (INTERRUPTED, "")
        assert f"Interrupted: {tag} was saved. Delete it with `bentoml models delete {tag}`" in found.stderr
        assert "nothing was saved" not in found.stderr

    @pytest.mark.parametrize(
        ("against", "message"),
        [("credit_scoring:none", "No model credit_scoring:none in the BentoML store")],
    )
    def test_a_model_to_compare_with_that_is_not_there_is_one_error_before_any_search(
        self, run_here: Main, model_tag: str, against: str, message: str
    ) -> None:
        assert message in _error_of(run_here("train", "--against", against))

    def test_data_without_a_field_of_the_model_to_compare_with_are_refused_before_any_search(
        self, run_here: Main, model_tag: str, small_csv: Path, tmp_path: Path
    ) -> None:
        mapping = tmp_path / "mapping.toml"
        kept = [line for line in EMBEDDED_MAPPING.read_text().splitlines() if not line.startswith("monthly_income")]
        mapping.write_text("\n".join(kept), encoding="utf-8")
        options = ("--source", "csv", "--path", small_csv, "--mapping", mapping)
        found = run_here("train", *options, "--against", model_tag)
        assert found.returncode == 1
        assert f"error: --against {model_tag}: that model uses monthly_income, which these data do not" in found.stderr


class TestEvaluate:
    def test_a_stored_model_is_measured_on_the_test_part_of_its_own_data(
        self, run_here: Main, model_tag: str, scorer: Scorer, tmp_path: Path
    ) -> None:
        folder = tmp_path / "report"
        found = run_here("evaluate", model_tag, "--output", folder)
        assert found.returncode == 0, found.stderr
        assert found.stdout.strip() == str(folder / "card.html")
        assessment = Assessment.model_validate_json((folder / "assessment.json").read_bytes())
        assert assessment.rows == scorer.card.data.rows_test
        assert assessment.metrics["auc"].value == scorer.card.test["auc"].value
        assert assessment.unseen
        assert not any("It cannot be seen" in warning for warning in assessment.warnings)
        assert "note: Demo data" in found.stderr
        assert "warning: Demo data" not in found.stderr

    def test_on_other_data_every_row_counts(
        self, run_here: Main, model_tag: str, small_csv: Path, tmp_path: Path
    ) -> None:
        options = ("--source", "csv", "--path", small_csv, "--mapping", EMBEDDED_MAPPING)
        found = run_here("evaluate", model_tag, *options, "--output", tmp_path / "report")
        assert found.returncode == 0, found.stderr
        rows = len(small_csv.read_text(encoding="utf-8").splitlines()) - 1
        assert f"all {rows} rows" in found.stderr
        assert "warning: It cannot be seen whether the model was trained on some" in found.stderr
        assessment = Assessment.model_validate_json((tmp_path / "report" / "assessment.json").read_bytes())
        assert not assessment.unseen
        assert assessment.warnings[0].startswith("It cannot be seen whether the model was trained on some of these")

    def test_the_training_file_read_by_another_mapping_is_refused_in_one_line(
        self, run_here: Main, scorer: Scorer, small_csv: Path, tmp_path: Path, published: Callable[[], list[str]]
    ) -> None:
        summary = {"sha256": hashlib.sha256(small_csv.read_bytes()).hexdigest(), "rows_train": 10_000}
        data = scorer.card.data.model_copy(update=summary)
        tag = store.save(replace(scorer, card=scorer.card.model_copy(update={"data": data})))
        options = ("--source", "csv", "--path", small_csv, "--mapping", EMBEDDED_MAPPING)
        found = run_here("evaluate", tag, *options, "--output", tmp_path / "report")
        assert (found.returncode, found.stdout) == (1, "")
        (message,) = [line for line in found.stderr.splitlines() if line.startswith("error:")]
        assert "Read it with the --source and --mapping of the training" in message

    def test_a_model_that_is_not_there_is_said_in_one_line(self, run_here: Main) -> None:
        found = run_here("evaluate", "credit_scoring:none")
        assert (found.returncode, found.stdout) == (1, "")
        assert "error: No model credit_scoring:none" in found.stderr

    def test_a_folder_that_cannot_be_written_is_named(self, run_here: Main, model_tag: str, tmp_path: Path) -> None:
        (tmp_path / "file").write_text("")
        found = run_here("evaluate", model_tag, "--output", tmp_path / "file" / "report")
        assert (found.returncode, found.stdout) == (1, "")
        assert "cannot be written" in found.stderr


def test_a_candidate_that_suits_the_training_part_alone_is_tried_with_a_bar_of_its_own(
    dataset: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    data, shown = dataset.rows(np.arange(500)), io.StringIO()
    most = len(data.frame) * len(data.features) - 1
    forest = replace(CANDIDATE_BY_NAME["random_forest"], most_values=most)
    for module in (cli, search):
        monkeypatch.setattr(module, "CANDIDATES", (CANDIDATE_BY_NAME["logistic_regression"], forest))
    monkeypatch.setattr(cli, "console", Console(file=shown, force_terminal=True, width=120, color_system=None))
    plan = TrainingPlan(trials=1, jobs=1, folds=3, repeats=1)
    scorer = cli._train_with_progress(data, plan, Clock(), None)
    assert forest.name in {each.name for each in scorer.card.candidates}
    assert "Search Random Forest" in shown.getvalue()
    assert "is left out" not in shown.getvalue()


def _output_of(terminal: int) -> Iterator[bytes]:
    """What arrives on a terminal until the last process has closed its side; fails when nothing does for too long."""
    while True:
        if not select.select([terminal], [], [], ENDED_WITHIN)[0]:
            pytest.fail(f"The command neither printed anything for {ENDED_WITHIN:g} s nor ended.")
        try:
            chunk = os.read(terminal, 65536)
        except OSError:  # Linux reports a terminal without processes as an I/O error
            return
        if not chunk:
            return
        yield chunk


def _read_until(output: Iterable[bytes], mark: bytes) -> bytes:
    seen = b""
    for chunk in output:
        seen += chunk
        if mark in seen:
            return seen
    return pytest.fail(f"The command ended before it printed {mark!r}:\n{seen.decode()}")


def test_a_thread_that_stumbles_after_ctrl_c_prints_nothing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """joblib's own does where Ctrl-C comes just as work is handed to a process: rare, and no news to who pressed it."""
    monkeypatch.setattr(threading, "excepthook", threading.__excepthook__)  # not pytest's, which collects
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt), cli._interruptible():
            signal.raise_signal(signal.SIGINT)
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    finally:
        signal.signal(signal.SIGINT, before)
    stumbling = threading.Thread(target={}.__getitem__, args=(5,))
    stumbling.start()
    stumbling.join()
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("jobs", ["1", "2"])
def test_ctrl_c_in_a_search_leaves_the_store_as_it_was(jobs: str, tmp_path: Path) -> None:
    home = tmp_path / "home"
    terminal, side_of_the_command = pty.openpty()
    process = subprocess.Popen(
        [COMMAND, "train", "--trials", "10000", "--jobs", jobs],
        env=_environment(home),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=side_of_the_command,
        start_new_session=True,
    )
    os.close(side_of_the_command)
    try:
        output = _output_of(terminal)
        _read_until(output, IN_THE_SEARCH)
        os.killpg(process.pid, signal.SIGINT)
        after = b"".join(output).decode()
        printed, _ = process.communicate(timeout=ENDED_WITHIN)
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait(ENDED_WITHIN)
        os.close(terminal)
    assert process.returncode == INTERRUPTED == 130
    assert "Interrupted: nothing was saved." in after
    assert "Traceback" not in after
    assert printed == b""
    assert _files(home / "models") == []
