"""`tarkeep copies` and `tarkeep undo NAME`: what restores have replaced."""

from __future__ import annotations

from pathlib import Path

from tests.engine.test_cli import Shell, shell  # noqa: F401  (a fixture)


def restored_twice(shell: Shell) -> tuple[Path, list[dict]]:  # noqa: F811
    """The file of the data folder, and the copies: of `third` and of `second`, the newest first."""
    file = shell.folder / "data" / "state"
    file.parent.mkdir(exist_ok=True)
    file.write_text("first")
    shell.json("backup")
    for word in ("second", "third"):
        file.write_text(word)
        shell.json("restore", "latest", "--yes")
    return file, shell.json("copies")["copies"]


def test_copies_are_shown_with_their_size_and_can_be_removed(shell: Shell) -> None:  # noqa: F811
    _, (newest, oldest) = restored_twice(shell)
    assert oldest["size"] - newest["size"] == len("second") - len("third")
    assert (newest["partial"], newest["notInBackup"]) == (False, 0)
    assert shell.run("copies", "--remove", oldest["name"]).returncode == 8  # nobody to ask
    assert shell.json("copies", "--remove", oldest["name"], "--yes")["removed"] == oldest["path"]
    assert [one["name"] for one in shell.json("copies")["copies"]] == [newest["name"]]
    assert not Path(oldest["path"]).exists()


def test_an_undo_takes_any_copy_by_its_name(shell: Shell) -> None:  # noqa: F811
    file, (_, oldest) = restored_twice(shell)
    shell.json("undo", oldest["name"], "--yes")
    assert file.read_text() == "second"


def test_a_name_that_no_copy_has_is_refused(shell: Shell) -> None:  # noqa: F811
    restored_twice(shell)
    for words in (("undo", "data"), ("copies", "--remove", "../data")):
        assert shell.run(*words, "--yes").returncode == 7


def test_a_path_is_no_pattern_when_that_is_said(shell: Shell) -> None:  # noqa: F811
    data = shell.folder / "data"
    data.mkdir(exist_ok=True)
    for name in ("notes[ab].txt", "notesa.txt"):
        (data / name).write_text("saved")
    shell.json("backup")
    for name in ("notes[ab].txt", "notesa.txt"):
        (data / name).write_text("later")
    shell.json("restore", "latest", "notes[ab].txt", "--literal", "--yes")
    assert [(data / name).read_text() for name in ("notes[ab].txt", "notesa.txt")] == [
        "saved", "later",
    ]  # fmt: skip
