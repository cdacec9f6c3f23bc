"""Photos shown inside a terminal: what it can draw, and the bytes that draw hits there.

Hits and a `Screen` go in, bytes come out; nothing here touches a terminal. The encodings are our
own, a screenful each: the library there is for them knows no iTerm2, asks the terminal while it is
imported, and inside tmux passes nothing on.

    screen.py       what a terminal can draw, and how large
    replies.py      what to ask a terminal, and what its replies mean
    kitty.py        Kitty's graphics protocol, directly and as placeholders for tmux
    iterm2.py       pictures as iTerm2, WezTerm and mintty take them
    sixel.py        sixels, with 255 colours a picture
    half_blocks.py  two pixels a letter, for every terminal with colours
    layout.py       hits, each beside its picture
"""

from imgsearch.display.terminal.layout import Preview, previews
from imgsearch.display.terminal.replies import Replies, choose
from imgsearch.display.terminal.screen import PROTOCOLS, Protocol, Screen

__all__ = ["PROTOCOLS", "Preview", "Protocol", "Replies", "Screen", "choose", "previews"]
