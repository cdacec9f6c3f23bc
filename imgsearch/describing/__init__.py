"""caption(): stored embeddings become sentences. import_captions(), export_captions(): people's
words come in, all words go out. look_up(): all that is known of a photo.

A library goes in; sentences land in its catalog, a batch a transaction, and events say so. Pictures
are not read again: a captioner reads the embeddings of its encoder. What a person wrote, in the
library or beside a photo, is never replaced by what a captioner says.

    running.py    caption: the run, batch by batch; a preview that writes nothing
    choosing.py   which photos, which encoder's embeddings
    events.py     what a run tells
    sidecars.py   the text beside photos, kept in step with the catalog
    importing.py  people's captions from sidecars, tables and descriptions inside photos
    exporting.py  captions as a table, as JSON lines, as text beside photos
    looking_up.py what is known of a photo
"""

from imgsearch.describing.choosing import Selection
from imgsearch.describing.events import Began, Captioned, Event, Finished, Plan
from imgsearch.describing.exporting import Exported, export_captions
from imgsearch.describing.importing import Imported, import_captions
from imgsearch.describing.looking_up import KnownFile, KnownPhoto, look_up
from imgsearch.describing.running import Preview, caption, preview
from imgsearch.describing.sidecars import SidecarChanges

__all__ = [
    "Began",
    "Captioned",
    "Event",
    "Exported",
    "Finished",
    "Imported",
    "KnownFile",
    "KnownPhoto",
    "Plan",
    "Preview",
    "Selection",
    "SidecarChanges",
    "caption",
    "export_captions",
    "import_captions",
    "look_up",
    "preview",
]
