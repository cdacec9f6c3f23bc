"""The command line: each command parses, calls one verb, and shows what came of it.

Results go to stdout, everything else to stderr. Importing this loads nothing heavy, so that
`imgsearch --help` answers at once: commands import what they need when they run. The one place that
turns errors into a red line and an exit code is `Commands`.

    frame.py      the group of commands: errors, exit codes, the options of every command
    showing.py    hits in every form; previews.py and asking.py: in the terminal
    filter_options.py  an option a condition; queries.py  words of a command line as queries
    completion.py what a shell completes

    index.py      index          watch.py       watch
    search.py     search         similar.py     similar
    random_photos.py  random     open_hit.py    open
    take_out.py   copy, link     show.py        show
    caption.py    caption        label.py       label
    album.py      album          duplicates.py  duplicates
    map.py        cluster, map   exchange.py    export, import
    upkeep.py     status, doctor, switch, rollback, prune
    rebuilding.py rebuild        encoders.py    encoders
    evaluating.py eval, score    explain_prefix.py  explain-prefix
    finetune.py   finetune       train_captioner.py train-captioner
"""

import os
import sys
import traceback
import warnings

from imgsearch.cli import (
    album,
    caption,
    duplicates,
    encoders,
    evaluating,
    exchange,
    explain_prefix,
    finetune,
    index,
    label,
    map,
    open_hit,
    random_photos,
    rebuilding,
    search,
    show,
    similar,
    take_out,
    train_captioner,
    upkeep,
    watch,
)
from imgsearch.cli.filter_options import Filtered
from imgsearch.cli.frame import app

__all__ = ["app", "main"]

BUG = 70

app.command("index")(index.index)
app.command("watch")(watch.watch)
app.command("search", cls=Filtered)(search.search)
app.command("similar", cls=Filtered)(similar.similar)
app.command("random", cls=Filtered)(random_photos.random_photos)
app.command("open")(open_hit.open_hit)
app.command("copy", cls=Filtered)(take_out.copy)
app.command("link", cls=Filtered)(take_out.link)
app.command("show")(show.show)
app.command("caption", cls=Filtered)(caption.caption)
app.command("label", cls=Filtered)(label.label)
app.add_typer(album.app, name="album")
app.command("cluster", cls=Filtered)(map.cluster)
app.command("map", cls=Filtered)(map.draw_map)
app.command("duplicates", cls=Filtered)(duplicates.duplicates)
app.command("export", cls=Filtered)(exchange.export)
app.command("import")(exchange.import_)
app.command("status")(upkeep.status)
app.command("doctor")(upkeep.doctor)
app.command("encoders")(encoders.encoders)
app.command("eval")(evaluating.evaluate)
app.command("score")(evaluating.score)
app.command("explain-prefix")(explain_prefix.explain_prefix)
app.command("finetune")(finetune.finetune)
app.command("train-captioner")(train_captioner.train_captioner)
app.command("rebuild")(rebuilding.rebuild)
app.command("switch")(upkeep.switch)
app.command("rollback")(upkeep.rollback)
app.command("prune")(upkeep.prune)


def main() -> None:
    """Run the command line and exit with its code; anything unforeseen is a bug and says so."""
    warnings.formatwarning = _one_line
    # Before torch loads: threads that wait by spinning made a busy machine ten times slower.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    for stream in ("stdout", "stderr"):
        if getattr(sys, stream) is None:  # closed by the caller, who wants to hear nothing
            setattr(sys, stream, open(os.devnull, "w"))  # noqa: SIM115  # until the process ends
    try:
        app(prog_name="imgsearch")
    except Exception:  # the last line of defence: every foreseen error was caught in `Commands`
        traceback.print_exc()
        sys.stderr.write("\nThis is a bug in imgsearch; please report it with the lines above.\n")
        sys.exit(BUG)


def _one_line(message: Warning | str, *_place: object, **_source: object) -> str:
    """A warning for a person, who has no use for the line of code it came from."""
    return f"warning: {message}\n"
