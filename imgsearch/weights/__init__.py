"""Weights: files of tensors, on their way from a hub or a disk into a model on a device.

What encoders and captioners share, whatever their architecture.

    hub.py      fetch a file, or say how to
    files.py    read a file of unknown origin as data
    filling.py  tensors into a model; the identity of the result
    device.py   where a model computes
"""
