"""Photos with text, from the shapes people keep them in: what training learns from and `eval`
measures on.

Paths go in; one `CaptionedPhotos` or `LabelledPhotos` comes out. Pictures stay where they are
(bytes, paths, places inside a bigger file): who needs pixels decodes `content(picture)`, so a set
of a million costs what its index costs. The format is recognised by what is in a path, never by a
flag; halves without the other half are counted, broken lines are errors with file and line.

    format              what is given                  what it looks like
    sidecars            folder or tar                  1.jpg beside 1.txt (a sentence a line) or
                                                       1.json ({language: [sentences]})
    WebDataset          tar, tars, folder of tars      the same inside tars; 1.cls is a label
    img2dataset         its tars or folder             1.jpg, 1.txt, 1.json with "caption" and "url"
    table               CSV, TSV, | or ;               header with path|image|filename, caption|
                                                       text|title, optional language, label
    JSON lines          JSONL or a JSON list           the same keys; a caption may be a list
    Flickr30k           results_20130124.token         name.jpg#0<TAB>caption
    Flickr8K            captions.txt, .token.txt       header image,caption; or as Flickr30k
    Flickr30k-CN        a caption list                 id<TAB>caption, words maybe word:pos
    COCO                captions_train2014.json        {"images": [...], "annotations": [...]}
    Chinese-CLIP        train_imgs.tsv, _texts.jsonl   id<TAB>base64; {"text", "image_ids"}
    Chinese-CLIP LMDB   the folder of a split          pairs/ and imgs/
    class folders       folder or tar                  <label>/1.jpg, names in classes.json

The pictures of a table are beside it, in the sub-folder that holds them, in a folder next door, or
in a folder given together with it.

    reading.py            read_pairs: the door
    kinds.py              which format a path is
    members.py            tars, folders, class folders
    sidecars.py           the text beside one picture
    rows.py               rows of tables become photos
    tables.py             CSV, TSV, JSON lines
    caption_lists.py      Flickr's and Flickr30k-CN's lists
    coco.py               COCO's captions
    places.py             where a table's pictures are
    chinese_clip.py       Chinese-CLIP's TSV and JSON lines
    chinese_clip_lmdb.py  its LMDB
    class_names.py        classes.json
    splitting.py          training and validation
    photos.py             CaptionedPhotos, LabelledPhotos, Unpaired
    pictures.py           bytes, paths, places in a file
    hidden.py             files that systems leave beside a person's
    texts.py              text files, line by line
"""

from imgsearch.pairs.photos import CaptionedPhotos, Ids, LabelledPhotos, Unpaired
from imgsearch.pairs.pictures import Picture, Stored, content
from imgsearch.pairs.reading import read_pairs
from imgsearch.pairs.sidecars import read_beside
from imgsearch.pairs.splitting import split, subset

__all__ = [
    "CaptionedPhotos",
    "Ids",
    "LabelledPhotos",
    "Picture",
    "Stored",
    "Unpaired",
    "content",
    "read_beside",
    "read_pairs",
    "split",
    "subset",
]
