"""What the command's exit codes mean."""

__all__ = ["EXIT_CODES"]

EXIT_CODES: dict[int, str] = {
    0: "It is done.",
    1: "A check found something: data check a problem, predict or evaluate a file it can't read.",
    2: "A mistake, a missing file, or a full disk; the message says what to do.",
    130: "Ctrl-C. With --out the run is saved, and the command that goes on is printed.",
    141: "What read the output closed it; files that were asked for had been written before.",
    143: "SIGTERM, as a cluster sends it. Saved likewise.",
}
