"""The ledger of faults: what you see, why, and what to do. Standard library only.

The page on troubleshooting shows it as a table; each line has exactly one test, marked with its
id, and what the code says is held to these words.
"""

import re
from dataclasses import dataclass

__all__ = ["FAULTS", "Fault", "find"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One line of the ledger.

    Attributes:
        id: Its name, which its test carries too.
        part: Where it belongs: runs, checkpoints, elsewhere, data, images, processes, or safety.
        see: The message, … for what differs; or what is there to be seen where none is given.
        says: Whether `see` is a message of this package.
        why: The cause.
        do: What to do.
    """

    id: str
    part: str
    see: str
    why: str
    do: str
    says: bool = True

    def matches(self, text: str) -> bool:
        """Whether a message is this one."""
        pieces = (re.escape(" ".join(piece.split())) for piece in self.see.split("…"))
        return re.search(".*".join(pieces), " ".join(text.split())) is not None


def _silent(id: str, part: str, see: str, why: str, do: str) -> Fault:  # noqa: A002
    return Fault(id=id, part=part, see=see, why=why, do=do, says=False)


def _says(id: str, part: str, see: str, why: str, do: str) -> Fault:  # noqa: A002
    return Fault(id=id, part=part, see=see, why=why, do=do)


FAULTS: tuple[Fault, ...] = (
    _silent("killed", "runs", "The run is gone without a word",
            "The machine lost power, or the system ended the process (SIGKILL).",
            "If the run had --out: the same command with --resume. It loses at most a minute of "
            "work and ends with the same bits. Without --out nothing was kept."),
    _says("sigterm", "runs", "stopped by … the run is kept in …",
          "A cluster or a shutdown asked the run to stop (SIGTERM).",
          "The command is printed under “To go on”. The exit code is 143."),
    _says("ctrl-c", "runs", "To go on: …",
          "You pressed Ctrl-C.",
          "Run the command that is printed. The exit code is 130. Without --out nothing is kept."),
    _says("out-of-memory", "runs",
          "out of memory: the … images of a step now go through in … parts",
          "A step did not fit into memory. It is done in halves; its result is the same.",
          "Nothing. To use less from the start: a smaller --batch-size."),
    _says("not-finite", "runs", "… at step …: lower the learning rate (lr=…",
          "The loss or its gradient is infinite or NaN. The step was left out and the run "
          "stopped, with the last good weights kept.",
          "A lower --lr, or --set clip_norm=1. If it is always the same batch, look at its images, "
          "which the message names."),
    _says("output-weights", "runs",
          "… gives … outputs in training and … how much each counts in the loss: …",
          "A network of your own gives several scores while it learns, as GoogLeNet with its "
          "auxiliary classifiers, and nothing says how much each counts.",
          "Give the network an attribute output_weights: a number for each output, the first 1."),
    _says("full-disk", "runs", "… could not be written: …. Nothing of it was left behind",
          "The disk is full, or the folder can't be written to. The earlier checkpoint is whole.",
          "Make room, then the same command with --resume: the run of --out goes on."),
    _says("earlier-run", "runs",
          "… holds a run already (…), and nothing was changed: go on with it …",
          "An option was forgotten: the folder of --out has the checkpoints of an earlier run.",
          "The same command with --resume goes on with it, with --overwrite replaces it."),
    _says("folder-in-use", "runs", "… is being written to by …, and nothing was changed: wait …",
          "Another run has the folder; the message names its process, its machine and since when.",
          "Wait until it ends, or give another --out. After a crash the folder is free again."),
    _says("interrupted-what", "runs", "interrupted: written so far, and whole: …",
          "Ctrl-C came. The files that the message names are whole, and no half file is left.",
          "Nothing; with --resume the run of --out goes on."),
    _says("odd-training-state", "checkpoints", "… can't be gone on with: its training state has …",
          "The checkpoint is of another version, or somebody changed it.",
          "Start anew from its weights, with another --out, as the message says."),
    _says("odd-comparison", "runs",
          "… is no comparison that `lineage-lab compare` wrote, such as …",
          "The file was changed, or is something else.",
          "Give the comparison.json of a folder that compare wrote to."),
    _says("name-not-utf-8", "data",
          "the name … is not UTF-8, so no file of results could hold it: …",
          "The name of the folder has bytes of another encoding, as old archives leave them.",
          "Rename the folder."),
    _says("cache-changed", "data",
          "… has changed since it was written: the images are decoded again",
          "A block of the cached pixels went bad on the disk. It was noticed before it was used.",
          "Nothing. Look after the disk: bits should not change."),
    _says("cache-cut", "data", "… were cut off while they were in use: …",
          "Something shortened a file of the cache during a run.",
          "Leave the cache alone while a run goes on; the same command with --resume goes on."),
    _says("folder-for-file", "runs", "… could not be written: Is a directory. …",
          "A folder has the name that the checkpoint needs.",
          "Rename or remove that folder, or choose another --out."),
    _says("flipped-bit", "checkpoints",
          "… is damaged: the SHA-256 of its content begins with …",
          "Some of the file's bits have changed since it was written.",
          "To go on: the same command with --resume takes the newest sound checkpoint. For "
          "predict or export: copy the file again, or give an earlier one."),
    _says("cut-checkpoint", "checkpoints", "… is cut off: … of … bytes are there.",
          "A copy broke off, or a disk was full.",
          "To go on: the same command with --resume takes the one before. For predict or export: "
          "copy the file again, or give an earlier one."),
    _says("newest-sound", "checkpoints", "passed over: …",
          "last.ckpt is damaged; the newest one that is sound was taken.",
          "Nothing. Look after the disk: bits should not change."),
    _says("never-nan", "checkpoints", "… was not written: …",
          "The state holds NaN or infinity. A file with it would be worth nothing.",
          "A lower learning rate, then --resume: the earlier checkpoint is as it was."),
    _says("other-model", "checkpoints", "… is a checkpoint of …, not of …",
          "The folder belongs to another network's run.",
          "Name the network that it is of, or choose another --out."),
    _says("other-classes", "checkpoints", "… was trained for other classes: …",
          "The data has other class folders than before, or in another order.",
          "Use the data that it was trained on, or choose another --out."),
    _says("weights-of-another", "elsewhere", "… is not of …: …. Nothing was loaded",
          "The tensors of the file are not those of this network, by the names of any library.",
          "Give the network that it is of. The message names what is missing or left over."),
    _says("weights-cut", "elsewhere", "… is no whole safetensors file: …",
          "A download or a copy broke off, or the ending of the name is wrong.",
          "Bring the file again."),
    _says("shard-missing", "elsewhere", "… names the shard …, which is not there: bring it",
          "Large weights lie in several files, and one of those that the index names is missing.",
          "Bring all files of the folder."),
    _says("two-forms", "elsewhere", "its names don't tell whether it is of timm's tf_ form: …",
          "timm has EfficientNet in two forms, which pad otherwise and have the same names.",
          "If it is the tf_ form, put its config.json beside the file, or take the name that is "
          "printed."),
    _says("no-builder", "elsewhere",
          "what built this … can't be told from it… Pass what builds it: …",
          "A closure or a script made the network, or it was changed after it was built. It is "
          "trained, but another process could not build it.",
          "Pass name= with the expression that builds it, or give the network itself to "
          "Predictor.load."),
    _says("scores-unknown", "elsewhere",
          "the network gives … and which of it are the scores is not known: …",
          "The network gives an object or a dict in which nothing is called logits.",
          "Let its forward return a tensor, or an object with .logits."),
    _says("nothing-learns", "elsewhere", "nothing of the network learns: …",
          "All of its parameters have requires_grad=False.",
          "Let the head learn at least, as the message says."),
    _says("few-agree", "elsewhere",
          "… was not written: only … % of … keep their first class in …, less than …",
          "The exported network answers otherwise than the trained one on too many images.",
          "Give more images like those that it will see, or take --fp16. With --force the file is "
          "written all the same."),
    _silent("last-single", "data", "(nothing)",
            "The number of images leaves one over for the last batch, on which batch norm fails.",
            "Nothing: the images are shared out so that no batch is a single image."),
    _says("class-single", "data", "… the class … has … image(s), too few for a part",
          "A class needs one image to learn from and one to be checked with.",
          "Add images, or remove the class folder."),
    _says("one-class", "data", "… has one class only, …, and nothing to tell it from",
          "There is nothing to learn. Often the folder that was given is one too deep.",
          "Give the folder that holds the class folders."),
    _says("empty-class", "data",
          "… holds no images: fill the class folder or remove it",
          "A class folder is empty, or no file in it ends as images do.",
          "Fill the folder or remove it."),
    _silent("class-order", "data", "Class 0 is not the one that you expected",
            "Classes are ordered by name, upper case first, on every machine.",
            "Read the names: they are stored in each checkpoint, and predict prints them."),
    _silent("dot-folder", "data", "A folder or file that begins with a dot is not counted",
            "Systems put thumbnails and notes there.", "Nothing, or rename it."),
    _says("unicode", "data",
          "has the same name as another class folder, in another Unicode form: join the two",
          "é can be written in two ways that look the same; a Mac and Linux differ.",
          "Move the images of both into one folder and remove the empty one. Where only train and "
          "val spell it differently, do nothing: they are one class already."),
    _says("link-loop", "data", "is a link that leads nowhere, or in a circle",
          "A symbolic link points to itself or to a file that is gone.", "Remove the link."),
    _says("link-out", "data", "is a link that leads out of the data folder, to …",
          "A data set can come from a stranger: it shows no file that is not in it.",
          "Put a copy of the file in its place, or remove the link."),
    _silent("data-check", "data", "One broken file after another stops the start",
            "Training starts only with a whole data set, and names the first fault.",
            "lineage-lab data check DIR names all of them at once."),
    _says("same-twice", "data", "… pictures are the same…",
          "The same picture is in two parts, which makes the accuracy too high, or in two classes, "
          "of which one is wrong.",
          "Remove one of each pair. lineage-lab data check DIR --html page.html shows all of them "
          "side by side, near copies too."),
    _says("few-validate", "data", "… images to validate with are few…",
          "The set's own validation part is so small that a single image moves the accuracy by "
          "much.",
          "Move images from train/ into it, or remove it: then each seed draws a quarter of the "
          "images."),
    _says("flat", "data", "… whose names hold no plain label such as cat.0.jpg: …",
          "The images lie beside one another, and nothing tells their classes.",
          "Give a table by --data FILE.csv; or --label REGEX, which finds the label in a path; or "
          "make a folder for each class."),
    _says("two-layouts", "data", "… two layouts at once: …",
          "Parts and class folders lie side by side, or labels in names beside class folders.",
          "Move the images that the message names into one of the two layouts."),
    _says("val-class", "data",
          "is missing, but … is a class of … images): each class that is validated must be trained",
          "The validation part has a class that the part to train on lacks; often a name is "
          "spelt in two ways.",
          "Give both parts the same class folders."),
    _says("no-train", "data", "holds …, but nothing to train on: …",
          "There is a part to validate or to test with, and none that is called train.",
          "Rename the folder to train on to train/, or give the folder above."),
    _says("table-file", "data", "is in the table, and no such file is there",
          "A row names a file that is not beside the table. The row is left out and counted.",
          "Nothing, if few are missing. Else put the images' folder beside the table."),
    _says("table-twice", "data", "stands in two rows that contradict each other: …",
          "One file has two labels, or is in two parts.",
          "Keep one of the two rows."),
    _says("one-group", "data", "… can't be on both sides of the split, since its images are in too "
          "few groups",
          "With --group, all images of a patient or a module stay on one side. A class that one "
          "group alone has can't be on both.",
          "Add images of other groups, remove the class, or leave out --group."),
    _says("dataset-item", "data", "item … of …",
          "A torch Dataset gives something that is no image with a label.",
          "Give (image, label): an image of Pillow, or uint8, or floats from 0 to 1, not "
          "normalised; and a whole number."),
    _silent("never-written", "data", "Is my data set changed?",
            "No. It is read and never written to; what is decoded lies in the cache.",
            "Nothing."),
    _says("cut-image", "images", "… can't be read as an image: …. Replace the file or take it out",
          "The file is truncated: a download broke off.",
          "Replace the file or take it out of the folder."),
    _says("empty-image", "images", "it is empty (0 bytes)",
          "The file was made and never filled.", "Replace it or remove it."),
    _says("no-image", "images", "it is none of …",
          "The content is no image of a known format, whatever the name says.",
          "Replace it or remove it. A wrong ending of a real image does no harm."),
    _says("bomb", "images", "it has too many pixels …",
          "A small file that would fill the memory. It is refused before it is decoded.",
          "Save it with fewer pixels (at most 89 million), or remove it."),
    _says("float-image", "images",
          "its pixels are …, and which of them is white is not known",
          "Numbers without a range: nobody says which one is white.",
          "State it as the message says, --range=BLACK:WHITE, or save it with 8 or 16 bits a "
          "channel. The checkpoint keeps the range, and predict uses it."),
    _says("no-range", "images", "… holds images whose numbers have no known range: …",
          "Scans of signed or floating-point numbers, in which nothing says what is white.",
          "Add the --range that is printed; lineage-lab data check looks at all files for it."),
    _says("partial-range", "images",
          "… of more than 8 bits hold values from … to …, so only … of 256 grey levels are kept",
          "Data of 12 bits in files of 16: as 16 bits they would be nearly black.",
          "Add the --range that is printed. The checkpoint keeps it, and predict uses it."),
    _says("pages", "images", "it has … pages, and the first is of one single value: …",
          "A stack of pages, of which the first shows nothing.",
          "State the page by --page N, or save that page as a file of its own."),
    _says("heic", "images", "it is HEIC, as telephones write it, which needs one more package: …",
          "Apple's telephones save photographs so, and Pillow alone does not read them.",
          "pip install \"lineage-lab[heif]\"."),
    _says("dicom", "images", "it is DICOM, a medical file: …",
          "DICOM holds more than a picture, and its values need a window.",
          "Convert all files to 16-bit PNG by the same window, as the message says."),
    _says("fifo", "images", "it is no regular file, but a folder, a pipe or a device",
          "A pipe would keep the reader waiting for ever.", "Remove it."),
    _silent("sixteen-bit", "images", "(nothing)", "16 bits a channel.",
            "Nothing: scaled to 8 bits, not cut off."),
    _silent("cmyk", "images", "Colours look a little off", "Printing inks (CMYK).",
            "Nothing: converted by the plain formula, without a colour profile. Save as RGB if the "
            "shade matters."),
    _silent("palette", "images", "(nothing)", "A palette of colours.", "Nothing: looked up."),
    _silent("alpha", "images", "A white ground", "Transparent pixels.",
            "Nothing: laid on white."),
    _silent("animated", "images", "One picture of many", "An animation.",
            "Nothing: the first frame is taken."),
    _silent("exif", "images", "(nothing)", "A camera held sideways.",
            "Nothing: turned as its EXIF data say."),
    _silent("strip", "images", "Only the middle is seen", "An image of 1 × 20,000 pixels.",
            "Nothing: the middle square is taken. Cut it by hand if the rest matters."),
    _silent("rank-raises", "processes", "One process's error, then all end",
            "One of several processes failed; the others can't go on alone.",
            "Read the first error, mend it, and the same command with --resume."),
    _silent("rank-killed", "processes", "Signal 9 (SIGKILL) received by PID …",
            "One of several processes was killed, often for memory.",
            "The same command with --resume; a smaller --batch-size if it was the memory."),
    _says("rank-fewer", "processes", "the processes do not have the same images: …",
          "The data set differs from machine to machine.",
          "Copy the same data set to each machine."),
    _says("no-class-known", "data", "no class of the data is one that the network knows: …",
          "The folders have other names than the classes that the network was trained on.",
          "Name the folders as the network's classes."),
    _says("threshold-needs-both", "data",
          "a threshold needs validation images of the class and of the others: …",
          "All images to validate with are of the class, or none is.",
          "Add images, or leave the threshold out."),
    _says("untrusted", "safety", "… was refused: it holds more than tensors and plain values",
          "The file would run code when opened by a careless program. Nothing of it was run.",
          "Don't use it; ask its sender."),
    _says("shard-outside", "safety", "… was refused: its shard … leads out of its folder",
          "An index of weights names a file that is not in its own folder.",
          "Don't use it; ask its sender."),
    _says("not-allowed", "safety", "… is not imported: a file may name only builders of …",
          "A checkpoint names a class of a package that is not among the known libraries. "
          "To import it would run its code.",
          "If you know the package and trust it, allow it by --allow, as the message says."),
    _silent("outside", "safety", "could not be downloaded: … outside …",
            "An archive wants to write outside of its folder.", "Don't use it."),
    _says("mistake", "safety", "Error: …",
          "The command can't be followed; no traceback is shown.",
          "Do what the message says. --debug, right after lineage-lab, shows the traceback."),
)  # fmt: skip


def find(id: str) -> Fault:  # noqa: A002
    """The line with this id.

    Raises:
        KeyError: There is none.
    """
    found = {fault.id: fault for fault in FAULTS}
    return found[id]
