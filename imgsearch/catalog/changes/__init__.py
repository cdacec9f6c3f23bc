"""What can be changed in a library, by what it is about; a `Writer` does all of it.

changing.py  an open transaction
encoders.py  encoders, their generations and embeddings
words.py     what people and encoders say of photos: captions, labels, albums
"""
