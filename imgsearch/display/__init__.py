"""Hits and outcomes made visible: Rich tables, JSON lines, plain paths, a contact sheet.

Plain values of the verbs go in; Rich renderables, text, bytes and PIL images come out. Nothing here
prints, opens a library or reads the environment, so every form is tested by value and the web can
use the same ones. A file name is data, never layout: what a terminal would obey is shown escaped.
"""
